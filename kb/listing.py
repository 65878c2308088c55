"""A short list that hangs on a row, in a column of the row's own query: it saves the list a query of its own."""

from typing import Any

from django.db.models import IntegerField, JSONField, QuerySet, Subquery
from django.db.models.functions import JSONObject

ITEM = "listed_item"


class ListOf(Subquery):
    """The rows of a queryset (about `OuterRef("pk")`) as a list of dicts of these fields: name -> where it is.

    Their order is not kept: databases do not promise it. Moments come as text.
    """

    template = "(SELECT COALESCE(JSONB_AGG(listed.{item}), '[]') FROM (%(subquery)s) listed)"
    contains_aggregate = False

    def __init__(self, rows: QuerySet[Any], **fields: Any) -> None:
        unordered = rows if rows.query.is_sliced else rows.order_by()
        each = unordered.values(**{ITEM: JSONObject(**fields)})
        super().__init__(each, output_field=JSONField(), template=self.template.format(item=ITEM))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # JSON() again: what comes out of a subquery is text to SQLite, and would be quoted.
        template = "(SELECT JSON_GROUP_ARRAY(JSON(listed.{item})) FROM (%(subquery)s) listed)"
        return self.as_sql(compiler, connection, template=template.format(item=ITEM), **context)


class CountOf(Subquery):
    """How many rows a queryset has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk"), output_field=IntegerField())
