"""Due dates for calendar programs: a feed whose address is the key to it, and the page that makes one."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from icalendar import Calendar, Event

from postmortems.action_forms import known_filters
from postmortems.filters import ActionItemFilter
from postmortems.models import ActionItem
from postmortems.views import feed_tokens
from postmortems.views.reader import reader_of

MOST = 1000  # dates in a calendar
MINE = QueryDict("state=unfinished&mine=on")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def action_calendar(request: HttpRequest) -> HttpResponse:
    """One's addresses; posted to, one more. It is in this answer and nowhere else."""
    reader, secret = reader_of(request), ""
    if request.method == "POST":
        secret = feed_tokens.new_secret(reader, "Calendar of action items")
    rows = feed_tokens.in_use(reader)
    address = settings.SITE_URL + reverse("action_feed", args=[secret]) if secret else ""
    return render(request, "postmortems/action_calendar.html", {"tokens": rows, "address": address})


@never_cache
@login_not_required
@require_safe
def action_feed(request: HttpRequest, secret: str) -> HttpResponse:
    """What is due and not done: one's own, or what filters in the address find, as its user may see it now."""
    token = feed_tokens.holder_of(request, secret)
    if isinstance(token, HttpResponse):
        return token
    chosen = request.GET if known_filters(request.GET) else MINE
    found = ActionItemFilter(chosen, queryset=ActionItem.objects.visible_to(token.user), request=request)
    if not found.is_valid():
        return HttpResponse("One of these filters is not known any more.", status=400, content_type="text/plain")
    dated = found.qs.unfinished().exclude(due_on=None).select_related("owner", "postmortem", "incident")
    body = calendar_of(dated.soonest_first()[:MOST])
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")


def calendar_of(items: Any) -> bytes:
    """RFC 5545: an event of a day for each due date; calendars that know no tasks show it, too."""
    calendar = Calendar()
    calendar.add("prodid", "-//Postmortem KB//Action items//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Action items")
    now = timezone.now()
    for item in items:
        calendar.add_component(_event_of(item, now))
    written: bytes = calendar.to_ical()
    return written


def _event_of(item: ActionItem, now: Any) -> Event:
    address = settings.SITE_URL + item.get_absolute_url()
    assert item.due_on is not None  # noqa: S101  (asked for in the query; this tells mypy so)
    event = Event()
    event.add("uid", f"{item.ref}@{urlsplit(settings.SITE_URL).hostname}")  # the same for good: dates move, it stays
    event.add("dtstamp", now)
    event.add("dtstart", item.due_on)  # without an end: the whole of this day, which may be the last there is
    event.add("summary", f"{item.ref} due: {item.title}")
    done_when = f"Done when: {item.done_when}\n\n" if item.done_when else ""
    event.add("description", f"{done_when}{item.home_ref}, {item.get_priority_display().lower()} priority\n{address}")
    event.add("url", address)
    event.add("transp", "TRANSPARENT")
    return event
