"""Other systems are told: what is put in the queue when something happens, and how it is signed, sent and sent again.

What is told is written when it is sent, of what the webhook's account may see at that moment.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from kb import outgoing
from kb.jobs.retrying import job
from postmortems import roles, suggestions
from postmortems.models import (
    ActionItem,
    Incident,
    Notification,
    Postmortem,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from postmortems.models.webhook import NotNow, new_secret
from postmortems.suggestions import Suggestion
from postmortems.workflows import auditing, mailing
from postmortems.workflows.webhook_messages import Message, body_of

State = WebhookDelivery.State
About = Incident | Postmortem | ActionItem
UNREADABLE = "Its secret cannot be read with this site's key: make a new one."


class DeliveryFailed(Exception):
    """The other side did not take it: to be tried again."""


# --- something happened ---


def announce(about: About, *events: str, at: datetime, key: str = "") -> None:
    """In the transaction of what happened: who wants to know is told when it is committed."""
    for webhook in Webhook.objects.listening_to(*events):
        for event in events:
            if event in webhook.events:
                plan(webhook, event=event, about=about.ref, key=key or f"{event}:{about.ref}:{at.isoformat()}", at=at)


def plan(webhook: Webhook, *, event: str, about: str, key: str, at: datetime) -> WebhookDelivery | None:
    delivery = WebhookDelivery.objects.plan(webhook, event=event, about=about, key=key, at=at)
    if delivery is not None:
        deliver_webhook.enqueue(delivery.pk)
    return delivery


@job()
def announce_overdue() -> int:
    return announce_late(at=timezone.now())


def announce_late(*, at: datetime) -> int:
    """Each item once for each date it misses; not what was late before the webhook was made. How many were planned."""
    planned = 0
    for webhook in Webhook.objects.listening_to(WebhookEvent.OVERDUE):
        since = webhook.created_at.date() - timedelta(days=1)
        for item in ActionItem.objects.overdue(on=at.date()).filter(due_on__gte=since):
            key = f"{WebhookEvent.OVERDUE}:{item.ref}:{item.due_on}"
            planned += plan(webhook, event=WebhookEvent.OVERDUE, about=item.ref, key=key, at=at) is not None
    return planned


# --- sending ---


@job()
def deliver_webhook(pk: int) -> str:
    rows = WebhookDelivery.objects.select_related("webhook__account")
    return deliver(rows.get(pk=pk), at=timezone.now())


def deliver(delivery: WebhookDelivery, *, at: datetime) -> str:
    """Its state now. Raises `DeliveryFailed` for what may be better later; the same message keeps its id."""
    webhook = delivery.webhook
    if delivery.state == State.DELIVERED:  # by a job that was put in beside this one
        return str(delivery.state)
    message = message_of(delivery) if webhook.is_active else None
    if message is None:
        delivery.end(State.WITHHELD)
        return str(delivery.state)
    body = json.dumps(body_of(message, webhook.format), ensure_ascii=False)
    delivery.begin(body, at=at)
    if not (signing := webhook.secrets(at=at)):
        return _failed(delivery, None, UNREADABLE, at=at)
    try:
        answer = outgoing.post(webhook.url, body=body.encode(), headers=headers_of(delivery, body, signing, at=at))
    except outgoing.Refused as refusal:
        return _failed(delivery, None, str(refusal), at=at)
    except outgoing.Unreachable as error:
        raise DeliveryFailed(_failed(delivery, None, str(error), at=at)) from error
    if answer.is_good:
        webhook.worked()
        delivery.end(State.DELIVERED, code=answer.status, excerpt=answer.excerpt)
        return str(delivery.state)
    said = _failed(delivery, answer.status, answer.excerpt, at=at)
    if answer.status == 410:  # gone, and says so
        _switch_off(webhook, "its other side says that it is gone", at=at)
        return said
    raise DeliveryFailed(f"{said}: {answer.status}")


def headers_of(delivery: WebhookDelivery, body: str, signing: Sequence[str], *, at: datetime) -> dict[str, str]:
    """Standard Webhooks: id, time and body are signed, by each of these secrets."""
    stamp = str(int(at.timestamp()))
    signed = f"{delivery.message_id}.{stamp}.{body}"
    signatures = [signature(secret, signed) for secret in signing]
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signatures),
    }


def signature(secret: str, signed: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()


def _failed(delivery: WebhookDelivery, code: int | None, said: str, *, at: datetime) -> str:
    delivery.end(State.FAILED, code=code, excerpt=said)
    if delivery.webhook.failed(at=at):
        _switch_off(delivery.webhook, "nothing was taken for days", at=at)
    return str(delivery.state)


@transaction.atomic
def _switch_off(webhook: Webhook, why: str, *, at: datetime) -> None:
    """By itself; administrators are told."""
    if not webhook.switch(is_active=False):
        return
    auditing.record("webhook.disable", on=webhook, by=None, at=at, reason=why)
    text = f"The webhook “{webhook}” is switched off: {why}."
    told = [
        Notification.objects.create(user=person, action="webhook.disable", text=text, at=at).pk
        for person in User.administrators()
    ]
    mailing.send_soon(told, at=at)


# --- what is told ---


def message_of(delivery: WebhookDelivery) -> Message | None:
    """None: the account may not see it (any more), or there is nothing to say."""
    account, event = delivery.webhook.account, delivery.event
    if event == WebhookEvent.TEST:
        text = "A test of the postmortem knowledge base."
        return Message(event, delivery.at, text, settings.SITE_URL, {"text": text})
    row = _row_of(delivery.about, account) if account.is_active else None
    if isinstance(row, Incident):
        return _of_incident(row, event, account, delivery.at)
    if isinstance(row, Postmortem):
        return Message(event, delivery.at, f"{row.ref} is published: {row.title}", _at(row), _facts(row, "postmortem"))
    if isinstance(row, ActionItem):
        data = _facts(row, "action_item") | {"due_on": row.due_on and row.due_on.isoformat()}
        return Message(event, delivery.at, f"{row.ref} is late: {row.title}", _at(row), data)
    return None


def _row_of(ref: str, account: User) -> About | None:
    for model in (Incident, Postmortem, ActionItem):
        if (pk := model.pk_of_ref(ref)) is not None:
            return model.objects.visible_to(account).filter(pk=pk).first()
    return None


def _of_incident(row: Incident, event: str, account: User, at: datetime) -> Message | None:
    top = None if event == WebhookEvent.RESOLVED else _top_suggestion(row, account)
    if event == WebhookEvent.SUGGESTED and top is None:
        return None
    says: dict[str, str] = {
        str(WebhookEvent.OPENED): f"{row.ref} ({row.get_severity_display()}): {row.title}",
        str(WebhookEvent.RESOLVED): f"{row.ref} is resolved: {row.title}",
    }
    headline = says.get(event) or f"{row.ref} looks like {top.ref if top else ''}: {row.title}"
    data = _facts(row, "incident") | {
        "severity": row.severity,
        "status": row.status,
        "started_at": row.started_at.isoformat(),
        "services": [service.slug for service in row.services.all()],
    }
    if event != WebhookEvent.RESOLVED:
        data["suggestion"] = top.as_json() if top else None
    return Message(event, at, headline, _at(row), data, top)


def _top_suggestion(row: Incident, account: User) -> Suggestion | None:
    found = suggestions.suggest(suggestions.report_of(row), user=account, limit=1)
    return found.results[0] if found.results else None


def _facts(row: About, kind: str) -> dict[str, Any]:
    return {"kind": kind, "ref": row.ref, "title": row.title, "url": _at(row)}


def _at(row: About) -> str:
    return f"{settings.SITE_URL}{row.get_absolute_url()}"


# --- what administrators do ---


@transaction.atomic
def create(
    *, name: str, url: str, format: str, events: Iterable[str], account: User, by: Any, at: datetime
) -> tuple[Webhook, str]:
    """The secret is shown once."""
    roles.require(by, "administer")
    outgoing.check(url)
    secret = new_secret()
    fields = {"name": name, "url": url, "format": format, "events": sorted(events), "account": account}
    webhook = Webhook.objects.add(secret=secret, at=at, **fields)
    changes = {"events": ("", " ".join(webhook.events)), "account": ("", str(account))}
    auditing.record("webhook.create", on=webhook, by=by, at=at, changes=changes)
    return webhook, secret


@transaction.atomic
def edit(webhook: Webhook, *, by: Any, at: datetime, **fields: Any) -> None:
    """The address is in no log: whoever knows it may often write there."""
    roles.require(by, "administer")
    outgoing.check(fields["url"])
    before = {"name": webhook.name, "events": " ".join(webhook.events), "account": str(webhook.account)}
    is_new_address = fields["url"] != webhook.url
    webhook.describe(**fields)
    after = {"name": webhook.name, "events": " ".join(webhook.events), "account": str(webhook.account)}
    changes = auditing.differences(before, after) | ({"url": ("(kept)", "(changed)")} if is_new_address else {})
    auditing.record("webhook.edit", on=webhook, by=by, at=at, changes=changes)


@transaction.atomic
def rotate(webhook: Webhook, *, by: Any, at: datetime) -> str:
    """A new secret; the one before signs, too, for two days."""
    roles.require(by, "administer")
    secret = new_secret()
    webhook.rotate(secret, at=at)
    auditing.record("webhook.rotate", on=webhook, by=by, at=at)
    return secret


@transaction.atomic
def switch(webhook: Webhook, *, is_active: bool, by: Any, at: datetime) -> None:
    roles.require(by, "administer")
    if webhook.switch(is_active=is_active):
        auditing.record(f"webhook.{'enable' if is_active else 'disable'}", on=webhook, by=by, at=at)


@transaction.atomic
def remove(webhook: Webhook, *, by: Any, at: datetime) -> None:
    """With the log of its deliveries."""
    roles.require(by, "administer")
    auditing.record("webhook.remove", on=webhook, by=by, at=at)
    webhook.delete()


@transaction.atomic
def send_test(webhook: Webhook, *, by: Any, at: datetime) -> None:
    roles.require(by, "administer")
    _insist_on_active(webhook)
    plan(webhook, event=WebhookEvent.TEST, about="", key=f"test:{secrets.token_hex(8)}", at=at)


@transaction.atomic
def deliver_again(delivery: WebhookDelivery, *, by: Any, at: datetime) -> None:
    """The same message, with its id, of what the account may see now."""
    roles.require(by, "administer")
    _insist_on_active(delivery.webhook)
    if delivery.state == State.WAITING:
        raise NotNow("It is on its way already.")
    delivery.wait_again()
    deliver_webhook.enqueue(delivery.pk)
    auditing.record("webhook.redeliver", on=delivery, by=by, at=at)


def _insist_on_active(webhook: Webhook) -> None:
    if not webhook.is_active:
        raise NotNow("The webhook is switched off. Switch it on first.")
