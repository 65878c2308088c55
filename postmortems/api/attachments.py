"""Files and pictures of a postmortem: listed and fetched by whoever sees it, added and taken away by its editors."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_parser import TooLarge
from kb.api_schema import taking
from kb.serving import served
from postmortems.api import fields
from postmortems.api.base import Resource
from postmortems.models import Attachment
from postmortems.workflows import attaching

FORM_BYTES = 100_000  # what may be around the file in a form


class AttachmentSerializer(fields.ReadOnly[Attachment]):
    """A file. `content_type` was found in it; `markdown`: what to write where it is to be seen."""

    by = fields.person()
    markdown = serializers.CharField(read_only=True)

    class Meta:
        model = Attachment
        fields: tuple[str, ...] = ("token", "name", "content_type", "size", "markdown", "by", "at")


@extend_schema_field({"type": "string", "format": "binary"})
class SentFile(serializers.FileField):
    """What an upload brings."""


class FileInput(serializers.Serializer[Any]):
    """One file of at most 10 MB, as forms send it."""

    file = SentFile(allow_empty_file=True)  # the workflow says so in its own words


class OneType(DefaultContentNegotiation):
    """A file is what it is, whatever kind was asked for; refusals are JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class HasAttachments(Resource):
    """Of postmortems."""

    @taking("key")
    @extend_schema(methods=["GET"], responses=AttachmentSerializer(many=True))
    @extend_schema(methods=["POST"], request={"multipart/form-data": FileInput}, responses={201: AttachmentSerializer})
    @action(detail=True, methods=["get", "post"], filterset_class=None, parser_classes=[MultiPartParser])
    def attachments(self, request: Request, **kwargs: Any) -> Response:
        """Its files, the oldest first. A new one is sent as a form: `curl -F file=@graph.png`."""
        row = self.row()
        if request.method == "GET":
            return self.listed(row.attachments.select_related("by"), AttachmentSerializer)
        said = request.META.get("CONTENT_LENGTH") or "0"
        if said.isdigit() and int(said) > attaching.MAX_BYTES + FORM_BYTES:
            raise TooLarge(f"A file has at most {attaching.MAX_BYTES:,} bytes. Link to where it lies.")
        return self.added(AttachmentSerializer, lambda: self._attach(row))

    def _attach(self, row: Any) -> Attachment:
        file: UploadedFile[bytes] = self.sent(FileInput)["file"]
        # No more than is kept: the rest of a huge file is of no use to anybody.
        content = file.read(attaching.MAX_BYTES + 1)
        return attaching.attach(row, name=file.name or "file", content=content, **self.now())

    @extend_schema(methods=["GET"], responses=AttachmentSerializer)
    @extend_schema(methods=["DELETE"], request=None, responses={204: None})
    @action(detail=True, methods=["get", "delete"], url_path="attachments/<uuid:token>", filterset_class=None)
    def attachment(self, request: Request, token: Any, **kwargs: Any) -> Response:
        """What is known of a file; or take it away. Texts that name it keep a link to nothing."""
        row = self._file(token)
        if request.method == "DELETE":
            attaching.detach(row, **self.now())
            return Response(status=204)
        return self.versioned(AttachmentSerializer(row).data)

    @extend_schema(
        responses={(200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, description="Of the type that it has.")}
    )
    @action(
        detail=True,
        url_path="attachments/<uuid:token>/content",
        filterset_class=None,
        pagination_class=None,
        content_negotiation_class=OneType,
    )
    def attachment_content(self, request: Request, token: Any, **kwargs: Any) -> HttpResponse:
        """The file itself, as its bytes."""
        row = self._file(token)
        try:
            content = row.content()
        except FileNotFoundError as gone:
            raise Http404 from gone
        return served(content, name=row.name, content_type=row.content_type, is_shown=row.is_picture)

    def _file(self, token: Any) -> Attachment:
        rows = Attachment.objects.filter(postmortem=self.row()).select_related("by", "postmortem")
        return get_object_or_404(rows, token=token)
