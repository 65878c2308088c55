"""The glossary: words that mean the same here. Everyone reads it, who may curate looks after it."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import sent_like, taking
from postmortems.api import fields
from postmortems.api.base import Numbered
from postmortems.forms import checked_terms
from postmortems.models import GlossaryEntry
from postmortems.models.glossary import MOST_TERMS, TERM_LENGTH
from postmortems.workflows import glossary


class GroupSerializer(fields.ReadOnly[GlossaryEntry]):
    """Any of its terms stands for the others, in suggestions."""

    terms = serializers.ListField(source="members", child=serializers.CharField(), read_only=True)

    class Meta:
        model = GlossaryEntry
        fields: tuple[str, ...] = ("id", "terms", "updated_at")


@sent_like(terms=["k8s", "kubernetes"])
class GroupInput(serializers.Serializer[Any]):
    """At least two different terms, none of which is in another group."""

    terms = serializers.ListField(
        child=serializers.RegexField(r"^[^\r\n]*\Z", max_length=TERM_LENGTH), min_length=2, max_length=MOST_TERMS
    )

    def validate_terms(self, value: list[str]) -> str:
        """One a line, as the workflow takes them."""
        row = self.context.get("row")
        return checked_terms("\n".join(value), but=row and row.pk)


class Glossary(Numbered):
    """Words that mean the same."""

    model = GlossaryEntry
    brief = serializer_class = GroupSerializer

    def rows(self) -> QuerySet[Any]:
        return GlossaryEntry.objects.order_by(Lower("terms"), "pk")

    @taking("key")
    @extend_schema(request=GroupInput, responses={201: GroupSerializer})
    def create(self, request: Request) -> Response:
        """One more group."""
        return self.created(lambda: self._write(GlossaryEntry()))

    @taking("version")
    @extend_schema(request=GroupInput, responses=GroupSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Other terms."""
        with self.meant() as row:
            self._write(row)
        return self.shown(row)

    def _write(self, row: GlossaryEntry) -> GlossaryEntry:
        return glossary.write_group(row, text=self.sent(GroupInput, row=row)["terms"], **self.now())

    @taking("version")
    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Each of its terms stands for itself alone from then on."""
        with self.meant() as row:
            glossary.remove_group(row, **self.now())
        return Response(status=204)
