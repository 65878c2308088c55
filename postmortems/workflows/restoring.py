"""Records of an export become rows again, under their own numbers. Safe to run twice, and never over what differs here.

A record is the same as a row here if number and moment of creation agree. People are those of the same user name or
address; of others an action item keeps the name as text, and for the rest a note says who is missing. Nobody is let in
and no account is made by an import.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection

from kb.archives import UnsafeArchive
from postmortems.exporting.records import Record
from postmortems.exporting.shapes import ATTACHMENT, SHAPES
from postmortems.models import ActionItem, Attachment
from postmortems.models.indexed import Referable
from postmortems.workflows import auditing
from postmortems.workflows.restore_compare import first_difference
from postmortems.workflows.restore_names import Names, Nobody
from postmortems.workflows.restore_records import Restorable, refuse_half
from postmortems.workflows.restore_rows import RecordWriter
from postmortems.workflows.restore_values import NotRestored, list_of, moment_of

CREATED, UPDATED, UNCHANGED, CONFLICT = "created", "updated", "unchanged", "conflict"


@dataclass(frozen=True)
class Restored:
    state: str
    row: Any = None
    reason: str = ""
    note: str = ""


class Restorer:
    """Of records that `restore_records.check` let pass."""

    def __init__(self, *, at: datetime, force: bool = False) -> None:
        self.at, self.force = at, force
        self.names = Names()

    def look(self, given: Restorable) -> Restored:
        """What would become of it; writes nothing. Raises `NotRestored`."""
        row = self._row(given)
        if row is None:
            refuse_half(given.shape, given.record)
            return Restored(CREATED)
        differs = first_difference(self.names, given.shape, given.record, row)
        if not differs:
            return Restored(UPDATED if _new_files(given) else UNCHANGED, row)
        if not self.force:
            said = (
                f"{given.ref or given.title} differs here ({differs.replace('_', ' ')}), and stays as it is (--force)"
            )
            return Restored(CONFLICT, row, said)
        return Restored(UPDATED, row)

    def restore(self, given: Restorable) -> Restored:
        """Raises `NotRestored`. Call it in a transaction."""
        found = self.look(given)
        if found.state in (UNCHANGED, CONFLICT):
            return found
        writer = RecordWriter(self.names, given.html)
        if given.shape is ATTACHMENT:
            row = writer.attach(given.record, _content(given))
        elif found.row is None:
            row = writer.create_whole(given.shape, given.record)
        else:
            row = writer.overwrite(given.shape, given.record, found.row)
        for each in _new_files(given):
            writer.attach({**each, "postmortem": given.ref}, _file(given, each))
        if isinstance(row, Referable):
            auditing.record(f"{given.kind}.restore", on=row, by=None, at=self.at)
        notes = [*writer.notes, *(f"{name[:60]} is no field, and was not read" for name in given.unknown)]
        return Restored(found.state, row, note="; ".join(dict.fromkeys(notes)))

    def _row(self, given: Restorable) -> Any:
        """The row that this record is of."""
        shape, record = given.shape, given.record
        rows = shape.model._default_manager
        if not shape.has_ref:
            try:
                return rows.filter(**{name: self.names.value(shape, name, record[name]) for name in shape.key}).first()
            except Nobody:
                return None
        row = rows.filter(pk=shape.model.pk_of_ref(record["ref"])).first()
        if row is not None and record.get("created_at") and moment_of(record["created_at"]) != row.created_at:
            raise NotRestored(f"{row.ref} is another {given.kind} here: {row.title}")
        return row


def _new_files(given: Restorable) -> list[Record]:
    listed = list_of(given.record.get("attachments")) if given.kind == "postmortem" else []
    there = Attachment.objects.filter(token__in=[each.get("token") for each in listed])
    tokens = {str(token) for token in there.values_list("token", flat=True)}
    return [each for each in listed if each["token"] not in tokens]


def _file(given: Restorable, listed: Record) -> bytes:
    name = str(listed.get("name"))[:60]
    try:
        return given.files(str(listed.get("file"))) if given.files else b""
    except UnsafeArchive as error:
        raise NotRestored(f"the attachment {name!r} cannot be read: {error}") from error
    except (KeyError, OSError, ValueError) as error:
        raise NotRestored(f"the attachment {name!r} is not there") from error


def _content(given: Restorable) -> bytes:
    try:
        return base64.b64decode(str(given.record.get("content", "")), validate=True)
    except ValueError as error:
        raise NotRestored("is no base64", "content") from error


def count_on() -> None:
    """Numbers that were given by hand are not given again: SQLite knows, PostgreSQL is told."""
    rows = [shape.model for shape in SHAPES if shape.has_ref] + [ActionItem]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), rows):
            cursor.execute(statement)
