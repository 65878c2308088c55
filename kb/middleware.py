"""Small middlewares: the content security policy, the end of a session, and the reader's time zone."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from kb.clock import zone_of

GetResponse = Callable[[HttpRequest], HttpResponse]


class ContentSecurityPolicyMiddleware:
    """Sends `settings.SECURE_CSP` with every answer, as Django 6's middleware of the same purpose will."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if getattr(request, "user", None) and request.user.is_authenticated:
            # What a person sees depends on who they are: no shared cache may keep it.
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class SessionIdleMiddleware:
    """Puts off the end of a session while it is used, at most once an hour: writing it at every page would be dear."""

    KEY = "seen_at"  # in a session: when its end was last put off
    EVERY = 3600

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen, now = request.session.get(self.KEY), int(time.time())
        if seen is not None and now - seen >= self.EVERY:
            request.session[self.KEY] = now
        return self.get_response(request)


class ReaderTimeZoneMiddleware:
    """Shows times in the zone that the signed-in reader chose; without a choice, in `settings.TIME_ZONE`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_of(request.user)):
            return self.get_response(request)
