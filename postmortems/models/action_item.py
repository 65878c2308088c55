"""What was promised after an incident. Imported and shown for now; its workflow comes with the follow-ups."""

from datetime import date
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from postmortems.models.incident import Incident
from postmortems.models.postmortem import Postmortem


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    def visible_to(self, user: Any) -> Self:
        """Seen where its postmortem and its incident are both seen."""
        postmortem = Q(postmortem=None) | Postmortem.objects.visible_where(user, "postmortem__")
        incident = Q(incident=None) | Incident.objects.visible_where(user, "incident__")
        return self.filter(postmortem, incident)

    def seen_with_its_postmortem(self) -> Self:
        """Whoever sees the postmortem sees these: their incident, if they have one, is one of its own."""
        return self.filter(Q(incident=None) | Q(incident__postmortems=F("postmortem"))).distinct()

    def unfinished(self) -> Self:
        return self.filter(state__in=[ActionItem.State.OPEN, ActionItem.State.IN_PROGRESS])

    def overdue(self, *, on: date) -> Self:
        return self.unfinished().filter(due_on__lt=on)

    def owned_by(self, user: Any) -> Self:
        return self.filter(owner=user)

    def soonest_first(self) -> Self:
        return self.order_by(models.F("due_on").asc(nulls_last=True), "pk")


class ActionItem(models.Model):
    """One promise with one owner. `done_when` is how anyone can tell that it holds."""

    class Kind(models.TextChoices):
        PREVENT = "prevent", "Prevent"
        DETECT = "detect", "Detect"
        MITIGATE = "mitigate", "Mitigate"
        PROCESS = "process", "Process"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_PROGRESS = "in_progress", "In progress"
        DONE = "done", "Done"
        VERIFIED = "verified", "Verified"
        WONT_DO = "wont_do", "Won't do"

    class Priority(models.TextChoices):
        HIGH = "high", "High"
        MEDIUM = "medium", "Medium"
        LOW = "low", "Low"

    postmortem = models.ForeignKey(
        Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="action_items"
    )
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="action_items")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PREVENT)
    title = models.CharField(max_length=500)
    details = models.TextField(blank=True)
    done_when = models.TextField(blank=True, help_text="How anyone can tell that it holds.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="action_items",
    )
    owner_text = models.CharField(max_length=200, blank=True, help_text="As written, where no account matches.")
    due_on = models.DateField(null=True, blank=True)
    priority = models.CharField(max_length=6, choices=Priority.choices, default=Priority.MEDIUM)
    state = models.CharField(max_length=11, choices=State.choices, default=State.OPEN)
    reason = models.TextField(blank=True, help_text="Why it will not be done.")
    external_url = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ActionItemQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        indexes = [models.Index(fields=["state", "due_on"])]
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="action_item_has_title"),
            models.CheckConstraint(
                condition=Q(postmortem__isnull=False) | Q(incident__isnull=False),
                name="action_item_has_a_home",
            ),
            models.CheckConstraint(condition=~Q(state="wont_do") | ~Q(reason=""), name="wont_do_has_a_reason"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_progress", "done", "verified", "wont_do"]),
                name="action_item_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def home(self) -> Postmortem | Incident:
        """Where it was promised; a constraint says that there is one."""
        found = self.postmortem or self.incident
        if found is None:
            raise ValueError("An action item without a home was never saved.")
        return found

    @property
    def is_unfinished(self) -> bool:
        return self.state in {self.State.OPEN, self.State.IN_PROGRESS}
