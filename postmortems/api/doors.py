"""What the doors for programs share that are no REST: the size of a body, refusals as problem details (RFC 9457)."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from kb import api


class TooBig(Exception):
    """The body is longer than this door takes."""


def body_of(request: HttpRequest, *, limit: int) -> bytes:
    """The whole body, never more than this read of it. Raises `TooBig`."""
    said = request.headers.get("Content-Length", "")
    if said.isascii() and said.isdigit() and int(said[:20]) > limit:
        raise TooBig(f"The body has {int(said[:20]):,} bytes; at most {limit:,} are taken.")
    # In chunks it comes without a length. Django reads none of it then; the server knows where it ends.
    in_chunks = not said and request.META.get("wsgi.input_terminated")
    body: bytes = (request.META["wsgi.input"] if in_chunks else request).read(limit + 1)
    if len(body) > limit:
        raise TooBig(f"The body is longer than {limit:,} bytes.")
    return body


def problem(status: int, detail: str) -> JsonResponse:
    """`code` is the name of the status: `payload_too_large`."""
    code = HTTPStatus(status).name.lower()
    return JsonResponse(api.problem(status, detail, code=code), status=status, content_type=api.PROBLEM)


def refused(detail: str) -> JsonResponse:
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="Postmortem KB"'
    return answer


def posted(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Takes POST alone, and says so to programs."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            return view(request, *args, **kwargs)
        answer = problem(405, "Only POST is answered here.")
        answer.headers["Allow"] = "POST"
        return answer

    return answered
