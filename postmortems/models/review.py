"""Review: who is asked, what they decided about which revision, and what they remarked where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery

from kb import markdown
from kb.errors import DomainError
from postmortems import sections
from postmortems.models.postmortem import Postmortem
from postmortems.models.revision import Revision


class NotReviewable(DomainError):
    """The verdict or the remark cannot be taken as it is."""


@dataclass(frozen=True)
class Question:
    """One thing that a reviewer looks at. Asks for conditions, never for persons."""

    key: str
    text: str
    hint: str


CHECKLIST = (
    Question("impact", "Is the impact complete?", "Who could not do what, how many, from when to when."),
    Question(
        "factors", "Are the contributing factors deep enough?", "Conditions that a change to the system can remove."
    ),
    Question(
        "findable",
        "Would the fix be found by someone who does not know it?",
        "The error as it was printed, the words one would search for, steps for 3 a.m.",
    ),
    Question(
        "actions", "Are the actions specific, bounded and owned?", "Each with one owner, and a sign that it is done."
    ),
    Question("blameless", "Is it blameless?", "It says how it made sense at the time, and what the system allowed."),
)
YES, NO = "yes", "no"


class ReviewRequestQuerySet(models.QuerySet["ReviewRequest"]):
    def with_decision(self) -> Self:
        """Annotates `decided`: what the reviewer said last of the revision that is now the newest, or None."""
        last = ReviewVerdict.objects.filter(
            reviewer=OuterRef("reviewer"),
            revision__postmortem=OuterRef("postmortem"),
            revision__number=OuterRef("postmortem__revision"),
        )
        return self.annotate(decided=Subquery(last.order_by("-at", "-pk").values("decision")[:1]))

    def waiting(self) -> Self:
        """In review now, and the reviewer has not approved of the newest revision."""
        approved = Q(decided=ReviewVerdict.Decision.APPROVED, decided__isnull=False)
        return self.with_decision().filter(~approved, postmortem__status=Postmortem.Status.IN_REVIEW)

    def waiting_for(self, user: Any) -> Self:
        return self.waiting().filter(Postmortem.objects.visible_where(user, "postmortem__"), reviewer=user.pk)


class ReviewRequest(models.Model):
    """One person asked to review, never the owner. Asked again, it is the same row."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="review_requests")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="review_requests")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField()
    decided: str | None  # of those that `with_decision` annotated

    objects = ReviewRequestQuerySet.as_manager()

    class Meta:
        ordering = ["requested_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "reviewer"], name="one_request_per_postmortem_and_reviewer")
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} on {self.postmortem.ref}"


class ReviewVerdictQuerySet(models.QuerySet["ReviewVerdict"]):
    def newest_of(self, postmortem: Postmortem) -> dict[int, "ReviewVerdict"]:
        """Id of each reviewer -> what they said last, of whichever revision."""
        rows = self.filter(revision__postmortem=postmortem).select_related("revision", "reviewer")
        return {row.reviewer_id: row for row in rows.order_by("at", "pk") if row.reviewer_id is not None}


def refuse_half_answers(answers: Mapping[str, str], *, note: str) -> None:
    """An approval answers every question, and says why it may be published where an answer is no."""
    if open_ones := [question.text for question in CHECKLIST if answers.get(question.key) not in (YES, NO)]:
        raise NotReviewable(f"Before you approve, answer the checklist. Still open: {' '.join(open_ones)}")
    if not note.strip() and (no := [question.text for question in CHECKLIST if answers[question.key] == NO]):
        raise NotReviewable(f"Say in the note why it may be published all the same. You answered no to: {' '.join(no)}")


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

    objects = ReviewVerdictQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision__in=["approved", "changes_requested"]), name="review_decision_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} by {self.reviewer}: {self.revision}"

    @property
    def answers(self) -> list[tuple[Question, str]]:
        """Each question that was answered, with yes or no."""
        return [(question, self.checklist[question.key]) for question in CHECKLIST if question.key in self.checklist]


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
    answers: list["Comment"]  # of a thread, where a page gathered them
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

    @property
    def section_title(self) -> str:
        return sections.BY_KEY[self.section].title if self.section in sections.BY_KEY else "The whole"

    @property
    def is_resolved(self) -> bool:
        return self.resolved_at is not None

    def resolve(self, *, by: Any, at: datetime) -> None:
        self._turn(self._threads().filter(resolved_at=None).update(resolved_by=by, resolved_at=at), "resolved")

    def reopen(self) -> None:
        self._turn(self._threads().exclude(resolved_at=None).update(resolved_by=None, resolved_at=None), "open")

    def _threads(self) -> QuerySet["Comment"]:
        # A thread is resolved, not one of its replies.
        return Comment.objects.filter(pk=self.pk, reply_to=None)

    def _turn(self, moved: int, word: str) -> None:
        self.refresh_from_db(fields=["resolved_by", "resolved_at"])
        if not moved:
            raise NotReviewable(f"This thread is already {word}.")
