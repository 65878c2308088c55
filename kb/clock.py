"""When a clock on the wall shows a time, in a zone that puts its clocks forward and back."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo


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
