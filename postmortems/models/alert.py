"""What monitoring says is wrong: one row for each time an alert fired, and the deliveries that were seen already."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Max, OuterRef, Q, Subquery

from postmortems.models.incident import Incident

SERIES_LENGTH = 300
# An alert that fires again so soon is the same trouble: its incident is opened again, and no second one.
SAME_TROUBLE = timedelta(minutes=30)
TOGETHER = 100  # rows that are looked up by a pair of columns at once
KEPT = timedelta(days=30)  # numbers of deliveries; a vendor sends one again within hours


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, user: Any) -> Self:
        """Where its incident is seen; one without an incident by administrators."""
        if getattr(user, "is_administrator", False):
            return self
        return self.filter(Q(incident__isnull=False) & Incident.objects.visible_where(user, "incident__"))

    def of(self, account: Any, source: str) -> Self:
        return self.filter(account=account, source=source)

    def at_starts(self, reports: Iterable[tuple[str, datetime]]) -> dict[tuple[str, datetime], "Alert"]:
        """The rows of these series that fired since these moments."""
        found: dict[tuple[str, datetime], Alert] = {}
        asked = sorted(set(reports))
        for start in range(0, len(asked), TOGETHER):
            some = asked[start : start + TOGETHER]
            # More rows than were asked for: a series may have fired at the start of another.
            rows = self.filter(series__in={series for series, _ in some}, started_at__in={each for _, each in some})
            found |= {(row.series, row.started_at): row for row in rows}
        return found

    def newest_of(self, series: Iterable[str]) -> dict[str, "Alert"]:
        """Of each of these series, the last time that it fired."""
        rows = self.filter(series__in=list(series)).order_by().values_list("series").annotate(Max("started_at"))
        return {row.series: row for row in self.at_starts(rows).values()}

    def same_trouble(self, alerts: Collection["Alert"]) -> dict[int, "Alert"]:
        """By pk of an alert: the same alert shortly before or after, which has an incident."""
        rows = Alert.objects.filter(
            **{name: OuterRef(name) for name in ("account", "source", "series")}, incident__isnull=False, opened=True
        )
        earlier = rows.filter(started_at__lt=OuterRef("started_at")).order_by("-started_at")
        later = rows.filter(started_at__gt=OuterRef("started_at")).order_by("started_at")
        asked = self.filter(pk__in=[alert.pk for alert in alerts]).annotate(
            earlier=Subquery(earlier.values("pk")[:1]), later=Subquery(later.values("pk")[:1])
        )
        pairs = {pk: (before, after) for pk, before, after in asked.values_list("pk", "earlier", "later")}
        near = Alert.objects.in_bulk({pk for pair in pairs.values() for pk in pair if pk})
        found = {alert.pk: alert.same_as(*(near.get(pk) for pk in pairs[alert.pk])) for alert in alerts}
        return {pk: alert for pk, alert in found.items() if alert}

    def keep(self, alerts: Iterable["Alert"]) -> None:
        """Write down what these have learned, all of them together: at once what is the same for all."""
        changed = [alert for alert in alerts if alert.news]
        same: dict[str, Any] = {}
        different: list[str] = []
        for name in sorted({name for alert in changed for name in alert.news}):
            values = {getattr(alert, name) for alert in changed}
            if len(values) == 1:
                same[name] = values.pop()
            else:
                different.append(name)
        if same:
            self.filter(pk__in=[alert.pk for alert in changed]).update(**same)
        if different:
            self.bulk_update(changed, different)
        for alert in changed:
            alert.news = frozenset()


class Alert(models.Model):
    """One instance of an alert. `series` tells alerts apart, `started_at` the times that one fired."""

    class State(models.TextChoices):
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    news: frozenset[str] = frozenset()  # fields that are not written yet
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
        """For the incident that it opens now: by what fires, since when, and the event that opens it."""
        since = self.started_at.isoformat()
        told = f"{self.account_id} {self.series} {since} {self.last_event_at.isoformat()}"
        return told if len(told) <= 200 else hashlib.sha256(told.encode()).hexdigest()

    def ended_long_before(self, moment: datetime) -> bool:
        return self.ended_at is not None and moment - self.ended_at > SAME_TROUBLE

    @classmethod
    def begun(
        cls, *, is_firing: bool, event_at: datetime, ended_at: datetime | None, at: datetime, **known: Any
    ) -> "Alert":
        """A new one, to be written. `known`: account, source, series, started_at, title, labels, excerpt."""
        start = known["started_at"]
        return cls(
            state=cls.State.FIRING if is_firing else cls.State.RESOLVED,
            has_fired=is_firing,
            last_event_at=event_at,
            ended_at=None if is_firing else max(ended_at or event_at, start),
            first_seen_at=at,
            last_seen_at=at,
            **known,
        )

    # What follows changes the row in memory; `AlertQuerySet.keep` writes it. Deliveries of an account are taken one at
    # a time (`one_at_a_time`), and nothing else writes its alerts.

    def hear(self, *, is_firing: bool, event_at: datetime, ended_at: datetime | None, at: datetime) -> bool:
        """What one more delivery says; True if that changes its state. What is older than what is known does not."""
        is_newer = event_at > self.last_event_at if is_firing else event_at >= self.last_event_at
        # Of a source that gives no start the end may have come first: only now is it known since when.
        start = min(self.started_at, event_at) if is_firing and not self.has_fired else self.started_at
        before = self.state
        self._learn(deliveries=self.deliveries + 1, last_seen_at=at)
        if is_firing and not self.has_fired:
            self._learn(has_fired=True, started_at=start)
        if is_newer:
            end = None if is_firing else max(ended_at or event_at, start)
            state = self.State.FIRING if is_firing else self.State.RESOLVED
            self._learn(state=state, last_event_at=event_at, ended_at=end)
        return self.state != before

    def end_unseen(self, *, at: datetime) -> None:
        """It fired again with a new start, so that it must have ended before: its own end was never delivered."""
        if self.is_firing:
            self._learn(state=self.State.RESOLVED, ended_at=max(at, self.started_at))

    def same_as(self, earlier: "Alert | None", later: "Alert | None") -> "Alert | None":
        """Which of these times just before and after it is the same trouble."""
        if earlier and (earlier.ended_at is None or self.started_at - earlier.ended_at <= SAME_TROUBLE):
            return earlier
        if later and (self.ended_at is None or later.started_at - self.ended_at <= SAME_TROUBLE):
            return later
        return None

    def belong_to(self, incident: Incident, **known: Any) -> None:
        """`known`: opened, resolves, flaps."""
        self._learn(incident=incident, **known)

    def count_flap(self) -> None:
        self._learn(flaps=self.flaps + 1)

    def _learn(self, **known: Any) -> None:
        for name, value in known.items():
            setattr(self, name, value)
        self.news |= known.keys()


class AlertReceiptQuerySet(models.QuerySet["AlertReceipt"]):
    def sign(self, numbers: Iterable[str], *, account: Any, source: str, at: datetime) -> set[str]:
        """Those of these numbers of deliveries that are the first of their kind."""
        if not (wanted := set(numbers)):
            return set()
        self.filter(account=account, source=source, at__lt=at - KEPT).delete()
        signed = self.filter(account=account, source=source, event_id__in=wanted).values_list("event_id", flat=True)
        fresh = wanted.difference(signed)
        self.bulk_create([AlertReceipt(account=account, source=source, event_id=each, at=at) for each in fresh])
        return fresh


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
