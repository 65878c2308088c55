"""The timeline of an incident or a postmortem."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import taking
from postmortems.api import fields
from postmortems.api.base import Fields, Resource
from postmortems.models import TimelineEntry
from postmortems.workflows import timelines


class EntrySerializer(fields.ReadOnly[TimelineEntry]):
    """One moment."""

    by = fields.person()

    class Meta:
        model = TimelineEntry
        fields: tuple[str, ...] = ("id", "at", "kind", "text", "evidence_url", "by")


class NewEntrySerializer(serializers.Serializer[Any]):
    """What is known or done. Without `at`: now."""

    at = fields.Moment(required=False)
    kind = serializers.ChoiceField(TimelineEntry.Kind.choices, required=False, default=TimelineEntry.Kind.NOTE)
    text = serializers.CharField(max_length=10_000)
    evidence_url = serializers.URLField(max_length=500, required=False, allow_blank=True, default="")


class HasTimeline(Resource):
    """Of a resource whose rows have one."""

    def add_entry(self, home: Any) -> TimelineEntry:
        raise NotImplementedError

    @taking("key")
    @extend_schema(methods=["GET"], responses=EntrySerializer(many=True))
    @extend_schema(methods=["POST"], request=NewEntrySerializer, responses={201: EntrySerializer})
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def timeline(self, request: Request, **kwargs: Any) -> Response:
        """What happened when, the earliest first."""
        home = self.row()
        if request.method == "POST":
            return self.added(EntrySerializer, lambda: self.add_entry(home))
        return self.listed(home.timeline.select_related("by").order_by("at", "pk"), EntrySerializer)

    @extend_schema(methods=["PATCH"], request=NewEntrySerializer, responses=EntrySerializer)
    @extend_schema(methods=["DELETE"], request=None, responses={204: None})
    @action(detail=True, methods=["patch", "delete"], url_path="timeline/<int:entry>")
    def timeline_entry(self, request: Request, entry: int, **kwargs: Any) -> Response:
        """One moment, put right or taken away."""
        row = get_object_or_404(self.row().timeline, pk=entry)
        who: Fields = {"by": request.user, "now": timezone.now()}
        if request.method == "DELETE":
            timelines.remove(row, **who)
            return Response(status=204)
        known = {name: getattr(row, name) for name in ("at", "kind", "text", "evidence_url")}
        said = {**known, **self.sent(NewEntrySerializer, partial=True)}
        # A postmortem's timeline is written anew with its revision: the entry has another number then.
        return Response(EntrySerializer(timelines.change(row, **said, **who)).data)
