"""Records of an export become rows again, under their own numbers. Safe to run twice, and never over what differs here.

A record is the same as a row here if number and moment of creation agree. People are those of the same user name or
address; of others an action item keeps the name as text, and for the rest a note says who is missing. Nobody is let in
and no account is made by an import.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.management.color import no_style
from django.db import connection, models

from kb import markdown
from kb.content import type_of
from kb.errors import DomainError
from postmortems.exporting.records import Record, records_of
from postmortems.exporting.shapes import ATTACHMENT, ATTACHMENTS, BY_KIND, SHAPES, Shape
from postmortems.importing.front_matter import NO_TEXT
from postmortems.models import (
    ActionItem,
    Attachment,
    Comment,
    Fix,
    Incident,
    Postmortem,
    SectionText,
    SuggestionVerdict,
    User,
)
from postmortems.models.catalogue import Named
from postmortems.models.indexed import Referable
from postmortems.search import THE_MACHINE
from postmortems.workflows import auditing
from postmortems.workflows.attaching import MAX_BYTES

CREATED, UPDATED, UNCHANGED, CONFLICT = "created", "updated", "unchanged", "conflict"
# Text -> its HTML.
RENDERED: Mapping[Any, tuple[str, str]] = {
    SectionText: ("body", "html"),
    Fix: ("steps", "steps_html"),
    Incident: ("symptoms", "symptoms_html"),
    Comment: ("body", "html"),
}
# Set by the database's clock on the way in, and put right afterwards.
CLOCKED = ("created_at", "updated_at")
# What happened to a row here is not taken back by a file that wins over its text.
NOT_OVERWRITTEN = ("revision", *CLOCKED)
MOST_LISTED = 100_000
Files = Callable[[str], bytes]


class NotRestored(DomainError):
    """This record is left out; the message says why."""


class _Nobody(Exception):
    """A row hangs on somebody, or something, that is not here."""


@dataclass(frozen=True)
class Restorable:
    """A record, where it was read, and how to get at the files it names. `html`: of its texts, made beforehand."""

    kind: str
    record: Record
    label: str
    line: int | None = None
    files: Files | None = None
    html: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        return BY_KIND[self.kind]

    @property
    def ref(self) -> str:
        return str(self.record.get("ref") or self.record.get("slug") or "")

    @property
    def title(self) -> str:
        return str(self.record.get("title") or self.record.get("name") or self.kind)

    def rendered(self) -> "Restorable":
        """Before the transaction begins: nobody waits for that."""
        for text in set(_texts(self.shape, self.record)):
            self.html[text] = markdown.render_or_plain(text)
        return self


@dataclass(frozen=True)
class Restored:
    state: str
    row: Any = None
    reason: str = ""
    note: str = ""


def checked(kind: str, record: Any) -> None:
    """Raises `NotRestored` for what is no record."""
    if kind not in BY_KIND or not isinstance(record, dict):
        raise NotRestored(f"there is no kind of record called {str(kind)[:60]!r}")
    for text in _strings(record):
        if NO_TEXT.search(text):
            raise NotRestored("a character that is no text (NUL, or half a character)")
    shape = BY_KIND[kind]
    if shape.has_ref and shape.model.pk_of_ref(str(record.get("ref"))) is None:
        raise NotRestored(f"ref {str(record.get('ref'))[:60]!r} is none of a {kind}")
    if missing := [name for name in shape.key if not record.get(name)]:
        raise NotRestored(f"{missing[0]} is missing")
    _check_parts(shape, record)


def _check_parts(shape: Shape, record: Record) -> None:
    listed = {**shape.parts, **({"attachments": ATTACHMENTS} if shape.kind == "postmortem" else {})}
    for name, part in listed.items():
        for child in _list(record.get(name)):
            if not isinstance(child, dict):
                raise NotRestored(f"{name}: what is listed there is no record")
            _check_parts(part, child)


class Restorer:
    def __init__(self, *, at: datetime, force: bool = False) -> None:
        self.at, self.force = at, force
        self.people = _people()

    def look(self, given: Restorable) -> Restored:
        """What would become of it; writes nothing."""
        row = self._row(given)
        if row is None:
            return Restored(CREATED)
        wanted, there = self._plain(given), self._there(given.shape, row)
        if all(there.get(name) == value for name, value in wanted.items()):
            return Restored(UPDATED if self._new_files(given) else UNCHANGED, row)
        if not self.force:
            name = next(name for name, value in wanted.items() if there.get(name) != value)
            said = f"{given.ref or given.title} differs here ({name.replace('_', ' ')}), and stays as it is (--force)"
            return Restored(CONFLICT, row, said)
        return Restored(UPDATED, row)

    def restore(self, given: Restorable) -> Restored:
        """Raises `NotRestored`. Call it in a transaction."""
        found = self.look(given)
        if found.state in (UNCHANGED, CONFLICT):
            return found
        writer = _Writer(self, given)
        if given.shape is ATTACHMENT:
            row = writer.attach(given.record, self._content(given))
        elif found.row is None:
            row = writer.create_whole(given.shape, given.record)
        else:
            row = writer.overwrite(given.shape, given.record, found.row)
        for each in self._new_files(given):
            writer.attach({**each, "postmortem": given.ref}, self._file(given, each))
        if isinstance(row, Referable):
            auditing.record(f"{given.kind}.restore", on=row, by=None, at=self.at)
        return Restored(found.state, row, note="; ".join(dict.fromkeys(writer.notes)))

    def _row(self, given: Restorable) -> Any:
        """The row that this record is of."""
        shape, record = given.shape, given.record
        rows = shape.model._default_manager
        if not shape.has_ref:
            try:
                return rows.filter(**{name: self.value(shape, name, record[name]) for name in shape.key}).first()
            except _Nobody:
                return None
        row = rows.filter(pk=shape.model.pk_of_ref(record["ref"])).first()
        if row is not None and "created_at" in record and _moment(record["created_at"]) != row.created_at:
            raise NotRestored(f"{row.ref} is another {given.kind} here: {row.title}")
        return row

    # --- compared ---

    def _plain(self, given: Restorable) -> Record:
        return self._comparable(given.shape, given.record)

    def _there(self, shape: Shape, row: Any) -> Record:
        one = Shape(shape.model, shape.fields, shape.parts, kind=shape.kind, only={"pk": row.pk})
        return self._comparable(shape, next(records_of(one, user=THE_MACHINE)))

    def _comparable(self, shape: Shape, record: Record) -> Record:
        """As it can be here: people and things that are not here left out, all values as texts."""
        made: Record = {"ref": record["ref"]} if "ref" in record else {}
        for name in shape.fields:
            if name in record:
                made[name] = self._said(shape, name, record[name])
        for name, part in shape.parts.items():
            if name in record:
                listed = [self._comparable(part, child) for child in _list(record[name]) if self._has_home(part, child)]
                made[name] = listed
        return made

    def _has_home(self, part: Shape, child: Record) -> bool:
        for name in part.fields:
            target = part.model._meta.get_field(name)
            if target.many_to_one and not target.null and self.related(target, child.get(name)) is None:
                return False
        return True

    def _said(self, shape: Shape, name: str, raw: Any) -> Any:
        target = shape.model._meta.get_field(name)
        if target.is_relation:
            found = [self.related(target, each) for each in (_list(raw) if target.many_to_many else [raw])]
            said = sorted(f"{row.pk:09}" if isinstance(row, models.Model) else str(row) for row in found if row)
            if not said and shape.model is ActionItem and name == "owner":
                return str(raw or "")
            return said
        if isinstance(target, models.DateTimeField) and raw:
            return _moment(raw).isoformat()
        return _as_text(raw)

    # --- names become rows ---

    def related(self, target: Any, raw: Any) -> Any:
        """The row of this name. A team, service or tag that is not here yet: its name."""
        if raw in (None, ""):
            return None
        model, name = target.related_model, str(raw)
        if model is User:
            return self.people.get(name.casefold())
        if issubclass(model, Named):
            rows: Any = model._default_manager
            return rows.filter(slug=name).first() or rows.named(name) or name
        pk = model.pk_of_ref(name)
        return model._default_manager.filter(pk=pk).first() if pk else None

    def value(self, shape: Shape, name: str, raw: Any) -> Any:
        """As the model takes it. Raises `_Nobody` if it is somebody's or something's that is not here."""
        target: Any = shape.model._meta.get_field(name)
        if target.is_relation:
            return self._relation(target, raw)
        if shape.model is SuggestionVerdict and name == "key":
            return _key_of(str(raw))
        if isinstance(target, models.DateTimeField):
            return _moment(raw) if raw else None
        if raw is None:
            return None if target.null else target.get_default()
        try:
            return raw if isinstance(target, models.JSONField) else target.to_python(raw)
        except ValidationError as error:
            raise NotRestored(f"{name}: {' '.join(error.messages)}") from error

    def _relation(self, target: Any, raw: Any) -> Any:
        found = self.related(target, raw)
        if isinstance(found, str):
            rows: Any = target.related_model._default_manager
            is_slug = rows.unused_slug(found) == found
            return rows.create(name=found, slug=found) if is_slug else rows.called(found)
        if found is None and raw not in (None, ""):
            raise _Nobody(f"{target.name}: {raw} is not here")
        return found

    # --- files ---

    def _new_files(self, given: Restorable) -> list[Record]:
        listed = _list(given.record.get("attachments")) if given.kind == "postmortem" else []
        tokens = [str(each.get("token")) for each in listed]
        if any(len(token) != 36 for token in tokens):
            raise NotRestored("an attachment without its token")
        there = {str(token) for token in Attachment.objects.filter(token__in=tokens).values_list("token", flat=True)}
        return [each for each in listed if str(each["token"]) not in there]

    def _file(self, given: Restorable, listed: Record) -> bytes:
        try:
            return given.files(str(listed.get("file"))) if given.files else b""
        except (KeyError, OSError) as error:
            raise NotRestored(f"the attachment {str(listed.get('name'))[:60]!r} is not there") from error

    def _content(self, given: Restorable) -> bytes:
        try:
            return base64.b64decode(str(given.record.get("content", "")), validate=True)
        except binascii.Error as error:
            raise NotRestored("content is no base64") from error


class _Writer:
    """The rows of one record."""

    def __init__(self, restorer: Restorer, given: Restorable) -> None:
        self.restorer, self.html = restorer, given.html
        self.notes: list[str] = []

    def create_whole(self, shape: Shape, record: Record) -> Any:
        try:
            return self.create(shape, record)
        except _Nobody as missing:
            raise NotRestored(str(missing)) from missing

    def create(self, shape: Shape, record: Record, above: Any = None) -> Any:
        values, many = self._values(shape, record, above)
        if shape.has_ref:
            values["pk"] = self._free_number(shape, record)
        row = shape.model(**values, **self._html(shape, values))
        self._refuse_invalid(row, values)
        shape.model._default_manager.bulk_create([row])
        if clocked := {name: values[name] for name in CLOCKED if values.get(name)}:
            shape.model._default_manager.filter(pk=row.pk).update(**clocked)
        self._relate(row, many)
        for name, part in shape.parts.items():
            for child in _list(record.get(name)):
                self._child(part, child, row)
        return row

    def overwrite(self, shape: Shape, record: Record, row: Any) -> Any:
        """The record wins. What only is here, such as comments and outcomes, stays."""
        values, many = self._values(shape, record, None)
        values = {name: value for name, value in values.items() if name not in NOT_OVERWRITTEN}
        self._refuse_invalid(shape.model(**values), values)
        shape.model._default_manager.filter(pk=row.pk).update(**values, **self._html(shape, values))
        self._relate(row, many)
        for name, part in shape.parts.items():
            if name in record and not part.stays:
                self._overwrite_parts(part, _list(record[name]), row)
        return row

    def _overwrite_parts(self, part: Shape, children: Sequence[Record], above: Any) -> None:
        rows = part.model._default_manager.filter(**{part.home: above}, **part.only)
        if not part.has_ref and not part.key:
            rows.delete()
        for child in children:
            there = self._child_there(part, child, rows)
            if there is None:
                self._child(part, child, above)
            else:
                self.overwrite(part, child, there)

    def _child_there(self, part: Shape, child: Record, rows: Any) -> Any:
        if part.has_ref:
            return rows.filter(pk=part.model.pk_of_ref(str(child.get("ref")))).first()
        if not part.key:
            return None
        try:
            return rows.filter(**{name: self.restorer.value(part, name, child.get(name)) for name in part.key}).first()
        except _Nobody:
            return None

    def _child(self, part: Shape, child: Record, above: Any) -> None:
        try:
            self.create(part, child, above)
        except _Nobody as missing:
            self.notes.append(f"left out, {missing}")

    def _values(self, shape: Shape, record: Record, above: Any) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        values: dict[str, Any] = {shape.home: above} if above is not None else {}
        values |= {name: getattr(above, name) for name in shape.inherits}
        many: dict[str, list[Any]] = {}
        for name in shape.fields:
            if name not in record:
                continue
            target: Any = shape.model._meta.get_field(name)
            if target.many_to_many:
                found = [self._optional(shape, name, raw) for raw in _list(record[name])]
                many[name] = [row for row in found if row is not None]
            elif target.many_to_one and target.null:
                values[name] = self._optional(shape, name, record[name])
            else:
                values[name] = self.restorer.value(shape, name, record[name])
        if shape.model is ActionItem and "owner" in values:
            values["owner_text"] = "" if values["owner"] else str(record["owner"] or "")
        return values, many

    def _optional(self, shape: Shape, name: str, raw: Any) -> Any:
        try:
            return self.restorer.value(shape, name, raw)
        except _Nobody as missing:
            if not (shape.model is ActionItem and name == "owner"):
                self.notes.append(str(missing))
            return None

    def _html(self, shape: Shape, values: Mapping[str, Any]) -> dict[str, str]:
        source, target = RENDERED.get(shape.model, ("", ""))
        if source not in values:
            return {}
        text = values[source]
        return {target: self.html[text] if text in self.html else markdown.render_or_plain(text)}

    def _free_number(self, shape: Shape, record: Record) -> int:
        pk: int | None = shape.model.pk_of_ref(str(record.get("ref")))
        if pk is None:
            raise NotRestored(f"ref {str(record.get('ref'))[:60]!r} is none of a {shape.model.__name__.lower()}")
        if other := shape.model._default_manager.filter(pk=pk).first():
            raise NotRestored(f"{other.ref} is something else here: {other.title}")
        return pk

    def _refuse_invalid(self, row: Any, values: Mapping[str, Any]) -> None:
        skipped = {f.name for f in row._meta.concrete_fields if f.name not in values or f.is_relation}
        try:
            row.clean_fields(exclude=skipped)
        except ValidationError as error:
            name, said = next(iter(error.message_dict.items()))
            raise NotRestored(f"{name}: {' '.join(said)}") from error

    def _relate(self, row: Any, many: Mapping[str, list[Any]]) -> None:
        for name, rows in many.items():
            getattr(row, name).set(rows)

    def attach(self, listed: Record, content: bytes) -> Attachment:
        if len(content) > MAX_BYTES:
            raise NotRestored(f"the attachment {str(listed.get('name'))[:60]!r} is larger than {MAX_BYTES} bytes")
        shape = Shape(Attachment, ("postmortem", *ATTACHMENTS.fields))
        try:
            values, _ = self._values(shape, listed, None)
        except _Nobody as missing:
            raise NotRestored(str(missing)) from missing
        values |= {"size": len(content), "content_type": type_of(content)}
        self._refuse_invalid(Attachment(**values), values)
        return Attachment.objects.create(**values, file=ContentFile(content, name="file"))


def count_on() -> None:
    """Numbers that were given by hand are not given again: SQLite knows, PostgreSQL is told."""
    rows = [shape.model for shape in SHAPES if shape.has_ref] + [ActionItem]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), rows):
            cursor.execute(statement)


def _people() -> dict[str, User]:
    """By address and user name; of two with one address neither."""
    users = list(User.objects.filter(is_active=True))
    by_address: dict[str, list[User]] = {}
    for user in users:
        by_address.setdefault(user.email.casefold(), []).append(user)
    found = {address: who[0] for address, who in by_address.items() if address and len(who) == 1}
    return found | {user.username.casefold(): user for user in users}


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_LISTED:
        raise NotRestored("a list is expected")
    return value


def _moment(raw: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(raw))
    except ValueError as error:
        raise NotRestored(f"{str(raw)[:60]!r} is no moment") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _key_of(ref: str) -> str:
    """`postmortem:7` for `PM-7`."""
    for model in (Postmortem, Incident, Fix):
        if (pk := model.pk_of_ref(ref)) is not None:
            return f"{model.search_kind}:{pk}"
    raise NotRestored(f"{ref[:60]!r} is no ref of something suggested")


def _as_text(value: Any) -> Any:
    """`5` and `"5"`, none and empty are the same: YAML written by hand does not tell them apart."""
    if isinstance(value, dict):
        return {str(name): _as_text(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return "" if value is None else str(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(name)
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _texts(shape: Shape, record: Record) -> Iterator[str]:
    source, _ = RENDERED.get(shape.model, ("", ""))
    if isinstance(record.get(source), str):
        yield record[source]
    for name, part in shape.parts.items():
        for child in _list(record.get(name)):
            yield from _texts(part, child)
