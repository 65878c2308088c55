"""The library of fixes: written, verified, confirmed, retired, and what came of each."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import sent_like, taking
from postmortems.api import fields
from postmortems.api.access_rules import Shareable
from postmortems.api.base import Fields, Outdated, ReasonInput, Step
from postmortems.api.incidents import OutcomeSerializer
from postmortems.filters import FixFilter
from postmortems.models import Fix, FixUse, Incident, Postmortem, Problem
from postmortems.models.fix import MOST_MONTHS, Freshness, Overtaken
from postmortems.models.incident import TITLE_LENGTH
from postmortems.workflows import curating, triage

TEXT_LENGTH = 50_000


class FixBrief(fields.ReadOnly[Fix]):
    """A fix in a list, with its record in the incidents that one may see."""

    url = fields.page_address()
    services = fields.slugs()
    freshness = serializers.ChoiceField(
        Freshness.choices, read_only=True, allow_blank=True, help_text="Empty of a retired one."
    )
    worked = serializers.IntegerField(read_only=True)
    partly = serializers.IntegerField(read_only=True)
    no_effect = serializers.IntegerField(read_only=True)
    made_worse = serializers.IntegerField(read_only=True)
    tried = serializers.IntegerField(read_only=True)
    last_outcome_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Fix
        fields: tuple[str, ...] = (
            *("ref", "url", "title", "kind", "state", "freshness", "visibility", "services", "last_confirmed"),
            *("worked", "partly", "no_effect", "made_worse", "tried", "last_outcome_at"),
        )


class FixSerializer(FixBrief):
    """A fix as the next reader follows it."""

    problem = fields.ref()
    postmortem = fields.ref()
    confirmed_by = fields.person()

    class Meta(FixBrief.Meta):
        fields: tuple[str, ...] = (
            *FixBrief.Meta.fields,
            *("preconditions", "steps", "commands", "risk", "undo", "confirm_every_months", "confirmed_by"),
            *("retired_reason", "problem", "postmortem", "created_at"),
        )


def _text(**kwargs: Any) -> serializers.CharField:
    return fields.text(TEXT_LENGTH, required=False, **kwargs)


class FixInput(serializers.Serializer[Any]):
    """A fix: steps or commands, and what to know before and after."""

    title = serializers.CharField(max_length=TITLE_LENGTH)
    kind = serializers.ChoiceField(Fix.Kind.choices, required=False)
    preconditions = _text(help_text="When this applies, and what to look at before.")
    steps = _text(help_text="What to do, in order. Markdown.")
    commands = _text(trim_whitespace=False, help_text="Lines to copy.")
    risk = _text(help_text="What can go wrong.")
    undo = _text(help_text="How to go back.")
    confirm_every_months = serializers.IntegerField(min_value=1, max_value=MOST_MONTHS, required=False)
    services = fields.many(fields.ServiceSlug(), required=False)
    problem = fields.Ref(Problem, required=False, allow_null=True)

    def validate(self, attrs: Fields) -> Fields:
        row = self.context.get("row")
        known = {name: attrs.get(name, getattr(row, name, "")) for name in ("steps", "commands")}
        if not any(known.values()):
            raise serializers.ValidationError({"steps": "Write down the steps, or the commands."})
        return attrs


@sent_like(
    title="Recycle the pool",
    kind="mitigation",
    steps="1. Drain.\n2. Restart.",
    undo="Put the old size back.",
    incident="INC-7",
)
class NewFixInput(FixInput):
    """`incident`: where it helped, which is recorded; `postmortem`: where it is told of."""

    incident = fields.Ref(Incident, required=False, allow_null=True)
    postmortem = fields.Ref(Postmortem, required=False, allow_null=True)


class UseInput(serializers.Serializer[Any]):
    incident = fields.Ref(Incident)
    outcome = serializers.ChoiceField(FixUse.Outcome.choices)
    minutes_to_effect = serializers.IntegerField(min_value=0, max_value=100_000, required=False, allow_null=True)
    note = fields.text(5000, required=False)


class Fixes(Shareable):
    """What helped, and how often."""

    model = Fix
    brief = FixBrief
    serializer_class = FixSerializer
    filterset_class = FixFilter
    steps = {
        "verify": Step("Tried, or checked step by step.", curating.verify_fix),
        "confirm": Step("Still valid, as of today.", curating.confirm_fix),
        "retire": Step("Suggested to nobody from now on. Needs a reason.", curating.retire_fix, ReasonInput),
        "take-back": Step("Of use again, as a draft.", curating.take_back_fix),
    }

    def rows(self) -> QuerySet[Any]:
        user = self.request.user
        rows = Fix.objects.visible_to(user).with_freshness(timezone.localdate()).with_track_record(user)
        rows = rows.order_by("title", "pk").prefetch_related("services")
        return rows if self.action == "list" else rows.select_related("problem", "postmortem", "confirmed_by")

    @taking("key")
    @extend_schema(request=NewFixInput, responses={201: FixSerializer})
    def create(self, request: Request) -> Response:
        """A new one, as a draft: alone, of a postmortem, or as what fixed an incident."""
        nothing: Fields = {"services": [], "problem": None}
        return self.created(lambda: curating.create_fix(**{**nothing, **self.sent(NewFixInput)}, **self.now()))

    @taking("version")
    @extend_schema(request=FixInput, responses=FixSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """What is written of it. Whoever changes what is run of a verified fix makes it a draft again."""
        with self.meant() as row:
            known: Fields = {"services": list(row.services.all()), "problem": row.problem}
            known |= self.sent(FixInput, partial=True, row=row)
            try:
                curating.edit_fix(row, seen=row.fingerprint(), **known, **self.now())
            except Overtaken as refusal:
                raise Outdated from refusal
        return self.shown(row)

    @taking("key")
    @extend_schema(methods=["GET"], responses=OutcomeSerializer(many=True))
    @extend_schema(methods=["POST"], request=UseInput, responses={201: OutcomeSerializer})
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def outcomes(self, request: Request, **kwargs: Any) -> Response:
        """What came of it where it was tried; said again of an incident, the newer answer counts."""
        fix = self.row()
        if request.method == "POST":
            return self.added(OutcomeSerializer, lambda: self._record(fix))
        uses = FixUse.objects.visible_to(request.user).filter(fix=fix).order_by("-at", "-pk")
        return self.listed(uses.select_related("incident", "fix", "recorded_by"), OutcomeSerializer)

    def _record(self, fix: Fix) -> FixUse:
        said = self.sent(UseInput)
        return triage.record_outcome(said.pop("incident"), fix, **said, **self.now())
