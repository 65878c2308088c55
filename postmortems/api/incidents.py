"""Incidents: declared, worked on, brought through their states; what is said, tried and judged on the way."""

from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import sent_like, taking
from postmortems import suggestions
from postmortems.api import fields
from postmortems.api.access_rules import Shareable
from postmortems.api.answers import SuggestionsSerializer
from postmortems.api.base import Fields, ReasonInput, Step, unwatch
from postmortems.api.timelines import HasTimeline, NewEntrySerializer
from postmortems.filters import IncidentFilter
from postmortems.models import (
    Environment,
    Fix,
    FixUse,
    Incident,
    Kind,
    Participant,
    Postmortem,
    Severity,
    SuggestionVerdict,
    TimelineEntry,
)
from postmortems.models.incident import TITLE_LENGTH, DetectionSource
from postmortems.workflows import closing, responding, suggesting, timelines, triage, watching

# --- shown ---


class IncidentBrief(fields.ReadOnly[Incident]):
    """An incident in a list."""

    url = fields.page_address()
    services = fields.slugs()
    commander = fields.person()

    class Meta:
        model = Incident
        fields: tuple[str, ...] = (
            *("ref", "url", "title", "kind", "severity", "status", "visibility", "environment", "services"),
            *("started_at", "resolved_at", "commander"),
        )


class ParticipantSerializer(fields.ReadOnly[Participant]):
    user = fields.person()

    class Meta:
        model = Participant
        fields: tuple[str, ...] = ("user", "joined_at", "released_at", "note")


class IncidentSerializer(IncidentBrief):
    """An incident with who works on it and its postmortems, as far as one may see them."""

    reported_by = fields.person()
    participants = ParticipantSerializer(many=True, read_only=True)
    postmortems = fields.refs()

    class Meta(IncidentBrief.Meta):
        fields: tuple[str, ...] = (
            *IncidentBrief.Meta.fields,
            *("symptoms", "error_excerpt", "detection_source", "detected_at", "acknowledged_at", "mitigated_at"),
            *("closed_at", "cancelled_at", "cancel_reason", "close_reason", "external_url", "source", "dedup_key"),
            *("reported_by", "commander_since", "participants", "postmortems", "created_at"),
        )


class OutcomeSerializer(fields.ReadOnly[FixUse]):
    """What came of a fix in an incident."""

    incident = fields.ref()
    fix = fields.ref()
    recorded_by = fields.person()

    class Meta:
        model = FixUse
        fields: tuple[str, ...] = ("incident", "fix", "outcome", "minutes_to_effect", "note", "recorded_by", "at")


class VerdictSerializer(serializers.Serializer[Any]):
    """What somebody said of a suggested item."""

    item = serializers.CharField()
    verdict = serializers.ChoiceField(SuggestionVerdict.Verdict.choices)
    at = fields.Moment()


class BlockerSerializer(serializers.Serializer[Any]):
    """What stands between an incident and its end; `stops`: closing needs a manager's reason."""

    says = serializers.CharField()
    stops = serializers.BooleanField()


# --- sent ---


class IncidentInput(serializers.Serializer[Any]):
    """What is known of an incident now."""

    title = serializers.CharField(max_length=TITLE_LENGTH)
    symptoms = fields.text(required=False, help_text="What is seen now. Markdown.")
    error_excerpt = fields.text(required=False, trim_whitespace=False, help_text="Log lines, as they are.")
    severity = serializers.ChoiceField(Severity.choices, required=False)
    environment = serializers.ChoiceField(Environment.choices, required=False)
    detection_source = serializers.ChoiceField(DetectionSource.choices, required=False, allow_blank=True)
    started_at = fields.Moment(required=False)
    services = fields.many(fields.ServiceSlug(), required=False)

    def validate_started_at(self, value: datetime) -> datetime:
        row = self.context.get("row")
        if value > timezone.now():
            raise serializers.ValidationError("This lies in the future. When did the first symptom show?")
        if row and row.resolved_at and value > row.resolved_at:
            raise serializers.ValidationError("This is after the incident was resolved.")
        return value


@sent_like(title="Checkout answers 503", symptoms="p95 is 9 s since 14:05", severity="sev2", services=["checkout"])
class DeclareInput(IncidentInput):
    """A new incident. About security: restricted to who declares it, and administrators."""

    kind = serializers.ChoiceField(Kind.choices, required=False)


class NoteInput(serializers.Serializer[Any]):
    note = fields.text(300, required=False, default="", help_text="What was found in order.")


class CommandInput(serializers.Serializer[Any]):
    """`instead_of`: who led it when you looked; left out: who leads it now."""

    instead_of = fields.UserName(required=False, allow_null=True)

    def validate(self, attrs: Fields) -> Fields:
        seen = attrs.pop("instead_of", self.context["row"].commander)
        return {**attrs, "instead_of": seen.pk if seen else None}


class HandOverInput(CommandInput):
    to = fields.UserName()


class TimesInput(serializers.Serializer[Any]):
    """Milestones as they really were; what is left out stays."""

    started_at = fields.Moment(required=False)
    detected_at = fields.Moment(required=False, allow_null=True)
    acknowledged_at = fields.Moment(required=False, allow_null=True)
    mitigated_at = fields.Moment(required=False, allow_null=True)
    resolved_at = fields.Moment(required=False)
    closed_at = fields.Moment(required=False)


