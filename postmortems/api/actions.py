"""Action items: promised, done, verified by somebody else, or declined."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import sent_like, taking
from postmortems.api import fields
from postmortems.api.base import Fields, ReasonInput, Resource, Step
from postmortems.filters import ActionItemFilter
from postmortems.models import ActionItem, Incident, Postmortem, User
from postmortems.workflows import followups


class ActionItemSerializer(fields.ReadOnly[ActionItem]):
    """A promise with one owner, and where it was made."""

    url = fields.page_address()
    postmortem = fields.ref()
    incident = fields.ref()
    owner = fields.person()
    approved_by = fields.person()
    verified_by = fields.person()

    class Meta:
        model = ActionItem
        fields: tuple[str, ...] = (
            *("ref", "url", "title", "kind", "state", "priority", "owner", "owner_text", "due_on", "postmortem"),
            *("incident", "details", "done_when", "ticket", "external_url", "reason", "evidence", "approved_by"),
            *("verified_by", "created_at", "done_at", "verified_at", "declined_at", "reopened_at"),
        )


class ActionItemInput(serializers.Serializer[Any]):
    """What is promised. Owner, date and state have steps of their own."""

    title = serializers.CharField(max_length=500)
    kind = serializers.ChoiceField(ActionItem.Kind.choices, required=False, default=ActionItem.Kind.PREVENT)
    done_when = fields.text(10_000, required=False, default="", help_text="How anyone can tell that it holds.")
    details = fields.text(10_000, required=False, default="")
    priority = serializers.ChoiceField(ActionItem.Priority.choices, required=False, default=ActionItem.Priority.MEDIUM)
    ticket = fields.text(200, required=False, default="", help_text="In another tracker: JIRA-123, org/repo#4.")


@sent_like(title="Alert on pool saturation", home="PM-12", owner="dana", kind="detect", done_when="It pages at 90 %.")
class PromiseInput(ActionItemInput):
    """A new promise; without a date it gets the one that the policy proposes."""

    home = fields.Ref(Postmortem, Incident, help_text="The postmortem or incident that it follows from.")
    owner = fields.UserName(required=False, allow_null=True, default=None)
    due_on = serializers.DateField(required=False, allow_null=True, default=None)


class OwnerInput(serializers.Serializer[Any]):
    owner = fields.UserName(allow_null=True)


class IdentifyInput(serializers.Serializer[Any]):
    """`user`: whose name is written there as the owner's."""

    user = fields.UserName()

    def validate(self, attrs: Fields) -> Fields:
        if not self.context["row"].owner_text:
            raise serializers.ValidationError("No written name owns this one: use the step assign.")
        return attrs


class EvidenceInput(serializers.Serializer[Any]):
    evidence = fields.text(10_000, required=False, default="", help_text="What shows that it holds.")


class DueInput(serializers.Serializer[Any]):
    due_on = serializers.DateField(allow_null=True)
    reason = fields.text(2000)


class ManyInput(serializers.Serializer[Any]):
    """Another owner, another date, or both: for all of them or for none."""

    items = fields.many(fields.Ref(ActionItem), allow_empty=False)
    owner = fields.UserName(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    reason = fields.text(2000, required=False, default="")


class ChangedSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField()


def identify(row: ActionItem, *, user: User, by: User, at: datetime) -> None:
    """In the shape of a step: of this item and of all others that the same written name owns."""
    if not followups.identify_owner(row.owner_text, user=user, by=by, at=at):
        raise followups.NotTheirs(f"{user} may see none of them: share where they were promised first.")


class ActionItems(Resource):
    """What was promised, and what is late."""

    model = ActionItem
    brief = ActionItemSerializer
    serializer_class = ActionItemSerializer
    filterset_class = ActionItemFilter
    steps = {
        "assign": Step("One owner, who can see it; or nobody.", followups.assign, OwnerInput),
        "identify": Step("Whose account the written name of its owner is; of all its items.", identify, IdentifyInput),
        "start": Step("Somebody works on it.", followups.start),
        "complete": Step("Done; somebody else verifies it.", followups.complete, EvidenceInput),
        "verify": Step("Somebody other than its owner has seen that it holds.", followups.verify, EvidenceInput),
        "decline": Step("It will not be done. Needs a reason.", followups.decline, ReasonInput),
        "reopen": Step("It did not hold, or is wanted after all. Needs a reason.", followups.reopen, ReasonInput),
        "reschedule": Step("Another date, with a reason.", followups.reschedule, DueInput),
    }

    def rows(self) -> QuerySet[Any]:
        rows = ActionItem.objects.visible_to(self.request.user).soonest_first()
        return rows.select_related("owner", "postmortem", "incident", "approved_by", "verified_by")

    @taking("key")
    @extend_schema(request=PromiseInput, responses={201: ActionItemSerializer})
    def create(self, request: Request) -> Response:
        """Promise something after a postmortem or an incident."""

        def promise() -> ActionItem:
            said: Fields = self.sent(PromiseInput)
            return followups.create(said.pop("home"), **said, **self.now())

        return self.created(promise)

    @taking("version")
    @extend_schema(request=ActionItemInput, responses=ActionItemSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Its words, kind, priority and ticket."""
        with self.meant() as row:
            followups.edit(row, **self.sent(ActionItemInput, partial=True), **self.now())
        return self.shown(row)

    @extend_schema(request=ManyInput, responses=ChangedSerializer)
    @action(detail=False, methods=["post"], url_path="change-many", filterset_class=None, pagination_class=None)
    def change_many(self, request: Request) -> Response:
        """Another owner or date for many of them at once."""
        said = self.sent(ManyInput)
        return Response({"changed": followups.change_many(said.pop("items"), **said, **self.now())})
