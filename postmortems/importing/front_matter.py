"""The YAML block at the top of a file: strings, lists and mappings of strings, and nothing else YAML can do.

PyYAML's parser gives the events; what is built from them is ours. So an alias (a few lines of them unfold to
gigabytes), a tag (`!!python/...`), a key given twice and endless nesting are refused with their line, `yes`, `on`
and `2021-02-30` are the text they look like, and nothing recurses.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from postmortems.importing.base import Unreadable
from postmortems.importing.reading import Line, lines_of

MAX_BLOCK = 100_000  # characters
MAX_DEPTH = 6
_KEY = re.compile(r"""["']?\w[\w .-]{0,60}["']?[ \t]*:(?:\s|$)""")
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # by way of "\\0" and "\\ud800"; no database stores them
EMPTY = ("~", "null", "Null", "NULL")


@dataclass
class Value:
    """What stands under one key: a text, a list of texts, or anything deeper, which is kept as it was written."""

    items: list[str] = field(default_factory=list)
    is_list: bool = False
    raw: str = ""
    is_deep: bool = False
    line: int = 1  # in the file

    @property
    def text(self) -> str:
        return ", ".join(self.items)

    @property
    def is_empty(self) -> bool:
        return not self.items and not self.is_deep


def split(text: str) -> tuple[str, str]:
    """(block with its two fences, the rest). No block, or one that is never closed: ("", text)."""
    if not re.match(r"---[ \t]*(?:\r\n|\r|\n)", text):
        return "", text
    size = 0
    for line in lines_of(text):
        size += len(line.raw)
        if line.number > 1 and line.text.rstrip() in ("---", "..."):
            return (text[:size], text[size:]) if _is_mapping(text[:size]) else ("", text)
    return "", text


def _is_mapping(block: str) -> bool:
    """Two rules with prose between them look like front matter too."""
    inner = [line.text for line in list(lines_of(block))[1:-1]]
    first = next((line for line in inner if line.strip() and not line.lstrip().startswith("#")), None)
    return first is None or bool(_KEY.match(first))


def parse(block: str) -> Mapping[str, Value]:
    """The keys, as written, in their order. Raises `Unreadable` with the line in the file."""
    if len(block) > MAX_BLOCK:
        raise Unreadable(f"the front matter is longer than {MAX_BLOCK // 1000} KB", 1)
    lines = list(lines_of(block))[1:-1]
    # A tab is no indentation in YAML, but people type it; two spaces keep the rest of the line where it was.
    text = "\n".join(line.text.replace("\t", "  ") for line in lines)
    try:
        return _Builder(lines).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"front matter: {error.problem or error}", mark.line + 2 if mark else 1) from error
    except yaml.YAMLError as error:  # a character YAML does not allow; its message names it
        raise Unreadable(f"front matter: {' '.join(str(error).split())}", 1) from error


class _Builder:
    """Walks the events once. Only the outermost mapping is taken apart: deeper ones are kept as text."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.values: dict[str, Value] = {}
        self.starts: list[tuple[str, int]] = []  # each key and the index of its line

    def build(self, events: Iterator[yaml.Event]) -> Mapping[str, Value]:
        depth, key = 0, ""
        for event in events:
            self._refuse(event, depth)
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                self._open(event, depth, key)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                if depth == 1:
                    key = ""
            elif isinstance(event, yaml.ScalarEvent):
                key = self._scalar(event, depth, key)
        self._keep_raw()
        return self.values

    def _refuse(self, event: yaml.Event, depth: int) -> None:
        line = _line_of(event) + 2
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable("front matter: anchors and aliases (& and *) are not allowed", line)
        if tag := getattr(event, "tag", None):
            raise Unreadable(f"front matter: tags ({tag}) are not allowed", line)
        if isinstance(event, yaml.ScalarEvent) and NO_TEXT.search(event.value):
            raise Unreadable("front matter: a character that is no text", line)
        if isinstance(event, yaml.CollectionStartEvent) and depth >= MAX_DEPTH:
            raise Unreadable(f"front matter: nested more than {MAX_DEPTH} deep", line)

    def _open(self, event: yaml.CollectionStartEvent, depth: int, key: str) -> None:
        line = _line_of(event) + 2
        if depth == 1 and not isinstance(event, yaml.MappingStartEvent):
            raise Unreadable("front matter: expected `key: value` lines", line)
        if depth == 2 and not key:
            raise Unreadable("front matter: a key must be a word", line)
        if depth == 2 and isinstance(event, yaml.SequenceStartEvent):
            self.values[key].is_list = True
        elif depth >= 2:
            self.values[key].is_deep = True

    def _scalar(self, event: yaml.ScalarEvent, depth: int, key: str) -> str:
        """The key that the next event belongs to."""
        line = _line_of(event)
        if depth == 0:
            raise Unreadable("front matter: expected `key: value` lines", line + 2)
        if depth == 1 and not key:
            name = str(event.value).strip()
            if not name:
                raise Unreadable("front matter: a key must be a word", line + 2)
            if name in self.values:
                raise Unreadable(f"front matter: the key {name!r} is given twice", line + 2)
            self.values[name] = Value(line=line + 2)
            self.starts.append((name, line))
            return name
        value = str(event.value).strip()
        if value and not (event.implicit[0] and value in EMPTY):
            self.values[key].items.append(value)
        return key if depth > 1 else ""

    def _keep_raw(self) -> None:
        ends = [*(line for _, line in self.starts[1:]), len(self.lines)][: len(self.starts)]
        for (key, start), end in zip(self.starts, ends, strict=True):
            self.values[key].raw = "\n".join(line.text for line in self.lines[start:end]).rstrip()


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0
