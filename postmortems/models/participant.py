"""Who works on an incident, and who looked and was released."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from postmortems.models.incident import Incident


class Participant(models.Model):
    """Released means: looked, and it is not their area; nobody needs to ask them again."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="participations")
    joined_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="What was looked at and found innocent.")

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
