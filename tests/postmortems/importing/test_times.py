"""Dates and times as people write them."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems.importing.times import date_in, datetime_in, moment_at_start, zone_in

JUNE = date(2021, 6, 22)
CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    [
        "2021-06-22",
        "2021/06/22",
        "22 June 2021",
        "22nd of June, 2021",
        "Tuesday 22. June 2021",
        "June 22, 2021",
        "Jun 22nd 2021",
        "22-Jun-2021",
        "22/06/2021",
        "06/22/2021",
        "on 22.06.2021 at noon",
    ],
)
def test_dates_are_read(text: str) -> None:
    assert date_in(text) == JUNE


@pytest.mark.parametrize(
    "text", ["04/05/2021", "20202-01-16", "31 June 2021", "version 1.2.2021.4", "22 June", "2021", "May"]
)
def test_what_is_no_date_or_may_be_two_is_not_read(text: str) -> None:
    assert date_in(text) is None


def test_a_year_that_is_known_completes_a_date() -> None:
    assert date_in("On 22 June we", 2021) == JUNE


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2021-06-22T08:21:00Z", datetime(2021, 6, 22, 8, 21, tzinfo=UTC)),
        ("2021-06-22T08:21:07.123+02:00", datetime(2021, 6, 22, 6, 21, 7, tzinfo=UTC)),
        ("2021-06-22 08:21 CET", datetime(2021, 6, 22, 8, 21, tzinfo=CET)),
        ("June 22, 2021 at 8:21 pm PT", datetime(2021, 6, 23, 3, 21, tzinfo=UTC)),
        ("12:05 am on 22 June 2021 UTC", None),
        ("2021-06-22", None),
    ],
)
def test_moments_are_read_with_their_zone(text: str, at: datetime | None) -> None:
    assert datetime_in(text) == at


def test_a_moment_without_a_zone_is_in_the_one_given() -> None:
    assert datetime_in("2021-06-22 08:21", CET) == datetime(2021, 6, 22, 7, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at", "is_exact"),
    [
        ("08:21", time(8, 21), True),
        ("**08:21** - text", time(8, 21), True),
        ("[8:21pm] text", time(20, 21), True),
        ("0821 UTC text", time(8, 21), True),
        ("~08:21 text", time(8, 21), False),
        ("08:21~", time(8, 21), False),
        ("08:21 - 09:10 text", time(8, 21), False),
        ("08:21 - 5 nodes", time(8, 21), True),
        ("12:30 am", time(0, 30), True),
    ],
)
def test_times_at_the_beginning_are_read(text: str, at: time, is_exact: bool) -> None:
    moment = moment_at_start(text)

    assert moment is not None
    assert (moment.at, moment.is_exact) == (at, is_exact)


@pytest.mark.parametrize("text", ["24:10", "3 nodes", "10 minutes later", "13:00 pm", "text 08:21", "v1:20x", ""])
def test_other_beginnings_are_no_times(text: str) -> None:
    assert moment_at_start(text) is None


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("All times in CET.", 1),
        ("Time (PST)", -8),
        ("times in UTC-3", -3),
        ("Times are UTC+5:30", 5.5),
        ("all times utc", 0),
    ],
)
def test_zones_are_read(text: str, hours: float) -> None:
    zone = zone_in(text)

    assert zone is not None
    assert zone.utcoffset(None) == timedelta(hours=hours)


def test_the_clock_on_the_wall_has_its_summer_time() -> None:
    zone = zone_in("Pacific time")

    assert zone is not None
    assert datetime(2021, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=-7)
    assert datetime(2021, 1, 1, tzinfo=zone).utcoffset() == timedelta(hours=-8)


@pytest.mark.parametrize("text", ["It was the best est. of all", "Nowhere/Land time", "UTC+99"])
def test_words_are_no_zones(text: str) -> None:
    assert zone_in(text) is None


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789:-/. ,TZampUTCJunestrd+~()[]*")))
def test_any_text_is_read_or_not(text: str) -> None:
    moment = moment_at_start(text)

    assert moment is None or 0 <= moment.end <= len(text)
    date_in(text, 2021)
    datetime_in(text)
