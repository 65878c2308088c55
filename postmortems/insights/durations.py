"""How long it took to detect, to mitigate and to resolve: as they are spread, never as a mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from postmortems.insights.figures import (
    FEW,
    WIDE,
    Cell,
    Chart,
    Line,
    Mark,
    Piece,
    Section,
    Spread,
    Table,
    Word,
    figure,
    place,
    spread,
)
from postmortems.insights.scope import Scope, incidents
from postmortems.models import Incident
from postmortems.models.incident import IncidentQuerySet, Severity

MINUTE = 60.0
# From the start of the incident on.
MILESTONES = {"detect": "detected_at", "mitigate": "mitigated_at", "resolve": "resolved_at"}
NAMES = {"detect": "To detect", "mitigate": "To mitigate", "resolve": "To resolve"}
# In minutes: a decade or so apart, at values that people think in.
TICKS = (
    (1, "1 min"),
    (10, "10 min"),
    (60, "1 h"),
    (360, "6 h"),
    (1440, "1 day"),
    (10080, "1 week"),
    (43200, "30 days"),
)
LEFT, RIGHT, ROW = 34.0, 8.0, 16.0


def timed(rows: IncidentQuerySet, what: str, *, known: bool) -> IncidentQuerySet:
    """Those of which it is known how long this took, or those of which it is not. KeyError for an unknown milestone."""
    return rows.filter(**{f"{MILESTONES[what]}__isnull": not known})


@dataclass(frozen=True)
class Took:
    """One incident and one length, in minutes."""

    minutes: float
    ref: str
    severity: str
    address: str


def section(scope: Scope, user: Any) -> Section:
    fields = ("pk", "severity", "started_at", *MILESTONES.values())
    rows = list(incidents(scope, user).order_by("started_at", "pk").values_list(*fields))
    times = {
        what: [_took(pk, severity, start, ends[n]) for pk, severity, start, *ends in rows if ends[n]]
        for n, what in enumerate(MILESTONES)
    }
    spreads = {what: spread([each.minutes for each in took]) for what, took in times.items()}
    return Section(
        key="durations",
        title="How long it took",
        says=(
            "From the start of each incident. Each dot is one incident; from "
            f"{FEW} on, the box holds the middle half, its line the median, the whiskers the shortest and the longest. "
            "What has no time is not counted: nobody wrote it down, or it is not there yet."
        ),
        table=Table(
            (
                "Length",
                "Known (n)",
                "Shortest",
                "A quarter took up to",
                "Half took up to",
                "Three quarters took up to",
                "Longest",
                "Not known",
            ),
            tuple(_row(what, spreads[what], len(rows)) for what in MILESTONES),
        ),
        chart=chart([(NAMES[what], times[what]) for what in MILESTONES]) if any(times.values()) else None,
        empty="" if rows else "No incident started in this period.",
    )


def _took(pk: int, severity: str, start: datetime, end: datetime) -> Took:
    ref = f"{Incident.ref_prefix}-{pk}"
    minutes = max((end - start).total_seconds() / MINUTE, 0.0)
    return Took(minutes, ref, severity, reverse("incident_detail", args=[ref]))


def _row(what: str, known: Spread, counted: int) -> tuple[Cell, ...]:
    return (
        NAMES[what],
        figure(known.n, "timed", what=what, known="yes"),
        *five(known),
        figure(counted - known.n, "timed", what=what, known="no"),
    )


def five(known: Spread) -> tuple[str, ...]:
    """Shortest, quartiles, longest; nothing of nothing, and of few no quartiles: they would say more than is known."""
    if not known.n:
        return ("",) * 5
    shares = (0, 0.5, 1) if known.is_few else (0, 0.25, 0.5, 0.75, 1)
    said = {share: in_time(known.quantile(share)) for share in shares}
    return tuple(said.get(share, "") for share in (0, 0.25, 0.5, 0.75, 1))


def in_time(minutes: float) -> str:
    """`45 min`, `3 h 10 min`, `2 days 4 h`: the two biggest units."""
    whole = round(minutes)
    days, rest = divmod(whole, 1440)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {left} min" if left else "")
    return f"{left} min" if left else "under 1 min"


def chart(rows: Sequence[tuple[str, Sequence[Took]]]) -> Chart:
    """A row for each kind of length, on one logarithmic axis of time."""
    longest = max(each.minutes for _, took in rows for each in took)
    end = next((minutes for minutes, _ in TICKS if minutes >= longest), longest)
    ticks = [(minutes, text) for minutes, text in TICKS if minutes <= end]
    pieces: list[Piece] = []
    marks: list[Mark] = []
    over: list[Line] = []
    words = [Word(_x(minutes, end), place(len(rows) * ROW + 5), text) for minutes, text in ticks]
    lines = [Line(_x(minutes, end), "0.00", _x(minutes, end), place(len(rows) * ROW), "grid") for minutes, _ in ticks]
    for number, (name, took) in enumerate(rows):
        middle = number * ROW + ROW / 2
        words.append(Word(place(LEFT - 4), place(middle + 1.2), name, "end"))
        if len(took) < FEW:
            marks += _dots(took, middle, end)
        else:
            box, whiskers = _box(name, spread([each.minutes for each in took]), middle, end)
            pieces.append(box)
            over += whiskers
    said = "; ".join(f"{name.lower()}: {len(took)} known" for name, took in rows)
    shown = {mark.kind for mark in marks}
    return Chart(
        says=f"How long it took, {said}",
        height=place(len(rows) * ROW + 7),
        pieces=tuple(pieces),
        marks=tuple(marks),
        words=tuple(words),
        lines=tuple(lines),
        over=tuple(over),
        legend=tuple((each.value, str(each.label)) for each in Severity if each.value in shown),
    )


def _x(minutes: float, end: float) -> str:
    share = math.log10(max(minutes, 1.0)) / math.log10(end) if end > 1 else 0.0
    return place(LEFT + (WIDE - LEFT - RIGHT) * min(share, 1.0))


def _dots(took: Iterable[Took], middle: float, end: float) -> list[Mark]:
    """Those that would cover each other go below and above."""
    marks: list[Mark] = []
    there: dict[int, int] = {}
    for each in sorted(took, key=lambda each: each.minutes):
        x = _x(each.minutes, end)
        column = round(float(x) / 2.4)
        n = there[column] = there.get(column, 0) + 1
        shift = (n // 2) * 2.6 * (1 if n % 2 else -1)
        says = f"{each.ref}: {in_time(each.minutes)}"
        marks.append(
            Mark(x, place(middle + max(-ROW / 2 + 1, min(ROW / 2 - 1, shift))), each.severity, says, each.address)
        )
    return marks


def _box(name: str, known: Spread, middle: float, end: float) -> tuple[Piece, list[Line]]:
    low, first, half, third, high = (_x(known.quantile(share), end) for share in (0, 0.25, 0.5, 0.75, 1))
    top, bottom, y = place(middle - 4), place(middle + 4), place(middle)
    width = place(max(float(third) - float(first), 0.6))
    quarter, median, most = (in_time(known.quantile(share)) for share in (0.25, 0.5, 0.75))
    says = f"{name}: half between {quarter} and {most}, median {median}, n = {known.n}"
    whiskers = [
        Line(low, y, first, y, "whisker"),
        Line(third, y, high, y, "whisker"),
        Line(half, top, half, bottom, "median"),
    ]
    return Piece(first, top, width, "8.00", "box", says), whiskers
