"""The shapes of an answer: a number with its rows, a table of such, and what is drawn above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

FEW = 20  # of fewer values each is shown; of more, where half of them lie


@dataclass(frozen=True)
class Figure:
    """How many, and which: the name of a set in `rows.ROWS` and what narrows it."""

    value: int
    rows: str
    args: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return str(self.value)


def figure(value: int, rows: str, **args: str) -> Figure:
    return Figure(value, rows, tuple(args.items()))


@dataclass(frozen=True)
class Share:
    """So many of so many; both can be looked at."""

    part: Figure
    of: Figure

    @property
    def percent(self) -> int | None:
        """None of fewer than ten, where it would say more than is known."""
        return round(100 * self.part.value / self.of.value) if self.of.value >= 10 else None

    def __str__(self) -> str:
        return f"{self.part} of {self.of}"


@dataclass(frozen=True)
class Link:
    """A row by its name."""

    text: str
    address: str

    def __str__(self) -> str:
        return self.text


Cell = str | int | date | Figure | Share | Link | None


@dataclass(frozen=True)
class Table:
    """What a chart shows, for eyes that do not see it, for paper and for a spreadsheet."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """(name, whether it is of numbers)."""
        first = self.rows[0] if self.rows else ()
        return [(name, n < len(first) and isinstance(first[n], int | Figure)) for n, name in enumerate(self.header)]

    @property
    def labelled(self) -> list[list[tuple[str, Cell]]]:
        """Each row as (name of the column, cell)."""
        return [list(zip(self.header, row, strict=True)) for row in self.rows]


# --- what is drawn: plain numbers, in units of a drawing two hundred wide ---

WIDE = 200.0


@dataclass(frozen=True)
class Piece:
    """A rectangle."""

    x: str
    y: str
    width: str
    height: str
    kind: str  # its class in the stylesheet
    says: str


@dataclass(frozen=True)
class Mark:
    """A dot; `address` is the page of what it stands for."""

    x: str
    y: str
    kind: str
    says: str
    address: str = ""


@dataclass(frozen=True)
class Word:
    x: str
    y: str
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Line:
    x1: str
    y1: str
    x2: str
    y2: str
    kind: str = "axis"


@dataclass(frozen=True)
class Chart:
    says: str  # what it shows, in one sentence
    height: str
    pieces: tuple[Piece, ...] = ()
    marks: tuple[Mark, ...] = ()
    words: tuple[Word, ...] = ()
    lines: tuple[Line, ...] = ()
    over: tuple[Line, ...] = ()  # drawn over the pieces
    legend: tuple[tuple[str, str], ...] = ()  # (class, what it stands for)
    shape: str = ""  # `strip`: one bar, as wide as there is room; `timeline`: on a phone its end comes first


def place(value: float) -> str:
    return f"{value:.2f}"


@dataclass(frozen=True)
class Section:
    """One question and its answer. `key` is its place on the page and the name of its file."""

    key: str
    title: str
    says: str  # how it is counted
    table: Table
    chart: Chart | None = None
    headlines: tuple[tuple[str, Cell, str], ...] = ()  # (label, number, what it is of)
    empty: str = ""  # said instead, where there is nothing to count


@dataclass(frozen=True)
class Spread:
    """Values in order, and how they are spread: quartiles by linear interpolation between neighbours."""

    values: tuple[float, ...] = field(default_factory=tuple)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def is_few(self) -> bool:
        return self.n < FEW

    def quantile(self, share: float) -> float:
        """Of at least one value."""
        position = share * (self.n - 1)
        below = int(position)
        above = min(below + 1, self.n - 1)
        return self.values[below] + (self.values[above] - self.values[below]) * (position - below)


def spread(values: Sequence[float]) -> Spread:
    return Spread(tuple(sorted(values)))
