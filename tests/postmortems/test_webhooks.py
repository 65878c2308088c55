"""Other systems are told what the webhook's account may see when it is sent: signed, again and again, then no more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from kb import outgoing
from kb.jobs import queue
from postmortems.models import AuditEvent, Incident, Notification, User, Visibility, Webhook, WebhookDelivery
from postmortems.models.webhook import GIVEN_UP_AFTER, NotNow
from postmortems.workflows import followups, publishing, triage, webhooks
from postmortems.workflows.webhook_messages import for_slack, for_teams
from tests import factory
from tests.factory import NOON
from tests.kb.test_outgoing import Listener
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db

WorkOff = Callable[[], int]
EVENTS = ("incident.opened", "incident.resolved", "suggestions.found", "postmortem.published", "action.overdue")
TROUBLE = "connection pool of checkout exhausted, requests time out, ECONNREFUSED 10.0.0.7:5432"


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    """The other side, on this machine, which is allowed here."""
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    server = Listener()
    yield server
    server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """One moment, in a list, so that a test can move it."""
    now = [NOON]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    return now


@pytest.fixture
def program(db: None) -> User:
    return factory.user("pager-bot", roles=("reader",), is_integration=True)


def hook(listener: Listener, account: User, *events: str, format: str = "generic") -> tuple[Webhook, str]:
    url = f"http://127.0.0.1:{listener.port}/hook"
    known = {"name": "Ours", "url": url, "format": format, "events": events or EVENTS, "account": account}
    return webhooks.create(**known, by=None, at=NOON)  # type: ignore[arg-type]


def sent(listener: Listener) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in listener.requests]


def opened(**known: Any) -> Incident:
    return triage.open_incident(title="Checkout answers 503", symptoms=TROUBLE, by=None, at=NOON, **known)


def known_trouble(learn: Learn) -> None:
    sections = {"summary": TROUBLE, "what_fixed_it": "Recycled the connection pool."}
    rows = [factory.postmortem(f"Quiet day {n}", sections={"summary": f"Nothing {n}."}) for n in range(20)]
    learn(*rows, factory.postmortem("Pool <exhausted>", sections=sections))


# --- what is told ---


def test_each_event_is_told_once(
    learn: Learn, listener: Listener, program: User, alice: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    known_trouble(learn)
    hook(listener, program)
    item = factory.action_item(postmortem=factory.postmortem(), due_on=NOON.date())
    clock[0] = NOON + timedelta(days=1)

    incident = opened()
    triage.resolve(incident, by=None, at=NOON + timedelta(hours=1))
    approved = factory.postmortem("Mail was late", status="approved", owner=alice, sections={"summary": "Late."})
    publishing.publish(approved, by=alice, at=NOON)
    for _ in range(2):
        webhooks.announce_late(at=clock[0])
        work_off()

    told = {body["type"]: body["data"] for body in sent(listener)}
    assert len(listener.requests) == len(told) == 5
    assert told["incident.opened"]["ref"] == told["incident.resolved"]["ref"] == incident.ref
    assert told["incident.resolved"]["status"] == "resolved"
    assert told["suggestions.found"]["suggestion"]["what_fixed_it"] == "Recycled the connection pool."
    assert told["suggestions.found"]["suggestion"]["why"]
    assert told["postmortem.published"]["title"] == "Mail was late"
    assert (told["action.overdue"]["ref"], told["action.overdue"]["due_on"]) == (item.ref, "2026-03-01")


def test_nothing_alike_is_nothing_to_tell(learn: Learn, listener: Listener, program: User, work_off: WorkOff) -> None:
    hook(listener, program, "suggestions.found")

    opened()
    work_off()

    assert listener.requests == []
    assert WebhookDelivery.objects.get().state == "withheld"


def test_it_is_told_what_its_account_may_see_when_it_is_sent(
    learn: Learn, listener: Listener, program: User, alice: User, work_off: WorkOff
) -> None:
    hook(listener, program, "incident.opened")
    hook(listener, alice, "incident.opened")
    incident = opened(kind="security")
    assert incident.visibility == Visibility.RESTRICTED
    incident.members.add(alice, program)
    incident.members.remove(program)

    work_off()

    assert len(listener.requests) == 1
    states = dict(WebhookDelivery.objects.values_list("webhook__account__username", "state"))
    assert states == {"alice": "delivered", "pager-bot": "withheld"}
    assert WebhookDelivery.objects.get(state="withheld").payload == ""


def test_a_suggestion_is_one_that_the_account_may_see(
    learn: Learn, listener: Listener, program: User, work_off: WorkOff
) -> None:
    known_trouble(learn)
    secret = factory.postmortem("Secret", sections={"summary": TROUBLE}, visibility=Visibility.RESTRICTED)
    learn(secret)
    hook(listener, program)

    opened()
    work_off()

    assert all(secret.ref not in body.decode() and "Secret" not in body.decode() for _, _, body in listener.requests)
    assert len(listener.requests) == 2


@pytest.mark.parametrize("state", ["closed account", "switched off"])
def test_nothing_is_told_where_nobody_should_be(
    learn: Learn, listener: Listener, program: User, work_off: WorkOff, state: str
) -> None:
    webhook, _ = hook(listener, program)
    opened()
    if state == "switched off":
        webhooks.switch(webhook, is_active=False, by=None, at=NOON)
    else:
        program.let_in(False)

    work_off()

    assert listener.requests == []


def test_what_was_late_before_is_not_told(listener: Listener, program: User) -> None:
    hook(listener, program)
    factory.action_item(postmortem=factory.postmortem(), due_on=date(2026, 1, 1))

    assert webhooks.announce_late(at=NOON + timedelta(days=5)) == 0


def test_a_day_ends_where_the_site_is(listener: Listener, program: User, settings: Settings) -> None:
    settings.TIME_ZONE = "America/Los_Angeles"
    hook(listener, program)
    factory.action_item(postmortem=factory.postmortem(), due_on=date(2026, 3, 2))

    in_the_evening, next_morning = datetime(2026, 3, 3, 7, 59, tzinfo=UTC), datetime(2026, 3, 3, 8, 0, tzinfo=UTC)

    assert webhooks.announce_late(at=in_the_evening) == 0
    assert webhooks.announce_late(at=next_morning) == 1
    assert webhooks.announce_late(at=next_morning) == 0


def test_who_does_not_want_to_know_what_is_late_is_not_told(listener: Listener, program: User) -> None:
    hook(listener, program, "incident.opened")
    factory.action_item(postmortem=factory.postmortem(), due_on=NOON.date())

    assert webhooks.announce_late(at=NOON + timedelta(days=1)) == 0


def test_what_is_late_is_told_only_while_it_is(
    listener: Listener, program: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    hook(listener, program)
    item = factory.action_item(postmortem=factory.postmortem(), due_on=NOON.date())
    clock[0] = NOON + timedelta(days=1)
    webhooks.announce_late(at=clock[0])
    followups.complete(item, evidence="", by=None, at=clock[0])

    work_off()

    assert listener.requests == []
    assert WebhookDelivery.objects.get().state == "withheld"


def test_what_was_late_for_many_is_looked_up_at_once(
    listener: Listener, program: User, django_assert_max_num_queries: Any
) -> None:
    hook(listener, program)
    home = factory.postmortem()
    for _ in range(20):
        factory.action_item(postmortem=home, due_on=NOON.date())
    late = NOON + timedelta(days=1)
    assert webhooks.announce_late(at=late) == 20

    with django_assert_max_num_queries(3):
        assert webhooks.announce_late(at=late) == 0


# --- how it is said ---


def test_slack_gets_the_top_suggestion_with_its_reason(
    learn: Learn, listener: Listener, program: User, work_off: WorkOff
) -> None:
    known_trouble(learn)
    hook(listener, program, "incident.opened", format="slack")

    triage.open_incident(title="Checkout <!channel> & more | 503", symptoms=TROUBLE, by=None, at=NOON)
    work_off()

    (body,) = sent(listener)
    head, suggestion = (block["text"]["text"] for block in body["blocks"])
    assert "Checkout &lt;!channel&gt; &amp; more ¦ 503>*" in head and "/incidents/INC-" in head
    assert "Pool &lt;exhausted&gt;>" in suggestion and "*Why:*" in suggestion
    assert "*What fixed it:* Recycled the connection pool." in suggestion
    assert "<!channel>" not in body["text"]


def test_teams_gets_a_card(learn: Learn, listener: Listener, program: User, work_off: WorkOff) -> None:
    known_trouble(learn)
    hook(listener, program, "incident.opened", format="teams")

    triage.open_incident(title="[Checkout](https://evil.example)", symptoms=TROUBLE, by=None, at=NOON)
    work_off()

    (body,) = sent(listener)
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert "\\[Checkout\\]\\(https" in card["body"][0]["text"]
    facts = {fact["title"]: fact["value"] for fact in card["body"][2]["facts"]}
    assert facts["Why"] and facts["What fixed it"] == "Recycled the connection pool."
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"] * 2


def test_long_texts_are_cut_and_made_one_line() -> None:
    assert for_slack("a\n\n b <@U1>") == "a b &lt;@U1&gt;"
    assert len(for_slack("x" * 5000)) == len(for_teams("x" * 5000)) == 600


# --- signed ---


def is_signed(listener: Listener, secret: str) -> bool:
    """As the other side checks it, by the book of Standard Webhooks."""
    _, headers, body = listener.requests[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.split("_", 1)[1])
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return wanted in headers["webhook-signature"].split(" ")


def test_the_published_example_of_standard_webhooks_comes_out() -> None:
    secret, content = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}'

    assert webhooks.signature(secret, f"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{content}") == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_what_is_sent_is_signed_and_a_new_secret_signs_beside_the_old(
    listener: Listener, program: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    webhook, first = hook(listener, program)

    def signed_by(*keys: str) -> list[bool]:
        webhooks.send_test(webhook, by=None, at=clock[0])
        work_off()
        return [is_signed(listener, key) for key in keys]

    assert signed_by(first) == [True]
    second = webhooks.rotate(webhook, by=None, at=NOON)
    assert signed_by(first, second) == [True, True]
    clock[0] = NOON + timedelta(days=2)
    assert signed_by(first, second) == [False, True]
    assert listener.requests[-1][1]["webhook-timestamp"] == str(int(clock[0].timestamp()))


def test_a_secret_is_stored_nowhere_as_it_is(listener: Listener, program: User) -> None:
    webhook, secret = hook(listener, program)

    row = Webhook.objects.filter(pk=webhook.pk).values().get()
    assert secret.removeprefix("whsec_") not in str(row)
    assert secret not in str(list(AuditEvent.objects.values()))


def test_with_another_key_of_the_site_nothing_is_sent_until_there_is_a_new_secret(
    listener: Listener, program: User, work_off: WorkOff, settings: Settings
) -> None:
    webhook, _ = hook(listener, program)
    settings.SECRET_KEY = "another-" + "x" * 50
    webhooks.send_test(webhook, by=None, at=NOON)
    work_off()
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == "failed" and "make a new one" in delivery.excerpt
    assert listener.requests == []

    secret = webhooks.rotate(webhook, by=None, at=timezone.now())
    webhooks.deliver_again(delivery, by=None, at=NOON)
    work_off()

    assert is_signed(listener, secret)


# --- again and again, then no more ---


def test_what_is_not_taken_is_sent_again_with_the_same_id(
    listener: Listener, program: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    webhook, _ = hook(listener, program)
    listener.status, listener.body = 503, b"try\x00 later"
    webhooks.send_test(webhook, by=None, at=NOON)

    work_off()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.response_code, delivery.excerpt) == ("failed", 503, "try  later")
    assert work_off() == 0
    listener.status = 204
    clock[0] = NOON + timedelta(minutes=1)
    work_off()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("delivered", 2)
    assert len({headers["webhook-id"] for _, headers, _ in listener.requests}) == 1
    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_in_the_end_it_is_a_dead_letter_and_can_be_sent_again(
    listener: Listener, program: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    webhook, _ = hook(listener, program)
    listener.status = 500
    webhooks.send_test(webhook, by=None, at=NOON)
    for hour in range(12):
        clock[0] = NOON + timedelta(hours=2 * hour)
        work_off()
    assert DBTaskResult.objects.get().status == queue.DEAD
    assert len(listener.requests) == 8

    listener.status = 200
    webhooks.deliver_again(WebhookDelivery.objects.get(), by=None, at=clock[0])
    with pytest.raises(NotNow, match="on its way"):
        webhooks.deliver_again(WebhookDelivery.objects.get(), by=None, at=clock[0])
    queue.put_back(DBTaskResult.objects.get(status=queue.DEAD).pk, at=clock[0])
    assert work_off() == 2

    assert WebhookDelivery.objects.get().state == "delivered"
    assert len(listener.requests) == 9


def test_after_days_of_failures_it_is_switched_off_and_administrators_are_told(
    listener: Listener, program: User, admin: User, work_off: WorkOff, clock: list[datetime]
) -> None:
    User.objects.filter(pk=admin.pk).update(email="root@example.org")
    webhook, _ = hook(listener, program)
    listener.status = 500

    for day in range(4):
        clock[0] = NOON + timedelta(days=day)
        webhook.refresh_from_db()
        assert webhook.is_active
        webhooks.send_test(webhook, by=None, at=clock[0])
        work_off()

    webhook.refresh_from_db()
    assert not webhook.is_active
    (told,) = Notification.objects.all()
    assert told.user == admin and "switched off: nothing was taken for days" in told.text
    assert factory.signed_in(admin).get("/notifications/").status_code == 200
    webhooks.mailing.send_left(at=clock[0])
    assert "switched off" in mail.outbox[0].body
    listener.requests.clear()
    clock[0] += timedelta(days=1)
    work_off()
    assert listener.requests == []


def test_a_webhook_that_is_removed_leaves_no_work_behind(listener: Listener, program: User, work_off: WorkOff) -> None:
    webhook, _ = hook(listener, program)
    webhooks.send_test(webhook, by=None, at=NOON)
    webhooks.remove(webhook, by=None, at=NOON)

    work_off()

    assert listener.requests == [] and DBTaskResult.objects.get().status == queue.DONE


def test_the_log_ends_after_a_while_and_a_missed_date_is_still_told_once(listener: Listener, program: User) -> None:
    webhook, _ = hook(listener, program)
    factory.action_item(postmortem=factory.postmortem(), due_on=NOON.date())
    webhooks.announce_late(at=NOON + timedelta(days=1))
    for day in (0, 1):
        webhooks.send_test(webhook, by=None, at=NOON + timedelta(days=day))

    after = NOON + webhooks.KEEP + timedelta(hours=1)
    assert (webhooks.forget(at=after), webhooks.forget(at=after)) == (1, 0)
    assert webhooks.announce_late(at=after) == 0


def test_switched_on_again_it_has_days_again(listener: Listener, program: User) -> None:
    webhook, _ = hook(listener, program)
    webhook.failed(at=NOON)

    for is_active in (False, True):
        webhooks.switch(webhook, is_active=is_active, by=None, at=NOON)

    assert not webhook.failed(at=NOON + GIVEN_UP_AFTER)
    assert webhook.failed(at=NOON + 2 * GIVEN_UP_AFTER)


def test_what_is_done_to_one_is_not_done_to_another(listener: Listener, program: User, admin: User) -> None:
    (webhook, _), (other, _) = hook(listener, program), hook(listener, program)
    kept = Webhook.objects.filter(pk=other.pk).values()[0]
    fields = {"name": "New", "url": "https://93.184.216.34/", "format": "slack", "events": ["test"], "account": admin}

    webhooks.edit(webhook, by=None, at=NOON, **fields)
    webhooks.rotate(webhook, by=None, at=NOON)
    webhook.failed(at=NOON)
    assert Webhook.objects.filter(pk=other.pk).values()[0] == kept

    Webhook.objects.filter(pk=other.pk).update(failing_since=NOON)
    webhook.worked()
    webhooks.switch(webhook, is_active=False, by=None, at=NOON)
    assert Webhook.objects.filter(pk=other.pk).values()[0] == {**kept, "failing_since": NOON}


def test_switched_twice_it_is_written_down_once(listener: Listener, program: User) -> None:
    webhook, _ = hook(listener, program)

    for _ in range(2):
        webhooks.switch(Webhook.objects.get(), is_active=False, by=None, at=NOON)

    webhook.refresh_from_db()
    assert not webhook.is_active and AuditEvent.objects.filter(action="webhook.disable").count() == 1


def test_who_is_gone_is_not_asked_again(listener: Listener, program: User, work_off: WorkOff) -> None:
    webhook, _ = hook(listener, program)
    listener.status = 410
    webhooks.send_test(webhook, by=None, at=NOON)

    work_off()

    webhook.refresh_from_db()
    assert not webhook.is_active
    assert DBTaskResult.objects.get().status == queue.DONE


def test_an_address_that_came_to_lead_inside_is_not_connected_to(
    listener: Listener, program: User, work_off: WorkOff, settings: Settings
) -> None:
    webhook, _ = hook(listener, program)
    settings.WEBHOOK_NETWORKS = []
    webhooks.send_test(webhook, by=None, at=NOON)

    work_off()

    assert listener.requests == []
    assert (WebhookDelivery.objects.get().state, DBTaskResult.objects.get().status) == ("failed", queue.DONE)


# --- the pages ---


def typed(listener: Listener, account: User, **other: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{listener.port}/hook/s3cr3t"
    known = {"name": "Pager", "url": url, "format": "generic", "events": ["incident.opened"], "account": account.pk}
    return {**known, **other}


def test_an_administrator_adds_tries_changes_and_removes_one(
    listener: Listener, program: User, admin: User, work_off: WorkOff
) -> None:
    client = factory.signed_in(admin)

    page = client.post("/webhooks/", typed(listener, program)).text
    webhook = Webhook.objects.get()
    secret = page.split("whsec_")[1].split("<")[0]
    address = f"/webhooks/{webhook.pk}/"
    client.post(f"{address}test/")
    work_off()
    assert is_signed(listener, f"whsec_{secret}")
    page = client.get(address).text
    assert "Delivered" in page and "204" in page and secret not in page + client.get("/webhooks/").text

    assert "whsec_" in client.post(f"{address}secret/").text
    client.post(address, typed(listener, program, name="Renamed"))
    client.post(f"{address}switch/", {"off": "1"})
    webhook.refresh_from_db()
    assert (webhook.name, webhook.is_active) == ("Renamed", False)
    assert "Switch it on first" in client.post(f"{address}test/", follow=True).text
    again = f"/webhooks/deliveries/{WebhookDelivery.objects.get().pk}/again/"
    assert "Switch it on first" in client.post(again, follow=True).text
    client.post(f"{address}switch/", {"on": "1"})
    assert "with the same id" in client.post(again, follow=True).text
    client.post(f"{address}remove/")
    assert not Webhook.objects.exists()
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {
        f"webhook.{verb}" for verb in ("create", "rotate", "edit", "disable", "enable", "redeliver", "remove")
    } <= actions
    assert "s3cr3t" not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    "wrong",
    [{"url": "http://10.0.0.1/"}, {"url": "ftp://x"}, {"url": "http://u:p@x/"}, {"events": ["test"]}, {"name": ""}],
)
def test_what_cannot_work_is_said_at_the_field(
    listener: Listener, program: User, admin: User, wrong: dict[str, Any]
) -> None:
    page = factory.signed_in(admin).post("/webhooks/", typed(listener, program, **wrong)).text

    assert "error" in page and not Webhook.objects.exists()


def test_an_address_that_leads_inside_by_the_time_it_is_kept_is_said_at_the_field_too(
    listener: Listener, program: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def changing(url: str) -> None:
        """As if the name server said something else each time."""
        asked.append(url)
        if len(asked) > 1:
            raise outgoing.Refused("The address leads inside.")

    monkeypatch.setattr(outgoing, "check", changing)

    page = factory.signed_in(admin).post("/webhooks/", typed(listener, program))

    assert page.status_code == 200 and "The address leads inside." in page.text and not Webhook.objects.exists()


def test_nobody_is_spoken_for_but_programs_and_oneself(listener: Listener, admin: User, alice: User) -> None:
    factory.signed_in(admin).post("/webhooks/", typed(listener, alice))

    assert not Webhook.objects.exists()


def test_the_pages_take_few_queries(
    listener: Listener, program: User, admin: User, django_assert_max_num_queries: Any
) -> None:
    webhook, _ = hook(listener, program)
    for _ in range(30):
        webhooks.send_test(webhook, by=None, at=NOON)
    client = factory.signed_in(admin)

    for page in ("/webhooks/", f"/webhooks/{webhook.pk}/"):
        with django_assert_max_num_queries(12):
            assert client.get(page).status_code == 200
