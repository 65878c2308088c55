"""OPTIONS: the header `Allow` says which methods there are, the description of the API what they take."""

from typing import Any

from django.urls import reverse
from rest_framework.metadata import BaseMetadata


class Options(BaseMetadata):
    """Where it is described. REST framework's own answer tells of what is shown as if that were what is sent."""

    def determine_metadata(self, request: Any, view: Any) -> dict[str, str]:
        return {"described_by": request.build_absolute_uri(reverse("api_schema"))}
