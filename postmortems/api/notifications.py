"""What who asks was told, what they follow, and how they want to be told."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems.api import fields
from postmortems.api.base import NO_FIELD, Answering, Numbered, Step, View, refuse_unknown
from postmortems.filters import NotificationFilter
from postmortems.forms import TimeZoneForm
from postmortems.models import Notification, ReminderChoice, Rhythm, User, Watch, Weekday
from postmortems.workflows import accounts, mailing, reminding, watching


class NotificationSerializer(fields.ReadOnly[Notification]):
    """One thing one was told; about an incident or a postmortem, or neither."""

    incident = fields.ref()
    postmortem = fields.ref()
    by = fields.person()

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ("id", "action", "text", "incident", "postmortem", "by", "at", "read_at")


class CountSerializer(serializers.Serializer[Any]):
    """How many of them were not read before."""

    read = serializers.IntegerField(min_value=0)


def read(row: Notification, *, by: User, at: datetime) -> None:
    """In the shape of a step."""
    watching.mark_read(by, at=at, pk=row.pk)


class Notifications(Numbered):
    """What one was told, the newest first; of what one may no longer see, nothing."""

    model = Notification
    brief = serializer_class = NotificationSerializer
    filterset_class = NotificationFilter
    steps = {"read": Step("It was read.", read)}

    def rows(self) -> QuerySet[Any]:
        rows = Notification.objects.visible_to(self.request.user).order_by("-at", "-pk")
        return rows.select_related("incident", "postmortem", "by")

    @extend_schema(request=None, responses=CountSerializer)
    @action(detail=False, methods=["post"], url_path="read-all", filterset_class=None, pagination_class=None)
    def read_all(self, request: Request) -> Response:
        """All of them were read."""
        reader: Any = request.user
        return Response({"read": watching.mark_read(reader, at=timezone.now())})


class WatchSerializer(fields.ReadOnly[Watch]):
    """One of `incident`, `postmortem` and `service`: each has steps `watch` and `unwatch`."""

    incident = fields.ref()
    postmortem = fields.ref()
    service = fields.Shown("slug", allow_null=True)

    class Meta:
        model = Watch
        fields: tuple[str, ...] = ("incident", "postmortem", "service", "since")


class Watches(Answering):
    """What one is told of."""

    @extend_schema(responses=WatchSerializer(many=True))
    def list(self, request: Request) -> Response:
        """What one follows, the newest first."""
        rows = Watch.objects.visible_to(request.user).select_related("incident", "postmortem", "service")
        return self.listed(rows.order_by("-since", "-pk"), WatchSerializer)


class SettingsSerializer(serializers.Serializer[Any]):
    """How one is told. An empty zone is the site's; the weekday (0: Monday) counts for weekly reminders."""

    time_zone = serializers.CharField(max_length=64, allow_blank=True, help_text="Europe/Berlin")
    wants_mail = serializers.BooleanField(help_text="A mail for each notification.")
    reminders = serializers.ChoiceField(Rhythm.choices, help_text="Of action items that are late or soon due.")
    weekday = serializers.ChoiceField(Weekday.choices)

    def validate_time_zone(self, value: str) -> str:
        if not TimeZoneForm({"time_zone": value}).is_valid():
            raise serializers.ValidationError("There is no such time zone.")
        return value


class SettingsView(View):
    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request) -> Response:
        """How who asks wants to be told."""
        return Response(_settings_of(request.user))

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer)
    def patch(self, request: Request) -> Response:
        """What is left out stays. It counts from the next mail on."""
        reader: Any = request.user
        known = _settings_of(reader)
        said = SettingsSerializer(data=request.data, partial=True)
        said.is_valid(raise_exception=True)
        refuse_unknown(request.data, said.fields, says=NO_FIELD)
        changed = {name: value for name, value in said.validated_data.items() if value != known[name]}
        if "time_zone" in changed:
            accounts.choose_time_zone(reader, name=changed["time_zone"])
        if "wants_mail" in changed:
            mailing.choose_mail(reader, wanted=changed["wants_mail"])
        if {"reminders", "weekday"} & set(changed):
            wanted = {**known, **changed}
            reminding.choose(reader, rhythm=wanted["reminders"], weekday=wanted["weekday"], at=timezone.now())
        return Response(_settings_of(reader))


def _settings_of(reader: Any) -> dict[str, Any]:
    choice = ReminderChoice.objects.of(reader)
    return {
        "time_zone": reader.time_zone,
        "wants_mail": reader.wants_mail,
        "reminders": choice.rhythm,
        "weekday": choice.weekday,
    }
