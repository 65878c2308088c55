"""Lines -> blocks of Markdown: what is a heading, a list, a table, code. Every line is in exactly one block.

Only as much of Markdown as is needed to know what not to touch: a `#` in a code fence is no heading, a row of a table
no paragraph. Each step looks at a line once or twice, whatever it holds.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from postmortems.importing.reading import Line

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)\Z")
_SETEXT = re.compile(r" {0,3}(={2,}|-{2,})\Z")
_ITEM = re.compile(r"([ \t]*)(?:[-*+•]|\d{1,4}[.)])(?:[ \t]+|\Z)(.*)\Z")
_FIRST_ITEM = re.compile(r"[ \t]{0,3}(?:[-*+•]|1[.)])[ \t]+\S")
_DEFINITION = re.compile(r" {0,3}\[(\^?[^\[\]\n]{1,200})\]:[ \t]*\S")
_DELIMITER_CELL = re.compile(r":?-+:?")


class Kind(Enum):
    BLANK = "blank"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"
    COMMENT = "comment"
    RULE = "rule"
    DEFINITION = "definition"  # [name]: address, or [^1]: footnote
    LABEL = "label"  # `Date: 2021-06-22`, taken out of a paragraph: see outline.py


@dataclass(frozen=True)
class Block:
    kind: Kind
    lines: tuple[Line, ...]
    level: int = 0  # of a heading
    title: str = ""  # of a heading, a label

    @property
    def raw(self) -> str:
        return "".join(line.raw for line in self.lines)

    @property
    def text(self) -> str:
        """With LF between its lines, as it is stored."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Item:
    """An item of a list: the text behind its mark, and the lines below that belong to it."""

    text: str
    line: Line
    below: tuple[Line, ...]

    @property
    def raw(self) -> str:
        return "".join(line.raw for line in (self.line, *self.below))


def blocks_of(lines: Iterable[Line]) -> list[Block]:
    """The lines as blocks, in order; none is left out, none appears twice."""
    return _Reader(list(lines)).blocks()


def name_of(definition: Block) -> str:
    """`PM-1` of `[PM-1]: https://...`."""
    match = _DEFINITION.match(definition.lines[0].text)
    return match[1] if match else ""


def is_item(line: Line) -> bool:
    return bool(_ITEM.match(line.text))


def items_of(lines: Sequence[Line]) -> list[Item]:
    """The outermost items of a list; what is indented deeper belongs to the item above."""
    starts: list[tuple[int, str]] = []
    indent = None
    for at, line in enumerate(lines):
        match = _ITEM.match(line.text)
        if match and (indent is None or len(match[1].expandtabs(4)) <= indent + 1):
            indent = len(match[1].expandtabs(4)) if indent is None else indent
            starts.append((at, match[2]))
    ends = [at for at, _ in starts[1:]] + [len(lines)] * bool(starts)
    return [Item(text, lines[at], tuple(lines[at + 1 : end])) for (at, text), end in zip(starts, ends, strict=True)]


def heading_of(text: str) -> tuple[int, str] | None:
    """(level, title) of a line that begins with `#`."""
    stripped = text.lstrip(" ")
    if len(text) - len(stripped) > 3 or not stripped.startswith("#"):
        return None
    title = stripped.lstrip("#")
    level = len(stripped) - len(title)
    if level > 6 or (title and title[0] not in " \t"):
        return None
    title = title.strip()
    without_closing = title.rstrip("#")
    return level, (without_closing.rstrip() if without_closing.endswith((" ", "\t")) or not without_closing else title)


def is_rule(text: str) -> bool:
    marks = text.replace(" ", "").replace("\t", "")
    return len(marks) >= 3 and marks[0] in "*-_" and not marks.strip(marks[0]) and not text.startswith("    ")


def cells_of(text: str) -> list[str]:
    """The cells of a row; a pipe behind a backslash is text."""
    inner = text.strip()
    inner = inner[1:] if inner.startswith("|") else inner
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def is_delimiter(text: str) -> bool:
    """The row of dashes below the head of a table."""
    return "-" in text and all(_DELIMITER_CELL.fullmatch(cell) for cell in cells_of(text))


