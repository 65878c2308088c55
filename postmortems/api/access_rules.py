"""Who may see a document: read and said by whoever may share it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems.api import fields
from postmortems.api.base import Resource
from postmortems.models import Visibility
from postmortems.workflows import sharing


class AccessSerializer(serializers.Serializer[Any]):
    """Open to all who are signed in, or restricted to these people and teams, and administrators."""

    visibility = serializers.ChoiceField(Visibility.choices)
    members = fields.many(fields.UserName(of_all=True))
    teams = fields.many(fields.TeamSlug())
    may_lock_out = serializers.BooleanField(
        default=False, write_only=True, help_text="You will not see it yourself any more, and mean it."
    )


class Shareable(Resource):
    """Of a resource whose rows can be restricted."""

    @extend_schema(methods=["GET"], responses=AccessSerializer)
    @extend_schema(methods=["PUT"], request=AccessSerializer, responses={200: AccessSerializer, 204: None})
    @action(detail=True, methods=["get", "put"], filterset_class=None, pagination_class=None)
    def access(self, request: Request, **kwargs: Any) -> Response:
        """Who may see it. It counts at once, everywhere."""
        row = self.row()
        sharing.require_sharing(row, request.user)
        if request.method == "PUT":
            sharing.change_access(row, **self.sent(AccessSerializer), **self.now())
            if not self.rows().filter(pk=row.pk).exists():
                return Response(status=204)
            row = self.row()
        known = {
            "visibility": row.visibility,
            "members": sorted(person.username for person in row.members.all()),
            "teams": sorted(team.slug for team in row.shared_with.all()),
        }
        return Response(known)
