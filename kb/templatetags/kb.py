"""Words for every page: moments in the reader's zone, ages, addresses with one value more or less, sanitized HTML."""

import re
from datetime import UTC, date, datetime
from uuid import uuid4

from django.http import QueryDict
from django.template import Library
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kb import markdown
from kb.clock import is_showable

register = Library()

WRAPPED = re.compile(r"(?<=[^\n])\r?\n(?=[^\s\-*+\d])")
BETWEEN_TICKS = re.compile(r"`([^`\n]{1,500})`")
MINUTE, HOUR, DAY = 60, 3600, 86400
ONCE = "once"
# (from this many seconds on, one unit, its name)
UNITS = (
    (2 * 365 * DAY, 365 * DAY, "years"),
    (60 * DAY, 30.44 * DAY, "months"),
    (14 * DAY, 7 * DAY, "weeks"),
    (2 * DAY, DAY, "days"),
    (HOUR, HOUR, "h"),
    (MINUTE, MINUTE, "min"),
)


@register.filter
def rendered(html: str) -> SafeString:
    """HTML that a model made with `kb.markdown` when the row was saved. Never for what a person typed."""
    return markdown.stored(html)


@register.filter
def is_web(address: str) -> bool:
    """An address that may become a link: it can come from a file or another system, and `javascript:` is one too."""
    return address.startswith(("https://", "http://"))


@register.filter
def ticked(text: str) -> SafeString:
    """Plain text in which `this` becomes code. Paragraphs and lists stay apart; other line ends were mere wrapping."""
    parts = BETWEEN_TICKS.split(WRAPPED.sub(" ", text.strip()))
    pieces = (format_html("<code>{}</code>" if n % 2 else "{}", part) for n, part in enumerate(parts))
    return format_html_join("", "{}", ((piece,) for piece in pieces))


def span(seconds: float) -> str:
    """`45 min`, `3 h`, `2 weeks`; below a minute: empty."""
    seconds = abs(seconds)
    for start, unit, name in UNITS:
        if seconds >= start:
            return f"{int(seconds // unit)} {name}"
    return ""


def in_words(seconds: float) -> str:
    """Seconds ago (negative: ahead) as `3 h ago`, `in 2 days`, `just now`."""
    if not (length := span(seconds)):
        return "just now"
    return f"{length} ago" if seconds > 0 else f"in {length}"


def _time(at: datetime, text: str, title: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', at.astimezone(UTC).isoformat(), title, text)


def _here(at: datetime) -> str:
    if not is_showable(at):  # from elsewhere: a page is shown whatever stands in a row
        return _utc(at)
    return date_format(timezone.localtime(at), "j M Y, H:i")


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@register.simple_tag
def once() -> str:
    """A hidden field that tells this form, as it stands on this page, from every other: sent twice, it counts once."""
    return format_html('<input type="hidden" name="{}" value="{}">', ONCE, uuid4())


@register.simple_tag
def moment(at: datetime | None) -> str:
    """The moment in the reader's zone; UTC when pointed at."""
    return _time(at, _here(at), _utc(at)) if at else ""


@register.simple_tag
def age(at: datetime | None) -> str:
    """How long ago, in words; the moment when pointed at."""
    if at is None:
        return ""
    return _time(at, in_words((timezone.now() - at).total_seconds()), f"{_here(at)} ({_utc(at)})")


@register.simple_tag
def lasted(start: datetime | None, end: datetime | None) -> str:
    """How long from start to end, to the minute below two days; empty if one is not known."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    hours, minutes = divmod(int(seconds // MINUTE), 60)
    if seconds >= 2 * DAY or not hours or not minutes:
        return span(seconds) or "under 1 min"
    return f"{hours} h {minutes} min"


@register.simple_tag
def day(on: date | None) -> str:
    return format_html('<time datetime="{}">{}</time>', on.isoformat(), date_format(on, "j M Y")) if on else ""


@register.simple_tag
def day_age(on: date | None) -> str:
    """`today`, `yesterday`, `3 weeks ago`; the date when pointed at."""
    if on is None:
        return ""
    days = (timezone.localdate() - on).days
    words = {0: "today", 1: "yesterday", -1: "tomorrow"}.get(days) or in_words(days * DAY)
    return format_html('<time datetime="{}" title="{}">{}</time>', on.isoformat(), date_format(on, "j M Y"), words)


@register.simple_tag
def query_with(query: QueryDict, name: str, value: object) -> str:
    """This page's query string with one value more, from the first page on."""
    return _query(query, name, [*query.getlist(name), str(value)])


@register.simple_tag
def query_without(query: QueryDict, name: str, value: object) -> str:
    """This page's query string with one value less, from the first page on."""
    return _query(query, name, [other for other in query.getlist(name) if other != str(value)])


def _query(query: QueryDict, name: str, values: list[str]) -> str:
    changed = query.copy()
    changed.pop("page", None)
    changed.setlist(name, values)
    return f"?{changed.urlencode()}"
