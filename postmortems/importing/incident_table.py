"""A table of incidents as CSV: which column is what is said (`title=Summary`), or known by the column's name."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from postmortems import sections
from postmortems.importing import told
from postmortems.importing.base import Document, Left, Unreadable
from postmortems.importing.headings import known
from postmortems.importing.metadata import LABELS, field_of
from postmortems.importing.table_file import Row, header_of, rows_of, samples_of

ENDINGS = (".csv",)
# Field -> the label that front matter has it by.
FACTS = {
    **{name: name for name in LABELS},
    **{"id": "uuid", "started_at": "start", "ended_at": "end", "resolved_at": "end", "occurred_on": "date"},
    **{"service": "services", "owner": "authors", "reporter": "authors", "published_at": "published"},
}
_LABEL = {
    **{name: name.replace("_", " ") for name in LABELS},
    **{"start": "started at", "end": "ended at", "published": "published at"},
}
_ID = ("id", "key", "number", "incident id", "incident", "ref", "reference")


@dataclass(frozen=True)
class Columns:
    """`facts` and `texts`: column -> field or section. `other`: columns that are kept as text."""

    facts: Mapping[str, str]
    texts: Mapping[str, str]
    other: tuple[str, ...]

    def told(self) -> str:
        used = [f"{column} → {name}" for column, name in {**self.facts, **self.texts}.items()]
        kept = f"; kept as text: {', '.join(self.other)}" if self.other else ""
        return f"columns: {', '.join(used)}{kept}"


@dataclass(frozen=True)
class Preview:
    """A table before it is read: what its columns are taken for, and the first values below each."""

    columns: Columns
    samples: Mapping[str, Sequence[str]]

    def fields(self) -> dict[str, str]:
        """Every column once, in the order of the table -> field or section; "" is kept as text."""
        return {column: self.columns.facts.get(column) or self.columns.texts.get(column, "") for column in self.samples}


def preview(text: str) -> Preview:
    """Raises `Unreadable` if the text is no table."""
    samples = samples_of(text)
    return Preview(columns_of(list(samples), {}), samples)


def mapping_of(text: str) -> dict[str, str]:
    """Column -> field of `title=Summary,started_at="Start, local"`: as a line of CSV, with commas in quotes.

    Raises `ValueError`.
    """
    try:
        pairs = [pair.partition("=") for pair in next(csv.reader([re.sub(r'(\w+)="', r'"\1=', text)], strict=True), [])]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if wrong := [field for field, sign, column in pairs if not (field.strip() and sign and column.strip())]:
        raise ValueError(f'{wrong[0]!r} names no column. For example title=Summary,started_at="Start time"')
    return {column.strip(): field.strip() for field, _, column in pairs}


def recognises(text: str) -> bool:
    """A title, and two more columns that we know."""
    columns = columns_of(header_of(text), {})
    return "title" in columns.facts.values() and len({**columns.facts, **columns.texts}) >= 3


def columns_of(header: Sequence[str], mapping: Mapping[str, str]) -> Columns:
    """`mapping`: column -> field or section, "" to keep it as text; columns that are not in it are known by name.

    Raises `Unreadable` for a field that we do not have, a column that the table does not have, and two for one field.
    """
    facts, texts = _chosen(header, mapping)
    taken = {*facts.values(), *texts.values()}
    for column in header:
        if column in mapping or column in facts or column in texts or not column:
            continue
        if (fact := _fact_of(column)) and fact not in taken:
            facts[column] = fact
            taken.add(fact)
        elif (section := known(column.replace("_", " "))) and section.key in sections.BY_KEY:
            texts[column] = section.key
    return Columns(facts, texts, tuple(c for c in dict.fromkeys(header) if c and c not in facts and c not in texts))


def columns_with_title(header: Sequence[str], mapping: Mapping[str, str]) -> Columns:
    """The same, and a row can become a postmortem by them. Raises `Unreadable`."""
    columns = columns_of(header, mapping)
    if "title" not in columns.facts.values():
        raise Unreadable('which column is the title? Say it when you import, such as title="Short text"', 1)
    return columns


def _chosen(header: Sequence[str], mapping: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    facts: dict[str, str] = {}
    texts: dict[str, str] = {}
    for column, name in mapping.items():
        if column not in header:
            raise Unreadable(f"there is no column {column!r}. There are: {', '.join(header)[:500]}", 1)
        if name in sections.BY_KEY:
            texts[column] = name
        elif name and name not in FACTS:
            raise Unreadable(f"there is no field {name!r}. There are: {', '.join([*FACTS, *sections.KEYS])}")
        elif name and (twice := next((other for other, fact in facts.items() if fact == FACTS[name]), None)):
            raise Unreadable(f"two columns for {name!r}, {twice!r} and {column!r}: choose one of them", 1)
        elif name:
            facts[column] = FACTS[name]
    return facts, texts


def _fact_of(column: str) -> str:
    name = " ".join(column.lower().replace("_", " ").split())
    if name in ("summary", "subject", "headline", "short description"):
        return "title"
    return "uuid" if name in _ID else field_of(column)


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    columns = columns_with_title(header_of(text), mapping)
    note = columns.told()
    for row in rows_of(text):
        if isinstance(row, Left):
            yield row
            continue
        yield _read(row, columns, name, note)
        note = ""  # said once


def _read(row: Row, columns: Columns, name: str, note: str) -> Document | Left:
    cells: dict[str, list[str]] = {}
    for column, cell in zip(row.header, row.cells, strict=True):
        if cell.strip():
            cells.setdefault(column, []).append(cell.strip())
    facts: dict[str, str] = {}
    for column, fact in columns.facts.items():
        if column in cells:
            facts.setdefault(_LABEL[fact], ", ".join(cells[column]))
    title = facts.get("title", "")
    if not title:
        return Left("a row without a title", f"line {row.line}", row.line, is_fault=True)
    own = facts.pop("uuid", "")
    facts["uuid"] = (
        told.uuid_of("table", name, own) if own else told.uuid_of("table", title, facts.get("started at", ""))
    )
    parts = [
        f"## {sections.BY_KEY[key].title}\n\n{cell}"
        for column, key in columns.texts.items()
        for cell in cells.get(column, ())
    ]
    rest = [f"- {column}: {' '.join(cell.split())}" for column in columns.other for cell in cells.get(column, ())]
    if rest:
        parts.append("\n".join([f"## {sections.BY_KEY['supporting'].title}", "", *rest]))
    return Document(told.markdown(facts, "\n\n".join(parts), title), own or f"line {row.line}", note, row.line)
