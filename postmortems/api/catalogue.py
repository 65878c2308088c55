"""What things are called: services, teams, tags, sections. Read only: administrators look after them."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems import sections
from postmortems.api import fields
from postmortems.api.base import Resource, Step, View, unwatch
from postmortems.models import ApiToken, Service, Tag, Team, User
from postmortems.roles import Role
from postmortems.workflows import watching


class ServiceSerializer(fields.ReadOnly[Service]):
    """What breaks, as its users know it. `aliases`: labels of alerts are looked for among them, too."""

    owner_team = fields.Shown("slug", allow_null=True)
    aliases = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Service
        fields: tuple[str, ...] = ("slug", "name", "aliases", "tier", "description", "owner_team", "retired_at")


class TeamSerializer(fields.ReadOnly[Team]):
    """People who own services together."""

    aliases = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Team
        fields: tuple[str, ...] = ("slug", "name", "aliases")


class TagSerializer(fields.ReadOnly[Tag]):
    """A word to find things by."""

    aliases = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Tag
        fields: tuple[str, ...] = ("slug", "name", "aliases")


class Named(Resource):
    """Rows that are known by a slug."""

    lookup_field = "slug"
    lookup_value_converter = "slug"

    def row(self) -> Any:
        return get_object_or_404(self.rows(), slug=self.kwargs["slug"])


class Services(Named):
    """Those that one may know of; retired ones stay listed."""

    model = Service
    brief = serializer_class = ServiceSerializer
    steps = {
        "watch": Step("Be told of what concerns it from now on.", watching.watch),
        "unwatch": Step("Not any more.", unwatch),
    }

    def rows(self) -> QuerySet[Any]:
        return Service.objects.listed().select_related("owner_team").order_by("name", "pk")


class Teams(Named):
    """All of them."""

    model = Team
    brief = serializer_class = TeamSerializer

    def rows(self) -> QuerySet[Any]:
        return Team.objects.order_by("name", "pk")


class Tags(Named):
    """Those that one may know of."""

    model = Tag
    brief = serializer_class = TagSerializer

    def rows(self) -> QuerySet[Any]:
        return Tag.objects.listed().order_by("name", "pk")


class PromptSerializer(serializers.Serializer[Any]):
    """A section of postmortems: its key, its heading, the question that it answers."""

    key = serializers.CharField()
    title = serializers.CharField()
    prompt = serializers.CharField()


class SectionsView(View):
    @extend_schema(responses=PromptSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What a postmortem consists of, in reading order."""
        return Response(PromptSerializer(sections.SECTIONS, many=True).data)


class MeSerializer(fields.ReadOnly[User]):
    """Who asks. `scopes`: of the token; none of a session, which may whatever its account may."""

    roles = serializers.ListField(child=serializers.ChoiceField([(role.value, role.value) for role in Role]))
    teams = fields.slugs()
    scopes = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            "username",
            "first_name",
            "last_name",
            "time_zone",
            "is_integration",
            "roles",
            "teams",
            "scopes",
        )

    def get_scopes(self, user: User) -> list[str] | None:
        token = self.context["request"].auth
        return list(token.scopes) if isinstance(token, ApiToken) else None


class MeView(View):
    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who asks, as what, and with which scopes."""
        user: Any = request.user
        return Response(MeSerializer(user, context={"request": request}).data)
