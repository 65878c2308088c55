"""Dates, times of day and time zones as people write them. What is ambiguous (04/05/2021) is not read at all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from postmortems.importing.inline import DASH, DASHES

_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {name: at for at, month in enumerate(_MONTH_NAMES, 1) for name in (month, month[:3], month[:4])}
# Hours from UTC. An abbreviation is taken at its word, also in July: who writes CET says +1.
ABBREVIATIONS = {
    **{"utc": 0, "gmt": 0, "z": 0, "zulu": 0, "wet": 0, "bst": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3},
    **{"msk": 3, "ist": 5.5, "sgt": 8, "hkt": 8, "jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13},
    **{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "hst": -10},
}
# Two letters or a name mean the clock on the wall, with its summer time.
REGIONS = {
    "pt": "America/Los_Angeles",
    "mt": "America/Denver",
    "ct": "America/Chicago",
    "et": "America/New_York",
    "pacific": "America/Los_Angeles",
    "mountain": "America/Denver",
    "central": "America/Chicago",
    "eastern": "America/New_York",
}

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b[.,]?[ \t]{0,3})?"
_YEAR = r"(?P<{0}y>(?:19|20)\d\d)(?!\d)"
_DATES = (
    r"(?<!\d)(?=\d{4}(?:[-/]|\.\d\d\.\d\d))" + _YEAR.format("i") + r"[-/.](?P<im>\d{1,2})[-/.](?P<id>\d{1,2})(?!\d)",
    r"(?<!\d)(?P<dd>\d{1,2})(?:st|nd|rd|th)?[.]?(?:[ \t]{1,3}of)?[ \t/-]{0,3}(?P<dm>"
    + _MONTH
    + r")\b[.,]?(?:[ \t,/-]{0,3}"
    + _YEAR.format("d")
    + r")?",
    r"(?<![a-z])(?P<mm>"
    + _MONTH
    + r")[.]?[ \t]{1,3}(?P<md>\d{1,2})(?:st|nd|rd|th)?(?![\d:])(?:,?[ \t]{0,3}(?:of[ \t])?"
    + _YEAR.format("m")
    + r")?",
    r"(?<![\d.])(?P<a>\d{1,2})[/.](?P<b>\d{1,2})[/.]" + _YEAR.format("n"),
)
_DATE = re.compile(_WEEKDAY + "(?:" + "|".join(_DATES) + ")", re.IGNORECASE)
_HALF = r"[ap]\.?m\b\.?"
_TIME = re.compile(
    r"(?<![\d:])(?:(?P<h>\d{1,2})(?:[:h](?P<m>[0-5]\d)(?::(?P<s>[0-5]\d)(?:[.,]\d{1,9})?)?"
    rf"(?:[ \t]{{0,2}}(?P<p>{_HALF}))?|[ \t]{{0,2}}(?P<p2>{_HALF}))"
    r"|(?P<hm>[0-2]\d[0-5]\d)(?=Z|[ \t]?(?:UTC|GMT|hrs?|hours)\b))(?!\d)",
    re.IGNORECASE,
)
_OFFSET = "(?P<sign>[-+\N{MINUS SIGN}])" + r"(?P<oh>\d{1,2})(?::?(?P<om>[0-5]\d))?(?!\d)"
_ZONE = re.compile(
    r"(?:(?P<base>UTC|GMT)[ \t]?"
    + _OFFSET
    + r")|(?P<region>(?:Europe|America|Asia|Africa|Australia|Pacific)/[A-Z][A-Za-z_]{2,30})"
    r"|(?P<name>Pacific|Mountain|Central|Eastern)(?:[ \t](?:Standard|Daylight|Summer))?[ \t]time\b"
    # Upper case only: `est`, `met` and `pt` are words.
    r"|(?<![A-Za-z])(?P<abbr>(?-i:"
    + "|".join(sorted((name.upper() for name in [*ABBREVIATIONS, *REGIONS]), key=len, reverse=True))
    + r")|utc|gmt)\b",
    re.IGNORECASE,
)
_BARE_OFFSET = re.compile(_OFFSET)
_BEFORE = " \t*_`[(~≈|#>"  # what may stand before a time at the beginning of a line
_BETWEEN = re.compile(rf"(?:[ \t]{{0,9}}(?:T(?=\d)|at\b|[,@|{DASH}]))?[ \t]{{0,9}}", re.IGNORECASE)


@dataclass(frozen=True)
class Moment:
    """What stands at the beginning of a text: a date, a time or both; where it ends; whether that was all of it."""

    day: date | None
    at: time | None
    zone: tzinfo | None
    end: int
    is_exact: bool  # no `~`, no second time of a range: nothing is lost when only the moment is kept


def date_in(text: str, year: int | None = None) -> date | None:
    """The first date in a text. A date without a year only if a year is given."""
    return next((found for found, _, _ in _dates_in(text, year)), None)


def _dates_in(text: str, year: int | None = None) -> Iterator[tuple[date, int, int]]:
    for match in _DATE.finditer(text):
        if found := _date_of(match, year):
            yield found, match.start(), match.end()


def without_dates(text: str) -> str:
    return _DATE.sub(" ", text)


def _date_of(match: re.Match[str], year: int | None) -> date | None:
    part = match.groupdict()
    try:
        if part["iy"]:
            return date(int(part["iy"]), int(part["im"]), int(part["id"]))
        if part["a"]:
            return _day_and_month(int(part["ny"]), int(part["a"]), int(part["b"]))
        named_year = part["dy"] or part["my"] or year
        month = MONTHS.get((part["dm"] or part["mm"]).lower())
        return date(int(named_year), month, int(part["dd"] or part["md"])) if named_year and month else None
    except ValueError:  # the 31st of June
        return None


def _day_and_month(year: int, a: int, b: int) -> date | None:
    """The order can be told only if one of the two is no month, or if both are the same."""
    if a > 12 or a == b:
        return date(year, b, a)
    return date(year, a, b) if b > 12 else None


def zone_in(text: str) -> tzinfo | None:
    """The time zone a note or the head of a column speaks of."""
    match = _ZONE.search(text)
    return _zone_of(match) if match else None


def _zone_of(match: re.Match[str]) -> tzinfo | None:
    if match["sign"]:
        return _offset_of(match)
    if match["region"]:
        return _region(match["region"])
    name = (match["name"] or match["abbr"]).lower()
    if name in REGIONS:
        return _region(REGIONS[name])
    return timezone(timedelta(hours=ABBREVIATIONS[name])) if ABBREVIATIONS[name] else UTC


def _offset_of(match: re.Match[str]) -> tzinfo | None:
    minutes = int(match["oh"]) * 60 + int(match["om"] or 0)
    return (
        timezone(timedelta(minutes=-minutes if match["sign"] in "-\N{MINUS SIGN}" else minutes))
        if minutes < 15 * 60
        else None
    )


def _region(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def moment_at_start(text: str, year: int | None = None) -> Moment | None:
    """The date, the time, or the date and time that a text begins with."""
    begin = len(text) - len(text.lstrip(_BEFORE))
    day, at, zone, end = None, None, None, begin
    if (match := _DATE.match(text, begin)) and (day := _date_of(match, year)):
        end = match.end()
        begin = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    if (match := _TIME.match(text, begin)) and (at := _time_of(match)):
        end, zone = _zone_after(text, match.end())
        if day is None:
            day, end = _date_after(text, end, year)
    if day is None and at is None:
        return None
    end = _closing(text, end)
    return Moment(day, at, zone, end, _is_exact(text, end))


def _time_of(match: re.Match[str]) -> time | None:
    part = match.groupdict()
    hour = int(part["h"] or (part["hm"] or "")[:2])
    minute = int(part["m"] or (part["hm"] or "")[2:] or 0)
    half = (part["p"] or part["p2"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return time(hour, minute, int(part["s"] or 0)) if hour < 24 else None


def _zone_after(text: str, end: int) -> tuple[int, tzinfo | None]:
    if match := _BARE_OFFSET.match(text, end):
        return match.end(), _offset_of(match)
    begin = end
    while begin < len(text) and text[begin] in " \t(" and begin < end + 3:
        begin += 1
    if (match := _ZONE.match(text, begin)) and (zone := _zone_of(match)):
        return match.end(), zone
    return end, None


def _date_after(text: str, end: int, year: int | None) -> tuple[date | None, int]:
    """`08:21 on 22 June`, `08:21, 2021-06-22`."""
    match = re.compile(r"(?:,|[ \t]on)?[ \t]{1,3}").match(text, end)
    if match and (found := _DATE.match(text, match.end())) and (day := _date_of(found, year)):
        return day, found.end()
    return None, end


def _closing(text: str, end: int) -> int:
    """Past the brackets and stars that were opened before the time."""
    while end < len(text) and text[end] in "*_`])~":
        end += 1
    return end


def _is_exact(text: str, end: int) -> bool:
    before = text[: len(text) - len(text.lstrip(_BEFORE))]
    after = text[end:].lstrip(" \t:")
    second = _TIME.match(after.lstrip(f"~ \t{DASHES}")) if after[:1] in DASHES else None
    return "~" not in before + text[:end] and "≈" not in before and not second and after[:1] != "~"


def moment_in(text: str) -> tuple[date, time | None, tzinfo | None] | None:
    """The first date in a field, and the time with it if there is one: `2021-06-22T08:21:00Z`, `22 June 2021`."""
    for _, start, _ in _dates_in(text):
        if found := moment_at_start(text[start:]):
            return (found.day, found.at, found.zone) if found.day else None
    return None


def datetime_in(text: str, zone: tzinfo = UTC) -> datetime | None:
    """A date with a time in it. A date alone is none."""
    found = moment_in(text)
    if not found or found[1] is None:
        return None
    return datetime.combine(found[0], found[1], found[2] or zone)
