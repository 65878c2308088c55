"""Pages of a list, by number: the order is the pages' own, with dates that may be missing, which no cursor can hold."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

PER_PAGE, MOST = 25, 100
LAST = 1000  # pages: 100,000 rows; who wants more takes an export


class PageSerializer(serializers.Serializer[Any]):
    """Which page, and how long it is."""

    page = serializers.IntegerField(min_value=1, max_value=LAST, required=False, default=1)
    per_page = serializers.IntegerField(min_value=1, max_value=MOST, required=False, default=PER_PAGE)


class Pages(BasePagination):
    """`{"count", "next", "previous", "results"}`. A page behind the last one is empty."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        wanted = PageSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        self.number, self.size = wanted.validated_data["page"], wanted.validated_data["per_page"]
        self.address = request.build_absolute_uri()
        self.count = queryset.count()
        first = (self.number - 1) * self.size
        return list(queryset[first : first + self.size]) if first < self.count else []

    def get_paginated_response(self, data: Any) -> Response:
        has_next = self.number * self.size < self.count and self.number < LAST
        pages = {"next": self._link(1) if has_next else None, "previous": self._link(-1) if self.number > 1 else None}
        return Response({"count": self.count, **pages, "results": data})

    def _link(self, way: int) -> str:
        return replace_query_param(self.address, "page", self.number + way)

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
                "next": link,
                "previous": link,
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        def number(name: str, most: int, usual: int) -> dict[str, Any]:
            return {
                "name": name,
                "in": "query",
                "required": False,
                "schema": {"type": "integer", "minimum": 1, "maximum": most, "default": usual},
            }

        return [number("page", LAST, 1), number("per_page", MOST, PER_PAGE)]