class _Reader:
    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.last_comment_end = max((n for n, line in enumerate(lines) if "-->" in line.text), default=-1)

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        at = 0
        while at < len(self.lines):
            block = self._block(at)
            found.append(block)
            at += len(block.lines)
        return found

    def _block(self, at: int) -> Block:
        line = self.lines[at]
        if line.is_blank:
            return self._take(Kind.BLANK, at, lambda other: other.is_blank)
        if heading := heading_of(line.text):
            return Block(Kind.HEADING, (line,), *heading)
        if _FENCE.match(line.text):
            return self._cut(Kind.CODE, at, self._end_of_fence(at))
        if self._opens_comment(at):
            return self._comment(at)
        if is_rule(line.text):
            return Block(Kind.RULE, (line,))
        if self._opens_table(at):
            return self._take(Kind.TABLE, at, lambda other: "|" in other.text, least=2)
        if _DEFINITION.match(line.text):
            return self._take(Kind.DEFINITION, at, lambda other: not other.is_blank and other.text[0] in " \t")
        if is_item(line):
            return self._cut(Kind.LIST, at, self._end_of_list(at))
        if line.text.startswith(("    ", "\t")):
            return self._take(Kind.CODE, at, lambda other: other.text.startswith(("    ", "\t")))
        return self._paragraph(at)

    def _cut(self, kind: Kind, at: int, end: int) -> Block:
        return Block(kind, tuple(self.lines[at:end]))

    def _take(self, kind: Kind, at: int, belongs: Callable[[Line], bool], least: int = 1) -> Block:
        end = at + least
        while end < len(self.lines) and belongs(self.lines[end]):
            end += 1
        return self._cut(kind, at, end)

    def _end_of_fence(self, at: int) -> int:
        """Behind the closing fence; one that is never closed goes on to the end."""
        opening = _FENCE.match(self.lines[at].text)
        mark = opening[1] if opening else "```"
        for end in range(at + 1, len(self.lines)):
            text = self.lines[end].text.strip()
            if text.startswith(mark) and not text.strip(mark[0]):
                return end + 1
        return len(self.lines)

    def _opens_comment(self, at: int) -> bool:
        return at <= self.last_comment_end and self.lines[at].text.lstrip().startswith("<!--")

    def _comment(self, at: int) -> Block:
        end = next(n for n in range(at, len(self.lines)) if "-->" in self.lines[n].text)
        after = self.lines[end].text.partition("-->")[2]
        return self._cut(Kind.PARAGRAPH if after.strip() else Kind.COMMENT, at, end + 1)

    def _opens_table(self, at: int) -> bool:
        if at + 1 >= len(self.lines) or "|" not in self.lines[at].text:
            return False
        below = self.lines[at + 1].text
        return "|" in below and is_delimiter(below)

    def _end_of_list(self, at: int) -> int:
        """Up to the first line that is neither an item, nor indented, nor the wrapped text of an item."""
        end = at + 1
        while end < len(self.lines):
            line = self.lines[end]
            if line.is_blank:
                after = self._next_text(end)
                if after is None or not self._continues_list(after):
                    return end
                end = after
            elif line.text[0] in " \t" and _FENCE.match(line.text):
                end = self._end_of_fence(end)
            elif self._ends_list(end):
                return end
            else:
                end += 1
        return end

    def _next_text(self, at: int) -> int | None:
        return next((n for n in range(at, len(self.lines)) if not self.lines[n].is_blank), None)

    def _continues_list(self, at: int) -> bool:
        """Below a blank line only items and indented text go on."""
        line = self.lines[at]
        return line.text[0] in " \t" or (is_item(line) and not is_rule(line.text))

    def _ends_list(self, at: int) -> bool:
        text = self.lines[at].text
        return bool(
            heading_of(text)
            or _FENCE.match(text)
            or is_rule(text)
            or self._opens_comment(at)
            or self._opens_table(at)
            or _DEFINITION.match(text)
        )

    def _paragraph(self, at: int) -> Block:
        below = self.lines[at + 1].text.rstrip() if at + 1 < len(self.lines) else ""
        if _SETEXT.match(below):
            level = 1 if "=" in below else 2
            return Block(Kind.HEADING, tuple(self.lines[at : at + 2]), level, self.lines[at].text.strip())
        end = at + 1
        while end < len(self.lines) and not self._ends_paragraph(end):
            end += 1
        return self._cut(Kind.PARAGRAPH, at, end)

    def _ends_paragraph(self, at: int) -> bool:
        line = self.lines[at]
        # A definition only follows a paragraph after a blank line; everything else that ends a list ends this too.
        ends_list = self._ends_list(at) and not _DEFINITION.match(line.text)
        return line.is_blank or ends_list or bool(_FIRST_ITEM.match(line.text))
