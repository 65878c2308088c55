"""Something is broken now, or was: the incident, from the first symptom to the all-clear."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.urls import reverse

from kb import markdown
from kb.errors import DomainError
from postmortems.models.access import Restrictable, RestrictableQuerySet
from postmortems.models.catalogue import Service
from postmortems.models.indexed import Indexed

TITLE_LENGTH = 300


class Kind(models.TextChoices):
    SERVICE = "service", "Service"
    SECURITY = "security", "Security"
    NEAR_MISS = "near_miss", "Near miss"
    EXERCISE = "exercise", "Exercise"


class Severity(models.TextChoices):
    SEV1 = "sev1", "SEV1"
    SEV2 = "sev2", "SEV2"
    SEV3 = "sev3", "SEV3"
    SEV4 = "sev4", "SEV4"


class Environment(models.TextChoices):
    PRODUCTION = "production", "Production"
    STAGING = "staging", "Staging"
    DEVELOPMENT = "development", "Development"
    OTHER = "other", "Other"


class DetectionSource(models.TextChoices):
    MONITOR = "monitor", "Monitoring"
    ENGINEER = "engineer", "An engineer noticed"
    CUSTOMER = "customer", "A customer told us"
    SOCIAL_MEDIA = "social_media", "Social media"
    PARTNER = "partner", "A partner told us"
    OTHER = "other", "Other"


class NotPossible(DomainError):
    """The incident is in a state that this step does not start from."""


class OutOfOrder(DomainError):
    """The milestones contradict each other."""


class IncidentQuerySet(RestrictableQuerySet["Incident"]):
    def in_progress(self) -> Self:
        """Not over yet: someone may be working on it now."""
        return self.filter(status__in=Incident.IN_PROGRESS)

    def over(self) -> Self:
        return self.filter(status__in=[Incident.Status.RESOLVED, Incident.Status.CLOSED])

    def without_commander(self) -> Self:
        """Of the worst severity, in progress, and nobody leads it."""
        return self.in_progress().filter(severity=Severity.SEV1, commander=None)

    def left_to_alerts(self) -> Self:
        """One of its alerts may resolve it, none fires any more, and nobody works on it or did."""
        ended = self.filter(alerts__opened=True, alerts__resolves=True).exclude(alerts__state="firing")
        nobody = {"acknowledged_at": None, "mitigated_at": None, "commander": None, "participants": None}
        return ended.filter(**nobody).distinct()

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-pk")

    def locked(self, pks: Iterable[int]) -> dict[int, "Incident"]:
        """Theirs alone until the end of the transaction, in an order in which no two wait for each other."""
        wanted = set(pks)
        rows = self.filter(pk__in=wanted).select_for_update(no_key=True).order_by("pk")
        return {row.pk: row for row in rows} if wanted else {}

    # --- many at once: all of them or none ---

    def declare_all(
        self, rows: Sequence[tuple["Incident", Sequence[Service]]], *, render: Callable[[str], str] = markdown.render
    ) -> None:
        """Write down new ones with their first reports and their services."""
        formatted: dict[str, str] = {}  # the text of many alerts is often the same
        for row, services in rows:
            if row.symptoms not in formatted:
                formatted[row.symptoms] = render(row.symptoms)
            row.symptoms_html = formatted[row.symptoms]
            row.first_report = row.as_reported(services)
        self.bulk_create([row for row, _ in rows])
        through = self.model.services.through
        through.objects.bulk_create(
            [through(incident=row, service=service) for row, services in rows for service in services]
        )

    def resolve_all(self, ends: Sequence[tuple["Incident", datetime]]) -> None:
        if any(at < row.started_at for row, at in ends):
            raise NotPossible("An incident cannot end before it started.")
        times = Case(*(When(pk=row.pk, then=Value(at)) for row, at in ends), output_field=models.DateTimeField())
        self.step_all([row for row, _ in ends], Incident.IN_PROGRESS, Incident.Status.RESOLVED, resolved_at=times)
        for row, at in ends:
            row.resolved_at = at

    def reopen_all(self, back: Sequence[tuple["Incident", str]]) -> None:
        """Each with its reason: it is back, or was never over."""
        for _, reason in back:
            self.model._insist(reason, "Say why it is open again: what is seen?")
        over = (Incident.Status.RESOLVED, Incident.Status.CLOSED, Incident.Status.CANCELLED)
        nothing: dict[str, Any] = {"resolved_at": None, "closed_at": None, "cancelled_at": None}
        rows = [row for row, _ in back]
        self.step_all(rows, over, Incident.Status.INVESTIGATING, close_reason="", cancel_reason="", **nothing)

    def step_all(self, rows: Sequence["Incident"], starts: Collection[Any], status: Any, **values: Any) -> None:
        # The database decides: of two people who press at once, one gets the refusal.
        moved = self.filter(pk__in=[row.pk for row in rows], status__in=starts).update(status=status, **values)
        if moved != len(rows):
            for row in rows:
                row.refresh_from_db(fields=["status", *values])
            stuck = next((row for row in rows if row.status != status), rows[0])
            is_now = stuck.get_status_display().lower()
            raise NotPossible(f"{stuck.ref} is {is_now}: this step does not start from there.")
        for row in rows:
            for name, value in {"status": status, **values}.items():
                setattr(row, name, value)


class Incident(Indexed, Restrictable):
    """`symptoms` is what is seen now; `first_report` keeps the text as first saved, for honest evaluation later."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        INVESTIGATING = "investigating", "Investigating"
        MITIGATED = "mitigated", "Mitigated"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"
        CANCELLED = "cancelled", "Cancelled"

    # In the order in which they happen; `correct_times` holds them to it.
    MILESTONES = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at", "closed_at")
    IN_PROGRESS = (Status.OPEN, Status.INVESTIGATING, Status.MITIGATED)
    # What `search.reading` fetched with it, for one reader: pks of its postmortems and verdicts as they are; the
    # postmortems and action items that this reader may see.
    listed_postmortems: list[dict[str, int]]
    listed_verdicts: list[dict[str, str]]
    told_by: list[Any]
    promises: list[Any]
    search_kind = "incident"
    ref_prefix = "INC"

    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SERVICE)
    title = models.CharField(max_length=TITLE_LENGTH)
    symptoms = models.TextField(blank=True, help_text="What is seen now. Markdown.")
    symptoms_html = models.TextField(blank=True, editable=False)
    error_excerpt = models.TextField(blank=True, help_text="Log lines or an error message, as they are.")
    severity = models.CharField(max_length=4, choices=Severity.choices, default=Severity.SEV3)
    services = models.ManyToManyField(Service, blank=True, related_name="incidents")
    environment = models.CharField(max_length=12, choices=Environment.choices, default=Environment.PRODUCTION)
    detection_source = models.CharField(max_length=12, choices=DetectionSource.choices, blank=True)
    status = models.CharField(max_length=13, choices=Status.choices, default=Status.OPEN)
    started_at = models.DateTimeField()
    detected_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    reported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="reported_incidents",
    )
    commander = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="commanded_incidents",
    )
    commander_since = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True, help_text="Somebody began to look.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.TextField(blank=True, help_text="Why it was no incident after all.")
    close_reason = models.TextField(blank=True, help_text="Why it was closed in spite of what was missing.")
    source = models.CharField(max_length=40, blank=True, help_text="What opened it, if not a person.")
    dedup_key = models.CharField(max_length=200, blank=True)
    external_url = models.URLField(max_length=500, blank=True)
    first_report = models.JSONField(default=dict, editable=False)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-pk"]
        indexes = [models.Index(fields=["status", "-started_at"])]
        constraints = [
            *Restrictable.Meta.constraints,
            models.CheckConstraint(condition=~Q(title=""), name="incident_has_title"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="incident_severity_is_known"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="incident_kind_is_known"),
            models.CheckConstraint(
                condition=Q(status__in=["open", "investigating", "mitigated", "resolved", "closed", "cancelled"]),
                name="incident_status_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["resolved", "closed"]) | Q(resolved_at__isnull=False),
                name="resolved_incident_has_time",
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True) | Q(resolved_at__gte=F("started_at")),
                name="incident_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=~Q(status="cancelled") | ~Q(cancel_reason=""), name="cancelled_incident_has_reason"
            ),
            models.UniqueConstraint(
                fields=["source", "dedup_key"], condition=~Q(dedup_key=""), name="one_incident_per_dedup_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("incident_detail", args=[self.ref])

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.symptoms_html = markdown.render(self.symptoms)
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "symptoms_html"}
        super().save(*args, **kwargs)

    @property
    def is_in_progress(self) -> bool:
        return self.status in self.IN_PROGRESS

    @property
    def is_over(self) -> bool:
        return self.status in {self.Status.RESOLVED, self.Status.CLOSED}

    @property
    def wants_commander(self) -> bool:
        return self.severity == Severity.SEV1 and self.is_in_progress and self.commander_id is None

    @property
    def known_since(self) -> datetime:
        """The clock without a commander begins here."""
        return self.detected_at or self.started_at

    def as_reported(self, services: Iterable[Service]) -> dict[str, Any]:
        """What is kept of the first report."""
        return {
            "title": self.title,
            "symptoms": self.symptoms,
            "error_excerpt": self.error_excerpt,
            "services": [service.slug for service in services],
        }

    def keep_first_report(self) -> None:
        """Remember what was known when it was declared. Later edits do not reach this copy."""
        report = self.as_reported(self.services.all())
        Incident.objects.filter(pk=self.pk, first_report={}).update(first_report=report)
        self.refresh_from_db(fields=["first_report"])

    def describe(self, **fields: Any) -> None:
        """What is known now: title, symptoms, error_excerpt, severity, environment, detection_source, started_at."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=fields)

    def acknowledge(self, *, at: datetime) -> None:
        """Somebody looks."""
        self._step({self.Status.OPEN}, self.Status.INVESTIGATING, acknowledged_at=at)

    def mitigate(self, *, at: datetime) -> None:
        """The harm has stopped; the cause may still be there."""
        self._step({self.Status.OPEN, self.Status.INVESTIGATING}, self.Status.MITIGATED, mitigated_at=at)

    def resolve(self, *, at: datetime) -> None:
        Incident.objects.resolve_all([(self, at)])

    def close(self, *, at: datetime, reason: str = "") -> None:
        """Nothing is left to do. `reason`: why in spite of what was missing."""
        self._step({self.Status.RESOLVED}, self.Status.CLOSED, closed_at=at, close_reason=reason)

    def cancel(self, *, reason: str, at: datetime) -> None:
        """It was no incident after all."""
        self._insist(reason, "Say why it was no incident: the next reader will ask.")
        self._step(set(self.IN_PROGRESS), self.Status.CANCELLED, cancelled_at=at, cancel_reason=reason)

    def reopen(self, *, reason: str) -> None:
        """It is back, or was never over."""
        Incident.objects.reopen_all([(self, reason)])

    def hand_command(self, to: Any, *, instead_of: int | None, at: datetime) -> None:
        """`instead_of`: pk of who led it when the page was read. Of two at once, one is told who was first."""
        if not self.is_in_progress:
            raise NotPossible(f"{self.ref} is {self.get_status_display().lower()}: nobody needs to lead it.")
        same = Incident.objects.filter(pk=self.pk, commander=instead_of, status__in=self.IN_PROGRESS)
        moved = same.update(commander=to, commander_since=at)
        self.refresh_from_db(fields=["commander", "commander_since", "status"])
        if not moved:
            raise NotPossible(f"{self.commander or 'Nobody'} leads {self.ref} now. Look again before you take over.")

    def correct_times(self, *, now: datetime, **times: datetime | None) -> dict[str, tuple[Any, Any]]:
        """Milestones as they really were; returns what changed: field -> before, after."""
        changes = {name: (getattr(self, name), value) for name, value in times.items() if getattr(self, name) != value}
        self._refuse_times({name: times.get(name, getattr(self, name)) for name in self.MILESTONES}, now)
        for name, (_, value) in changes.items():
            setattr(self, name, value)
        if changes:
            self.save(update_fields=changes.keys())
        return changes

    def _refuse_times(self, times: dict[str, datetime | None], now: datetime) -> None:
        needed = {"started_at": True, "resolved_at": self.is_over, "closed_at": self.status == self.Status.CLOSED}
        known: tuple[str, datetime] | None = None
        for name in self.MILESTONES:
            word, at = name.removesuffix("_at"), times[name]
            if at is None:
                if needed.get(name):
                    raise OutOfOrder(f"When it was {word} is missing, and {self.ref} is {self.status}.")
                continue
            if name in needed and not needed[name]:
                raise OutOfOrder(f"{self.ref} is {self.status}, not {word}: use the button for that step.")
            if at > now:
                raise OutOfOrder(f"{word.capitalize()} lies in the future.")
            if known and at < known[1]:
                raise OutOfOrder(f"{word.capitalize()} is before {known[0]}: one of the two is wrong.")
            known = word, at

    @staticmethod
    def _insist(reason: str, question: str) -> None:
        if not reason.strip():
            raise NotPossible(question)

    def _step(self, starts: set[Any], status: Any, **values: Any) -> None:
        Incident.objects.step_all([self], starts, status, **values)