class OutcomeInput(serializers.Serializer[Any]):
    fix = fields.Ref(Fix)
    outcome = serializers.ChoiceField(FixUse.Outcome.choices)
    minutes_to_effect = serializers.IntegerField(min_value=0, max_value=100_000, required=False, allow_null=True)
    note = fields.text(5000, required=False)


class JudgementInput(serializers.Serializer[Any]):
    item = fields.Ref(*fields.DOCUMENTS)
    verdict = serializers.ChoiceField(SuggestionVerdict.Verdict.choices)


# --- the resource ---


class Incidents(HasTimeline, Shareable):
    """What is broken now, or was."""

    model = Incident
    brief = IncidentBrief
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    steps = {
        "acknowledge": Step("Somebody looks: who asks works on it from now on.", triage.acknowledge),
        "mitigate": Step("The harm has stopped.", triage.mitigate),
        "resolve": Step("It is over.", triage.resolve),
        "reopen": Step("It is back, or was never over. Needs a reason.", triage.reopen, ReasonInput),
        "cancel": Step("It was no incident after all. Needs a reason.", triage.cancel, ReasonInput),
        "close": Step("Nothing is left to do; a manager closes in spite of what is.", triage.close, ReasonInput),
        "take-command": Step("Lead it.", responding.take_command, CommandInput),
        "hand-over": Step("Hand command to somebody who works on it.", responding.hand_over, HandOverInput),
        "join": Step("Work on it.", responding.join),
        "release": Step("Looked, and it is not one's area.", responding.release, NoteInput),
        "times": Step("Milestones as they really were.", responding.correct_times, TimesInput),
        "watch": Step("Be told of it from now on.", watching.watch),
        "unwatch": Step("Not any more.", unwatch),
    }

    def rows(self) -> QuerySet[Any]:
        rows = Incident.objects.visible_to(self.request.user).newest_first().prefetch_related("services")
        if self.action == "list":
            return rows.select_related("commander")
        seen = Postmortem.objects.visible_to(self.request.user).order_by("pk")
        crew = Participant.objects.select_related("user")
        return rows.select_related("commander", "reported_by").prefetch_related(
            Prefetch("postmortems", seen), Prefetch("participants", crew)
        )

    @taking("key")
    @extend_schema(request=DeclareInput, responses={201: IncidentSerializer})
    def create(self, request: Request) -> Response:
        """Declare an incident."""

        def declare() -> Incident:
            return triage.open_incident(**{"symptoms": "", **self.sent(DeclareInput)}, **self.now())

        return self.created(declare)

    @taking("version")
    @extend_schema(request=IncidentInput, responses=IncidentSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """What is known now. The text as first declared is kept beside it."""
        with self.meant() as row:
            known = self.sent(IncidentInput, partial=True, row=row)
            known.setdefault("services", list(row.services.all()))
            triage.edit_incident(row, **known, **self.now())
        return self.shown(row)

    @taking("key")
    @extend_schema(methods=["GET"], responses=OutcomeSerializer(many=True))
    @extend_schema(methods=["POST"], request=OutcomeInput, responses={201: OutcomeSerializer})
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def outcomes(self, request: Request, **kwargs: Any) -> Response:
        """What was tried, and what came of it; said again of a fix, the newer answer counts."""
        incident = self.row()
        if request.method == "POST":
            return self.added(OutcomeSerializer, lambda: self._record(incident))
        uses = FixUse.objects.visible_to(request.user).filter(incident=incident)
        return self.listed(uses.select_related("incident", "fix", "recorded_by"), OutcomeSerializer)

    def _record(self, incident: Incident) -> FixUse:
        return triage.record_outcome(incident, **self.sent(OutcomeInput), **self.now())

    @extend_schema(methods=["GET"], responses=VerdictSerializer(many=True))
    @extend_schema(methods=["POST"], request=JudgementInput, responses={200: VerdictSerializer})
    @action(detail=True, methods=["get", "post"], pagination_class=None, filterset_class=None)
    def verdicts(self, request: Request, **kwargs: Any) -> Response:
        """How suggestions compare with this incident, the newest word first; it counts, for everybody."""
        incident = self.row()
        if request.method == "GET":
            return Response(VerdictSerializer(suggesting.verdicts_of(incident, reader=request.user), many=True).data)
        said = self.sent(JudgementInput)
        row = suggesting.give_verdict(incident, **said, **self.now())
        return Response(VerdictSerializer({"item": said["item"].ref, "verdict": row.verdict, "at": row.at}).data)

    @extend_schema(responses={200: SuggestionsSerializer, 503: SuggestionsSerializer})
    @action(detail=True, pagination_class=None, filterset_class=None)
    def suggestions(self, request: Request, **kwargs: Any) -> Response:
        """What fixed incidents that look like this one."""
        report = suggestions.report_of(self.row())
        found = suggestions.suggest(report, user=request.user)
        return Response(found.as_json(report), status=503 if found.degraded else 200)

    @extend_schema(responses=BlockerSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def blockers(self, request: Request, **kwargs: Any) -> Response:
        """What stands between it and its end."""
        return Response(BlockerSerializer(closing.blockers_of(self.row()), many=True).data)

    def add_entry(self, incident: Incident) -> TimelineEntry:
        """Without a moment it is of now, and people who are named in it are told."""
        said = self.sent(NewEntrySerializer)
        at = said.pop("at", None)
        if at is None:
            return responding.post_update(incident, **said, **self.now())
        return timelines.add(incident, at=at, **said, by=self.request.user, now=timezone.now())
