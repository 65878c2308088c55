"""What the doors for programs share that are no REST: the size of a body, refusals as problem details (RFC 9457)."""

from http import HTTPStatus

from django.http import HttpRequest, JsonResponse


class TooBig(Exception):
    """The body is longer than this door takes."""


def body_of(request: HttpRequest, *, limit: int) -> bytes:
    """The whole body, never more than this read of it. Raises `TooBig`."""
    said = request.headers.get("Content-Length", "")
    if said.isdigit() and int(said) > limit:
        raise TooBig(f"The body has {int(said):,} bytes; at most {limit:,} are taken.")
    body: bytes = request.read(limit + 1)
    if len(body) > limit:
        raise TooBig(f"The body is longer than {limit:,} bytes.")
    return body


def problem(status: int, detail: str) -> JsonResponse:
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JsonResponse(said, status=status, content_type="application/problem+json")


def refused(detail: str) -> JsonResponse:
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="Postmortem KB"'
    return answer
