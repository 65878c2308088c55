"""A condition on rows whose SQL is worked out once: who may see a row stands in every query, and often many times."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db.models import BooleanField, Expression, F, Q

from kb.prepared import NUMBER

# Django quotes every name but the aliases that it makes up. Inside a condition these are renamed, so that none is also
# an alias of the query around it, whose row would then be out of sight in there.
_INNER_ALIAS = re.compile(r"\b[A-Z]+[0-9]+\b")
_ROW = re.compile(r"\brow_([0-9]+)\.")


class Rule:
    """What `build(number)` says of a model's rows, in any query that comes by such rows, and for any number.

    The number, a row's key, may only be a parameter of the SQL. The condition may speak of the row, of those it points
    to by foreign keys, and in subqueries of any. It is for `filter`: of an empty column it may say neither yes nor no.
    """

    def __init__(self, model: Any, build: Callable[[int], Q]) -> None:
        self._model, self._build = model, build
        self._known: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def of(self, number: int = NUMBER, at: str = "") -> Q:
        """`at`: the way to the rows from those of the query, as `postmortem__`."""
        return Q(_Condition(self, number, at))

    def sql(self, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """With `row_0`, `row_1`, ... for the rows that stand at the end of `columns`."""
        if connection.vendor not in self._known:
            compiler = self._query.get_compiler(connection=connection)
            sql, params = compiler.compile(self._query.where)
            self._known[connection.vendor] = (_INNER_ALIAS.sub(r"in_\g<0>", sql), tuple(params))
        return self._known[connection.vendor]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The way to a column of each row that is spoken of: through it one learns what a query calls that row."""
        ways: dict[str | None, tuple[str, Any]] = {}
        for alias, table in self._query.alias_map.items():
            way, _ = ways.get(table.parent_alias, ("", None))
            field = getattr(table, "join_field", None)
            ways[alias] = (f"{way}{field.name}__", field.related_model) if field else ("", self._model)
        return tuple(way + _plain_column(model) for way, model in ways.values())

    @cached_property
    def _query(self) -> Any:
        query = self._model._base_manager.filter(self._build(NUMBER)).query
        query.change_aliases({alias: f"row_{n}" for n, alias in enumerate(query.alias_map)})
        return query


def _plain_column(model: Any) -> str:
    """In the row itself: its key stands in the row that points to it, too."""
    plain = (field for field in model._meta.concrete_fields if not (field.primary_key or field.is_relation))
    return str(next(plain).name)


class _Condition(Expression):
    def __init__(self, rule: Rule, number: int, at: str) -> None:
        super().__init__(output_field=BooleanField())
        self._rule, self._number = rule, number
        self._columns: list[Any] = [F(at + column) for column in rule.columns]

    def get_source_expressions(self) -> list[Any]:
        return self._columns

    def set_source_expressions(self, expressions: Any) -> None:
        self._columns = expressions

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = self._rule.sql(connection)
        # In one go: within another rule the query's own rows are called so, too.
        called = [compiler.quote_name_unless_alias(column.alias) for column in self._columns]
        sql = _ROW.sub(lambda row: f"{called[int(row[1])]}.", sql)
        return f"({sql})", tuple(self._number if param == NUMBER else param for param in params)
