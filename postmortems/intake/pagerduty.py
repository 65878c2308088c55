"""PagerDuty webhooks, version 3: events of an incident, signed; during rotation with several keys at once."""

from collections.abc import Mapping

from postmortems.intake.base import TITLE_LENGTH, IncidentReport
from postmortems.intake.reading import Given
from postmortems.intake.signatures import Scheme
from postmortems.intake.source import Source


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    """Nothing of what is not about an incident: a ping, a note, a change of a service."""
    event = given.object("event")
    event.text("event_type", None)
    data = event.maybe("data")
    return [_report(event, data)] if data.text("type") == "incident" else []


def _report(event: Given, data: Given) -> IncidentReport:
    is_firing = data.one_of("status", "triggered", "acknowledged", "resolved") != "resolved"
    at, start = event.needed_time("occurred_at"), data.time("created_at")
    service = data.maybe("service").text("summary", length=100)
    priority = data.maybe("priority").text("summary", length=40)
    urgency = data.text("urgency", length=40)
    return IncidentReport(
        series=data.text("id", None, length=100),
        is_firing=is_firing,
        title=data.text("title", "An incident without a title", length=TITLE_LENGTH),
        at=at,
        started_at=start or None,
        ended_at=None if is_firing else at,
        severity=(priority or urgency).lower(),
        labels={
            name: said for name, said in (("service", service), ("urgency", urgency), ("priority", priority)) if said
        },
        services=(service,) if service else (),
        url=data.url("html_url"),
        event_id=event.text("id", None, length=100),
    )


SOURCE = Source("pagerduty", "PagerDuty", parse, Scheme(header="X-PagerDuty-Signature", prefix="v1="))
