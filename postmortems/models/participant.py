"""Who works on an incident, and who looked and was released."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from kb.errors import DomainError
from postmortems.models.incident import Incident


class StillInCommand(DomainError):
    """Whoever leads an incident cannot leave it."""


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def active(self) -> Self:
        return self.filter(released_at=None)

    def join(self, *, incident: Incident, user: Any, at: datetime) -> bool:
        """Works on it from now on, for the first time or again; False if they did already."""
        row, is_new = self.get_or_create(incident=incident, user=user, defaults={"joined_at": at})
        again = self.filter(pk=row.pk).exclude(released_at=None).update(joined_at=at, released_at=None, note="")
        return is_new or bool(again)


class Participant(models.Model):
    """Released means: looked, and it is not their area; nobody needs to ask them again."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="participations")
    joined_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="What was looked at and found innocent.")

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        ordering = ["joined_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "user"], name="one_participation_per_incident"),
            models.CheckConstraint(
                condition=Q(released_at=None) | Q(released_at__gte=F("joined_at")), name="released_after_joining"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.incident.ref}"

    def release(self, *, note: str, at: datetime) -> bool:
        """Looked, and it is not their area. False if they were released already."""
        if self.incident.commander_id == self.user_id and self.incident.is_in_progress:
            raise StillInCommand("Hand over command first.")
        left = Participant.objects.filter(pk=self.pk).active().update(released_at=max(at, self.joined_at), note=note)
        self.refresh_from_db(fields=["released_at", "note"])
        return bool(left)
