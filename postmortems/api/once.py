"""`Idempotency-Key`: what was created once is not created again because an answer was lost on its way."""

import hashlib
import json
from collections.abc import Callable, Collection
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from postmortems.models import KeptAnswer
from postmortems.models.kept_answer import KEY_LENGTH

HEADER = "Idempotency-Key"


class OtherRequest(APIException):
    status_code = 422
    default_detail = "This Idempotency-Key was used for another request. Take a new one for each thing to create."
    default_code = "idempotency_key_reused"


class StillWorking(APIException):
    status_code = 409
    default_detail = "The first request with this Idempotency-Key is still being worked on. Ask again in a moment."
    default_code = "idempotency_key_in_use"
    wait = 1


def once(
    request: Request, make: Callable[[], Response], *, still_seen: Callable[[Any], bool], but: Collection[str] = ()
) -> Response:
    """What `make` answers, or answered when this key came first, in the last 24 hours.

    Only what was created is kept: a refused request may be put right and sent again. The row and the answer are
    written in one transaction. `still_seen`: whether who asks may still see what that answer told. `but`: what is
    told this once and kept nowhere; it is null when the answer comes again.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return make()
    row, is_new = KeptAnswer.objects.begin(
        user=request.user, key=_usable(key), fingerprint=fingerprint(request), at=timezone.now()
    )
    if not is_new:
        return _again(row, request, still_seen)
    try:
        with transaction.atomic():
            answer = make()
            kept = {**answer.data, **dict.fromkeys(but)}
            row.keep(status=answer.status_code, body=kept, location=answer.headers.get("Location", ""))
    except BaseException:
        row.delete()
        raise
    return answer


def _usable(key: str) -> str:
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= KEY_LENGTH):
        raise ValidationError({HEADER: f"1 to {KEY_LENGTH} printable characters."})
    return key


def fingerprint(request: Request) -> str:
    said = json.dumps([request.method, request.path, request.data], sort_keys=True, default=_content)
    return hashlib.sha256(said.encode()).hexdigest()


def _content(file: UploadedFile[bytes]) -> list[str | None]:
    """What tells a file from another one."""
    known = hashlib.sha256()
    for piece in file.chunks():
        known.update(piece)
    file.seek(0)
    return [file.name, known.hexdigest()]


def _again(row: KeptAnswer, request: Request, still_seen: Callable[[Any], bool]) -> Response:
    if row.fingerprint != fingerprint(request):
        raise OtherRequest
    if row.status is None:
        raise StillWorking
    if not still_seen(row.body):
        raise Http404
    headers = {"Idempotency-Replayed": "true", **({"Location": row.location} if row.location else {})}
    return Response(row.body, status=row.status, headers=headers)
