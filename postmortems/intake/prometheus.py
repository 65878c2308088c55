"""An alert in the shape that Alertmanager gave it and Grafana took over: labels, annotations, start and end."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from postmortems.intake.base import TITLE_LENGTH, IncidentReport
from postmortems.intake.reading import Given, cleaned

SERVICE_LABELS = ("service", "service_name", "app", "application", "component", "job")
SEVERITY_LABELS = ("severity", "priority", "level")
ERROR_ANNOTATIONS = ("error", "log", "logs", "stack", "stacktrace", "exception")


def first_of(words: Mapping[str, str], names: Iterable[str]) -> str:
    return next((words[name] for name in names if words.get(name)), "")


def services_in(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(labels[name] for name in SERVICE_LABELS if labels.get(name)))


def written(labels: Mapping[str, str]) -> str:
    """As Prometheus writes a series: `DiskFull{instance="db-1"}`."""
    rest = ", ".join(f'{name}="{value}"' for name, value in labels.items() if name != "alertname")
    return f"{labels.get('alertname', '')}{{{rest}}}" if rest else labels.get("alertname", "")


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """For senders that give none."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


def report_of(alert: Given, *, url: str, more: str = "") -> IncidentReport:
    """`more`: what else is to stand in the error excerpt."""
    labels, annotations = alert.words("labels"), alert.words("annotations")
    is_firing = alert.one_of("status", "firing", "resolved") == "firing"
    start = alert.needed_time("startsAt")
    end = None if is_firing else max(start, alert.time("endsAt") or start)
    title = first_of(annotations, ("summary", "title")) or labels.get("alertname", "") or "An alert without a name"
    excerpt = "\n".join(filter(None, (first_of(annotations, ERROR_ANNOTATIONS), written(labels), more)))
    return IncidentReport(
        series=alert.text("fingerprint", length=100) or fingerprint_of(labels),
        is_firing=is_firing,
        title=cleaned(title, TITLE_LENGTH),
        at=end or start,
        started_at=start,
        ended_at=end,
        text=first_of(annotations, ("description", "message")),
        error_excerpt=cleaned(excerpt),
        severity=first_of(labels, SEVERITY_LABELS).lower(),
        labels=labels,
        services=services_in(labels),
        url=url,
    )
