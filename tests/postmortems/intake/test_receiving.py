"""How alerts become incidents: folding, policies, who has taken over, suggestions; thousands in disorder."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from postmortems.intake import IncidentReport
from postmortems.models import (
    Alert,
    ApiToken,
    AuditEvent,
    Incident,
    IntakePolicy,
    Notification,
    Service,
    SuggestionRun,
    Team,
    User,
    Visibility,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from postmortems.workflows import receiving, triage, watching
from postmortems.workflows.delivery import Received
from tests import factory
from tests.factory import NOON
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def told(start: float, end: float | None = None, *, series: str = "disk", **known: Any) -> IncidentReport:
    """That it fires since `start`, or did until `end`, in minutes after noon."""
    usual: dict[str, Any] = {
        **{"series": series, "title": f"Alert {series}", "severity": "critical", "is_firing": end is None},
        **{"started_at": minutes(start), "at": minutes(start if end is None else end)},
        "ended_at": None if end is None else minutes(end),
    }
    return IncidentReport(**{**usual, **known})


class Desk:
    """Takes deliveries at given minutes after noon."""

    def __init__(self, account: User) -> None:
        self.account = account

    def take(self, *reports: IncidentReport, at: float = 600, source: str = "alertmanager") -> list[Received]:
        return receiving.receive(source, reports, account=self.account, at=minutes(at))

    def did(self, *reports: IncidentReport, at: float = 600) -> list[str]:
        return [each.did for each in self.take(*reports, at=at)]


@pytest.fixture
def desk(account: User) -> Desk:
    return Desk(account)


def lines(incident: Incident) -> list[str]:
    return [entry.text for entry in incident.timeline.order_by("pk")]


# --- fires again ---


def test_fired_again_soon_it_is_the_same_incident(desk: Desk) -> None:
    assert desk.did(told(0), told(0, 10), told(30)) == ["opened", "resolved", "reopened"]

    incident = Incident.objects.get()
    assert incident.is_in_progress and incident.resolved_at is None

    assert desk.did(told(30, 45)) == ["resolved"]
    incident.refresh_from_db()
    assert incident.resolved_at == minutes(45)


def test_fired_again_later_it_is_a_new_one(desk: Desk) -> None:
    assert desk.did(told(0), told(0, 10), told(41)) == ["opened", "resolved", "opened"]

    assert Incident.objects.count() == 2


def test_fired_again_after_people_closed_the_incident_it_is_a_new_one(desk: Desk) -> None:
    desk.take(told(0), told(0, 10))
    incident = Incident.objects.get()
    incident.close(at=minutes(12))

    assert desk.did(told(13)) == ["opened"]
    assert Incident.objects.count() == 2


def test_what_people_cancelled_stays_cancelled(desk: Desk, alice: User) -> None:
    desk.take(told(0))
    incident = Incident.objects.get()
    triage.cancel(incident, reason="Known noise.", by=alice, at=minutes(5))

    assert desk.did(told(0, 10), told(15)) == ["nothing new", "joined"]

    incident.refresh_from_db()
    assert incident.status == "cancelled"


def test_an_end_that_was_never_delivered_does_not_keep_the_incident_open(desk: Desk) -> None:
    assert desk.did(told(0), told(300), told(300, 310)) == ["opened", "joined", "resolved"]

    assert Incident.objects.get().status == "resolved"


def test_a_flapping_alert_leaves_the_incident_open_and_its_timeline_short(desk: Desk) -> None:
    for start in range(0, 200, 10):
        desk.take(told(start), told(start, start + 5), at=start + 5)

    incident = Incident.objects.get()
    assert incident.is_in_progress
    assert any("It flaps" in line for line in lines(incident))
    assert len(lines(incident)) < 12
    assert Alert.objects.first().flaps == 19  # type: ignore[union-attr]


def test_an_instance_that_the_source_itself_reopens_keeps_its_incident(desk: Desk) -> None:
    again = told(0, at=minutes(400))

    assert desk.did(told(0), told(0, 10), again) == ["opened", "resolved", "reopened"]


def test_a_source_without_starts_has_one_alert_at_a_time(desk: Desk) -> None:
    def said(at: float, is_firing: bool = True) -> IncidentReport:
        return IncidentReport(series="errors", title="Errors", is_firing=is_firing, at=minutes(at))

    assert desk.did(said(0), said(5), said(9, False), said(20), said(25, False)) == [
        *("opened", "nothing new", "resolved", "reopened", "resolved")
    ]
    assert desk.did(said(90)) == ["opened"]
    assert Incident.objects.count() == Alert.objects.count() == 2


def test_a_delivery_with_a_number_counts_once(desk: Desk) -> None:
    first = told(0, event_id="7")

    assert desk.did(first, first) == ["opened", "nothing new"]
    assert Alert.objects.get().deliveries == 1


def test_what_lies_in_the_future_is_now(desk: Desk) -> None:
    assert desk.did(told(60), at=10) == ["opened"]
    assert desk.did(told(60), at=20) == desk.did(told(60), at=70) == ["nothing new"]

    assert Incident.objects.get().started_at == minutes(10)
    assert desk.did(told(60, 900), at=80) == ["resolved"]
    assert Incident.objects.get().resolved_at == minutes(80)


def test_two_times_of_one_moment_are_two_incidents(desk: Desk) -> None:
    """A sender that numbers nothing and dates everything alike."""
    when = minutes(200)

    assert desk.did(told(0, at=when), told(0, 1, at=minutes(300))) == ["opened", "resolved"]
    assert desk.did(told(100, at=when)) == ["opened"]


def test_what_cannot_be_formatted_is_shown_as_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kb.markdown.MAX_BYTES", 20)

    assert desk.did(told(0, text="The pool is <b>exhausted</b>.")) == ["opened"]
    assert Incident.objects.get().symptoms_html == "<pre>The pool is &lt;b&gt;exhausted&lt;/b&gt;.</pre>"


def test_two_accounts_do_not_share_alerts(desk: Desk) -> None:
    other = Desk(factory.user("staging", roles=(), is_integration=True))

    assert desk.did(told(0)) == other.did(told(0)) == ["opened"]
    assert Incident.objects.count() == 2


def test_one_bad_report_undoes_its_whole_delivery(desk: Desk) -> None:
    with pytest.raises(IntegrityError):
        desk.take(told(0), told(0, series="other", title=""))

    assert not Incident.objects.exists() and not Alert.objects.exists()


# --- who has taken over ---


def test_an_incident_that_somebody_works_on_is_theirs_to_resolve(desk: Desk, alice: User) -> None:
    desk.take(told(0))
    incident = Incident.objects.get()
    triage.acknowledge(incident, by=alice, at=minutes(2))

    assert desk.did(told(0, 10)) == ["noted"]

    incident.refresh_from_db()
    assert incident.is_in_progress
    assert lines(incident)[-1] == "Alert is over: Alert disk."


def test_an_incident_that_people_resolved_is_left_alone_by_repeats(desk: Desk, alice: User) -> None:
    desk.take(told(0))
    incident = Incident.objects.get()
    triage.resolve(incident, by=alice, at=minutes(3))

    assert desk.did(told(0), told(0, 10)) == ["nothing new", "nothing new"]
    assert len(lines(incident)) == 2


# --- policies ---


def rule(**known: Any) -> IntakePolicy:
    return IntakePolicy.objects.create(**{"position": 1, **known})


def test_where_no_rule_fits_an_incident_is_opened(desk: Desk) -> None:
    IntakePolicy.objects.all().delete()

    assert desk.did(told(0, severity="whatever")) == ["opened"]
    assert Incident.objects.get().severity == "sev3"


@pytest.mark.parametrize(
    ("word", "severity"), [("critical", "sev2"), ("p1", "sev1"), ("page", "sev2"), ("", "sev3"), ("error", "sev3")]
)
def test_the_word_of_the_source_says_how_severe(desk: Desk, word: str, severity: str) -> None:
    desk.take(told(0, severity=word))

    assert Incident.objects.get().severity == severity


def test_alerts_for_information_are_only_kept(desk: Desk) -> None:
    assert desk.did(told(0, severity="info"), told(0, 5, severity="info")) == ["kept", "kept"]
    assert Alert.objects.count() == 1


def test_a_warning_joins_the_open_incident_of_its_service(desk: Desk) -> None:
    checkout, other = factory.incident(services=("Checkout",)), factory.incident(services=("Search",))
    warning = told(0, severity="warning", services=("unknown", "checkout"))

    assert desk.did(warning, told(0, 5, severity="warning", services=("checkout",))) == ["joined", "noted"]

    assert lines(checkout) == ["Alert: Alert disk", "Alert is over: Alert disk."]
    assert lines(other) == []
    checkout.refresh_from_db()
    assert checkout.is_in_progress


def test_a_warning_without_an_open_incident_is_only_kept(desk: Desk) -> None:
    factory.incident(services=("Checkout",), status="resolved", resolved_at=NOON)

    assert desk.did(told(0, severity="warning", services=("checkout",))) == ["kept"]


def test_an_alert_does_not_join_what_its_account_may_not_see(desk: Desk) -> None:
    secret = factory.incident(services=("Checkout",), visibility=Visibility.RESTRICTED)
    Service.objects.update(description="Known to all.")

    assert desk.did(told(0, severity="warning", services=("checkout",))) == ["kept"]
    assert lines(secret) == []


def test_an_alert_that_joined_holds_back_the_end(desk: Desk) -> None:
    factory.service("Checkout")
    Service.objects.update(description="Known to all.")
    desk.take(told(0, services=("checkout",)), told(1, series="slow", severity="warning", services=("checkout",)))

    assert desk.did(told(0, 10), told(1, 20, series="slow")) == ["noted", "resolved"]
    assert Incident.objects.get().resolved_at == minutes(20)


def test_the_first_rule_that_fits_is_taken(desk: Desk, team: Team) -> None:
    rule(source="pagerduty", action="ignore")
    rule(label="team", values="payments\nBilling", severity="sev1", visibility="restricted", team=team, resolves=False)
    rule(label="team", action="ignore")

    assert desk.did(told(0, labels={"team": "billing"}), told(1, series="b", labels={"team": "web"})) == [
        "opened",
        "kept",
    ]

    incident = Incident.objects.get()
    assert (incident.severity, incident.visibility) == ("sev1", "restricted")
    assert list(incident.shared_with.all()) == [team]
    assert desk.did(told(0, 10)) == ["noted"]


def test_a_payload_never_makes_a_service(desk: Desk) -> None:
    desk.take(told(0, services=("nobody knows", "x" * 5000, "")))

    assert not Service.objects.exists()


def test_text_that_would_be_slow_to_format_is_shown_as_it_is(desk: Desk) -> None:
    desk.take(told(0, text="![" * 2000), told(1, series="b", text="Prose with *one* mark."))

    incidents = {row.symptoms[:3]: row.symptoms_html for row in Incident.objects.all()}
    assert "![![" in incidents["```"]
    assert "<em>one</em>" in incidents["Pro"]


# --- suggestions ---


@pytest.fixture
def known(learn: Learn) -> Any:
    """A postmortem that tells what resolved this before."""
    sections = {"summary": "The connection pool of checkout was exhausted.", "what_fixed_it": "Recycled the pool."}
    postmortem = factory.postmortem("Connection pool of checkout exhausted", sections=sections)
    others = [
        factory.postmortem(f"Certificate {n} expired at the edge", sections={"summary": "TLS."}) for n in range(9)
    ]
    learn(postmortem, *others)
    return postmortem


POOL = {"title": "Checkout: connection pool exhausted", "text": "The connection pool of checkout is exhausted."}


def test_suggestions_are_kept_with_the_new_incident(desk: Desk, known: Any, account: User) -> None:
    received = desk.take(told(0, **POOL))

    receiving.suggest_for(received, account=account, at=minutes(1))

    run = SuggestionRun.objects.get(incident=Incident.objects.get())
    assert run.keys[0] == known.search_key
    assert run.user == account


def test_suggestions_for_many_new_incidents_are_left_to_a_worker(
    desk: Desk, known: Any, account: User, work_off: Callable[[], int]
) -> None:
    received = desk.take(*(told(0, series=f"a{number}", **POOL) for number in range(receiving.WORKED_OUT + 4)))

    receiving.suggest_for(received, account=account, at=minutes(1))
    assert [run.incident for run in SuggestionRun.objects.all()] == [received[0].incident]
    work_off()

    assert set(SuggestionRun.objects.values_list("incident", flat=True)) == {
        *Incident.objects.values_list("pk", flat=True)
    }


def posted(account: User, *scopes: str, query: str = "") -> Any:
    secret = ApiToken.objects.issue(user=account, name="x", scopes=scopes, at=NOON)[1]
    return Client().post(
        f"/api/v1/intake/generic/{query}",
        {"title": POOL["title"], "text": POOL["text"], "dedup_key": "pool"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )


def test_the_answer_holds_the_top_suggestion_if_asked_for(known: Any, account: User) -> None:
    answer = posted(account, "ingest", "read", query="?suggest=1").json()

    assert answer["suggestion"]["ref"] == known.ref
    assert answer["suggestion"]["why"]
    assert answer["alerts"][0]["incident"] == Incident.objects.get().ref


def test_the_suggestion_in_the_answer_is_the_one_that_is_kept_with_the_incident(known: Any, account: User) -> None:
    answer = posted(account, "ingest", "read", query="?suggest=1").json()

    run = SuggestionRun.objects.get()
    assert run.incident == Incident.objects.get()
    assert run.keys[0] == known.search_key
    assert answer["suggestion"]["ref"] == known.ref


def test_a_token_that_may_not_read_is_not_told_what_helped(known: Any, account: User) -> None:
    assert "suggestion" not in posted(account, "ingest", query="?suggest=1").json()
    assert "suggestion" not in posted(account, "ingest", "read").json()


def test_a_rule_may_let_every_answer_hold_the_top_suggestion(known: Any, account: User) -> None:
    rule(source="generic", replies=True)

    assert posted(account, "ingest").json()["suggestion"]["ref"] == known.ref


def test_what_the_account_may_not_see_is_not_suggested_to_it(known: Any, account: User) -> None:
    type(known).objects.filter(pk=known.pk).update(visibility=Visibility.RESTRICTED)

    assert posted(account, "ingest", "read", query="?suggest=1").json()["suggestion"] is None


def test_the_sender_is_not_told_of_an_incident_that_it_may_not_see(account: User) -> None:
    rule(visibility="restricted")

    told = posted(account, "ingest").json()["alerts"][0]

    assert (told["did"], told["incident"], told["url"]) == ("opened", None, None)


def test_a_delivery_takes_few_queries(desk: Desk, account: User, django_assert_max_num_queries: Any) -> None:
    desk.take(told(0))

    with django_assert_max_num_queries(8):
        desk.take(told(0))


# --- together ---


def written(source: str) -> list[Any]:
    """All that is kept of this source's alerts, but for keys."""
    incidents = list(Incident.objects.filter(source=source).order_by("pk"))
    told = Notification.objects.order_by("incident", "pk").filter(incident__in=incidents)
    keys = [incident.search_key for incident in incidents]
    log = AuditEvent.objects.filter(object_key__in=keys).order_by("object_key", "pk")
    alerts = Alert.objects.filter(source=source).order_by("series", "started_at").values()
    planned = WebhookDelivery.objects.filter(about__in=[incident.ref for incident in incidents])
    return [
        [
            *(getattr(incident, name) for name in ("title", "status", "symptoms_html", "severity", "started_at")),
            *(incident.resolved_at, incident.visibility, incident.first_report, incident.external_url),
            [service.slug for service in incident.services.all()],
            [team.slug for team in incident.shared_with.all()],
            sorted((entry.at, entry.kind, entry.text) for entry in incident.timeline.all()),
            [
                (row.user.username, row.action, row.text.replace(incident.ref, ""))
                for row in told.filter(incident=incident)
            ],
            [(row.action, row.reason, row.changes) for row in log.about(incident)],
            sorted(row.event for row in planned.filter(about=incident.ref)),
        ]
        for incident in incidents
    ] + [{**row, "id": 0, "account_id": 0, "source": "", "incident_id": bool(row["incident_id"])} for row in alerts]


