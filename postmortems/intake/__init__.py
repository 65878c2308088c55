"""Outside payload -> reports of alerts. Knows no model and fetches nothing; one file per source."""

from collections.abc import Mapping

from postmortems.intake import alertmanager, generic, grafana, opsgenie, pagerduty, sentry
from postmortems.intake.base import MAX_BYTES, IncidentReport, Malformed
from postmortems.intake.reading import read_json
from postmortems.intake.source import Source

SOURCES: Mapping[str, Source] = {
    source.slug: source
    for source in (
        alertmanager.SOURCE,
        grafana.SOURCE,
        pagerduty.SOURCE,
        opsgenie.SOURCE,
        sentry.SOURCE,
        generic.SOURCE,
    )
}


def parse(slug: str, headers: Mapping[str, str], body: bytes) -> list[IncidentReport]:
    """What a delivery says, alert by alert. `KeyError`: no such source. `Malformed` says what is wrong and where."""
    return SOURCES[slug].parse(headers, read_json(body))


__all__ = ["MAX_BYTES", "SOURCES", "IncidentReport", "Malformed", "Source", "parse"]
