"""Moments as people type them into a timeline: `14:05`, `14:05Z`, `14:05+02:00`, `2026-03-01 14:05`, `+2m`.

A clock time is read in the writer's zone. In spring an hour does not exist, in autumn one comes twice: the first is
refused, the second is asked about. Nothing is guessed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from kb.clock import is_showable
from kb.errors import DomainError

_CLOCK = re.compile(
    r"(?:(?P<day>\d{4}-\d{1,2}-\d{1,2})[T ]\s*)?"
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}))?"
    r"\s*(?P<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\+\s*(?:(?P<days>\d{1,3})\s*d)?\s*(?:(?P<hours>\d{1,4})\s*h)?\s*"
    r"(?:(?P<minutes>\d{1,5})\s*(?:min|m|$))?\s*(?:(?P<seconds>\d{1,6})\s*s)?",
    re.IGNORECASE,
)
USAGE = "Write 14:05, 14:05Z, 2026-03-01 14:05, or +2m for two minutes after the entry before it."


class NotAMoment(DomainError):
    """The message says what to write instead."""


@dataclass(frozen=True)
class Candidate:
    """One of the two moments that a clock time may mean, in words and as it can be typed."""

    typed: str
    says: str


class TwiceThatDay(NotAMoment):
    """The clock was put back: `candidates` are the first and the second time it showed this."""

    def __init__(self, message: str, candidates: tuple[Candidate, Candidate]) -> None:
        super().__init__(message)
        self.candidates = candidates


def parse(text: str, *, zone: tzinfo, after: datetime) -> datetime:
    """The moment in UTC. `after`: the moment before it; `+2m` counts from there, and a bare time is of its day.

    A bare time earlier than that by more than half a day is of the next one: after 23:58 comes 00:10.
    """
    text = text.strip()
    if not text:
        raise NotAMoment(f"When was it? {USAGE}")
    if text.startswith("+"):
        return _later(text, after)
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise NotAMoment(f"{text!r:.60} is no time. {USAGE}")
    clock = _clock(found, text)
    if found["zone"]:
        zone = _offset(found["zone"])
    if found["day"]:
        return _moment(_day(found["day"]), clock, zone)
    day = after.astimezone(zone).date()
    moment = _moment(day, clock, zone)
    return _moment(day + timedelta(days=1), clock, zone) if after - moment > timedelta(hours=12) else moment


def _later(text: str, after: datetime) -> datetime:
    found = _LATER.fullmatch(text)
    steps = {unit: int(value) for unit, value in found.groupdict().items() if value} if found else {}
    if not steps:
        raise NotAMoment(f"{text!r:.60} is no time. {USAGE}")
    try:
        at = (after + timedelta(**steps)).astimezone(UTC)
    except OverflowError as error:
        raise NotAMoment(f"{text!r:.60} is too far away.") from error
    if not is_showable(at):
        raise NotAMoment(f"{text!r:.60} is too far away.")
    return at


def _clock(found: re.Match[str], text: str) -> time:
    try:
        return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
    except ValueError as error:
        raise NotAMoment(f"{text!r:.60}: a day has 24 hours of 60 minutes.") from error


def _day(text: str) -> date:
    year, month, day = map(int, text.split("-"))
    try:
        return date(year, month, day)
    except ValueError as error:
        raise NotAMoment(f"{text}: there is no such day.") from error


def _offset(text: str) -> tzinfo:
    if text.upper() in {"Z", "UTC"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if distance >= timedelta(hours=24):
        raise NotAMoment(f"{text} is no distance from UTC.")
    return timezone(-distance if text[0] == "-" else distance)


def _moment(day: date, clock: time, zone: tzinfo) -> datetime:
    try:
        first, second = (datetime.combine(day, clock, zone).replace(fold=fold) for fold in (0, 1))
        moments = first.astimezone(UTC), second.astimezone(UTC)
    except OverflowError as error:
        raise NotAMoment(f"{day} is too far away.") from error
    if not is_showable(moments[0]):
        raise NotAMoment(f"{day} is too far away.")
    if moments[0] == moments[1]:
        return moments[0]
    # Across a gap, the way to UTC and back does not return to the same clock time.
    if moments[0].astimezone(zone).time() != clock:
        raise NotAMoment(
            f"On {day} there was no {clock:%H:%M} in {zone}: the clocks were put forward over it. "
            f"Did you mean {moments[0].astimezone(zone):%H:%M}?"
        )
    candidates = _candidate("first", first), _candidate("second", second)
    raise TwiceThatDay(f"On {day} it was {clock:%H:%M} twice in {zone}: the clocks were put back. Which?", candidates)


def _candidate(which: str, moment: datetime) -> Candidate:
    offset = moment.strftime("%z")
    typed = f"{moment:%Y-%m-%d %H:%M:%S}{offset[:3]}:{offset[3:5]}"
    return Candidate(typed, f"the {which}: {moment:%H:%M} {moment.tzname()} ({moment.astimezone(UTC):%H:%M} UTC)")
