"""A knowledge gap: what somebody looked for while a bad incident went on, and nothing was found."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.incident import Incident, Severity

TEXT_LENGTH = 500
BAD = (Severity.SEV1, Severity.SEV2)


class KnowledgeGapQuerySet(models.QuerySet["KnowledgeGap"]):
    def visible_to(self, user: Any) -> Self:
        """Where its incident is seen."""
        return self.filter(Incident.objects.visible_where(user, "incident__"))

    def unanswered(self) -> Self:
        return self.filter(answered_at=None)

    def record(self, *, incident: Incident, text: str, by: Any, at: datetime) -> "KnowledgeGap":
        """Asked again, in whatever case and spacing, it is the same gap; if it was answered, it is open again."""
        text = " ".join(text.split())[:TEXT_LENGTH]
        row, _ = self.update_or_create(
            incident=incident,
            asked=text.casefold()[:TEXT_LENGTH],
            defaults={"answered_at": None},
            create_defaults={"text": text, "by": by, "at": at},
        )
        return row

    def answer(self, *, at: datetime) -> int:
        return self.unanswered().update(answered_at=at)


class KnowledgeGap(models.Model):
    """A search that found nothing, in an open SEV1 or SEV2. It ends by itself when something answers it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="knowledge_gaps")
    text = models.CharField(max_length=TEXT_LENGTH, help_text="As it was typed.")
    asked = models.CharField(max_length=TEXT_LENGTH, help_text="The same, whatever its case.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = KnowledgeGapQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "asked"], name="one_gap_per_incident_and_text"),
            models.CheckConstraint(condition=~Q(text=""), name="gap_asks_something"),
        ]

    def __str__(self) -> str:
        return f"“{self.text}” in {self.incident.ref}"
