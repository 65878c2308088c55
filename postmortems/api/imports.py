"""Files of other tools, and our own exports, sent in by a program."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.parsers import FileUploadParser
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems.api.base import View
from postmortems.importing.formats import NAMES, Wanted
from postmortems.importing.incident_table import mapping_of
from postmortems.workflows.importing import Options
from postmortems.workflows.uploading import MAX_BYTES, import_upload


class TooLarge(APIException):
    status_code = 413
    default_detail = f"At most {MAX_BYTES:,} bytes are taken."
    default_code = "too_large"


class ImportQuery(serializers.Serializer[Any]):
    """`map`: field=column, ... of a table of incidents."""

    dry_run = serializers.BooleanField(default=False)
    force = serializers.BooleanField(default=False)
    format = serializers.ChoiceField(NAMES, required=False, allow_blank=True, default="")
    map = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ImportView(View):
    """The body is the file, and the last part of the address its name: `PUT /api/v1/imports/issues.json`."""

    parser_classes = (FileUploadParser,)

    @extend_schema(
        parameters=[ImportQuery, OpenApiParameter("filename", str, OpenApiParameter.PATH)],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=OpenApiTypes.OBJECT,
    )
    def put(self, request: Request, filename: str) -> Response:
        query = ImportQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        said = request.META.get("CONTENT_LENGTH") or "0"
        if said.isdigit() and int(said) > MAX_BYTES:
            raise TooLarge
        wanted = query.validated_data
        try:
            mapping = mapping_of(wanted["map"])
        except ValueError as error:
            raise serializers.ValidationError({"map": [str(error)]}) from error
        options = Options(
            at=timezone.now(),
            owner=None,
            force=wanted["force"],
            dry_run=wanted["dry_run"],
            wanted=Wanted(wanted["format"], mapping),
        )
        upload: Any = request.data
        reader: Any = request.user
        report = import_upload(filename, upload["file"].chunks(), by=reader, options=options)
        return Response(report.as_json())
