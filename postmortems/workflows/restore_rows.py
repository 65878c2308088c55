"""The rows of one record: written whole or, where one is there already, written over."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.files.base import ContentFile
from django.db import IntegrityError

from kb import markdown
from kb.broken_rules import broken_rule
from kb.content import type_of
from postmortems.exporting.records import Record
from postmortems.exporting.shapes import ATTACHMENTS, Shape
from postmortems.models import ActionItem, Attachment
from postmortems.workflows.attaching import MAX_BYTES
from postmortems.workflows.restore_names import Names, Nobody
from postmortems.workflows.restore_records import RENDERED, refuse_half
from postmortems.workflows.restore_values import NotRestored, list_of, within

# Set by the database's clock on the way in, and put right afterwards.
CLOCKED = ("created_at", "updated_at")
# What happened to a row here is not taken back by a file that wins over its text.
NOT_OVERWRITTEN = ("revision", *CLOCKED)


class RecordWriter:
    """Every step raises `NotRestored`; the transaction around it is then to be rolled back. `html`: of texts, if it is
    there. `notes`: what was left out."""

    def __init__(self, names: Names, html: Mapping[str, str]) -> None:
        self.names, self.html = names, html
        self.notes: list[str] = []

    def create_whole(self, shape: Shape, record: Record) -> Any:
        try:
            return self._create(shape, record)
        except Nobody as missing:
            raise NotRestored(str(missing)) from missing

    def overwrite(self, shape: Shape, record: Record, row: Any) -> Any:
        """The record wins. What only is here, such as comments and outcomes, stays."""
        values, many = self._values(shape, record, None)
        values = {name: value for name, value in values.items() if name not in NOT_OVERWRITTEN}
        with _rules_kept(shape):
            shape.model._default_manager.filter(pk=row.pk).update(**values, **self._html(shape, values))
        _relate(row, many)
        for name, part in shape.parts.items():
            if name in record and not part.stays:
                self._overwrite_parts(name, part, list_of(record[name]), row)
        return row

    def attach(self, listed: Record, content: bytes) -> Attachment:
        if len(content) > MAX_BYTES:
            raise NotRestored(f"the attachment {str(listed.get('name'))[:60]!r} is larger than {MAX_BYTES} bytes")
        shape = Shape(Attachment, ("postmortem", *ATTACHMENTS.fields))
        try:
            values, _ = self._values(shape, listed, None)
        except Nobody as missing:
            raise NotRestored(str(missing)) from missing
        values |= {"size": len(content), "content_type": type_of(content)}
        with _rules_kept(shape):
            return Attachment.objects.create(**values, file=ContentFile(content, name="file"))

    # --- rows and those below them ---

    def _create(self, shape: Shape, record: Record, above: Any = None) -> Any:
        values, many = self._values(shape, record, above)
        if shape.has_ref:
            values["pk"] = _free_number(shape, record)
        row = shape.model(**values, **self._html(shape, values))
        with _rules_kept(shape):
            shape.model._default_manager.bulk_create([row])
        if clocked := {name: values[name] for name in CLOCKED if values.get(name)}:
            shape.model._default_manager.filter(pk=row.pk).update(**clocked)
        _relate(row, many)
        for name, part in shape.parts.items():
            for number, child in enumerate(list_of(record.get(name)), start=1):
                with within(name, number):
                    self._create_below(part, child, row)
        return row

    def _create_below(self, part: Shape, child: Record, above: Any) -> None:
        try:
            self._create(part, child, above)
        except Nobody as missing:
            self.notes.append(f"left out, {missing}")

    def _overwrite_parts(self, name: str, part: Shape, children: Sequence[Record], above: Any) -> None:
        rows = part.model._default_manager.filter(**{part.home: above}, **part.only)
        if not part.has_ref and not part.key:
            rows.delete()
        for number, child in enumerate(children, start=1):
            with within(name, number):
                there = self._there(part, child, rows)
                if there is None:
                    refuse_half(part, child)
                    self._create_below(part, child, above)
                else:
                    self.overwrite(part, child, there)

    def _there(self, part: Shape, child: Record, rows: Any) -> Any:
        if part.has_ref:
            return rows.filter(pk=part.model.pk_of_ref(str(child.get("ref")))).first()
        if not part.key:
            return None
        try:
            return rows.filter(**{name: self.names.value(part, name, child.get(name)) for name in part.key}).first()
        except Nobody:
            return None

    # --- what is written ---

    def _values(self, shape: Shape, record: Record, above: Any) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        values: dict[str, Any] = {shape.home: above} if above is not None else {}
        values |= {name: getattr(above, name) for name in shape.inherits}
        many: dict[str, list[Any]] = {}
        for name in shape.fields:
            if name not in record:
                continue
            target: Any = shape.model._meta.get_field(name)
            if target.many_to_many:
                found = [self._optional(shape, name, raw) for raw in list_of(record[name])]
                many[name] = [row for row in found if row is not None]
            elif target.many_to_one and target.null:
                values[name] = self._optional(shape, name, record[name])
            else:
                values[name] = self.names.value(shape, name, record[name])
        if shape.model is ActionItem and "owner" in values:
            values["owner_text"] = "" if values["owner"] else str(record["owner"] or "")
        return values, many

    def _optional(self, shape: Shape, name: str, raw: Any) -> Any:
        try:
            return self.names.value(shape, name, raw)
        except Nobody as missing:
            if not (shape.model is ActionItem and name == "owner"):
                self.notes.append(str(missing))
            return None

    def _html(self, shape: Shape, values: Mapping[str, Any]) -> dict[str, str]:
        source, target = RENDERED.get(shape.model, ("", ""))
        if source not in values:
            return {}
        text = values[source]
        return {target: self.html[text] if text in self.html else markdown.render_or_plain(text)}


def _relate(row: Any, many: Mapping[str, list[Any]]) -> None:
    for name, rows in many.items():
        getattr(row, name).set(rows)


def _free_number(shape: Shape, record: Record) -> int:
    pk: int = shape.model.pk_of_ref(str(record["ref"]))
    if other := shape.model._default_manager.filter(pk=pk).first():
        raise NotRestored(f"{other.ref} is something else here: {other.title}")
    return pk


@contextmanager
def _rules_kept(shape: Shape) -> Iterator[None]:
    """The constraints of the database have the last word."""
    try:
        yield
    except IntegrityError as error:
        raise NotRestored(f"against a rule: {broken_rule(error, shape.model)}") from error
