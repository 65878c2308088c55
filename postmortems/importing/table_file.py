"""CSV of any tool: comma, semicolon or tab between cells; the line each row begins at; columns of one name together."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from postmortems.importing.base import Left, Unreadable

MAX_CELL = 1_000_000
MAX_COLUMNS = 1000
MAX_ROWS = 100_000


@dataclass(frozen=True)
class Row:
    header: Sequence[str]
    cells: Sequence[str]
    line: int

    def all(self, *names: str) -> list[str]:
        """What is not empty below columns of these names, whatever their case."""
        pairs = zip(self.header, self.cells, strict=True)
        return [cell.strip() for name, cell in pairs if name.lower() in names and cell.strip()]

    def first(self, *names: str) -> str:
        return next((found for name in names for found in self.all(name)), "")


def header_of(text: str) -> list[str]:
    """The first line's cells; [] if it is no table."""
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    if len(first) > MAX_CELL:
        return []
    try:
        return [cell.strip() for cell in next(csv.reader([first], delimiter=_delimiter(first), strict=True), [])]
    except csv.Error:
        return []


def rows_of(text: str) -> Iterator[Row | Left]:
    """The rows below the header. A row that does not fit the header is told with its line; raises `Unreadable`."""
    text = text.lstrip("\ufeff")
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]), strict=True)
    line = 0
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not header or len(header) > MAX_COLUMNS:
            raise Unreadable("no table: the first line should name the columns", 1)
        line = reader.line_num
        for number, cells in enumerate(reader):
            if number >= MAX_ROWS:
                raise Unreadable(f"more than {MAX_ROWS} rows. From here on nothing was read", line)
            begins, line = line + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                said = f"{len(cells)} cells below {len(header)} columns"
                yield Left(said, f"line {begins}", begins, is_fault=True)
                continue
            yield Row(header, cells, begins)
    except csv.Error as error:
        raise Unreadable(f"no CSV: {error}. From here on nothing was read", line + 1) from error


def samples_of(text: str, rows: int = 3) -> dict[str, list[str]]:
    """Column -> what stands below it in the first rows, empty cells left out. Raises `Unreadable`."""
    found: dict[str, list[str]] = {name: [] for name in header_of(text) if name}
    for row in islice((row for row in rows_of(text) if isinstance(row, Row)), rows):
        for name, cell in zip(row.header, row.cells, strict=True):
            if name and (said := " ".join(cell.split())):
                found.setdefault(name, []).append(said)
    return found


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count)
