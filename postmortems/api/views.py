"""The two questions a program may ask: what fixed this, and where is that."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems import search, suggestions
from postmortems.api.answers import FoundPageSerializer, SuggestionsSerializer
from postmortems.api.base import NO_FIELD, NO_FILTER, View, refuse_unknown
from postmortems.api.serializers import ReportSerializer, SearchSerializer
from postmortems.models import Scope
from postmortems.search import FACETS

FACET_PARAMETERS = [
    OpenApiParameter(name, str, many=True, description="Any of these; may be repeated.") for name in FACETS
]


class SuggestionsView(View):
    """Earlier resolutions for what is known of an incident."""

    scope = Scope.READ  # it is posted because it is long, and changes nothing

    @extend_schema(request=ReportSerializer, responses={200: SuggestionsSerializer, 503: SuggestionsSerializer})
    def post(self, request: Request) -> Response:
        serializer = ReportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        refuse_unknown(request.data, serializer.fields, says=NO_FIELD)
        report = serializer.report()
        found = suggestions.suggest(report, user=request.user, limit=serializer.validated_data["limit"])
        return Response(found.as_json(report), status=503 if found.degraded else 200)


class SearchView(View):
    """What this user may see of what matches `q`; facet fields repeat for any-of: `?q=dns&service=edge&service=dns`."""

    @extend_schema(parameters=[SearchSerializer, *FACET_PARAMETERS], responses=FoundPageSerializer)
    def get(self, request: Request) -> Response:
        serializer = SearchSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        refuse_unknown(request.query_params, {*serializer.fields, *FACETS}, says=NO_FILTER)
        wanted = serializer.validated_data
        filters = {field: request.query_params.getlist(field) for field in FACETS if field in request.query_params}
        if wrong := search.unknown_values(filters, user=request.user):
            raise ValidationError({name: f"There is no {value[:100]!r}." for name, value in wrong.items()})
        found = search.find(
            wanted["q"],
            user=request.user,
            filters=filters,
            sort=wanted["sort"],
            page=wanted["page"],
            per_page=wanted["per_page"],
        )
        return Response(found.as_json())
