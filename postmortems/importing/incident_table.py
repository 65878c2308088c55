"""A table of incidents as CSV: which column is what is said (`title=Summary`), or known by the column's name."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from postmortems import sections
from postmortems.importing import told
from postmortems.importing.base import Document, Left, Unreadable
from postmortems.importing.headings import is_account, known
from postmortems.importing.metadata import LABELS, field_of
from postmortems.importing.table_file import Row, header_of, rows_of, samples_of
from postmortems.importing.tables import names

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
# What columns are called in tables and hardly anywhere else, as PagerDuty, ServiceNow and Opsgenie write them.
_CALLED = {
    "title": """summary, subject, headline, short description, incident name, incident summary, message""",
    "uuid": "id, key, number, incident id, incident number, incident, ref, reference",
    "start": """opened, opened at, opened on, created, created at, created on, sys created on, reported, reported at,
        detected, detected at, started on, impact started at""",
    "end": "closed, closed at, closed on, resolved on, restored, restored at, mitigated at",
    "services": "service name, business service, cmdb ci, configuration item, affected ci, application",
    "severity": "urgency",
    "team": "team name, assignment group, responder team",
}
_FACT_CALLED = {name: fact for fact, listed in _CALLED.items() for name in names(listed)}
_TEXT_CALLED = dict.fromkeys(("close notes", "resolution notes", "what we did", "fix applied"), "what_fixed_it")
_DATES = ("start", "end", "date", "published")
_DATE = re.compile(r"\s*(\d{1,2})([/.-])(\d{1,2})\2((?:19|20)\d\d)(?!\d)")


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
    taken = {*facts.values()}
    for column in header:
        if column in mapping or column in facts or column in texts:
            continue
        if (fact := _fact_of(column)) and fact not in taken:
            facts[column] = fact
            taken.add(fact)
        elif section := _section_of(column):
            texts[column] = section
    if (account := _account(header, {**mapping, **facts, **texts})) and "title" in taken:
        texts[account] = "narrative" if "summary" in texts.values() else "summary"
    elif account:
        facts[account] = "title"
    return Columns(facts, texts, tuple(c for c in dict.fromkeys(header) if c not in facts and c not in texts))


def _account(header: Sequence[str], used: Mapping[str, str]) -> str:
    """`Description`: the text of a row that has a title, and the title of one that has none."""
    return next((column for column in header if column not in used and is_account(_words(column))), "")


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


def _words(column: str) -> str:
    return " ".join(column.lower().replace("_", " ").split())


def _fact_of(column: str) -> str:
    return _FACT_CALLED.get(_words(column)) or field_of(column)


def _section_of(column: str) -> str:
    section = known(column.replace("_", " "))
    return section.key if section and section.key in sections.BY_KEY else _TEXT_CALLED.get(_words(column), "")


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    columns = columns_with_title(header_of(text), mapping)
    order = _Order.of(text, columns)
    note = "; ".join(filter(None, (columns.told(), order.remark)))
    is_empty = True
    for row in rows_of(text):
        is_empty = False
        if isinstance(row, Left):
            yield row
            continue
        yield _read(row, columns, order, name, note)
        note = ""  # said once
    if is_empty:
        yield Left("no rows below the names of the columns")


def _read(row: Row, columns: Columns, order: "_Order", name: str, note: str) -> Document | Left:
    cells: dict[str, list[str]] = {}
    for column, cell in zip(row.header, row.cells, strict=True):
        if cell.strip():
            cells.setdefault(column, []).append(cell.strip())
    facts: dict[str, str] = {}
    for column, fact in columns.facts.items():
        if column in cells:
            said = ", ".join(cells[column])
            facts.setdefault(_LABEL[fact], order.plain(said) if fact in _DATES else said)
    title = facts.get("title", "")
    if not title:
        return Left("a row without a title", f"line {row.line}", row.line, is_fault=True)
    own = facts.pop("uuid", "")
    when = facts.get("started at") or facts.get("date", "")
    facts["uuid"] = told.uuid_of("table", name, own) if own else told.uuid_of("table", title, when)
    texts: dict[str, list[str]] = {}
    for column, key in columns.texts.items():
        texts.setdefault(key, []).extend(cells.get(column, ()))
    parts = ["\n\n".join([f"## {sections.BY_KEY[key].title}", *said]) for key, said in texts.items() if said]
    rest = [f"- {column}: {' '.join(cell.split())}" for column in columns.other for cell in cells.get(column, ())]
    if rest:
        parts.append("\n".join([f"## {sections.BY_KEY['supporting'].title}", "", *rest]))
    return Document(told.markdown(facts, "\n\n".join(parts), title), own or f"line {row.line}", note, row.line)


@dataclass(frozen=True)
class _Order:
    """What the first number of 04/05/2025 is, as other rows of the table show it; None if none does, or both."""

    is_day_first: bool | None
    example: str = ""

    @classmethod
    def of(cls, text: str, columns: Columns) -> "_Order":
        shown: set[bool] = set()
        example = ""
        dates = [column for column, fact in columns.facts.items() if fact in _DATES]
        for row in rows_of(text) if dates else ():
            for cell in row.under(dates) if isinstance(row, Row) else ():
                if match := _DATE.match(cell):
                    first, second = int(match[1]), int(match[3])
                    if match[2] == "." or first > 12 >= second:  # nobody puts the month first before a point
                        shown.add(True)
                    elif second > 12:
                        shown.add(False)
                    elif first != second:
                        example = example or match[0].strip()
        return cls(shown.pop() if len(shown) == 1 else None, example)

    @property
    def remark(self) -> str:
        if not self.example or self.is_day_first is not None:
            return ""
        return f"{self.example} can be read in two ways, such dates are kept as text: write 2025-12-31"

    def plain(self, cell: str) -> str:
        """With the date as 2025-12-31, if it is one of these."""
        match = _DATE.match(cell)
        if not match or self.is_day_first is None:
            return cell
        day, month = (match[1], match[3]) if self.is_day_first else (match[3], match[1])
        return f"{match[4]}-{int(month):02}-{int(day):02}{cell[match.end() :]}" if int(month) <= 12 else cell
