"""Opsgenie, outgoing webhook. It does not sign: it brings a token in a header of one's own."""

from collections.abc import Mapping

from postmortems.intake.base import TITLE_LENGTH, IncidentReport
from postmortems.intake.prometheus import services_in
from postmortems.intake.reading import Given
from postmortems.intake.source import Source

BEGINS, ENDS = ("Create",), ("Close", "Delete")


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    """Nothing of what neither begins nor ends an alert: a note, an acknowledgement, a change of its owner."""
    action = given.text("action", None)
    return [_report(given.object("alert"), action)] if action in (*BEGINS, *ENDS) else []


def _report(alert: Given, action: str) -> IncidentReport:
    # Milliseconds and nanoseconds: so it is documented.
    start = alert.epoch("createdAt", per_second=1_000)
    at = alert.epoch("updatedAt", per_second=1_000_000_000) or start
    is_firing, series = action in BEGINS, alert.text("alertId", None, length=100)
    labels = alert.words("details") | {"tags": ", ".join(alert.texts("tags"))}
    entity, source = alert.text("entity", length=100), alert.text("source", length=100)
    return IncidentReport(
        series=series,
        is_firing=is_firing,
        title=alert.text("message", None, length=TITLE_LENGTH),
        at=at,
        started_at=start,
        ended_at=None if is_firing else at,
        text=alert.text("description"),
        severity=alert.text("priority", length=40).lower(),
        labels={name: said for name, said in labels.items() if said},
        services=(*services_in(labels), *filter(None, (entity, source))),
        event_id=f"{series} {action} {alert.text('updatedAt', length=40)}" if at else "",
    )


SOURCE = Source("opsgenie", "Opsgenie", parse)
