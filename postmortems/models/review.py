"""Review: who is asked, what they decided about which revision, and what they remarked where."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from kb import markdown
from postmortems import sections
from postmortems.models.postmortem import Postmortem
from postmortems.models.revision import Revision


class ReviewRequest(models.Model):
    """One person asked to review, never the owner. Asked again, it is the same row."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="review_requests")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="review_requests")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField()

    class Meta:
        ordering = ["requested_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "reviewer"], name="one_request_per_postmortem_and_reviewer")
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} on {self.postmortem.ref}"


class ReviewVerdict(models.Model):
    """What a reviewer decided about one revision. `checklist`: key of the question -> yes or no."""

    class Decision(models.TextChoices):
        APPROVED = "approved", "Approved"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="verdicts")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decision = models.CharField(max_length=17, choices=Decision.choices)
    checklist = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision__in=["approved", "changes_requested"]), name="review_decision_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} by {self.reviewer}: {self.revision}"


class CommentQuerySet(models.QuerySet["Comment"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(Postmortem.objects.visible_where(user, "postmortem__"))

    def unresolved(self) -> Self:
        return self.filter(resolved_at=None, reply_to=None)


class Comment(models.Model):
    """A remark on a section (or, without one, on the whole), made while reading a certain revision."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="comments")
    section = models.CharField(max_length=30, choices=sections.choices, blank=True)
    revision = models.PositiveIntegerField(help_text="The number of the revision it was made on.")
    reply_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="replies")
    body = models.TextField()
    html = models.TextField(blank=True, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(body=""), name="comment_says_something")]

    def __str__(self) -> str:
        return f"Comment {self.pk} on {self.postmortem.ref}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.html = markdown.render(self.body)
        super().save(*args, **kwargs)
