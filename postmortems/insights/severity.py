"""How many incidents of which severity, over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncMonth, TruncWeek
from django.utils import timezone

from postmortems.insights.figures import WIDE, Chart, Line, Piece, Section, Table, Word, figure, place
from postmortems.insights.scope import Scope, incidents
from postmortems.models import Severity

HIGH, TOP, LEFT = 46.0, 3.0, 8.0
Counts = Mapping[tuple[date, str], int]


def section(scope: Scope, user: Any) -> Section:
    counts = _counts(scope, user)
    buckets = list(scope.buckets())
    total = sum(counts.values())
    table = Table(
        ("Week from" if scope.is_weekly else "Month", *(str(each.label) for each in Severity), "All"),
        (*(_row(bucket, counts, scope) for bucket in buckets), _sums(counts)),
    )
    return Section(
        key="severity",
        title="Incidents by severity",
        says="Every incident that started in the period, but for what was cancelled and for exercises.",
        table=table,
        chart=_chart(buckets, counts, scope) if total else None,
        headlines=(("Incidents", figure(total, "incidents"), "started in the period"),),
        empty="" if total else "No incident started in this period.",
    )


def _counts(scope: Scope, user: Any) -> Counts:
    """(first day of the bucket, severity) -> how many."""
    truncate = TruncWeek if scope.is_weekly else TruncMonth
    rows = incidents(scope, user).annotate(bucket=truncate("started_at")).order_by()
    grouped = rows.values_list("bucket", "severity").annotate(n=Count("pk"))
    return {(timezone.localdate(bucket), severity): n for bucket, severity, n in grouped}


def _row(bucket: date, counts: Counts, scope: Scope) -> tuple[Any, ...]:
    at = bucket.isoformat()
    by_severity = [(each.value, counts.get((bucket, each.value), 0)) for each in Severity]
    cells = (figure(n, "incidents", at=at, severity=severity) for severity, n in by_severity)
    return (name_of(bucket, scope), *cells, figure(sum(n for _, n in by_severity), "incidents", at=at))


def _sums(counts: Counts) -> tuple[Any, ...]:
    sums: Counter[str] = Counter()
    for (_, severity), n in counts.items():
        sums[severity] += n
    cells = (figure(sums[each.value], "incidents", severity=each.value) for each in Severity)
    return ("All", *cells, figure(sum(sums.values()), "incidents"))


def name_of(bucket: date, scope: Scope) -> str:
    return f"{bucket.day} {bucket:%b %Y}" if scope.is_weekly else f"{bucket:%b %Y}"


def _chart(buckets: list[date], counts: Counts, scope: Scope) -> Chart:
    """Columns, the worst at the bottom."""
    tallest = max(sum(counts.get((bucket, each.value), 0) for each in Severity) for bucket in buckets)
    step = (WIDE - LEFT) / len(buckets)
    scale = HIGH / tallest
    pieces, words = [], [Word("6.00", place(TOP + 2), str(tallest), "end"), Word("6.00", place(TOP + HIGH), "0", "end")]
    every = -(-len(buckets) // 13)  # labels that do not run into each other
    for place_of, bucket in enumerate(buckets):
        x, floor = LEFT + place_of * step, TOP + HIGH
        for each in Severity:
            n = counts.get((bucket, each.value), 0)
            if n:
                floor -= n * scale
                says = f"{name_of(bucket, scope)}: {n} {each.label}"
                pieces.append(
                    Piece(place(x + step * 0.12), place(floor), place(step * 0.76), place(n * scale), each.value, says)
                )
        if place_of % every == 0:
            words.append(Word(place(x + step / 2), place(TOP + HIGH + 6), _short(bucket, scope)))
    lines = (
        Line(place(LEFT), place(TOP), place(WIDE), place(TOP), "grid"),
        Line(place(LEFT), place(TOP + HIGH), place(WIDE), place(TOP + HIGH)),
    )
    total = sum(counts.values())
    return Chart(
        says=f"{total} incidents by {'week' if scope.is_weekly else 'month'}, at most {tallest} in one",
        height=place(TOP + HIGH + 8),
        pieces=tuple(pieces),
        words=tuple(words),
        lines=lines,
        legend=tuple((each.value, str(each.label)) for each in Severity),
        shape="timeline",
    )


def _short(bucket: date, scope: Scope) -> str:
    if scope.is_weekly:
        return f"{bucket.day} {bucket:%b}"
    return f"{bucket:%b %Y}" if bucket.month == 1 else f"{bucket:%b}"
