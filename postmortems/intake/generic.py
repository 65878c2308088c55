"""Our own JSON, for whatever has no file here: one alert, or `{"alerts": [...]}`. README describes it."""

from collections.abc import Mapping

from postmortems.intake.base import TITLE_LENGTH, IncidentReport
from postmortems.intake.prometheus import services_in
from postmortems.intake.reading import Given, cleaned
from postmortems.intake.source import Source


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    return [_report(alert) for alert in (given.objects("alerts") if given.has("alerts") else [given])]


def _report(alert: Given) -> IncidentReport:
    is_firing = not alert.has("state") or alert.one_of("state", "firing", "resolved") == "firing"
    title = alert.text("title", None if is_firing else "", length=TITLE_LENGTH)
    key = alert.text("dedup_key", title if is_firing else None)
    labels = alert.words("labels")
    end = None if is_firing else alert.time("ended_at")
    start = alert.time("started_at")
    return IncidentReport(
        series=cleaned(key, TITLE_LENGTH),
        is_firing=is_firing,
        title=title or key[:TITLE_LENGTH],
        at=alert.time("at") or end or (start if is_firing else None),
        started_at=start,
        ended_at=end,
        text=alert.text("text"),
        error_excerpt=alert.text("error"),
        severity=(alert.text("severity", length=40) or labels.get("severity", "")).lower(),
        labels=labels,
        services=(*alert.texts("services"), *alert.texts("service"), *services_in(labels)),
        url=alert.url("url"),
        event_id=alert.text("id", length=100),
    )


SOURCE = Source("generic", "Generic JSON", parse)
