"""What happened when, of a postmortem or an incident."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.incident import Incident
from postmortems.models.postmortem import Postmortem


class TimelineEntry(models.Model):
    """One moment, stored in UTC. Belongs to a postmortem or to an incident."""

    class Kind(models.TextChoices):
        DETECTION = "detection", "Detection"
        DIAGNOSIS = "diagnosis", "Diagnosis"
        ACTION = "action", "Action"
        COMMUNICATION = "communication", "Communication"
        NOTE = "note", "Note"

    postmortem = models.ForeignKey(Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="timeline")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.NOTE)
    text = models.TextField()
    evidence_url = models.URLField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["at", "pk"]
        verbose_name_plural = "timeline entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(postmortem__isnull=False, incident__isnull=True)
                | Q(postmortem__isnull=True, incident__isnull=False),
                name="timeline_entry_has_one_home",
            )
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.text[:60]}"

    def put_right(self, **fields: Any) -> None:
        """at, kind, text, evidence_url as they should have been."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=fields)
