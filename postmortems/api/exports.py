"""Everything that who asks may see, as a file: the same three forms as the page and `manage.py export`."""

from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from postmortems.api.base import View
from postmortems.exporting.files import FORMATS
from postmortems.workflows import exporting

TYPES = sorted({content_type for _, content_type, _ in FORMATS.values()})


class ExportQuery(serializers.Serializer[Any]):
    """`format`: Markdown and JSON Lines are read back by an import, CSV is for spreadsheets."""

    format = serializers.ChoiceField(list(FORMATS), default="markdown")


class ExportView(View):
    @extend_schema(
        parameters=[ExportQuery], responses={(200, content_type): OpenApiTypes.BINARY for content_type in TYPES}
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Everything that you may see, as a file.

        It comes as it is made, and what you may see is asked anew meanwhile. That you took it is in the audit log.
        """
        query = ExportQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        form = query.validated_data["format"]
        reader: Any = request.user
        name, content_type, _ = FORMATS[form]
        is_wanted = request.method != "HEAD"
        content = exporting.export(form, by=reader, at=timezone.now()) if is_wanted else iter(())
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return StreamingHttpResponse(content, content_type=content_type, headers=headers)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The query says which form: whatever is accepted, a refusal is JSON."""
        return super().perform_content_negotiation(request, force=True)
