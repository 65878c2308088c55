"""What was suggested to whom, what they opened, and what they said of it: the material for measuring ourselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.incident import Incident


class SuggestionRunQuerySet(models.QuerySet["SuggestionRun"]):
    def visible_to(self, user: Any) -> Self:
        """Where its incident is seen; while there is none yet, by who asked. Its keys are another matter."""
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return self.none()
        mine = Q(incident=None, user=user.pk)
        return self.filter(mine | Q(incident__isnull=False) & Incident.objects.visible_where(user, "incident__"))

    def while_declaring(self, user: Any, *, since: datetime) -> Self:
        """What this person was shown for an incident that is not declared yet."""
        return self.filter(user=user, incident=None, at__gte=since)

    def belong_to(self, incident: Incident) -> int:
        return self.update(incident=incident)


class SuggestionRun(models.Model):
    """One panel that a person saw. `shown`: best first, `{key, score, confidence, parts}`.

    A row of `shown` may name what another reader may not see: nothing of it is told before its key went through
    `visible_to`.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="suggestion_runs"
    )
    at = models.DateTimeField()
    engine = models.CharField(max_length=60, help_text="Which engine ranked, and a digest of the numbers it ranked by.")
    took_ms = models.FloatField()
    candidates = models.PositiveIntegerField(help_text="How many documents were compared.")
    abstained = models.BooleanField(help_text="Nothing was similar enough.")
    shown = models.JSONField(default=list, blank=True)

    objects = SuggestionRunQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["user", "-at"])]

    def __str__(self) -> str:
        return f"Run {self.pk} for {self.incident.ref if self.incident else 'a new incident'}"

    @property
    def keys(self) -> list[str]:
        return [row["key"] for row in self.shown]

    def says_the_same_as(self, keys: Sequence[str], *, abstained: bool) -> bool:
        return self.keys == list(keys) and self.abstained == abstained


class SuggestionOpeningQuerySet(models.QuerySet["SuggestionOpening"]):
    def record(self, *, run: SuggestionRun, key: str, at: datetime) -> "SuggestionOpening":
        """Only the first time counts."""
        opening, _ = self.get_or_create(run=run, key=key, defaults={"at": at})
        return opening


class SuggestionOpening(models.Model):
    """Who saw the run opened this of it."""

    run = models.ForeignKey(SuggestionRun, on_delete=models.CASCADE, related_name="openings")
    key = models.CharField(max_length=40)
    at = models.DateTimeField()

    objects = SuggestionOpeningQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="one_opening_per_run_and_item")]

    def __str__(self) -> str:
        return f"{self.key} of run {self.run_id}"


class SuggestionVerdictQuerySet(models.QuerySet["SuggestionVerdict"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(Incident.objects.visible_where(user, "incident__"))

    def record(self, *, incident: Incident, key: str, verdict: str, by: Any, at: datetime) -> "SuggestionVerdict":
        """Said again, by whomever, the newer verdict counts."""
        row, _ = self.update_or_create(incident=incident, key=key, defaults={"verdict": verdict, "by": by, "at": at})
        return row

    def by_key(self, incident_pk: int) -> Mapping[str, str]:
        """Search key -> verdict, of one incident."""
        return dict(self.filter(incident=incident_pk).values_list("key", "verdict"))


class SuggestionVerdict(models.Model):
    """What people said of a suggested item for one incident. "Not similar" takes the pair away, for everybody."""

    class Verdict(models.TextChoices):
        SAME_CAUSE = "same_cause", "Same cause"
        SAME_SYMPTOM = "same_symptom", "Same symptom"
        NOT_SIMILAR = "not_similar", "Not similar"

    USEFUL = (Verdict.SAME_CAUSE, Verdict.SAME_SYMPTOM)

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="suggestion_verdicts")
    key = models.CharField(max_length=40, help_text="Of the suggested item: postmortem:12")
    verdict = models.CharField(max_length=12, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    objects = SuggestionVerdictQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "key"], name="one_verdict_per_incident_and_item"),
            models.CheckConstraint(
                condition=Q(verdict__in=["same_cause", "same_symptom", "not_similar"]), name="verdict_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.incident.ref}: {self.get_verdict_display()}"
