"""What every source of alerts is held to, whatever its payload looks like. One class, one folder of payloads each."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.test import Client

from postmortems import intake
from postmortems.intake import Malformed
from postmortems.intake.signatures import Scheme, hmac_hex
from postmortems.models import Alert, AlertReceipt, ApiToken, Incident, Service, SigningKey, User
from postmortems.workflows import receiving
from tests import factory
from tests.postmortems.conftest import Learn

PAYLOADS = Path(__file__).with_name("payloads")
NUMBERS = itertools.count()
SECRET = "a secret of the vendor's"
# JSON that senders get wrong, or mean: each is put at every place of a payload.
ODD = {
    "no number": "1e400",
    "constant": "NaN",
    "many digits": "9" * 4000,
    "too many digits": "9" * 5000,
    "zero time": '"0001-01-01T00:00:00Z"',
    "far future": '"2099-12-31T23:59:59.999999999+14:00"',
    "no such time": '"2025-02-30T25:61:00Z"',
    "surrogate": '"\\ud800\\u0000"',
    "long": '"' + "x" * 500_000 + '"',
    "twice": '{"a": 1, "a": {"b": 2}}',
    "many": "{" + ",".join(f'"label_{n}": "{n}"' for n in range(5000)) + "}",
    "deep": "[" * 10_000 + "]" * 10_000,
}


class Payload(NamedTuple):
    headers: dict[str, str]
    body: dict[str, Any]

    @classmethod
    def recorded(cls, source: str, name: str) -> Payload:
        return cls(**json.loads((PAYLOADS / source / f"{name}.json").read_text()))


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from paths(each, (*path, name))


def with_value(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


class SourceContract:
    """A subclass says `source`, and has `firing.json` and `resolved.json` in `payloads/<source>/`.

    Both tell of "Checkout answers 503" of the service checkout, from 11:58 to 12:20 on 1 March 2025.
    """

    source: str

    @pytest.fixture(autouse=True)
    def around(self, learn: Learn) -> None:
        self.account: User = factory.user("monitoring", roles=(), is_integration=True)
        self.service: Service = factory.service("Shop front")
        Service.objects.filter(pk=self.service.pk).update(aliases=["CHECKOUT"], description="What customers see.")
        self.token = self.issue("ingest")

    def issue(self, *scopes: str, **known: Any) -> str:
        return ApiToken.objects.issue(user=self.account, name="x", scopes=scopes, at=factory.NOON, **known)[1]

    def send(self, body: bytes | dict[str, Any], headers: Mapping[str, str], **more: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().post(
            f"/api/v1/intake/{self.source}/",
            raw,
            content_type="application/json",
            headers={**headers, "Authorization": f"Bearer {self.token}", **more},
        )

    def deliver(self, *names: str) -> list[str]:
        """What became of each recorded payload, as a delivery of its own."""
        answers = []
        for name in names:
            payload = Payload.recorded(self.source, name)
            # Sentry numbers requests: what it sends again has a number of its own.
            numbered = {"Request-ID": str(next(NUMBERS))} if "Request-ID" in payload.headers else {}
            answer = self.send(payload.body, {**payload.headers, **numbered})
            assert answer.status_code == 200, answer.text
            answers += [alert["did"] for alert in answer.json()["alerts"]]
        return answers

    def written(self) -> tuple[int, int, int]:
        return Incident.objects.count(), Alert.objects.count(), AlertReceipt.objects.count()

    # --- its life ---

    def test_an_alert_opens_an_incident_of_its_service(self) -> None:
        assert self.deliver("firing") == ["opened"]

        incident = Incident.objects.get()
        assert incident.title == "Checkout answers 503"
        assert (incident.status, incident.severity, incident.source) == ("open", "sev2", self.source)
        assert list(incident.services.all()) == [self.service]
        assert incident.started_at.isoformat().startswith("2025-03-01T11:58:")
        assert [entry.text for entry in incident.timeline.all()] == ["Alert: Checkout answers 503"]

    def test_its_end_resolves_the_incident(self) -> None:
        assert self.deliver("firing", "resolved") == ["opened", "resolved"]

        incident = Incident.objects.get()
        assert incident.status == "resolved" and incident.resolved_at
        assert incident.resolved_at > incident.started_at

    def test_deliveries_that_are_repeated_change_nothing(self) -> None:
        did = self.deliver("firing", "firing", "firing", "resolved", "resolved", "resolved")

        assert did == ["opened", "nothing new", "nothing new", "resolved", "nothing new", "nothing new"]
        assert Incident.objects.get().timeline.count() == 2

    def test_an_end_that_comes_first_waits_for_its_beginning(self) -> None:
        assert self.deliver("resolved") == ["kept"]
        assert not Incident.objects.exists()

        assert self.deliver("firing", "resolved") == ["opened", "nothing new"]

        assert Incident.objects.get().status == "resolved"

    # --- what is wrong is said ---

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b'{"a":' * 5000, b"[" * 100_000])
    @pytest.mark.portable
    def test_what_is_no_json_object_is_refused(self, body: bytes) -> None:
        answer = self.send(body, Payload.recorded(self.source, "firing").headers)

        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"]
        assert self.written() == (0, 0, 0)

    def test_an_empty_object_is_told_what_is_missing(self) -> None:
        answer = self.send({}, Payload.recorded(self.source, "firing").headers)

        assert answer.status_code == 400
        assert "is missing" in answer.json()["detail"]

    @pytest.mark.portable
    def test_a_payload_bent_anywhere_is_read_or_refused_and_never_breaks(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        refused = 0
        for path in paths(payload.body):
            for value in (None, "", "x\x00\ud800", -1, 10**30, 1.5, True, [], [[]], [1, "a"], {}, {"a": {"b": []}}):
                body = json.dumps(with_value(payload.body, path, value)).encode()
                try:
                    reports = intake.parse(self.source, payload.headers, body)
                except Malformed as refusal:
                    refused += 1
                    assert str(refusal)
                else:
                    assert all(report.title and report.series for report in reports)
        assert refused > 20

    def test_texts_that_no_database_takes_are_cleaned(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        body = json.dumps(payload.body).replace("answers", "\\u0000\\ud800 answers").encode()

        assert self.send(body, payload.headers).status_code == 200
        assert "answers 503" in Incident.objects.get().title

    def test_an_address_that_is_not_of_the_web_is_left_out(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        body = json.dumps(payload.body).replace("https://", "javascript:alert(1)//").replace("http://", "file://")

        assert self.send(body.encode(), payload.headers).status_code == 200
        assert Incident.objects.get().external_url == ""

    @pytest.mark.portable
    def test_too_long_a_body_is_not_read(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        body = json.dumps({**payload.body, "more": "x" * 1_000_000}).encode()

        answer = self.send(body, payload.headers)

        assert answer.status_code == 413
        assert "1,000,000" in answer.json()["detail"]
        assert self.written() == (0, 0, 0)

    @pytest.mark.portable
    def test_a_packed_body_is_refused_by_name(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        packed = gzip.compress(json.dumps(payload.body).encode())

        answer = self.send(packed, payload.headers, **{"Content-Encoding": "gzip"})

        assert answer.status_code == 415 and "gzip" in answer.json()["detail"]
        assert self.send(packed, payload.headers).status_code == 400
        assert self.written() == (0, 0, 0)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"])
    @pytest.mark.portable
    def test_the_type_that_the_sender_names_does_not_matter(self, kind: str) -> None:
        payload = Payload.recorded(self.source, "firing")

        assert self.send(payload.body, payload.headers, **{"Content-Type": kind}).status_code == 200
        assert Incident.objects.count() == 1

    @pytest.mark.parametrize("odd", list(ODD.values()), ids=list(ODD))
    def test_what_is_odd_anywhere_is_taken_or_refused_with_a_reason(self, odd: str) -> None:
        payload = Payload.recorded(self.source, "firing")
        taken = []
        for path in paths(payload.body):
            marked = json.dumps(with_value(payload.body, path, "MARK"))
            try:
                taken += intake.parse(self.source, payload.headers, marked.replace('"MARK"', odd).encode())
            except Malformed as refusal:
                assert str(refusal)
        numbered = [replace(report, event_id=f"{n} {report.event_id}"[:100]) for n, report in enumerate(taken)]

        received = receiving.receive(self.source, numbered, account=self.account, at=factory.NOON)

        assert {each.did for each in received} <= {"opened", "joined", "nothing new", "reopened"}

    @pytest.mark.parametrize("length", ["²", "-1", "1e3", "9" * 5000, ""])
    @pytest.mark.portable
    def test_a_length_that_is_none_is_no_fault_of_ours(self, length: str) -> None:
        payload = Payload.recorded(self.source, "firing")

        answer = self.send(payload.body, payload.headers, **{"Content-Length": length})

        assert 400 <= answer.status_code < 500 or self.written()[0] == 1

    # --- who sends ---

    def test_without_a_good_token_nothing_is_written(self) -> None:
        payload = Payload.recorded(self.source, "firing")
        expired = self.issue("ingest", expires_at=factory.NOON)
        wrong = ["", "Bearer", "Bearer nonsense", f"Basic {self.token}", f"Bearer {self.issue('read', 'write')}"]

        for said in (*wrong, f"Bearer {expired}"):
            answer = self.send(payload.body, payload.headers, Authorization=said)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert self.token not in answer.text

        User.objects.filter(pk=self.account.pk).update(is_active=False)
        assert self.send(payload.body, payload.headers).status_code == 401
        assert self.written() == (0, 0, 0)

    @pytest.mark.portable
    def test_only_a_post_is_taken(self) -> None:
        assert Client().get(f"/api/v1/intake/{self.source}/").status_code == 405


class SignedSourceContract(SourceContract):
    """Of those that sign. `header` and `prefix` as the vendor documents them."""

    header: str
    prefix = ""

    def key(self, secret: str, **known: Any) -> SigningKey:
        key = SigningKey(source=self.source, name="theirs", account=self.account, **known)
        key.keep(secret)
        return SigningKey.objects.bulk_create([key])[0]

    def signed(self, *secrets: str, body: dict[str, Any] | None = None, **more: str) -> int:
        """The status of a delivery signed with these, over this body if it is another one."""
        payload = Payload.recorded(self.source, "firing")
        over = json.dumps(body or payload.body).encode()
        said = ",".join(self.prefix + hmac_hex(secret, over) for secret in secrets)
        answer = self.send(payload.body, payload.headers, **{"Authorization": "", self.header: said, **more})
        return int(answer.status_code)

    def test_the_scheme_is_the_documented_one(self) -> None:
        scheme = intake.SOURCES[self.source].signature

        assert isinstance(scheme, Scheme)
        assert (scheme.header, scheme.prefix) == (self.header, self.prefix)

    def test_a_good_signature_is_enough(self) -> None:
        key = self.key(SECRET)

        assert self.signed(SECRET) == 200

        assert Incident.objects.count() == 1
        key.refresh_from_db()
        assert key.last_used_at

    def test_a_wrong_signature_writes_nothing(self) -> None:
        self.key(SECRET)
        self.key("taken back", revoked_at=factory.NOON)

        assert self.signed("another") == 401
        assert self.signed("taken back") == 401
        assert self.signed(SECRET, body={"another": "body"}) == 401
        assert self.signed() == 401
        assert self.signed(**{self.header: "äöü,v1=,v1=ü"}) == 401
        assert self.written() == (0, 0, 0)

    def test_while_keys_are_exchanged_both_are_good(self) -> None:
        self.key("the old one")
        self.key("the new one")

        assert self.signed("the old one") == self.signed("the new one") == 200

    def test_a_key_that_cannot_be_read_any_more_is_no_key(self) -> None:
        key = self.key(SECRET)
        SigningKey.objects.filter(pk=key.pk).update(sealed_secret="sealed with another key of the site")

        assert self.signed(SECRET) == 401

    def test_the_secret_is_not_in_the_database(self) -> None:
        key = self.key(SECRET)

        assert SECRET not in key.sealed_secret
        assert SigningKey.objects.get(pk=key.pk).secret == SECRET
