"""The API described: OpenAPI for programs, and a page made of it for people."""

from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from postmortems.api import reading

OPENAPI = "application/vnd.oai.openapi+json"


@cache
def described() -> dict[str, Any]:
    """The whole description. It says nothing of the data here, so that everybody may read it."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


@cache
def as_json() -> bytes:
    text: bytes = OpenApiJsonRenderer().render(described())
    return text


@require_safe
@login_not_required
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1."""
    return HttpResponse(as_json(), content_type=OPENAPI)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people: no script, nothing from elsewhere. What there is; each resource has a page of its own."""
    known = described()
    context = {"tags": reading.tags_of(known), "version": known["openapi"], "site": settings.SITE_URL}
    return render(request, "api_docs.html", context)


@require_safe
def docs_of(request: HttpRequest, tag: str) -> HttpResponse:
    """The operations of one resource, and the shapes that they take and answer with."""
    known = described()
    tags = reading.tags_of(known)
    found = next((each for each in tags if each.name == tag), None)
    if found is None:
        raise Http404("No such resource.")
    shapes = reading.shapes_for(found, reading.shapes_of(known))
    return render(request, "api_resource.html", {"tags": tags, "tag": found, "shapes": shapes})
