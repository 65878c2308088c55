"""The audit log: all of it for administrators, of one document for those who answer for it."""

import json
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from kb.spreadsheet import as_csv
from postmortems import roles
from postmortems.filters import AuditFilter
from postmortems.models import AuditEvent, Incident, Postmortem
from postmortems.roles import NotAllowed
from postmortems.views.permalinks import by_ref
from postmortems.views.reader import reader_of

PER_PAGE = 50
COLUMNS = ("at", "by_name", "action", "object_key", "object_name", "reason", "changes", "channel", "address")


@require_safe
def audit_log(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Newest first; `?format=csv` is the same as a file."""
    roles.require(request.user, "administer")
    found = AuditFilter(request.GET, queryset=AuditEvent.objects.all())
    if request.GET.get("format") == "csv":
        return as_csv("audit.csv", COLUMNS, (cells_of(event) for event in found.qs.iterator(chunk_size=500)))
    page = Paginator(found.qs, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/audit_log.html", {"filter": found, "page": page})


def cells_of(event: AuditEvent) -> list[Any]:
    known = [getattr(event, name) for name in COLUMNS]
    return [json.dumps(value) if isinstance(value, dict) else value for value in known]


@require_safe
def postmortem_history(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = by_ref(Postmortem.objects.visible_to(request.user), ref)
    return _history(request, postmortem, {postmortem.owner_id})


@require_safe
def incident_history(request: HttpRequest, ref: str) -> HttpResponse:
    incident = by_ref(Incident.objects.visible_to(request.user), ref)
    return _history(request, incident, {incident.commander_id, incident.reported_by_id})


def _history(request: HttpRequest, row: Postmortem | Incident, answering: set[int | None]) -> HttpResponse:
    reader = reader_of(request)
    if reader.pk not in answering and not reader.may("administer"):
        raise NotAllowed(f"The history of {row.ref} is read by those who answer for it, and by administrators.")
    page = Paginator(AuditEvent.objects.about(row), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/document_history.html", {"row": row, "page": page})
