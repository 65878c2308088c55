"""What moment a clock on the wall means, where clocks are put forward and back."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.utils import timezone

from kb.clock import is_showable, moment_of
from kb.templatetags.kb import moment

EIGHT = time(8)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 28), EIGHT, "2026-03-28T07:00"),
        ("Europe/Berlin", date(2026, 3, 29), EIGHT, "2026-03-29T06:00"),
        ("Asia/Kolkata", date(2026, 3, 29), EIGHT, "2026-03-29T02:30"),
        # Twice that day: the first.
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30"),
        # Not at all: the clocks went from two to three at 01:00 UTC.
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T01:00"),
        ("Europe/Berlin", date(2026, 3, 29), time(2, 0), "2026-03-29T01:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-03T15:30"),
        # A whole day that Samoa left out: midnight of the next.
        ("Pacific/Apia", date(2011, 12, 30), EIGHT, "2011-12-30T10:00"),
    ],
)
def test_the_moment_is_there_or_the_next_one(zone: str, day: date, clock: time, expected: str) -> None:
    assert moment_of(day, clock, ZoneInfo(zone)) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_days_follow_each_other_in_every_zone() -> None:
    days = [date(2026, month, day) for month in (3, 4, 10, 11) for day in range(1, 31)]

    for name in sorted(available_timezones())[::7]:
        moments = [moment_of(day, EIGHT, ZoneInfo(name)) for day in days]
        assert moments == sorted(moments)
        assert all(timedelta(hours=22) < b - a for a, b in pairwise(moments))


@pytest.mark.parametrize("year", [1, 1899, 9999])
def test_a_moment_at_an_end_of_the_calendar_is_shown_to_everybody_and_is_nothing_to_write_down(year: int) -> None:
    at = datetime(year, 1, 1, tzinfo=UTC)

    with timezone.override(ZoneInfo("America/New_York")):
        shown = moment(at)

    assert not is_showable(at)
    assert "-01-01 00:00 UTC</time>" in shown
