"""Who somebody is in Slack, as they have shown themselves."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models

ID_LENGTH = 40


class SlackAccountQuerySet(models.QuerySet["SlackAccount"]):
    def visible_to(self, user: Any) -> Self:
        """One's own."""
        return self.filter(user=user) if getattr(user, "is_authenticated", False) else self.none()

    def known_as(self, *, team_id: str, member_id: str) -> "SlackAccount | None":
        """With its `user`, who may still sign in."""
        rows = self.filter(team_id=team_id, member_id=member_id, user__is_active=True)
        return rows.select_related("user").first()

    def link(self, *, team_id: str, member_id: str, user: Any, at: datetime) -> "SlackAccount":
        """Linked again, the newer link counts."""
        known = {"user": user, "linked_at": at}
        row, _ = self.update_or_create(team_id=team_id, member_id=member_id, defaults=known)
        return row


class SlackAccount(models.Model):
    """A member of a workspace is this person here: they typed there a code that only they were shown here."""

    team_id = models.CharField(max_length=ID_LENGTH)
    member_id = models.CharField(max_length=ID_LENGTH)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="slack_accounts")
    linked_at = models.DateTimeField()

    objects = SlackAccountQuerySet.as_manager()

    class Meta:
        ordering = ["linked_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["team_id", "member_id"], name="one_account_per_slack_member")]

    def __str__(self) -> str:
        return f"{self.member_id} of {self.team_id}"
