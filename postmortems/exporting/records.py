"""Rows -> records of plain values, a hundred at a time, and of these only what the reader may see at that moment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from postmortems.exporting.shapes import GUARDED, REVIEW, Shape
from postmortems.models import (
    ActionItem,
    Fix,
    Incident,
    Postmortem,
    ReviewVerdict,
    Service,
    SuggestionVerdict,
    Tag,
    User,
)
from postmortems.models.catalogue import Named
from postmortems.models.indexed import Referable

CHUNK = 100
Record = dict[str, Any]
_FOUND_BY_KEY = (Incident, Postmortem, Fix)


def records_of(shape: Shape, *, user: Any, without: Iterable[str] = ()) -> Iterator[Record]:
    """In the order of their numbers. Asked for anew every hundred: rights that are lost meanwhile are lost here, too.

    `without`: parts and fields to be left out.
    """
    reader = _Reader(user, frozenset(without))
    last = 0
    while chunk := list(reader.seen(shape).filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from (record for _, record in reader.records(shape, chunk))
        last = chunk[-1].pk


class _Reader:
    def __init__(self, user: Any, without: frozenset[str]) -> None:
        self.user = user
        self.sees_all = bool(user.is_administrator)
        self.without = without if self.sees_all else without | GUARDED

    def seen(self, shape: Shape) -> QuerySet[Any]:
        joined = [f.name for f in map(shape.model._meta.get_field, shape.fields) if f.many_to_one]
        rows = _visible(shape.model, self.user).filter(**shape.only)
        return rows.select_related(*joined) if joined else rows

    def records(self, shape: Shape, rows: Sequence[Any]) -> list[tuple[Any, Record]]:
        """(row, record) each."""
        rows = self._without_hidden_keys(shape, rows)
        made = [(row, {"ref": row.ref} if shape.has_ref else {}) for row in rows]
        for name in shape.fields:
            if name not in self.without:
                self._field(shape, name, made)
        for name, part in shape.parts.items():
            if name not in self.without:
                self._part(name, part, made)
        return made

    def _field(self, shape: Shape, name: str, made: list[tuple[Any, Record]]) -> None:
        if not shape.model._meta.get_field(name).many_to_many:
            for row, record in made:
                record[name] = plain(getattr(row, name))
                if name == "owner" and isinstance(row, ActionItem):
                    record[name] = record[name] or row.owner_text or None
                if name == "key" and isinstance(row, SuggestionVerdict):
                    record[name] = _ref_of(row.key)
            return
        listed = self._many(shape, name, [row.pk for row, _ in made])
        for row, record in made:
            record[name] = listed.get(row.pk, [])

    def _many(self, shape: Shape, name: str, pks: list[int]) -> dict[int, list[str]]:
        related: Any = shape.model._meta.get_field(name)
        through, source = related.remote_field.through, related.m2m_field_name()
        target = related.m2m_reverse_field_name()
        links = through.objects.filter(**{f"{source}__in": pks})
        seen = _visible(related.related_model, self.user) if related.related_model is Incident else None
        links = links.filter(**{f"{target}__in": seen.values("pk")}) if seen is not None else links
        found: dict[int, list[tuple[Any, str]]] = defaultdict(list)
        for link in links.select_related(target):
            row = getattr(link, target)
            said = plain(row)
            found[getattr(link, f"{source}_id")].append((row.pk if isinstance(row, Referable) else said, said))
        return {pk: [said for _, said in sorted(listed)] for pk, listed in found.items()}

    def _part(self, name: str, part: Shape, made: list[tuple[Any, Record]]) -> None:
        homes = [row.pk for row, _ in made]
        if name in REVIEW and not self.sees_all:
            homes = self._reviewed(part, homes)
        below: dict[int, list[Record]] = defaultdict(list)
        rows = self.seen(part).filter(**{f"{part.home}__in": homes}).order_by(*part.order)
        for row, record in self.records(part, list(rows)):
            below[getattr(row, f"{part.home}_id")].append(record)
        for row, record in made:
            record[name] = below[row.pk]

    def _reviewed(self, part: Shape, homes: list[int]) -> list[int]:
        mine = Postmortem.objects.reviewable_by(self.user)
        if part.model is ReviewVerdict:
            return list(
                part.model.objects.filter(revision__in=homes, revision__postmortem__in=mine.values("pk")).values_list(
                    "revision", flat=True
                )
            )
        return list(mine.filter(pk__in=homes).values_list("pk", flat=True))

    def _without_hidden_keys(self, shape: Shape, rows: Sequence[Any]) -> Sequence[Any]:
        """A verdict names what was suggested by a key, which no join follows."""
        if shape.model is not SuggestionVerdict:
            return rows
        seen: set[str] = set()
        for model in _FOUND_BY_KEY:
            pks = [int(row.key.partition(":")[2]) for row in rows if row.key.startswith(f"{model.search_kind}:")]
            found: Any = model.objects.visible_to(self.user)
            seen |= {f"{model.search_kind}:{pk}" for pk in found.filter(pk__in=pks).values_list("pk", flat=True)}
        return [row for row in rows if row.key in seen]


def _visible(model: Any, user: Any) -> QuerySet[Any]:
    rows: Any = model._default_manager.all()
    if user.is_administrator:
        return rows  # type: ignore[no-any-return]
    if model in (Service, Tag):
        named = Q(pk__in=rows.listed().values("pk"))
        for relation in model.named_by:
            field = model._meta.get_field(relation)
            seen = field.related_model.objects.visible_to(user)
            named |= Q(pk__in=seen.filter(**{f"{field.field.name}__isnull": False}).values(field.field.name))
        return rows.filter(named)  # type: ignore[no-any-return]
    seen_by: QuerySet[Any] = rows.visible_to(user) if hasattr(rows, "visible_to") else rows
    return seen_by


def plain(value: Any) -> Any:
    """As JSON has it: rows by their names, moments in UTC."""
    if isinstance(value, User):
        return value.get_username()
    if isinstance(value, Named):
        return value.slug
    if isinstance(value, Referable):
        return value.ref
    if isinstance(value, Model):
        raise TypeError(f"{value!r} has no name outside the database.")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _ref_of(key: str) -> str:
    """`PM-7` for `postmortem:7`."""
    kind, _, number = key.partition(":")
    return next((f"{model.ref_prefix}-{number}" for model in _FOUND_BY_KEY if model.search_kind == kind), key)
