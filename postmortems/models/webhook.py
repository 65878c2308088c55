"""Which other systems are told of what happens here, and what came of each time they were told."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from kb.errors import DomainError
from kb.sealing import InvalidToken, seal, unseal

SEALED_FOR = "postmortems.webhook"
# How long the secret before this one signs, too, so that the other side can change over.
ROTATION = timedelta(days=2)
# After this long without one success nobody is listening any more.
GIVEN_UP_AFTER = timedelta(days=3)


class WebhookEvent(models.TextChoices):
    OPENED = "incident.opened", "An incident is opened"
    RESOLVED = "incident.resolved", "An incident is resolved"
    SUGGESTED = "suggestions.found", "An incident looks like an earlier one"
    PUBLISHED = "postmortem.published", "A postmortem is published"
    OVERDUE = "action.overdue", "An action item is late"
    TEST = "test", "A test"


class WebhookFormat(models.TextChoices):
    GENERIC = "generic", "JSON, signed (Standard Webhooks)"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"


class NotNow(DomainError):
    """The webhook is in a state that this step does not start from."""


def new_secret() -> str:
    """As Standard Webhooks writes them: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def listening_to(self, *events: str) -> list["Webhook"]:
        """Active ones that want one of them. Compared here: not every database can look into a list."""
        active = self.filter(is_active=True).select_related("account")
        return [row for row in active if not set(events).isdisjoint(row.events)]

    def add(self, *, secret: str, at: datetime, **fields: Any) -> "Webhook":
        return self.create(created_at=at, sealed_secret=seal(secret, purpose=SEALED_FOR), **fields)


class Webhook(models.Model):
    """One address that is told. It is told of what its account may see, and of nothing else."""

    name = models.CharField(max_length=100)
    url = models.CharField(max_length=2000, help_text="Where to. Whoever knows it may often write there: keep it.")
    format = models.CharField(max_length=7, choices=WebhookFormat.choices, default=WebhookFormat.GENERIC)
    events = models.JSONField(default=list)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    is_active = models.BooleanField(default=True)
    sealed_secret = models.TextField(editable=False)
    sealed_before = models.TextField(blank=True, editable=False)
    rotated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True, blank=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="webhook_has_a_name"),
            models.CheckConstraint(condition=~Q(sealed_secret=""), name="webhook_has_a_secret"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("webhook_detail", args=[self.pk])

    def describe(self, *, name: str, url: str, format: str, events: Iterable[str], account: Any) -> None:
        fields = {"name": name, "url": url, "format": format, "events": sorted(events), "account": account}
        Webhook.objects.filter(pk=self.pk).update(**fields)
        self.refresh_from_db()

    def secrets(self, *, at: datetime) -> list[str]:
        """What signs now: the newest first, and the one before it while the other side changes over.

        Without those that were sealed with another key of this site: the other side would not know what to make of one.
        """
        both = self.sealed_before and self.rotated_at and at < self.rotated_at + ROTATION
        sealed = [self.sealed_secret, self.sealed_before] if both else [self.sealed_secret]
        return [secret for each in sealed if (secret := _readable(each))]

    def rotate(self, secret: str, *, at: datetime) -> None:
        sealed = {"sealed_before": self.sealed_secret, "sealed_secret": seal(secret, purpose=SEALED_FOR)}
        Webhook.objects.filter(pk=self.pk).update(rotated_at=at, **sealed)
        self.refresh_from_db()

    def switch(self, *, is_active: bool) -> bool:
        """On or off; whether that changed anything."""
        changed = Webhook.objects.filter(pk=self.pk, is_active=not is_active).update(
            is_active=is_active, failing_since=None
        )
        self.refresh_from_db(fields=["is_active", "failing_since"])
        return bool(changed)

    def worked(self) -> None:
        Webhook.objects.filter(pk=self.pk).exclude(failing_since=None).update(failing_since=None)

    def failed(self, *, at: datetime) -> bool:
        """Whether it has failed for so long now that it is to be switched off."""
        Webhook.objects.filter(pk=self.pk, failing_since=None).update(failing_since=at)
        self.refresh_from_db(fields=["failing_since"])
        return self.failing_since is not None and at - self.failing_since >= GIVEN_UP_AFTER


def _readable(sealed: str) -> str:
    try:
        return unseal(sealed, purpose=SEALED_FOR)
    except InvalidToken:
        return ""


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def plan(self, webhook: Webhook, *, event: str, about: str, key: str, at: datetime) -> "WebhookDelivery | None":
        """One of these for this webhook; None if there is one already."""
        known = {"event": event, "about": about, "at": at}
        row, is_new = self.get_or_create(webhook=webhook, key=key, defaults=known)
        return row if is_new else None

    def plan_all(
        self, webhook: Webhook, told: Iterable[tuple[str, str, str]], *, at: datetime
    ) -> list["WebhookDelivery"]:
        """Events, refs of what they are about, and keys: those that were not planned before."""
        wanted = {key: (event, about) for event, about, key in told}
        theirs = self.filter(webhook=webhook, key__in=wanted)
        for key in theirs.values_list("key", flat=True):
            del wanted[key]
        # Planned by another process meanwhile: then both send it, and the one that comes second finds it delivered.
        self.bulk_create(
            (
                WebhookDelivery(webhook=webhook, key=key, event=event, about=about, at=at)
                for key, (event, about) in wanted.items()
            ),
            ignore_conflicts=True,
        )
        return list(self.filter(webhook=webhook, key__in=wanted).order_by("pk")) if wanted else []

    def newest_first(self) -> Self:
        return self.order_by("-at", "-pk")


class WebhookDelivery(models.Model):
    """One thing one webhook was to be told, and what came of it. The last body sent is kept, for the log."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"
        WITHHELD = "withheld", "Not sent: the account may not see it, or there was nothing to say"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=30, choices=WebhookEvent.choices)
    about = models.CharField(max_length=40, blank=True, help_text="A ref: INC-5. Empty: a test.")
    key = models.CharField(max_length=120)
    at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True)
    payload = models.TextField(blank=True)
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    excerpt = models.CharField(max_length=500, blank=True, help_text="What the other side said, or what went wrong.")

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "key"], name="one_webhook_delivery_per_key"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "delivered", "failed", "withheld"]),
                name="webhook_delivery_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.about}".strip()

    @property
    def message_id(self) -> str:
        """The same each time it is sent, so that the other side can tell a second one."""
        return f"msg_{self.pk}"

    def begin(self, payload: str, *, at: datetime) -> None:
        WebhookDelivery.objects.filter(pk=self.pk).update(
            attempts=F("attempts") + 1, tried_at=at, payload=payload, response_code=None, excerpt=""
        )

    def end(self, state: str, *, code: int | None = None, excerpt: str = "") -> None:
        WebhookDelivery.objects.filter(pk=self.pk).update(state=state, response_code=code, excerpt=excerpt[:500])
        self.refresh_from_db()

    def wait_again(self) -> None:
        WebhookDelivery.objects.filter(pk=self.pk).update(state=self.State.WAITING)
