"""A record of an export as a Markdown file, written and read back without the loss of a character.

Facts stand in YAML front matter whose texts are all quoted, long texts below it, each after a comment that names it.
Whoever edits such a file by hand may write YAML as they like: it is read as `front_matter.py` does, deep values too.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from postmortems import sections
from postmortems.importing import front_matter
from postmortems.importing.base import FoundRecord, Unreadable

Record = dict[str, Any]
Lines = dict[tuple[str | int, ...], int]
MARK = "kb_record"
MAX_DEPTH = 8
# Kind of record -> its texts that stand below the front matter: key -> heading.
TEXTS: Mapping[str, Mapping[str, str]] = {
    "postmortem": {section.key: section.title for section in sections.SECTIONS},
    "incident": {"symptoms": "Symptoms", "error_excerpt": "Error"},
    "problem": {"discriminating_check": "How to tell it from its look-alikes"},
    "fix": {
        "preconditions": "When it applies",
        "steps": "Steps",
        "commands": "Commands",
        "risk": "Risk",
        "undo": "How to go back",
    },
}
SECTIONS = "sections"  # of a postmortem: a list of key and body
_BEGIN = re.compile(rf"---\r?\n{MARK}: ")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What YAML does not let stand in a file, and what it takes for the end of a line.
_UNPRINTABLE = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LOOKS_LIKE_MARK = re.compile(r"^(\\*<!-- section: )", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- section: )", re.MULTILINE)


def is_record(text: str) -> bool:
    return bool(_BEGIN.match(text))


# --- written ---


def write(record: Record, kind: str) -> str:
    """The file. `record`: plain values, as JSON has them."""
    headings = TEXTS[kind]
    texts = {text["key"]: text["body"] for text in record[SECTIONS]} if kind == "postmortem" else record
    facts = {key: value for key, value in record.items() if key != SECTIONS and key not in headings}
    lines = ["---", f"{MARK}: {kind}", *(line for key, value in facts.items() for line in _fact(key, value)), "---"]
    lines += ["", f"# {' '.join(str(record['title']).split())}", ""]
    written = [(key, texts[key]) for key in headings if texts.get(key) or (kind == "postmortem" and key in texts)]
    blocks = [f"<!-- section: {key} -->\n## {headings[key]}\n\n{_escaped(body)}\n" for key, body in written]
    return "\n".join([*lines, *blocks])


def _fact(key: str, value: Any) -> Iterator[str]:
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        yield f"{key}: {quoted(value)}"
        return
    yield f"{key}:"
    yield from (f"  - {quoted(item)}" for item in value)


def quoted(value: Any) -> str:
    """On one line, every text in quotes. JSON is YAML, but for a few characters, which stand as escapes in both."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _escaped(body: str) -> str:
    return _LOOKS_LIKE_MARK.sub(r"\\\1", body)


# --- read ---


def read(text: str) -> FoundRecord:
    """The record, and the line of each fact and text of it. Raises `Unreadable` with the line."""
    newline = "\r\n" if text.startswith("---\r\n") else "\n"
    end = text.find(f"{newline}---{newline}", 3)
    if end < 0:
        raise Unreadable("front matter: it does not end", 1)
    start = end + len(newline) * 2 + 3
    builder = _Builder()
    facts = _facts(text[3 + len(newline) : end], builder)
    kind = str(facts.pop(MARK, ""))
    if kind not in TEXTS:
        raise Unreadable(f"front matter: {MARK} is none of {', '.join(TEXTS)}", 2)
    texts = {key: (body, line) for key, body, line in _texts(text, start, newline, TEXTS[kind])}
    if kind == "postmortem":
        places: Lines = {(SECTIONS, number): line for number, (_, line) in enumerate(texts.values(), start=1)}
        facts[SECTIONS] = [{"key": key, "body": body} for key, (body, _) in texts.items()]
    else:
        places = {(key,): line for key, (_, line) in texts.items()}
        facts |= {key: texts[key][0] if key in texts else "" for key in TEXTS[kind]}
    return FoundRecord(kind, facts, lines={**builder.lines, **places})


def _texts(text: str, start: int, newline: str, known: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """(key, text, line) each."""
    mark = re.compile(rf"^<!-- section: ([a-z_]{{1,30}}) -->{newline}(?:## [^\n]*\n(?:{newline})?)?", re.MULTILINE)
    found = list(mark.finditer(text, start))
    seen: set[str] = set()
    for match, after in zip(found, [*found[1:], None][: len(found)], strict=True):
        key, line = match[1], text.count("\n", 0, match.start()) + 1
        if key not in known:
            raise Unreadable(f"there is no section {key!r}", line)
        if key in seen:
            raise Unreadable(f"the section {key!r} is there twice", line)
        seen.add(key)
        body = text[match.end() : after.start() if after else len(text)]
        body = body.removesuffix(newline * 2) if after else body.removesuffix(newline)
        yield key, _ESCAPED.sub(r"\1", body), line


def _facts(block: str, builder: "_Builder") -> Record:
    try:
        return builder.build(yaml.parse(block, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"front matter: {error.problem or error}", mark.line + 2 if mark else 1) from error
    except yaml.YAMLError as error:
        raise Unreadable(f"front matter: {' '.join(str(error).split())}", 1) from error


class _Builder:
    """Texts, lists and mappings, by the rules of `front_matter.py`: no aliases, no tags, no key twice, no depth."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.keys: list[str | None] = []
        self.whole: Any = None
        self.key = ""  # of the outermost mapping
        self.lines: Lines = {}

    def build(self, events: Iterator[yaml.Event]) -> Record:
        for event in events:
            line = event.start_mark.line + 2 if event.start_mark else 1
            self._refuse(event, line)
            if isinstance(event, yaml.MappingStartEvent):
                self._open({}, line)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open([], line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
                self.keys.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, line)
        if not isinstance(self.whole, dict):
            raise Unreadable("front matter: expected `key: value` lines", 1)
        return self.whole

    def _refuse(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable("front matter: anchors and aliases (& and *) are not allowed", line)
        if getattr(event, "tag", None):
            raise Unreadable("front matter: tags (!) are not allowed", line)
        if isinstance(event, yaml.CollectionStartEvent) and len(self.stack) >= MAX_DEPTH:
            raise Unreadable(f"front matter: nested more than {MAX_DEPTH} deep", line)

    def _open(self, container: Any, line: int) -> None:
        self._put(container, line)
        self.stack.append(container)
        self.keys.append(None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if front_matter.NO_TEXT.search(event.value):
            raise Unreadable("front matter: a character that is no text", line)
        if self.stack and isinstance(self.stack[-1], dict) and self.keys[-1] is None:
            if event.value in self.stack[-1]:
                raise Unreadable(f"front matter: the key {event.value[:60]!r} is given twice", line)
            self.keys[-1] = event.value
            if len(self.stack) == 1:
                self.key = event.value
                self.lines[(self.key,)] = line
            return
        is_empty = event.implicit[0] and event.value in ("", *front_matter.EMPTY)
        self._put(None if is_empty else event.value, line)

    def _put(self, value: Any, line: int) -> None:
        if not self.stack:
            self.whole = value
        elif isinstance(self.stack[-1], list):
            self.stack[-1].append(value)
            if len(self.stack) == 2:
                self.lines[self.key, len(self.stack[-1])] = line
        elif self.keys[-1] is None:
            raise Unreadable("front matter: a key must be a word", line)
        else:
            self.stack[-1][self.keys[-1]] = value
            self.keys[-1] = None
