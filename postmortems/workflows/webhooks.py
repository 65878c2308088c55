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

from django.db import transaction
from django.utils import timezone

from kb import outgoing
from kb.clock import site_day
from kb.jobs.retrying import Retry, job
from postmortems import roles
from postmortems.models import ActionItem, Notification, User, Webhook, WebhookDelivery, WebhookEvent
from postmortems.models.webhook import NotNow, new_secret
from postmortems.workflows import auditing, mailing
from postmortems.workflows.webhook_messages import About, body_of, message_of

State = WebhookDelivery.State
KEEP = timedelta(days=90)
AT_ONCE = 10  # deliveries
UNREADABLE = "Its secret cannot be read with this site's key: make a new one."


class DeliveryFailed(Exception):
    """The other side did not take it: to be tried again."""


# --- something happened ---


def announce(about: About, *events: str, at: datetime) -> None:
    """In the transaction of what happened: who wants to know is told when it is committed."""
    announce_all([about], *events, at=at)


def announce_all(abouts: Sequence[About], *events: str, at: datetime) -> None:
    """Of many rows at once. Many deliveries are put in the queue by a job: the other side waits for none of them."""
    planned = [
        row.pk
        for webhook in Webhook.objects.listening_to(*events)
        for row in WebhookDelivery.objects.plan_all(webhook, _told_of(webhook, abouts, events, at), at=at)
    ]
    if len(planned) > AT_ONCE:
        enqueue_deliveries.enqueue(planned)
    else:
        _enqueue(planned)


def _told_of(
    webhook: Webhook, abouts: Sequence[About], events: Iterable[str], at: datetime
) -> list[tuple[str, str, str]]:
    wanted = [event for event in events if event in webhook.events]
    return [(event, about.ref, f"{event}:{about.ref}:{at.isoformat()}") for about in abouts for event in wanted]


@job()
def enqueue_deliveries(planned: list[int]) -> None:
    """Done twice, the second finds them delivered."""
    _enqueue(planned)


def _enqueue(planned: Iterable[int]) -> None:
    """Each is a job of its own, tried again by itself."""
    for pk in planned:
        deliver_webhook.enqueue(pk)


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
    planned, event = 0, WebhookEvent.OVERDUE
    for webhook in Webhook.objects.listening_to(event):
        known = set(webhook.deliveries.filter(event=event).values_list("key", flat=True))
        since = site_day(webhook.created_at) - timedelta(days=1)
        for item in ActionItem.objects.overdue(on=site_day(at)).filter(due_on__gte=since):
            key = f"{event}:{item.ref}:{item.due_on}"
            planned += key not in known and plan(webhook, event=event, about=item.ref, key=key, at=at) is not None
    return planned


@job(retry=Retry(attempts=1))  # it comes again by itself
def forget_deliveries() -> int:
    return forget(at=timezone.now())


def forget(*, at: datetime) -> int:
    """Old entries of the log; how many. That a missed date was told stays, so that it is not told anew."""
    gone, _ = WebhookDelivery.objects.filter(at__lt=at - KEEP).exclude(event=WebhookEvent.OVERDUE).delete()
    return gone


# --- sending ---


@job()
def deliver_webhook(pk: int) -> str:
    row = WebhookDelivery.objects.select_related("webhook__account").filter(pk=pk).first()
    return deliver(row, at=timezone.now()) if row else "removed meanwhile"


def deliver(delivery: WebhookDelivery, *, at: datetime) -> str:
    """Its state now. Raises `DeliveryFailed` for what may be better later; the same message keeps its id."""
    webhook = delivery.webhook
    if delivery.state == State.DELIVERED:  # by a job that was put in beside this one
        return str(delivery.state)
    message = message_of(delivery, at=at) if webhook.is_active else None
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
    before = {**_said(webhook), "url": "(kept)"}
    is_new_address = fields["url"] != webhook.url
    webhook.describe(**fields)
    after = {**_said(webhook), "url": "(changed)" if is_new_address else "(kept)"}
    auditing.record_edit("webhook.edit", on=webhook, by=by, at=at, before=before, after=after)


def _said(webhook: Webhook) -> dict[str, Any]:
    return {
        **{"name": webhook.name, "format": webhook.format},
        **{"events": " ".join(webhook.events), "account": str(webhook.account)},
    }


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
