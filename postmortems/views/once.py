"""A form that arrives twice, by a second click or a reload, does its thing once."""

import hashlib
import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone

from kb.templatetags.kb import ONCE
from postmortems.models import KeptAnswer
from postmortems.models.kept_answer import LOCATION_LENGTH

PATIENCE, PAUSE = 10.0, 0.1  # seconds

View = Callable[..., HttpResponse]


def sent_once(view: View) -> View:
    """For a view that makes something and then redirects to it: whoever sends the very same again is led there, too.

    As `Idempotency-Key` does for programs. A form that came back with errors is not remembered, and another text is
    another thing. Of two that come at the same time the second waits for the first.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.POST.get(ONCE):
            return view(request, *args, **kwargs)
        key, give_up = _key(request), time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            row, is_new = KeptAnswer.objects.begin(user=request.user, key=key, fingerprint="", at=timezone.now())
            if is_new:
                return _first(row, lambda: view(request, *args, **kwargs))
            if row.status:
                messages.info(request, "This was sent twice. It counts once.")
                return redirect(row.location)
            time.sleep(PAUSE)
        return render(request, "postmortems/still_working.html", status=409)

    return answer


def _key(request: HttpRequest) -> str:
    typed = sorted((name, values) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken")
    said = json.dumps([request.get_full_path(), typed])
    return f"page:{hashlib.sha256(said.encode()).hexdigest()}"


def _first(row: KeptAnswer, view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        response = view()
    except BaseException:
        row.delete()
        raise
    if isinstance(response, HttpResponseRedirect) and len(response.url) <= LOCATION_LENGTH:
        row.keep(status=response.status_code, body={}, location=response.url)
    else:
        row.delete()
    return response
