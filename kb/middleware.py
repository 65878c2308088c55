"""Two small middlewares: the content security policy, and the reader's time zone."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

GetResponse = Callable[[HttpRequest], HttpResponse]


class ContentSecurityPolicyMiddleware:
    """Sends `settings.SECURE_CSP` with every answer, as Django 6's middleware of the same purpose will."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        if getattr(request, "user", None) and request.user.is_authenticated:
            # What a person sees depends on who they are: no shared cache may keep it.
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class ReaderTimeZoneMiddleware:
    """Shows times in the zone that the signed-in reader chose; without a choice, in `settings.TIME_ZONE`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = getattr(request.user, "time_zone", "")
        with timezone.override(ZoneInfo(zone) if zone else timezone.get_default_timezone()):
            return self.get_response(request)
