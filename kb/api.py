"""What every address under /api/ shares: each refusal is a problem in the shape of RFC 9457."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from kb.errors import DomainError

PROBLEM = "application/problem+json"
# Whether it does not exist or is hidden nobody learns: the words are the same.
NOWHERE = "There is nothing at this address, or nothing that you may see."


# --- problems ---


def problem(status_code: int, detail: str, *, code: str, **more: Any) -> dict[str, Any]:
    """The body of a refusal. `code` tells programs apart what `status` lumps together."""
    title = HTTPStatus(status_code).phrase
    return {"type": "about:blank", "title": title, "status": status_code, "code": code, "detail": detail, **more}


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Every expected refusal; None of what nobody expected, which `server_error` answers."""
    if isinstance(exc, DomainError):
        exc = _Refused(exc)
    elif isinstance(exc, Http404):
        exc = exceptions.NotFound(NOWHERE)
    answer = drf_exception_handler(exc, dict(context))
    if answer is not None:
        answer.data = _body_of(exc, answer)
        answer.content_type = PROBLEM
    return answer


class _Refused(exceptions.APIException):
    """A rule of the domain said no, in its own words; its name is the code."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, refusal: DomainError) -> None:
        super().__init__(str(refusal), re.sub(r"(?<!^)(?=[A-Z])", "_", type(refusal).__name__).lower())


def _body_of(exc: Exception, answer: Response) -> dict[str, Any]:
    if isinstance(exc, exceptions.ValidationError):
        errors = list(_errors(exc.detail))
        return problem(answer.status_code, "What was sent cannot be taken.", code="invalid", errors=errors)
    data: Any = answer.data
    detail = data["detail"]
    return problem(answer.status_code, str(detail), code=detail.code)


def _errors(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """`{"field": "sections.impact", "detail": "..."}` for each; of the whole the field is empty."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            inner_name = "" if name in {"non_field_errors", "__all__"} else str(name)
            yield from _errors(inner, ".".join(filter(None, (field, inner_name))))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _errors(inner, f"{field}.{number}".strip(".") if nested else field)
    else:
        yield {"field": field, "detail": str(detail)}


# --- answers outside a view ---


def is_for_programs(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _refusal(status_code: int, detail: str, code: str) -> HttpResponse:
    return JsonResponse(problem(status_code, detail, code=code), status=status_code, content_type=PROBLEM)


def moved(address: str) -> HttpResponse:
    """308: the same request, method and body, there. Who does not follow reads where."""
    answer = HttpResponsePermanentRedirect(address, preserve_request=True, content_type=PROBLEM)
    answer.content = json.dumps(problem(308, f"This address ends with a slash: {address}", code="moved")).encode()
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_for_programs(request):
        return _refusal(400, "This request cannot be read.", "bad_request")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_for_programs(request):
        return _refusal(404, NOWHERE, "not_found")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_for_programs(request):
        return _refusal(500, "Something went wrong here. It is in the log of the site.", "error")
    return defaults.server_error(request)
