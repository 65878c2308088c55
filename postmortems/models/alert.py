"""What monitoring says is wrong: one row for each time an alert fired, and the deliveries that were seen already."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from postmortems.models.incident import Incident

SERIES_LENGTH = 300
# An alert that fires again so soon is the same trouble: its incident is opened again, and no second one.
SAME_TROUBLE = timedelta(minutes=30)
KEPT = timedelta(days=30)  # numbers of deliveries; a vendor sends one again within hours


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, user: Any) -> Self:
        """Where its incident is seen; one without an incident by administrators."""
        if getattr(user, "is_administrator", False):
            return self
        return self.filter(Q(incident__isnull=False) & Incident.objects.visible_where(user, "incident__"))

    def of(self, account: Any, source: str) -> Self:
        return self.filter(account=account, source=source)

    def begin(
        self, *, is_firing: bool, event_at: datetime, ended_at: datetime | None, at: datetime, **known: Any
    ) -> "Alert":
        """A new one. `known`: account, source, series, started_at, title, labels, excerpt."""
        start = known["started_at"]
        return self.create(
            state=Alert.State.FIRING if is_firing else Alert.State.RESOLVED,
            has_fired=is_firing,
            last_event_at=event_at,
            ended_at=None if is_firing else max(ended_at or event_at, start),
            first_seen_at=at,
            last_seen_at=at,
            **known,
        )

    def with_incident(self) -> Self:
        return self.filter(incident__isnull=False)


class Alert(models.Model):
    """One instance of an alert. `series` tells alerts apart, `started_at` the times that one fired."""

    class State(models.TextChoices):
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    # Fired again this often, it flaps: its incident is no longer resolved and reopened with it.
    FLAPPING = 3

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    series = models.CharField(max_length=SERIES_LENGTH)
    started_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices)
    has_fired = models.BooleanField(default=False, help_text="Its beginning was delivered, and not only its end.")
    last_event_at = models.DateTimeField(help_text="When the newest of what was said of it was true.")
    ended_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    deliveries = models.PositiveIntegerField(default=1)
    flaps = models.PositiveIntegerField(default=0, help_text="How often it fired again soon after its end.")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts")
    opened = models.BooleanField(default=False, help_text="It opened its incident, or one like it did.")
    resolves = models.BooleanField(default=False, help_text="Its end may resolve the incident that it opened.")
    title = models.CharField(max_length=300)
    labels = models.JSONField(default=dict, blank=True)
    excerpt = models.TextField(blank=True, help_text="What it said, as it was delivered first.")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-last_seen_at", "-pk"]
        indexes = [models.Index(fields=["-last_seen_at"])]
        constraints = [
            models.UniqueConstraint(fields=["account", "source", "series", "started_at"], name="one_alert_per_start"),
            models.CheckConstraint(condition=Q(state__in=["firing", "resolved"]), name="alert_state_is_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")), name="alert_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.source}, {self.started_at:%Y-%m-%d %H:%M:%S})"

    @property
    def is_firing(self) -> bool:
        return self.state == self.State.FIRING

    @property
    def is_flapping(self) -> bool:
        return self.flaps >= self.FLAPPING

    @property
    def key_of_incident(self) -> str:
        """For the incident that it opens now: by what fires, and since when."""
        told = f"{self.account_id} {self.series} {self.last_event_at.isoformat()}"
        return told if len(told) <= 200 else hashlib.sha256(told.encode()).hexdigest()

    def ended_long_before(self, moment: datetime) -> bool:
        return self.ended_at is not None and moment - self.ended_at > SAME_TROUBLE

    @property
    def series_rows(self) -> AlertQuerySet:
        """Every time that it fired, this one too."""
        return Alert.objects.of(self.account, self.source).filter(series=self.series)

    def hear(self, *, is_firing: bool, event_at: datetime, ended_at: datetime | None, at: datetime) -> bool:
        """What one more delivery says; True if that changes its state. What is older than what is known does not."""
        is_newer = event_at > self.last_event_at if is_firing else event_at >= self.last_event_at
        # Of a source that gives no start the end may have come first: only now is it known since when.
        start = min(self.started_at, event_at) if is_firing and not self.has_fired else self.started_at
        known = {"has_fired": self.has_fired or is_firing, "started_at": start, "last_seen_at": at}
        before = self.state
        if is_newer:
            end = None if is_firing else max(ended_at or event_at, start)
            state = self.State.FIRING if is_firing else self.State.RESOLVED
            known |= {"state": state, "last_event_at": event_at, "ended_at": end}
        # The database decides: of two deliveries at once, the later finds what the other left, and hears again.
        same = Alert.objects.filter(pk=self.pk, last_event_at=self.last_event_at, state=before)
        if not same.update(deliveries=F("deliveries") + 1, **known):
            self.refresh_from_db()
            return self.hear(is_firing=is_firing, event_at=event_at, ended_at=ended_at, at=at)
        for name, value in known.items():
            setattr(self, name, value)
        return self.state != before

    def end_unseen(self, *, at: datetime) -> None:
        """It fired again with a new start, so that it must have ended before: its own end was never delivered."""
        end = max(at, self.started_at)
        Alert.objects.filter(pk=self.pk, state=self.State.FIRING).update(state=self.State.RESOLVED, ended_at=end)
        self.refresh_from_db(fields=["state", "ended_at"])

    def neighbour(self) -> "Alert | None":
        """The same alert shortly before or after, which has an incident: the same trouble."""
        rows = self.series_rows.with_incident().filter(opened=True)
        earlier = rows.filter(started_at__lt=self.started_at).order_by("-started_at").first()
        if earlier and (earlier.ended_at is None or self.started_at - earlier.ended_at <= SAME_TROUBLE):
            return earlier
        later = rows.filter(started_at__gt=self.started_at).order_by("started_at").first()
        if later and (self.ended_at is None or later.started_at - self.ended_at <= SAME_TROUBLE):
            return later
        return None

    def belong_to(self, incident: Incident, **known: Any) -> None:
        """`known`: opened, resolves, flaps."""
        Alert.objects.filter(pk=self.pk).update(incident=incident, **known)
        for name, value in {"incident": incident, **known}.items():
            setattr(self, name, value)

    def count_flap(self) -> None:
        Alert.objects.filter(pk=self.pk).update(flaps=F("flaps") + 1)
        self.refresh_from_db(fields=["flaps"])


class AlertReceiptQuerySet(models.QuerySet["AlertReceipt"]):
    def sign(self, *, account: Any, source: str, event_id: str, at: datetime) -> bool:
        """Whether this delivery is the first of its number."""
        self.filter(account=account, source=source, at__lt=at - KEPT).delete()
        _, is_new = self.get_or_create(account=account, source=source, event_id=event_id, defaults={"at": at})
        return is_new


class AlertReceipt(models.Model):
    """That a delivery with a number of its own was taken: sent again, it changes nothing."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    event_id = models.CharField(max_length=200)
    at = models.DateTimeField()

    objects = AlertReceiptQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "source", "event_id"], name="one_receipt_per_delivery")
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"
