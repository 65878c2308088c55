"""A query whose SQL is worked out once: Django may take ten times as long to build one as the database to answer."""

from collections.abc import Callable
from copy import copy
from typing import Any

from django.db import connections
from django.db.models import QuerySet

NUMBER = -7_305_918_264_015  # stands in the parameters where a number goes: no row has it, and nobody types it


class Prepared:
    """What `build(number, ...)` gives, again and again with other numbers.

    The numbers, keys of rows, may only be parameters of the SQL, as they are: what is asked is the same for all, and
    nothing is worked out from them. A list of them, of any length, comes to `build` as a tuple. Compiled once a
    process, kind of database and, nearly, length: lists are filled up to the next power of two. What is prefetched is
    another query, and refused. `optional`: so many of the first numbers the query may leave out.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *, optional: int = 0) -> None:
        self._build, self._optional = build, optional
        self._known: dict[tuple[Any, ...], tuple[QuerySet[Any, Any], Any, str, tuple[Any, ...]]] = {}

    def row(self, *numbers: Any) -> Any:
        """The first row; None if there is none."""
        return next(iter(self.rows(*numbers)), None)

    def rows(self, *numbers: Any) -> list[Any]:
        """As the query itself would give them: instances, dicts of values."""
        if [] in numbers:
            return []
        filled = [_filled(each) if isinstance(each, list) else each for each in numbers]
        places = _places(filled)
        connection = connections["default"]
        shape = (connection.vendor, *(len(each) if isinstance(each, tuple) else 0 for each in filled))
        if shape not in self._known:
            self._known[shape] = _compile(self._build(*places), _flat(places[self._optional :]))
        queryset, compiler, sql, params = self._known[shape]
        values = dict(zip(_flat(places), _flat(filled), strict=True))
        ready = copy(compiler)
        ready.connection = connection
        ready.as_sql = lambda: (sql, tuple(values.get(p, p) if isinstance(p, int) else p for p in params))
        rows: Any = queryset.all()
        rows.query.get_compiler = lambda *_, **__: ready
        return list(rows)


def _filled(numbers: list[int]) -> tuple[int, ...]:
    """With the last one again until there are 1, 2, 4, 8, ..."""
    wanted = 1 << (len(numbers) - 1).bit_length()
    return (*numbers, *numbers[-1:] * (wanted - len(numbers)))


def _places(numbers: list[Any]) -> list[Any]:
    """Of the same shape, each with a number of its own."""
    unused = iter(range(NUMBER, NUMBER + 10_000))
    return [tuple(next(unused) for _ in each) if isinstance(each, tuple) else next(unused) for each in numbers]


def _flat(numbers: list[Any]) -> list[int]:
    return [one for each in numbers for one in (each if isinstance(each, tuple) else (each,))]


def _compile(rows: Any, needed: list[int]) -> tuple[QuerySet[Any, Any], Any, str, tuple[Any, ...]]:
    if rows._prefetch_related_lookups:
        raise ValueError("What is prefetched is another query: fetch it for the rows.")
    compiler = rows.query.get_compiler(using="default")
    sql, params = compiler.as_sql()
    if not set(needed) <= {param for param in params if isinstance(param, int)}:
        raise ValueError("A number is no parameter of this query: its answer would be the same for all.")
    return rows, compiler, sql, tuple(params)
