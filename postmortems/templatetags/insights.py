"""How a counted thing looks: a number that leads to its rows, a share, a drawing's frame."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.template import Library
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html

from postmortems.insights.figures import Figure, Link, Share
from postmortems.insights.scope import Scope

register = Library()


@register.simple_tag
def cell(value: Any, scope: Scope) -> str:
    """A cell of a table: a number is a link to its rows, nothing is nothing."""
    if isinstance(value, Figure):
        return number(value, scope)
    if isinstance(value, Share):
        return share_of(value, scope)
    if isinstance(value, Link):
        return format_html('<a href="{}">{}</a>', value.address, value.text)
    if isinstance(value, date):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), date_format(value, "j M Y"))
    return "" if value is None else format_html("{}", value)


def number(figure: Figure, scope: Scope) -> str:
    """Of nothing there is nothing to show."""
    if not figure.value:
        return format_html('<span class="muted">{}</span>', 0)
    address = f"{reverse('insight_rows', args=[figure.rows])}?{urlencode({**scope.query, **dict(figure.args)})}"
    return format_html('<a class="figure" href="{}">{}</a>', address, figure.value)


def share_of(share: Share, scope: Scope) -> str:
    """`67 % (20 of 30)`; of few, where a percentage would say more than is known, `2 of 3`."""
    if not share.of.value:
        return format_html('<span class="muted">{}</span>', "none yet")
    counted = format_html("{} of {}", number(share.part, scope), number(share.of, scope))
    return counted if share.percent is None else format_html("{} % <small>({})</small>", share.percent, counted)


@register.filter
def with_query(address: str, query: dict[str, str]) -> str:
    return f"{address}?{urlencode(query)}"


@register.filter
def is_number(value: Any) -> bool:
    """Whether its column is aligned to the right."""
    return isinstance(value, int | Figure)
