"""Where alerts come in: the size is checked, then who sends, then what; the rest is the workflow's."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from postmortems import intake
from postmortems.api.doors import TooBig, body_of, posted, problem, refused
from postmortems.models import Incident
from postmortems.suggestions import Suggestions
from postmortems.workflows import credentials, receiving
from postmortems.workflows.credentials import Sender
from postmortems.workflows.delivery import Received


@csrf_exempt
@login_not_required
@posted
@transaction.non_atomic_requests
def intake_receive(request: HttpRequest, source: str) -> JsonResponse:
    """A delivery of alerts: 200 with what became of each; or a refusal with its reason, and nothing written."""
    if source not in intake.SOURCES:
        raise Http404(f"No source {source}.")
    try:
        body = body_of(request, limit=intake.MAX_BYTES)
    except TooBig as refusal:
        return problem(413, str(refusal))
    if (packed := request.headers.get("Content-Encoding", "identity").strip().lower()) not in ("", "identity"):
        return problem(415, f"The body is {packed[:40]}; it is read as it is: send it without Content-Encoding.")
    now = timezone.now()
    sender = credentials.sender_of(source, request.headers, body, at=now)
    if sender is None:
        return refused("Send a token with the scope ingest, or sign with a key that is known here.")
    try:
        reports = intake.parse(source, request.headers, body)
    except intake.Malformed as refusal:
        return problem(400, str(refusal))
    received = receiving.receive(source, reports, account=sender.account, at=now)
    suggested = receiving.suggest_for(received, account=sender.account, at=now)
    return JsonResponse({**_answer(received, sender), **_suggestion(request, received, sender, suggested)})


def _answer(received: Sequence[Received], sender: Sender) -> dict[str, Any]:
    pks = {each.incident_pk for each in received if each.incident_pk}
    shown = Incident.objects.visible_to(sender.account).in_bulk(pks)
    return {"received": len(received), "alerts": [_told(each, shown) for each in received]}


def _told(each: Received, shown: Mapping[int, Incident]) -> dict[str, Any]:
    incident = shown.get(each.incident_pk) if each.incident_pk else None
    return {
        "dedup_key": each.report.series,
        "did": each.did,
        "incident": incident and incident.ref,
        "url": incident and settings.SITE_URL + incident.get_absolute_url(),
    }


def _suggestion(
    request: HttpRequest, received: Sequence[Received], sender: Sender, suggested: Mapping[int, Suggestions]
) -> dict[str, Any]:
    """The best suggestion for the first incident: where a rule says so, or `?suggest=1` and the token may read."""
    asked = request.GET.get("suggest") == "1" and sender.may_read
    wanted = (each for each in received if each.incident_pk and (asked or each.policy.replies))
    about = each.incident if (each := next(wanted, None)) else None
    if about is None:
        return {}
    found = suggested.get(about.pk) or receiving.suggest(about, account=sender.account, at=timezone.now())
    return {"suggestion": found.results[0].as_json() if found.results else None}
