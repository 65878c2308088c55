"""Tokens: listed and revoked. None is made here: one that leaks could beget others that outlive it.

A new one is made on a page, by a person who signed in; its secret is shown there once.
"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems.api import fields
from postmortems.api.base import Numbered
from postmortems.models import ApiToken, Scope
from postmortems.workflows import tokens


class TokenSerializer(fields.ReadOnly[ApiToken]):
    """What a token is for. `hint`: the last letters of its secret; `is_this`: the one that asks."""

    user = fields.person()
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), read_only=True)
    is_this = serializers.SerializerMethodField()

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            *("id", "name", "user", "hint", "scopes", "created_at", "expires_at", "last_used_at", "is_this"),
        )

    def get_is_this(self, row: ApiToken) -> bool:
        return bool(self.context["request"].auth == row)


class Tokens(Numbered):
    """One's own that are not revoked; for administrators, everybody's."""

    model = ApiToken
    brief = serializer_class = TokenSerializer

    def rows(self) -> QuerySet[Any]:
        rows = ApiToken.objects.visible_to(self.request.user).filter(revoked_at=None)
        return rows.order_by("-created_at", "-pk").select_related("user")

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Revoke it: from now on it opens nothing."""
        tokens.revoke(self.row(), **self.now())
        return Response(status=204)
