"""Who noticed first: how many incidents we heard of from customers."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from postmortems.insights.figures import WIDE, Chart, Piece, Section, Share, Table, Word, figure, place
from postmortems.insights.scope import Scope, incidents
from postmortems.models.incident import DetectionSource, IncidentQuerySet

# Where customers speak: to us, or to everybody.
CUSTOMERS = (DetectionSource.CUSTOMER, DetectionSource.SOCIAL_MEDIA)
NOT_SAID = "not_said"
SAID = "said"
SOURCES = {**{each.value: str(each.label) for each in DetectionSource}, NOT_SAID: "Not said"}
BAR, LEFT = 6.0, 52.0


def detected(rows: IncidentQuerySet, by: str) -> IncidentQuerySet:
    """`by`: a source, `not_said`, `said`, or `customers`. KeyError for anything else."""
    if by == "customers":
        return rows.filter(detection_source__in=CUSTOMERS)
    if by == SAID:
        return rows.exclude(detection_source="")
    return rows.filter(detection_source={**dict(zip(SOURCES, SOURCES, strict=True)), NOT_SAID: ""}[by])


def section(scope: Scope, user: Any) -> Section:
    grouped = incidents(scope, user).order_by().values_list("detection_source").annotate(n=Count("pk"))
    counts = {source or NOT_SAID: n for source, n in grouped}
    listed = [(source, label, counts.get(source, 0)) for source, label in SOURCES.items()]
    said = sum(n for source, n in counts.items() if source != NOT_SAID)
    by_customers = sum(counts.get(each.value, 0) for each in CUSTOMERS)
    share = Share(figure(by_customers, "detected", by="customers"), figure(said, "detected", by=SAID))
    unsaid = figure(counts.get(NOT_SAID, 0), "detected", by=NOT_SAID)
    return Section(
        key="detection",
        title="Who noticed first",
        says=(
            "Detected by customers: a customer told us, or social media did. Of the incidents where somebody wrote "
            "down how it was detected; of the others nothing is known."
        ),
        table=Table(
            ("Detected by", "Incidents"),
            tuple((label, figure(n, "detected", by=source)) for source, label, n in listed),
        ),
        chart=_chart(listed) if counts else None,
        headlines=(
            ("Detected by customers", share, "incidents where it was said"),
            ("Not said", unsaid, "incidents"),
        ),
        empty="" if counts else "No incident started in this period.",
    )


def _chart(listed: list[tuple[str, str, int]]) -> Chart:
    most = max(n for _, _, n in listed)
    pieces, words = [], []
    outside = {each.value for each in CUSTOMERS}
    for number, (source, label, n) in enumerate(listed):
        y = number * (BAR + 2)
        kind = "outside" if source in outside else "unknown" if source == NOT_SAID else "plain"
        length = (WIDE - LEFT - 12) * n / most
        pieces.append(Piece(place(LEFT), place(y), place(length), place(BAR), kind, f"{label}: {n}"))
        words.append(Word(place(LEFT - 2), place(y + BAR - 1.6), label, "end"))
        words.append(Word(place(LEFT + length + 2), place(y + BAR - 1.6), str(n), "start"))
    return Chart(
        says="Incidents by who noticed first: " + ", ".join(f"{label} {n}" for _, label, n in listed),
        height=place(len(listed) * (BAR + 2)),
        pieces=tuple(pieces),
        words=tuple(words),
    )
