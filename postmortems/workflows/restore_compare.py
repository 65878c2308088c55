"""Whether what a record says is what the row here says."""

from typing import Any

from django.db import models

from postmortems.exporting.records import Record, records_of
from postmortems.exporting.shapes import Shape
from postmortems.models import ActionItem
from postmortems.search import THE_MACHINE
from postmortems.workflows.restore_names import Names
from postmortems.workflows.restore_values import list_of, moment_of


def first_difference(names: Names, shape: Shape, record: Record, row: Any) -> str:
    """The field that differs; "" if none does. What the record does not say is as it is here."""
    wanted, there = _comparable(names, shape, record), _there(names, shape, row)
    return next((name for name, value in wanted.items() if there.get(name) != value), "")


def _there(names: Names, shape: Shape, row: Any) -> Record:
    one = Shape(shape.model, shape.fields, shape.parts, kind=shape.kind, only={"pk": row.pk})
    return _comparable(names, shape, next(records_of(one, user=THE_MACHINE)))


def _comparable(names: Names, shape: Shape, record: Record) -> Record:
    """As it can be here: people and things that are not here left out, all values as texts."""
    made: Record = {"ref": record["ref"]} if "ref" in record else {}
    for name in shape.fields:
        if name in record:
            made[name] = _said(names, shape, name, record[name])
    for name, part in shape.parts.items():
        if name in record:
            children = [child for child in list_of(record[name]) if _has_home(names, part, child)]
            made[name] = [_comparable(names, part, child) for child in children]
    return made


def _has_home(names: Names, part: Shape, child: Record) -> bool:
    for name in part.fields:
        target = part.model._meta.get_field(name)
        if target.many_to_one and not target.null and names.related(target, child.get(name)) is None:
            return False
    return True


def _said(names: Names, shape: Shape, name: str, raw: Any) -> Any:
    target = shape.model._meta.get_field(name)
    if target.is_relation:
        found = [names.related(target, each) for each in (list_of(raw) if target.many_to_many else [raw])]
        said = sorted(f"{row.pk:09}" if isinstance(row, models.Model) else str(row) for row in found if row)
        if not said and shape.model is ActionItem and name == "owner":
            return str(raw or "")
        return said
    if isinstance(target, models.DateTimeField) and raw:
        return moment_of(raw).isoformat()
    return _as_text(raw)


def _as_text(value: Any) -> Any:
    """`5` and `"5"`, none and empty are the same: YAML written by hand does not tell them apart."""
    if isinstance(value, dict):
        return {str(name): _as_text(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return "" if value is None else str(value)
