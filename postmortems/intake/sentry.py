"""Sentry, webhooks of an internal integration: issue alerts, metric alerts, and issues that are resolved. Signed."""

from collections.abc import Callable, Mapping

from postmortems.intake.base import TITLE_LENGTH, IncidentReport, Malformed
from postmortems.intake.prometheus import services_in
from postmortems.intake.reading import Given, cleaned
from postmortems.intake.signatures import Scheme
from postmortems.intake.source import Source

UNTITLED = "An issue without a title"


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    """Nothing of what is no alert: a comment, an installation, an issue assigned to somebody."""
    resource = headers.get("Sentry-Hook-Resource", "")
    if not resource:
        raise Malformed("The header Sentry-Hook-Resource is missing.")
    action = given.text("action", None)
    read = READERS.get((resource, action))
    return [read(given.object("data"), cleaned(headers.get("Request-ID", ""), 100))] if read else []


def _event_alert(data: Given, request: str) -> IncidentReport:
    event = data.object("event")
    labels = _tags(event)
    level = event.text("level", length=40)
    return IncidentReport(
        series=f"issue {event.text('issue_id', None, length=80)}",
        is_firing=True,
        title=event.text("title", UNTITLED, length=TITLE_LENGTH),
        at=event.time("datetime"),
        text=data.text("triggered_rule"),
        error_excerpt=cleaned("\n".join(filter(None, (event.text("title"), event.text("culprit"))))),
        severity=level.lower(),
        labels=labels,
        services=(*services_in(labels), *filter(None, [event.text("project", length=100)])),
        url=event.url("web_url"),
        event_id=request,
    )


def _tags(event: Given) -> dict[str, str]:
    """Pairs in a list."""
    pairs = event.values.get("tags") or []
    if not isinstance(pairs, list):
        raise Malformed(f"{event.at('tags')} is to be a list of pairs.")
    two = [pair for pair in pairs[:60] if isinstance(pair, list) and len(pair) == 2]
    return {cleaned(str(name), 100): cleaned(str(value), 500) for name, value in two}


def _issue(is_firing: bool) -> Callable[[Given, str], IncidentReport]:
    def read(data: Given, request: str) -> IncidentReport:
        issue = data.object("issue")
        project = issue.maybe("project").text("slug", length=100)
        return IncidentReport(
            series=f"issue {issue.text('id', None, length=80)}",
            is_firing=is_firing,
            title=issue.text("title", UNTITLED, length=TITLE_LENGTH),
            error_excerpt=issue.text("culprit"),
            severity=issue.text("level", length=40).lower(),
            labels={"project": project} if project else {},
            services=(project,) if project else (),
            url=issue.url("web_url", "permalink"),
            event_id=request,
        )

    return read


def _metric_alert(is_firing: bool) -> Callable[[Given, str], IncidentReport]:
    def read(data: Given, request: str) -> IncidentReport:
        alert = data.object("metric_alert")
        start, end = alert.time("date_started"), alert.time("date_closed")
        projects = tuple(alert.texts("projects"))
        return IncidentReport(
            series=f"metric {alert.text('id', None, length=80)}",
            is_firing=is_firing,
            title=data.text("description_title", "", length=TITLE_LENGTH)
            or alert.text("title", UNTITLED, length=TITLE_LENGTH),
            at=start if is_firing else end,
            started_at=start,
            ended_at=None if is_firing else end,
            text=data.text("description_text"),
            severity=data.text("action", length=40).lower(),
            labels={"project": projects[0]} if projects else {},
            services=projects,
            url=data.url("web_url"),
            event_id=request,
        )

    return read


READERS: Mapping[tuple[str, str], Callable[[Given, str], IncidentReport]] = {
    ("event_alert", "triggered"): _event_alert,
    ("issue", "created"): _issue(True),
    ("issue", "unresolved"): _issue(True),
    ("issue", "resolved"): _issue(False),
    ("issue", "archived"): _issue(False),
    ("issue", "ignored"): _issue(False),
    ("metric_alert", "critical"): _metric_alert(True),
    ("metric_alert", "warning"): _metric_alert(True),
    ("metric_alert", "resolved"): _metric_alert(False),
}
SOURCE = Source("sentry", "Sentry", parse, Scheme(header="Sentry-Hook-Signature"))
