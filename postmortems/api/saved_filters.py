"""Lists of action items that people keep: their own, and what is shared with everybody."""

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import sent_like, taking
from postmortems.action_forms import QUERY_LENGTH, known_filters
from postmortems.api import fields
from postmortems.api.base import Numbered
from postmortems.filters import ActionItemFilter
from postmortems.models import ActionItem, SavedFilter
from postmortems.workflows import saved_filters


class SavedFilterSerializer(fields.ReadOnly[SavedFilter]):
    """`query` is what `/actions/` is asked with; its rows are found anew, for who reads."""

    url = fields.page_address()
    owner = fields.person()

    class Meta:
        model = SavedFilter
        fields: tuple[str, ...] = ("id", "url", "name", "query", "is_shared", "owner", "created_at")


@sent_like(name="Late, of payments", query="due=late&team=payments", is_shared=True)
class SavedFilterInput(serializers.Serializer[Any]):
    """`query`: filters of the list of action items, as in its address."""

    name = serializers.CharField(max_length=100)
    query = serializers.CharField(max_length=2 * QUERY_LENGTH, allow_blank=True)
    is_shared = serializers.BooleanField(default=False)

    def validate_name(self, value: str) -> str:
        if SavedFilter.objects.filter(owner=self.context["request"].user, name=value).exists():
            raise serializers.ValidationError("You have a list of that name. Remove it first, or choose another name.")
        return value

    def validate_query(self, value: str) -> str:
        typed = QueryDict(value)
        found = ActionItemFilter(typed, queryset=ActionItem.objects.none(), request=self.context["request"])
        if unknown := sorted(set(typed) - set(found.filters)):
            raise serializers.ValidationError(f"There is no filter {unknown[0][:60]!r}.")
        if not found.is_valid():
            name, errors = next(iter(found.errors.items()))
            raise serializers.ValidationError(f"{name}: {errors[0]}")
        query = known_filters(typed)
        if len(query) > QUERY_LENGTH:
            raise serializers.ValidationError("These are too many filters to keep.")
        return query


class SavedFilters(Numbered):
    """Lists that people come back to."""

    model = SavedFilter
    brief = serializer_class = SavedFilterSerializer

    def rows(self) -> QuerySet[Any]:
        return SavedFilter.objects.visible_to(self.request.user).order_by("name", "pk").select_related("owner")

    @taking("key")
    @extend_schema(request=SavedFilterInput, responses={201: SavedFilterSerializer})
    def create(self, request: Request) -> Response:
        """Keep a list."""
        return self.created(lambda: saved_filters.keep(**self.sent(SavedFilterInput), **self.now()))

    @taking("version")
    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove one of one's own. The action items stay as they are."""
        with self.meant() as row:
            mine = get_object_or_404(SavedFilter.objects.filter(owner=request.user), pk=row.pk)  # type: ignore[misc]
            saved_filters.remove(mine, **self.now())
        return Response(status=204)
