"""Grafana alerting, contact point "Webhook". A token, or since Grafana 12 a signature, with a time if it is set up."""

from collections.abc import Mapping

from postmortems.intake.base import IncidentReport
from postmortems.intake.prometheus import report_of
from postmortems.intake.reading import Given
from postmortems.intake.signatures import Scheme
from postmortems.intake.source import Source

ADDRESSES = ("panelURL", "dashboardURL", "generatorURL")


def parse(headers: Mapping[str, str], given: Given) -> list[IncidentReport]:
    given.one_of("version", "1")
    return [report_of(alert, url=alert.url(*ADDRESSES), more=_measured(alert)) for alert in given.objects("alerts")]


def _measured(alert: Given) -> str:
    """The values that crossed the line, in Grafana's new form or its old one."""
    values = alert.words("values")
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or alert.text("valueString")


SIGNATURE = Scheme(header="X-Grafana-Alerting-Signature", time_header="X-Grafana-Alerting-Timestamp")
SOURCE = Source("grafana", "Grafana", parse, SIGNATURE)
