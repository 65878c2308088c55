"""Records -> the files of an export, as streams: JSON Lines, a zip of Markdown with the attachments, a zip of CSV."""

import base64
import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.text import slugify

from kb.archives import CHUNK, Entry, zipped
from kb.spreadsheet import harmless
from postmortems import sections
from postmortems.exporting.records import Record, records_of
from postmortems.exporting.shapes import (
    ACCESS,
    ACTION,
    ATTACHMENT,
    ATTACHMENTS,
    BY_KIND,
    FIX,
    POSTMORTEM,
    SHAPES,
    Shape,
)
from postmortems.importing import record_file
from postmortems.models import ActionItem, Attachment, Fix

VERSION = 1
DENSE = 1_000_000  # a longer text stands unpacked: it could be denser than an archive may be
# The history of a postmortem is in JSON Lines only.
NOT_IN_MARKDOWN = frozenset({"revision", "comments", "review_requests", "revisions", "source"})
FOLDERS = {"problem": "2-problems", "incident": "3-incidents", "postmortem": "4-postmortems", "fix": "5-fixes"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


# --- JSON Lines ---


def json_lines(user: Any) -> Iterator[bytes]:
    """Everything, a record a line; those that others name come first."""
    yield _line({"record": "export", "version": VERSION})
    for shape in SHAPES:
        for record in records_of(shape, user=user):
            if shape is ATTACHMENT:
                record = {**record, "content": base64.b64encode(_content(record)).decode()}
            yield _line({"record": shape.kind, **record})


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _content(record: Record) -> bytes:
    return b"".join(_pieces(record))


def _pieces(record: Record) -> Iterator[bytes]:
    """Of a file that is gone, though its row is there: nothing."""
    attachment = Attachment.objects.get(token=record["token"])
    try:
        with attachment.file.open("rb") as file:
            yield from file.chunks(CHUNK)
    except FileNotFoundError:
        return


# --- Markdown ---


def markdown_zip(user: Any) -> Iterator[bytes]:
    """One file a postmortem, incident, problem and fix without a postmortem, and the attachments; the rest as JSON."""
    return zipped(_markdown_entries(user))


def _markdown_entries(user: Any) -> Iterator[Entry]:
    yield _json_entry("1-catalogue.jsonl", user, "team", "service", "tag")
    for kind, folder in FOLDERS.items():
        shape = BY_KIND[kind]
        if shape is POSTMORTEM:
            shape = Shape(shape.model, shape.fields, {**shape.parts, "attachments": ATTACHMENTS}, kind=kind)
        for record in records_of(shape, user=user, without=NOT_IN_MARKDOWN):
            for attachment in record.get("attachments", ()):
                attachment["file"] = _place_of(attachment)
            name = f"{folder}/{record['ref']}-{slugify(record['title'])[:60].rstrip('-') or 'x'}.md"
            text = record_file.write(record, kind).encode()
            yield Entry(name, (text,), is_packed=len(text) < DENSE)
            for attachment in record.get("attachments", ()):
                yield Entry(f"{folder}/{attachment['file']}", _pieces(attachment), is_packed=False)
    yield _json_entry("6-comparisons.jsonl", user, "comparison")


def _json_entry(name: str, user: Any, *kinds: str) -> Entry:
    lines = (_line({"record": kind, **record}) for kind in kinds for record in records_of(BY_KIND[kind], user=user))
    return Entry(name, lines)


def _place_of(attachment: Record) -> str:
    """Nothing of a sender's name can lead anywhere."""
    stem, dot, ending = attachment["name"].rpartition(".")
    stem = _UNSAFE.sub("_", stem if dot else ending).strip("._")[:60] or "file"
    return f"files/{attachment['token']}/{stem}{'.' + _UNSAFE.sub('', ending)[:10] if dot else ''}"


# --- CSV ---

TABLES: Mapping[str, Shape] = {
    "postmortems": Shape(POSTMORTEM.model, POSTMORTEM.fields, {"sections": POSTMORTEM.parts["sections"]}),
    "incidents": Shape(BY_KIND["incident"].model, BY_KIND["incident"].fields),
    "action_items": Shape(ActionItem, ("postmortem", "incident", *ACTION)),
    "fixes": Shape(Fix, ("postmortem", *FIX)),
    "problems": BY_KIND["problem"],
    "services": BY_KIND["service"],
    "teams": BY_KIND["team"],
}
_NOT_IN_TABLES = frozenset({*ACCESS[1:], "first_report", "revision"})


def csv_zip(user: Any) -> Iterator[bytes]:
    """A table each for what spreadsheets are made of. For reading: nothing is read back from them."""
    return zipped(Entry(f"{name}.csv", _table(shape, user)) for name, shape in TABLES.items())


class _Line:
    def write(self, line: str) -> str:
        return line


def _table(shape: Shape, user: Any) -> Iterator[bytes]:
    writer = csv.writer(_Line())
    columns = [name for name in shape.fields if name not in _NOT_IN_TABLES]
    texts = sections.KEYS if "sections" in shape.parts else ()
    first = ["ref"] if shape.has_ref else []
    yield "\ufeff".encode() + writer.writerow([*first, *columns, *texts]).encode()
    for record in records_of(shape, user=user):
        bodies = {text["key"]: text["body"] for text in record.get("sections", ())}
        cells = [_cell(record.get(name)) for name in (*first, *columns)] + [bodies.get(key, "") for key in texts]
        yield writer.writerow([harmless(cell) for cell in cells]).encode()


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


FORMATS: Mapping[str, tuple[str, str, Callable[[Any], Iterator[bytes]]]] = {
    # format -> file name, content type, what makes it
    "markdown": ("postmortems-markdown.zip", "application/zip", markdown_zip),
    "jsonl": ("postmortems.jsonl", "application/x-ndjson", json_lines),
    "csv": ("postmortems-csv.zip", "application/zip", csv_zip),
}
