"""Blocks -> parts: which blocks stand below which heading, and what each heading is.

A known heading opens its part wherever it stands, but inside a timeline and inside action items, where headings are
phases and groups. An unknown heading below a known one stays in its text; beside it, it opens a part of the narrative.
Where a document has no known headings, and above the first one, labels (`**Impact:** ...`) do their work.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from postmortems.importing.base import ACTIONS, TIMELINE
from postmortems.importing.blocks import Block, Kind
from postmortems.importing.headings import NARRATIVE, is_account, is_exactly_known, known
from postmortems.importing.inline import one_line
from postmortems.importing.metadata import ONLY_FRONT_MATTER, field_of
from postmortems.importing.reading import Line

PREAMBLE = "preamble"
FIELD_PART = "field part"  # `## Severity` and below it nothing but the severity
ACCOUNT = "account"
LABEL_LEVEL = 7
_GROUPS_INSIDE = (TIMELINE, ACTIONS)
_BOLD = r"[ \t]*(?:\*\*|__)(?P<{0}>[^*_:\n]{{1,60}})"
_BOLD_LABEL = re.compile(
    r"(?P<label>" + _BOLD.format("name") + r"(?::[ \t]*(?:\*\*|__)|(?:\*\*|__)[ \t]*:)[ \t]*)(?P<rest>.*)\Z"
    r"|(?P<alone>" + _BOLD.format("title") + r"(?:\*\*|__)[ \t]*)\Z",
    re.DOTALL,
)
_PLAIN_LABEL = re.compile(r"(?P<label>(?P<name>[A-Z][\w /()&'-]{1,40}?)[ \t]?:(?:[ \t]+|\Z))(?P<rest>.*)\Z", re.DOTALL)


@dataclass
class Part:
    key: str  # of a section, or one of the keys above and in headings.py
    heading: Block | None = None
    stays: bool = False  # the heading is kept in the text
    blocks: list[Block] = field(default_factory=list)

    @property
    def title(self) -> str:
        return one_line(self.heading.title).rstrip(":") if self.heading else ""


@dataclass(frozen=True)
class Label:
    """A line that begins with a name and a colon."""

    name: str
    start: str  # the name with its marks, as written
    rest: str
    is_bold: bool


def label_of(text: str) -> Label | None:
    if match := _BOLD_LABEL.match(text):
        if match["alone"]:
            return Label(match["title"].strip(), match["alone"], "", True)
        return Label(match["name"].strip(), match["label"], match["rest"], True)
    if match := _PLAIN_LABEL.match(text):
        return Label(match["name"].strip(), match["label"], match["rest"], False)
    return None


def title_block(blocks: Sequence[Block]) -> Block | None:
    """The heading that is the document's title: the first one, if it is no section's and stands above all others."""
    headings = [block for block in blocks if block.kind is Kind.HEADING]
    if not headings or is_exactly_known(headings[0].title) or not headings[0].title:
        return None
    first, *others = headings
    return first if first.level == 1 or all(other.level > first.level for other in others) else None


def parts_of(blocks: Sequence[Block]) -> list[Part]:
    """Every block is in exactly one part, as its heading or below it, in order."""
    title = title_block(blocks)
    outline = _Outline()
    for block in _with_labels(blocks, title):
        if block is title:
            outline.parts.append(Part(PREAMBLE, heading=block))
        else:
            outline.add(block)
    return [part for part in outline.parts if part.heading or part.blocks]


class _Outline:
    def __init__(self) -> None:
        self.parts = [Part(PREAMBLE)]
        self.open: list[tuple[int, str]] = []  # the headings that the current block is below: level, key

    def add(self, block: Block) -> None:
        part = self.parts[-1]
        if block.kind is Kind.LABEL and part.key != PREAMBLE:
            self.open = []
            self.parts.append(Part(PREAMBLE, blocks=[block]))
        elif block.kind is Kind.HEADING:
            self._heading(block)
        else:
            part.blocks.append(block)

    def _heading(self, block: Block) -> None:
        while self.open and self.open[-1][0] >= block.level:
            self.open.pop()
        above = self.open[-1][1] if self.open else ""
        if above in _GROUPS_INSIDE:
            self.parts[-1].blocks.append(block)
            return
        key, stays = _key_of(block.title, is_inside=bool(above))
        if not key and above:
            self._inside(above, block)
            return
        key, stays = (key, stays) if key else (NARRATIVE, True)
        self._is_it_a_mere_container(block)
        self.parts.append(Part(key, block, stays))
        self.open.append((block.level, key))

    def _is_it_a_mere_container(self, below: Block) -> None:
        """An unknown heading with nothing but other headings below it says nothing of its own."""
        part = self.parts[-1]
        is_bare = all(block.kind in (Kind.BLANK, Kind.RULE) for block in part.blocks)
        if part.key == NARRATIVE and part.heading and is_bare and part.heading.level < below.level:
            part.stays = False

    def _inside(self, above: str, block: Block) -> None:
        """An unknown heading stays in the text of the heading above it."""
        if self.parts[-1].key == above:
            self.parts[-1].blocks.append(block)
        else:
            self.parts.append(Part(above, block, stays=True))
        self.open.append((block.level, above))


def _key_of(title: str, is_inside: bool) -> tuple[str, bool]:
    if found := known(title):
        return found.key, found.stays
    if is_inside:
        return "", False
    if is_account(title):
        return ACCOUNT, True
    name = field_of(one_line(title).rstrip(":"))
    return (FIELD_PART, True) if name and name not in ONLY_FRONT_MATTER else ("", False)


def _with_labels(blocks: Sequence[Block], title: Block | None) -> Iterator[Block]:
    """Labels taken out of paragraphs, above the first known heading; and only if there are several of them."""
    first = next((n for n, block in enumerate(blocks) if _is_known_heading(block, title)), len(blocks))
    above = [piece for block in blocks[:first] for piece in _split(block)]
    labels = [block for block in above if block.kind is Kind.LABEL or block.level == LABEL_LEVEL]
    yield from above if len(labels) > 1 else blocks[:first]
    yield from blocks[first:]


def _is_known_heading(block: Block, title: Block | None) -> bool:
    return block.kind is Kind.HEADING and block is not title and known(block.title) is not None


def _split(block: Block) -> Iterator[Block]:
    """A paragraph cut where labels stand at the beginning of its lines."""
    if block.kind is not Kind.PARAGRAPH:
        yield block
        return
    text: list[Line] = []
    for line in block.lines:
        found = _labelled(line)
        if not found:
            text.append(line)
            continue
        if text:
            yield Block(Kind.PARAGRAPH, tuple(text))
        text = [found[1]] if found[1] else []
        yield found[0]
    if text:
        yield Block(Kind.PARAGRAPH, tuple(text))


def _labelled(line: Line) -> tuple[Block, Line | None] | None:
    """(the label as a heading, the rest of the line) for a section; (the line as a label, None) for a field."""
    label = label_of(line.text)
    if not label:
        return None
    if (name := field_of(label.name)) and name not in ONLY_FRONT_MATTER and label.rest.strip():
        return Block(Kind.LABEL, (line,), title=label.name), None
    if not (is_exactly_known(label.name) or (label.is_bold and is_account(label.name))):
        return None
    start = line if not label.rest else replace(line, text=label.start, raw=label.start)
    rest = Line(label.rest, line.raw[len(label.start) :], line.number) if label.rest else None
    return Block(Kind.HEADING, (start,), LABEL_LEVEL, label.name), rest
