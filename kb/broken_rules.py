"""Which rule of the database a write broke, in words: constraints are named as the sentence they hold."""

import re
from collections.abc import Sequence

from django.db import IntegrityError
from django.db.models import Model, UniqueConstraint


def broken_rule(error: IntegrityError, model: type[Model]) -> str:
    """`published has date`; `slug is taken`; what the database said, if it is no rule of this model."""
    said = str(error).partition("\n")[0]
    words = set(re.findall(r"\w+", said))
    for constraint in model._meta.constraints:
        if constraint.name in words:
            return constraint.name.replace("_", " ")
    if not re.search("unique", said, re.IGNORECASE):
        return said
    # SQLite names the columns only: `UNIQUE constraint failed: app_row.a, app_row.b_id`.
    columns = set(re.findall(r"\.(\w+)", said))
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and columns and columns == _columns(model, constraint.fields):
            return constraint.name.replace("_", " ")
    taken = [
        field.name for field in model._meta.concrete_fields if field.unique and _names(said, columns, field.column)
    ]
    return f"{taken[0]} is taken" if taken else said


def _columns(model: type[Model], names: Sequence[str]) -> set[str]:
    return {str(getattr(model._meta.get_field(name), "column", name)) for name in names}


def _names(said: str, columns: set[str], column: str | None) -> bool:
    """PostgreSQL names the table, the column and a hash: `"app_row_slug_1f2e_uniq"`."""
    return columns == {column} or bool(re.search(rf'"\w+_{column}(?:_\w+)?"', said))
