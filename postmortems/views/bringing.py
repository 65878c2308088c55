"""What an organisation has already is brought in: choose a file, look at what would come of it, import it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from kb.errors import DomainError
from kb.spreadsheet import as_csv
from postmortems import roles
from postmortems.import_forms import AnswersForm, FileForm
from postmortems.views.reader import reader_of
from postmortems.views.steps import stepped, taken
from postmortems.workflows import bringing
from postmortems.workflows.uploading import FOLDER

SHOWN = 100  # of each list; the whole of it is in the report
# Whose pages have refs in their addresses.
PLACES = {"PM": "postmortem_detail", "INC": "incident_detail", "FIX": "fix_detail", "PRB": "problem_detail"}
_REF = re.compile(r"([A-Z]{2,3})-[0-9]{1,18}")


@require_http_methods(["GET", "HEAD", "POST"])
def import_page(request: HttpRequest) -> HttpResponse:
    """The first step. What is chosen is kept for its uploader, and looked at."""
    roles.require(request.user, "administer")
    form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
    if form.is_valid():
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        name, wanted = file.name or "", form.cleaned_data["form"]
        try:
            known = bringing.keep(name, file.chunks(), form=wanted, by=reader_of(request), at=timezone.now())
        except DomainError as refusal:
            form.add_error("file", str(refusal))
        else:
            return redirect(_address(known))
    return render(request, "postmortems/import.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def import_file(request: HttpRequest, token: UUID) -> HttpResponse:
    """The second step: what would come of it, and the answers. The third: what came of it."""
    known = _known(request, token)
    who, now = reader_of(request), timezone.now()
    if request.method == "POST" and request.POST.get("step") == "import":
        return stepped(request, _address(known), lambda: bringing.bring(known, by=who, at=now), "Imported.")
    table = None if known.is_imported else known.table()
    form = AnswersForm(request.POST if request.method == "POST" else None, answers=known.answers, table=table)
    if form.is_valid() and taken(form, lambda: bringing.look(known, form.chosen(), by=who, at=now)):
        return redirect(_address(known))
    shown = {"known": known, "form": form, "report": _shown(known)}
    return render(request, "postmortems/import_file.html", shown, status=400 if form.errors else 200)


@require_safe
def import_report(request: HttpRequest, token: UUID) -> StreamingHttpResponse:
    """All of it, as CSV."""
    header = ("state", "where", "ref", "title", "remark")
    rows = [[each.get(name) for name in header] for each in _entries(_known(request, token))]
    return as_csv("import.csv", header, rows)


def _known(request: HttpRequest, token: UUID) -> bringing.Kept:
    try:
        return bringing.kept(token, by=reader_of(request))
    except bringing.NotKept as gone:
        raise Http404(str(gone)) from gone


def _address(known: bringing.Kept) -> str:
    return reverse("import_file", args=[known.token])


# --- the report, as it is shown ---


def _entries(known: bringing.Kept) -> list[dict[str, Any]]:
    """One for each thing in the file, what is wrong first, with where it stands in it and what is remarked on it."""
    report = known.report or {"skipped": (), "postmortems": (), "ignored": ()}
    entries = [{"state": "skipped", **each, "remark": each["reason"]} for each in report["skipped"]]
    entries += [{**each, "remark": each["note"]} for each in report["postmortems"]]
    entries += [{"state": "left alone", **each, "remark": each["reason"]} for each in report["ignored"]]
    return [{**each, "where": _where(each, known.name)} for each in entries]


def _where(entry: Mapping[str, Any], name: str) -> str:
    """`upload/pm/a.md` of `pm.zip`: `a.md`; `upload/a.csv#line 7`: `line 7`."""
    place = str(entry["file"]).removeprefix(f"{FOLDER}/").removeprefix(f"{PurePath(name).stem}/")
    place = place.removeprefix(f"{name}#")
    line = f"line {entry['line']}" if entry.get("line") else ""
    return place if not line or place.endswith(line) else f"{place}, {line}"


def _shown(known: bringing.Kept) -> dict[str, Any] | None:
    """For each state all that there is, counted, and the first of it. None before the first look."""
    if known.report is None:
        return None
    entries = _entries(known)
    by_state: dict[str, list[dict[str, Any]]] = {}
    for each in entries:
        by_state.setdefault(each["state"].replace(" ", "_"), []).append(each)
    lists = {**by_state, "remarks": [each for each in entries if "title" in each and each["remark"]]}
    shown = {name: {"count": len(rows), "first": list(map(_linked, rows[:SHOWN]))} for name, rows in lists.items()}
    return {**shown, "has_something": bool(by_state.keys() & {"created", "updated"})}


def _linked(entry: dict[str, Any]) -> dict[str, Any]:
    ref = entry.get("ref") or ""
    place = PLACES.get(match[1]) if (match := _REF.fullmatch(ref)) else None
    return {**entry, "address": reverse(place, args=[ref]) if place else ""}
