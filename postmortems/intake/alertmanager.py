"""Prometheus Alertmanager, webhook version 4. It does not sign: it brings a token."""

from collections.abc import Mapping

from postmortems.intake.base import IncidentReport
from postmortems.intake.prometheus import report_of
from postmortems.intake.reading import Given
from postmortems.intake.source import Source


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    """One delivery holds a group of alerts, firing and resolved together."""
    given.one_of("version", "4")
    return [report_of(alert, url=alert.url("generatorURL")) for alert in given.objects("alerts")]


SOURCE = Source("alertmanager", "Alertmanager", parse)