def test_a_delivery_of_many_writes_what_as_many_deliveries_write(account: User, alice: User, team: Team) -> None:
    checkout = factory.service("Checkout")
    Service.objects.update(description="Known to all.", aliases=["shop"])
    watching.watch(checkout, by=alice, at=NOON)
    events = [WebhookEvent.OPENED, WebhookEvent.RESOLVED]
    Webhook.objects.add(secret="x", at=NOON, name="Chat", url="https://x.example", events=events, account=account)
    rule(label="team", values="payments", severity="sev1", visibility="restricted", team=team, resolves=False)
    news = [
        [
            told(0, series="a", services=("shop",), text="**Bold**", url="https://prometheus.example"),
            told(0, series="b", services=("CHECKOUT", "nobody"), text="**Bold**"),
            told(1, 9, series="c"),
            told(2, series="d", severity="info"),
            told(3, series="e", labels={"team": "payments"}),
        ],
        [told(0, 10, series="a"), told(0, 20, series="b"), told(1, series="c"), told(3, 30, series="e")],
        [told(15, series="a"), told(0, series="b", at=minutes(40)), told(1, 9, series="c")],
        [told(15, 50, series="a"), told(0, 50, series="b")],
    ]

    for number, some in enumerate(news):
        receiving.receive("together", some, account=account, at=minutes(100 + number))
        for report in some:
            receiving.receive("apart", [report], account=account, at=minutes(100 + number))

    assert written("together") == written("apart")
    assert Incident.objects.filter(source="together").count() == 4
    assert {row.action for row in Notification.objects.all()} == {"incident.resolve", "incident.reopen"}
    assert WebhookDelivery.objects.count() == 2 * (4 + 5)


