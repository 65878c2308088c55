"""CSV of any tool, comma, semicolon, tab or pipe between cells: its rows with the lines they begin at."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from postmortems.importing.base import Left, Unreadable

MAX_CELL = 1_000_000
MAX_COLUMNS = 1000
MAX_ROWS = 100_000
# What Excel writes above a table to say what stands between its cells.
_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Row:
    header: Sequence[str]
    cells: Sequence[str]
    line: int

    def all(self, *names: str) -> list[str]:
        """What is not empty below columns of these names, whatever their case."""
        pairs = zip(self.header, self.cells, strict=True)
        return [cell.strip() for name, cell in pairs if name.lower() in names and cell.strip()]

    def under(self, columns: Sequence[str]) -> list[str]:
        """The cells below these columns."""
        return [cell for name, cell in zip(self.header, self.cells, strict=True) if name in columns]

    def first(self, *names: str) -> str:
        return next((found for name in names for found in self.all(name)), "")


def header_of(text: str) -> list[str]:
    """The names of the columns; [] if it is no table."""
    try:
        return _named(next(_opened(text[:MAX_CELL])[0], []))
    except csv.Error:
        return []


def rows_of(text: str) -> Iterator[Row | Left]:
    """The rows below the header. A row that does not fit the header is told with its line; raises `Unreadable`."""
    reader, above = _opened(text)
    line = above
    try:
        header = _named(next(reader, []))
        if not header or len(header) > MAX_COLUMNS:
            raise Unreadable("no table: the first line should name the columns", 1)
        line = above + reader.line_num
        for number, cells in enumerate(reader):
            if number >= MAX_ROWS:
                raise Unreadable(f"more than {MAX_ROWS} rows. From here on nothing was read", line)
            begins, line = line + 1, above + reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(header) :]) or len(cells) < len(header):
                said = f"{len(cells)} cells below {len(header)} columns"
                yield Left(said, f"line {begins}", begins, is_fault=True)
                continue
            yield Row(header, cells[: len(header)], begins)
    except csv.Error as error:
        raise Unreadable(f"no CSV: {error}. From here on nothing was read", line + 1) from error


def samples_of(text: str, rows: int = 3) -> dict[str, list[str]]:
    """Column -> what stands below it in the first rows, empty cells left out. Raises `Unreadable`."""
    found: dict[str, list[str]] = {name: [] for name in header_of(text)}
    for row in islice((row for row in rows_of(text) if isinstance(row, Row)), rows):
        for name, cell in zip(row.header, row.cells, strict=True):
            if said := " ".join(cell.split()):
                found.setdefault(name, []).append(said)
    return found


def _opened(text: str) -> tuple[Any, int]:
    """A reader at the first line that is not empty, and how many lines stand above it."""
    csv.field_size_limit(MAX_CELL)
    body = text.lstrip("\ufeff\r\n")
    told = _SEPARATOR.match(body)
    body = body[told.end() :].lstrip("\r\n") if told else body
    above = len(_LINE_END.findall(text[: len(text) - len(body)]))
    reader = csv.reader(
        io.StringIO(body, newline=""), delimiter=told[1] if told else _delimiter(body[:10_000]), strict=True
    )
    return reader, above


def _named(cells: Sequence[str]) -> list[str]:
    """On one line each. What stands below a column without a name is not lost."""
    names = [" ".join(cell.split()) for cell in cells]
    return [name or f"column {number}" for number, name in enumerate(names, start=1)] if any(names) else []


def _delimiter(begin: str) -> str:
    first = next(iter(_QUOTED.sub("", begin).splitlines()), "")
    return max(",;\t|", key=first.count)
