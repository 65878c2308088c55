"""Jira's CSV: columns of the same name are there several times (`Comment`, `Labels`), one for each value."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from postmortems.importing import told
from postmortems.importing.base import Document, Left
from postmortems.importing.jira_markup import from_wiki
from postmortems.importing.table_file import Row, header_of, rows_of

ENDINGS = (".csv",)
_FORMS = ("%d/%b/%y %I:%M %p", "%d/%b/%Y %I:%M %p", "%d/%b/%y %H:%M", "%Y-%m-%d %H:%M", "%d.%m.%y %H:%M")


def recognises(text: str) -> bool:
    return {"issue key", "summary"} <= {name.lower() for name in header_of(text)}


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    for row in rows_of(text):
        yield row if isinstance(row, Left) else _read(row)


def _read(row: Row) -> Document | Left:
    key, title = row.first("issue key"), row.first("summary")
    if not key or not title:
        return Left("a row without issue key or summary", key or f"line {row.line}", row.line, is_fault=True)
    severity, services, tags = told.sorted_labels(row.all("labels"))
    facts = {
        "title": title,
        "uuid": told.uuid_of("jira", key),
        "severity": severity or told.severity_of(row.first("severity", "custom field (severity)", "priority")),
        "services": [*services, *row.all("component/s", "components")],
        "tags": tags,
        "status": "" if row.first("resolved", "resolution") else "draft",
        "authors": row.first("reporter"),
        "environment": row.first("environment"),
        "started at": _moment(row.first("created")),
        "ended at": _moment(row.first("resolved")),
    }
    said = told.comments(map(_comment, row.all("comment", "comments")))
    return Document(told.markdown(facts, f"{from_wiki(row.first('description'))}\n\n{said}", title), key, line=row.line)


def _comment(cell: str) -> tuple[str, str, str]:
    """`12/Jan/24 3:04 PM;alice;text`."""
    when, sign, rest = cell.partition(";")
    who, sign_too, text = rest.partition(";")
    is_whole = bool(sign and sign_too) and len(when) < 40 and len(who) < 100
    return (who, when, from_wiki(text)) if is_whole else ("", "", from_wiki(cell))


def _moment(text: str) -> str:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).isoformat(" ", "minutes") + " UTC"  # Jira tells no zone
        except ValueError:
            continue
    return text
