"""Whose clock counts, and when it shows a time, in a zone that puts its clocks forward and back."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

# A moment outside of these can be kept, and shown in no zone beyond it; nothing that is written down here lies there.
YEARS = range(1900, 9000)


def zone_of(reader: Any) -> tzinfo:
    """The one that this person chose; without a choice, the site's."""
    try:
        return ZoneInfo(reader.time_zone)
    except (AttributeError, ValueError, OSError, KeyError):
        # Not signed in, none chosen, or one that the system's list has lost: no reason to refuse anything.
        return timezone.get_default_timezone()


def site_day(at: datetime) -> date:
    """Which day it is then in the site's zone: what is due on a day, and the days of postmortems, are of that zone."""
    return timezone.localdate(at, timezone.get_default_timezone())


def moment_of(day: date, clock: time, zone: tzinfo) -> datetime:
    """In UTC. A time that comes twice that day is the first one; one that is skipped is the moment after the gap."""
    wall = datetime.combine(day, clock, zone)
    moment = wall.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return moment
    # Across a gap the other reading lies before the clocks are put forward, and this one after: look between them.
    before, after = wall.replace(fold=1).astimezone(UTC), moment
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def is_showable(at: datetime) -> bool:
    """Whether it can be said in every time zone: a calendar of computers ends at the years 1 and 9999."""
    return at.year in YEARS