def test_a_warning_joins_the_incident_that_the_same_delivery_opens(desk: Desk) -> None:
    factory.service("Checkout")
    Service.objects.update(description="Known to all.")
    warning = told(1, series="slow", severity="warning", services=("checkout",))

    assert desk.did(warning, told(0, services=("checkout",))) == ["joined", "opened"]


STORM = 100


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_a_storm_takes_a_bounded_number_of_queries(
    desk: Desk, alice: User, django_assert_max_num_queries: Any, severity: str
) -> None:
    for number in range(3):
        watching.watch(factory.service(f"Service {number}"), by=alice, at=NOON)
        factory.incident(services=(f"Service {number}",))
    Service.objects.update(description="Known to all.")

    def storm(start: float, end: float | None = None) -> list[IncidentReport]:
        return [
            told(start, end, series=f"a{n}", severity=severity, services=(f"nobody {n}", f"Service {n % 3}"))
            for n in range(STORM)
        ]

    with django_assert_max_num_queries(40):
        desk.take(*storm(0))
    with django_assert_max_num_queries(8):
        desk.take(*storm(0))
    with django_assert_max_num_queries(40):
        desk.take(*storm(0, 10))
    with django_assert_max_num_queries(40):
        did = desk.did(*storm(20))

    assert set(did) == {{"critical": "reopened", "warning": "joined", "info": "kept"}[severity]}
    assert Alert.objects.count() == 2 * STORM


