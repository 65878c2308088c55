"""The review of a postmortem: who is asked, what they decided, what is remarked where."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import taking
from postmortems import sections
from postmortems.api import fields
from postmortems.api.base import Fields, Resource, Step
from postmortems.models import Comment, Comparison, Postmortem, ReviewRequest, ReviewVerdict
from postmortems.models.review import CHECKLIST, NO, YES
from postmortems.workflows import publishing, reviewing

TEXT_LENGTH = 20_000


class ReviewRequestSerializer(fields.ReadOnly[ReviewRequest]):
    """Somebody who is asked, and what they said of the newest revision."""

    reviewer = fields.person()
    requested_by = fields.person()
    decided = serializers.ChoiceField(ReviewVerdict.Decision.choices, read_only=True, allow_null=True)

    class Meta:
        model = ReviewRequest
        fields: tuple[str, ...] = ("reviewer", "requested_by", "requested_at", "decided")


class ReviewSerializer(serializers.Serializer[Any]):
    """Where a review stands."""

    status = serializers.ChoiceField(Postmortem.Status.choices)
    revision = serializers.IntegerField()
    still_to_write = serializers.ListField(child=serializers.CharField())
    unresolved_comments = serializers.IntegerField()
    requests = ReviewRequestSerializer(many=True)


class CommentSerializer(fields.ReadOnly[Comment]):
    """A remark, on a section or (empty) on the whole; `reply_to`: the one that began the thread."""

    by = fields.person()
    resolved_by = fields.person()

    class Meta:
        model = Comment
        fields: tuple[str, ...] = (
            "id",
            "section",
            "revision",
            "reply_to",
            "body",
            "by",
            "at",
            "resolved_by",
            "resolved_at",
        )


class ComparisonSerializer(fields.ReadOnly[Comparison]):
    """How it compares with one that it looks like."""

    postmortem = fields.ref()
    earlier = fields.ref()
    by = fields.person()

    class Meta:
        model = Comparison
        fields: tuple[str, ...] = ("id", "postmortem", "earlier", "verdict", "how_to_tell", "by", "at")


class ReviewersInput(serializers.Serializer[Any]):
    reviewers = fields.many(fields.UserName(), allow_empty=False)


class ReviewerInput(serializers.Serializer[Any]):
    reviewer = fields.UserName()


class FormerReviewerInput(serializers.Serializer[Any]):
    reviewer = fields.UserName(of_all=True)


class ChecklistField(serializers.Serializer[Any]):
    """An answer to each question; an approval answers them all."""

    def get_fields(self) -> Any:
        answers = [(YES, "Yes"), (NO, "No")]
        return {
            question.key: serializers.ChoiceField(answers, required=False, help_text=question.text)
            for question in CHECKLIST
        }


class VerdictInput(serializers.Serializer[Any]):
    """What a reviewer decides about the revision that they read."""

    revision = serializers.IntegerField(min_value=0, max_value=1_000_000)
    decision = serializers.ChoiceField(ReviewVerdict.Decision.choices)
    checklist = ChecklistField(required=False, default=dict)
    note = fields.text(TEXT_LENGTH, required=False, default="")


class CommentInput(serializers.Serializer[Any]):
    body = serializers.CharField(max_length=TEXT_LENGTH)
    section = serializers.ChoiceField(sections.choices(), required=False, allow_blank=True, default="")
    reply_to = serializers.IntegerField(min_value=1, required=False, allow_null=True, default=None)


class CompareInput(serializers.Serializer[Any]):
    """`title`: what the problem is called, for the same cause where it has no name yet."""

    verdict = serializers.ChoiceField([each for each in Comparison.Verdict.choices if each[0] != "undecided"])
    title = fields.text(300, required=False, default="")
    how_to_tell = fields.text(5000, required=False, default="")


class HasReview(Resource):
    """Of postmortems."""

    steps = {
        "request-review": Step("Ask these people, and no others.", reviewing.request_review, ReviewersInput),
        "add-reviewer": Step("One more has to approve.", reviewing.add_reviewer, ReviewerInput),
        "remove-reviewer": Step(
            "Their word is not waited for any longer.", reviewing.remove_reviewer, FormerReviewerInput
        ),
        "verdict": Step("What a named reviewer decides about a revision.", reviewing.give_verdict, VerdictInput),
    }

    def reviewable(self) -> Postmortem:
        """Whose review who asks may read."""
        row: Postmortem = self.row()
        if not Postmortem.objects.reviewable_by(self.request.user).filter(pk=row.pk).exists():
            raise Http404
        return row

    @extend_schema(responses=ReviewSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def review(self, request: Request, **kwargs: Any) -> Response:
        """Where its review stands."""
        row = self.reviewable()
        asked = row.review_requests.with_decision().select_related("reviewer", "requested_by")
        known = {
            "status": row.status,
            "revision": row.revision,
            "still_to_write": reviewing.still_to_write(row),
            "unresolved_comments": row.comments.unresolved().count(),
            "requests": asked,
        }
        return Response(ReviewSerializer(known).data)

    @taking("key")
    @extend_schema(methods=["GET"], responses=CommentSerializer(many=True))
    @extend_schema(methods=["POST"], request=CommentInput, responses={201: CommentSerializer})
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def comments(self, request: Request, **kwargs: Any) -> Response:
        """Remarks and replies, the oldest first."""
        row = self.reviewable()
        if request.method == "POST":
            return self.added(CommentSerializer, lambda: self._comment(row))
        return self.listed(row.comments.select_related("by", "resolved_by").order_by("at", "pk"), CommentSerializer)

    def _comment(self, row: Postmortem) -> Comment:
        said: Fields = self.sent(CommentInput)
        thread = said.pop("reply_to")
        found = row.comments.filter(pk=thread).first() if thread else None
        if thread and found is None:
            raise serializers.ValidationError({"reply_to": "There is no such comment here."})
        return reviewing.comment(row, **said, reply_to=found, **self.now())

    @extend_schema(request=None, responses=CommentSerializer)
    @action(detail=True, methods=["post"], url_path="comments/<int:comment>/resolve")
    def resolve_comment(self, request: Request, comment: int, **kwargs: Any) -> Response:
        """The thread is done with."""
        return self._turn(comment, reviewing.resolve_comment)

    @extend_schema(request=None, responses=CommentSerializer)
    @action(detail=True, methods=["post"], url_path="comments/<int:comment>/reopen")
    def reopen_comment(self, request: Request, comment: int, **kwargs: Any) -> Response:
        """It was not."""
        return self._turn(comment, reviewing.reopen_comment)

    def _turn(self, number: int, step: Any) -> Response:
        row = get_object_or_404(self.reviewable().comments.select_related("by"), pk=number)
        step(row, **self.now())
        return Response(CommentSerializer(row).data)

    @extend_schema(responses=ComparisonSerializer(many=True))
    @action(detail=True, filterset_class=None)
    def comparisons(self, request: Request, **kwargs: Any) -> Response:
        """What it was found to look like, and what people said of that."""
        return self.listed(self._compared(), ComparisonSerializer)

    @extend_schema(request=CompareInput, responses=ComparisonSerializer)
    @action(detail=True, methods=["post"], url_path="comparisons/<int:comparison>")
    def compare(self, request: Request, comparison: int, **kwargs: Any) -> Response:
        """Same cause, only the same symptom, or different."""
        row = get_object_or_404(self._compared(), pk=comparison)
        publishing.compare(row, **self.sent(CompareInput), **self.now())
        return Response(ComparisonSerializer(row).data)

    def _compared(self) -> Any:
        rows = Comparison.objects.visible_to(self.request.user).filter(postmortem=self.row())
        return rows.select_related("postmortem__problem", "earlier__problem", "by").order_by("-at", "-pk")
