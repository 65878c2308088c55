"""Says of each request where it came from (see `kb.origin`): by which door, and from which address."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from kb.origin import Origin, comes_from


class OriginMiddleware:
    """Stands before everything that writes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with comes_from(Origin("api" if request.path_info.startswith("/api/") else "web", address_of(request))):
            return self.get_response(request)


def address_of(request: HttpRequest) -> str | None:
    """The client's, as the last proxy that we trust says; without such a proxy the header is the visitor's word."""
    said = request.META.get("REMOTE_ADDR", "")
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if trusted and forwarded != [""] and len(forwarded) >= trusted:
        said = forwarded[-trusted]
    try:
        return str(ipaddress.ip_address(said.strip().strip("[]").partition("%")[0]))
    except ValueError:
        return None
