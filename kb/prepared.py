"""A query whose SQL is worked out once: Django may take ten times as long to build one as the database to answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import QuerySet

NUMBER = -7_305_918_264_015  # stands in the parameters where the number goes: no row has it, and nobody types it


@dataclass(frozen=True)
class _Compiled:
    sql: str
    params: tuple[Any, ...]
    names: tuple[str, ...]
    columns: tuple[Any, ...]


class Prepared:
    """What `build(number).values(...)` gives for one row, again and again with other numbers.

    The number, a row's key, may only be a parameter of the SQL: what is asked is the same for all. Compiled once a
    process and kind of database.
    """

    def __init__(self, build: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._known: dict[str, _Compiled] = {}

    def row(self, number: int) -> dict[str, Any] | None:
        """The first row by name of value; None if there is none."""
        connection = connections["default"]
        known = self._known.get(connection.vendor)
        if known is None:
            known = self._known[connection.vendor] = _compile(self._build(NUMBER))
        params = [number if param == NUMBER else param for param in known.params]
        with connection.cursor() as cursor:
            cursor.execute(known.sql, params)
            found = cursor.fetchone()
        return None if found is None else _converted(known, found, connection)


def _compile(rows: QuerySet[Any, Any]) -> _Compiled:
    compiler = rows.query.get_compiler(using="default")
    sql, params = compiler.as_sql()
    if NUMBER not in params:
        raise ValueError("The number is no parameter of this query: its answer would be the same for all.")
    names = tuple(rows.query.selected or ())
    return _Compiled(sql, tuple(params), names, tuple(expression for expression, _, _ in compiler.select))


def _converted(known: _Compiled, found: Sequence[Any], connection: Any) -> dict[str, Any]:
    """As Django's compiler would: what the database calls a moment or a list becomes one."""
    values: dict[str, Any] = {}
    for name, column, value in zip(known.names, known.columns, found, strict=True):
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
            value = convert(value, column, connection)
        values[name] = value
    return values
