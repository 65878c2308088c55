"""Tables with pipes: their columns by name, their rows by column; and the lists of words both are known by."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postmortems.importing.base import STRUCTURE, Piece
from postmortems.importing.blocks import Block, cells_of
from postmortems.importing.inline import DASHES, one_line
from postmortems.importing.reading import Line


@dataclass(frozen=True)
class Row:
    line: Line
    cells: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(cell.strip(f" .{DASHES}") for cell in self.cells)


@dataclass(frozen=True)
class Table:
    head: tuple[str, ...]
    head_lines: tuple[Line, ...]
    rows: tuple[Row, ...]

    def column(self, names: Sequence[str], without: Sequence[int] = ()) -> int | None:
        """The first column whose head is one of the names, or begins or ends with one of them as words."""
        heads = [normal(cell) for cell in self.head]
        free = [at for at in range(len(heads)) if at not in without]
        exact = next((at for at in free if heads[at] in names), None)
        if exact is not None:
            return exact
        return next((at for at in free if any(_holds(heads[at], name) for name in names)), None)

    def pieces(self, places: Mapping[int, str], left_over: str) -> list[Piece]:
        """A piece for each row, by its place. The head stays with rows that were not read: it is their table's."""
        is_kept = any(place == left_over for place in places.values())
        head = "".join(line.raw for line in self.head_lines)
        rows = [Piece(row.line.raw, places.get(at, STRUCTURE)) for at, row in enumerate(self.rows)]
        return [Piece(head, left_over if is_kept else STRUCTURE), *rows]


def table_of(block: Block) -> Table:
    head, _, *rows = block.lines
    columns = cells_of(head.text)
    return Table(
        tuple(columns), block.lines[:2], tuple(Row(row, _fit(cells_of(row.text), len(columns))) for row in rows)
    )


def _fit(cells: list[str], count: int) -> tuple[str, ...]:
    """As many cells as there are columns: what is too much was a pipe in the text of the last one."""
    cells = [*cells, *[""] * (count - len(cells))]
    return (*cells[: count - 1], " | ".join(cells[count - 1 :]))


def normal(cell: str) -> str:
    """`**Action Item(s)**` -> `action item s`: for comparing heads and labels."""
    return " ".join(re.findall(r"[^\W_]+", one_line(cell).lower()))


def _holds(head: str, name: str) -> bool:
    return bool(head) and (head.startswith(name + " ") or head.endswith(" " + name))


def names(listed: str) -> tuple[str, ...]:
    """Tables of words are written as one text, so that they can be read."""
    return tuple(" ".join(name.split()) for name in listed.split(","))


def any_of(listed: str) -> re.Pattern[str]:
    """A pattern that finds any of the words; `restart*` stands for all that begin so."""
    words = (re.escape(name).replace(r"\*", r"\w*") for name in names(listed))
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)