# --- many ---


class Plan:
    """What really happened: alerts that fired once or several times; all news delivered up to twelve times."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.deliveries: list[IncidentReport] = []
        self.incidents: set[tuple[str, datetime, datetime | None]] = set()

    def alert(self, series: str) -> list[list[IncidentReport]]:
        """Its times, far apart: of each, what is told, in disorder."""
        times, start = [], self.random.uniform(0, 60)
        for _ in range(self.random.randint(1, 3)):
            end = start + self.random.uniform(1, 20) if self.random.random() < 0.8 else None
            news = [told(start, series=series)] + ([told(start, end, series=series)] if end else [])
            times.append([each for each in news for _ in range(self.random.randint(1, 12))])
            self.random.shuffle(times[-1])
            self.incidents.add((f"Alert {series}", minutes(start), minutes(end) if end else None))
            if end is None:
                break
            start = end + self.random.uniform(31, 90)
        return times

    def shuffled(self, least: int) -> list[IncidentReport]:
        """All alerts' news among each other; only between one alert's own times the order is kept."""
        queues: list[list[IncidentReport]] = []
        while sum(len(queue) for queue in queues) < least:
            queues.append([each for news in self.alert(f"a{len(queues)}") for each in news])
        turns = [number for number, queue in enumerate(queues) for _ in queue]
        self.random.shuffle(turns)
        return [queues[number].pop(0) for number in turns]


# A question of rules and not of the database, where `test_at_once.py` asks it: a minute on PostgreSQL's round trips.
@pytest.mark.sqlite
def test_two_thousand_deliveries_in_disorder_give_exactly_the_right_incidents(desk: Desk) -> None:
    plan = Plan(seed=6)
    deliveries = plan.shuffled(2000)
    assert len(deliveries) >= 2000

    for delivery in deliveries:
        desk.take(delivery)

    found = [(row.title, row.started_at, row.resolved_at) for row in Incident.objects.all()]
    assert len(found) == len(set(found)) > 100
    assert set(found) == plan.incidents
    assert Alert.objects.count() == len(found)
