"""Times as people type them: read in their zone, refused where there was no such hour, asked where there were two."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postmortems.moments import NotAMoment, TwiceThatDay, parse

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
BEFORE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # 13:00 in Berlin


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("14:05", "2026-03-01 13:05:00"),
        (" 14:05 ", "2026-03-01 13:05:00"),
        ("14.05", "2026-03-01 13:05:00"),
        ("14:05:30", "2026-03-01 13:05:30"),
        ("14:05Z", "2026-03-01 14:05:00"),
        ("14:05 utc", "2026-03-01 14:05:00"),
        ("14:05+05:30", "2026-03-01 08:35:00"),
        ("14:05-0800", "2026-03-01 22:05:00"),
        ("2026-02-28 23:59", "2026-02-28 22:59:00"),
        ("2026-02-28T23:59Z", "2026-02-28 23:59:00"),
        ("9:00", "2026-03-01 08:00:00"),
        ("00:10", "2026-03-01 23:10:00"),
        ("+2m", "2026-03-01 12:02:00"),
        ("+ 2", "2026-03-01 12:02:00"),
        ("+1h30m", "2026-03-01 13:30:00"),
        ("+1d 2h", "2026-03-02 14:00:00"),
        ("+45s", "2026-03-01 12:00:45"),
    ],
)
def test_what_people_type_is_understood(typed: str, meant: str) -> None:
    assert parse(typed, zone=BERLIN, after=BEFORE) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "When was it?"),
        ("noon", "is no time"),
        ("25:00", "24 hours"),
        ("14:61", "24 hours"),
        ("2026-02-30 10:00", "no such day"),
        ("14:05+99:00", "no distance"),
        ("+", "is no time"),
        ("+2x", "is no time"),
        ("9999-12-31 23:59-23:00", "too far away"),
        ("0001-01-01 10:00", "too far away"),
        ("14:05\x00", "is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(typed: str, said: str) -> None:
    with pytest.raises(NotAMoment, match=said):
        parse(typed, zone=BERLIN, after=BEFORE)


def test_an_hour_that_did_not_exist_is_refused() -> None:
    with pytest.raises(NotAMoment, match=r"no 02:30 in Europe/Berlin.*Did you mean 03:30"):
        parse("2026-03-29 02:30", zone=BERLIN, after=BEFORE)


def test_an_hour_that_came_twice_is_asked_about() -> None:
    with pytest.raises(TwiceThatDay) as question:
        parse("2026-10-25 02:30", zone=BERLIN, after=BEFORE)

    meant = [parse(candidate.typed, zone=KATHMANDU, after=BEFORE) for candidate in question.value.candidates]
    assert [f"{moment:%H:%M}" for moment in meant] == ["00:30", "01:30"]


def test_with_a_distance_from_utc_there_is_nothing_to_ask() -> None:
    assert parse("2026-10-25 02:30+01:00", zone=BERLIN, after=BEFORE) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2035, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_a_time_is_read_as_the_clock_showed_it_or_not_at_all(clock: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    clock = clock.replace(microsecond=0)

    try:
        moments = [parse(f"{clock:%Y-%m-%d %H:%M:%S}", zone=zone, after=BEFORE)]
    except TwiceThatDay as question:
        moments = [parse(candidate.typed, zone=zone, after=BEFORE) for candidate in question.candidates]
        assert moments[1] - moments[0] in (timedelta(hours=1), timedelta(minutes=30))
    except NotAMoment:
        assert (
            datetime.combine(clock.date(), clock.time(), zone).astimezone(UTC).astimezone(zone).time() != clock.time()
        )
        return

    assert all(moment.astimezone(zone).replace(tzinfo=None) == clock for moment in moments)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        assert parse(text, zone=BERLIN, after=BEFORE).tzinfo is UTC
    except NotAMoment as refusal:
        assert str(refusal)
