"""Every source is held to the contract; what only one of them does stands below it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from postmortems import intake
from postmortems.intake import Malformed
from postmortems.intake.signatures import hmac_hex
from tests.postmortems.intake.source_contract import (
    PAYLOADS,
    SECRET,
    Payload,
    SignedSourceContract,
    SourceContract,
)


class TestAlertmanager(SourceContract):
    source = "alertmanager"


class TestOpsgenie(SourceContract):
    source = "opsgenie"


class TestGeneric(SourceContract):
    source = "generic"


class TestPagerDuty(SignedSourceContract):
    source = "pagerduty"
    header = "X-PagerDuty-Signature"
    prefix = "v1="

    def test_during_rotation_it_signs_with_several_keys_at_once(self) -> None:
        self.key("the new one")

        assert self.signed("the old one", "the new one") == 200


class TestSentry(SignedSourceContract):
    source = "sentry"
    header = "Sentry-Hook-Signature"


class TestGrafana(SignedSourceContract):
    source = "grafana"
    header = "X-Grafana-Alerting-Signature"

    def at(self, moment: datetime, *, signed_for: datetime | None = None) -> int:
        payload = Payload.recorded(self.source, "firing")
        stamp, other = (str(int(each.timestamp())) for each in (moment, signed_for or moment))
        digest = hmac_hex(SECRET, other.encode(), b":", json.dumps(payload.body).encode())
        return self.signed(**{self.header: digest, "X-Grafana-Alerting-Timestamp": stamp})

    def test_a_signed_time_has_to_be_now(self) -> None:
        self.key(SECRET)
        now = datetime.now(UTC)

        assert self.at(now - timedelta(minutes=6)) == self.at(now + timedelta(minutes=6)) == 401
        assert self.at(now, signed_for=now - timedelta(hours=1)) == 401
        assert self.written() == (0, 0, 0)
        assert self.at(now) == 200

    @pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "9" * 400, "\uff11\uff12\uff13"])
    def test_what_is_no_time_is_no_signature(self, stamp: str) -> None:
        self.key(SECRET)
        body = json.dumps(Payload.recorded(self.source, "firing").body).encode()
        said = hmac_hex(SECRET, stamp.encode(), b":", body)

        assert self.signed(**{self.header: said, "X-Grafana-Alerting-Timestamp": stamp or "x"}) == 401


def test_every_source_has_a_contract_and_payloads() -> None:
    tried = {each.source for each in globals().values() if isinstance(each, type) and hasattr(each, "source")}

    assert tried == set(intake.SOURCES) == {path.name for path in PAYLOADS.iterdir()}


# --- what is theirs alone ---


def reports(source: str, body: Any, **headers: str) -> list[intake.IncidentReport]:
    return intake.parse(source, headers, json.dumps(body).encode())


def test_alertmanager_tells_of_many_alerts_at_once_firing_and_resolved() -> None:
    firing, over = (Payload.recorded("alertmanager", name).body["alerts"][0] for name in ("firing", "resolved"))

    both = reports("alertmanager", {"version": "4", "alerts": [firing, {**over, "fingerprint": "another"}]})

    assert [(report.series, report.is_firing) for report in both] == [("1a30ba71cca2921f", True), ("another", False)]
    assert both[0].ended_at is None
    assert both[0].started_at == datetime(2025, 3, 1, 11, 58, 45, 828123, UTC)
    assert 'CheckoutErrors{instance="checkout-7:8080"' in both[0].error_excerpt


def test_another_version_of_alertmanager_is_refused_by_name() -> None:
    with pytest.raises(Malformed, match=r"version is '3'; known are 4"):
        reports("alertmanager", {"version": "3", "alerts": []})


def test_an_alert_without_a_fingerprint_is_known_by_its_labels() -> None:
    alert = {**Payload.recorded("alertmanager", "firing").body["alerts"][0], "fingerprint": None}
    turned = {**alert, "labels": dict(reversed(alert["labels"].items()))}

    first, second = (reports("alertmanager", {"version": "4", "alerts": [each]})[0] for each in (alert, turned))

    assert first.series == second.series != ""


@pytest.mark.parametrize("kind", ["pagey.ping", "service.updated", "incident.annotated"])
def test_pagerduty_tells_of_more_than_incidents(kind: str) -> None:
    data = {"incident.annotated": {"type": "incident_note", "content": "Looking"}}.get(kind)

    assert reports("pagerduty", {"event": {"id": "1", "event_type": kind, "data": data}}) == []


@pytest.mark.parametrize("action", ["AddNote", "Acknowledge", "AssignOwnership"])
def test_opsgenie_tells_of_more_than_beginnings_and_ends(action: str) -> None:
    assert reports("opsgenie", {**Payload.recorded("opsgenie", "firing").body, "action": action}) == []


def test_sentry_says_in_a_header_what_it_tells_of() -> None:
    body = Payload.recorded("sentry", "firing").body

    assert reports("sentry", body, **{"Sentry-Hook-Resource": "installation"}) == []
    with pytest.raises(Malformed, match="Sentry-Hook-Resource"):
        reports("sentry", body)


def test_a_metric_alert_of_sentry_has_a_beginning_and_an_end() -> None:
    alert = {"id": "4", "title": "Errors", "date_started": "2025-03-01T12:00:00Z", "date_closed": None}
    said = {"description_title": "Critical: errors", "description_text": "30 events", "web_url": "https://sentry.io/x"}
    headers = {"Sentry-Hook-Resource": "metric_alert"}
    over = {**alert, "date_closed": "2025-03-01T12:30:00Z"}

    (first,) = reports("sentry", {"action": "critical", "data": {**said, "metric_alert": alert}}, **headers)
    (last,) = reports("sentry", {"action": "resolved", "data": {**said, "metric_alert": over}}, **headers)

    assert (first.series, first.is_firing, last.series, last.is_firing) == ("metric 4", True, "metric 4", False)
    assert last.ended_at and last.ended_at - (last.started_at or last.ended_at) == timedelta(minutes=30)


def test_generic_json_needs_only_a_title() -> None:
    (report,) = reports("generic", {"title": "Disk full"})

    assert (report.series, report.is_firing, report.at) == ("Disk full", True, None)


def test_generic_json_tells_of_many_and_says_which_one_is_wrong() -> None:
    assert len(reports("generic", {"alerts": [{"title": "a"}, {"title": "b"}]})) == 2
    with pytest.raises(Malformed, match=r"alerts\[1\]\.started_at has no time zone"):
        reports("generic", {"alerts": [{"title": "a"}, {"title": "b", "started_at": "2025-03-01T12:00:00"}]})
    with pytest.raises(Malformed, match="dedup_key is missing"):
        reports("generic", {"state": "resolved"})


def test_an_unknown_source_is_not_there(client: Any, settings: Settings) -> None:
    assert client.post("/api/v1/intake/nagios/", b"{}", content_type="application/json").status_code == 404


def test_nesting_is_refused_before_it_is_walked() -> None:
    with pytest.raises(Malformed, match="nested"):
        intake.parse("generic", {}, b'{"a":' * 500 + b"1" + b"}" * 500)
