"""The timeline of an incident or a postmortem: what happened when, in the writer's zone."""

from datetime import UTC, datetime, time
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from postmortems.forms import TimelineEntryForm
from postmortems.models import Incident, Postmortem, TimelineEntry
from postmortems.roles import require
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import stepped, taken
from postmortems.workflows import reviewing, timelines


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def timeline(request: HttpRequest, ref: str) -> HttpResponse:
    """The entries, and a form for one more."""
    home = _home(request.user, ref)
    entries = list(home.timeline.select_related("by"))
    after = entries[-1].at if entries else _start_of(home)
    form = TimelineEntryForm(request.POST or None, after=after)
    if form.is_valid() and taken(
        form, lambda: timelines.add(home, by=request.user, now=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, "Added to the timeline.")
        return redirect(request.path)
    shown = {"home": home, "entries": entries, "form": form, "after": after}
    return render(request, "postmortems/timeline_edit.html", shown, status=409 if form.candidates else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def timeline_entry(request: HttpRequest, ref: str, pk: int) -> HttpResponse:
    """One entry, to be put right."""
    home = _home(request.user, ref)
    entry = get_object_or_404(home.timeline, pk=pk)
    before = home.timeline.filter(at__lt=entry.at).last()
    form = TimelineEntryForm(
        request.POST or None, after=before.at if before else _start_of(home), initial=_initial_of(entry)
    )
    if form.is_valid() and taken(
        form, lambda: timelines.change(entry, by=request.user, now=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, "Changed.")
        return redirect(_address(home))
    shown = {"home": home, "entry": entry, "form": form, "after": form.after}
    return render(request, "postmortems/timeline_entry.html", shown, status=409 if form.candidates else 200)


@require_POST
def timeline_remove(request: HttpRequest, ref: str, pk: int) -> HttpResponse:
    home = _home(request.user, ref)
    entry = get_object_or_404(home.timeline, pk=pk)
    step = partial(timelines.remove, entry, by=request.user, now=timezone.now())
    return stepped(request, _address(home), step, "Taken off the timeline.")


def _home(user: Any, ref: str) -> Incident | Postmortem:
    if Incident.pk_of_ref(ref) is not None:
        incident = by_ref(Incident.objects.visible_to(user), ref)
        require(user, "respond")
        return incident
    if Postmortem.pk_of_ref(ref) is None:
        raise Http404("Neither an incident nor a postmortem.")
    postmortem = by_ref(Postmortem.objects.visible_to(user), ref)
    reviewing.require_editor(postmortem, user)
    return postmortem


def _start_of(home: Incident | Postmortem) -> datetime:
    if home.started_at:
        return home.started_at
    day = home.occurred_on if isinstance(home, Postmortem) else None
    return datetime.combine(day, time(12), UTC) if day else timezone.now()


def _initial_of(entry: TimelineEntry) -> dict[str, Any]:
    at = timezone.localtime(entry.at)
    offset = at.strftime("%z")
    seconds = ":%S" if at.second else ""
    typed = at.strftime(f"%Y-%m-%d %H:%M{seconds}") + f"{offset[:3]}:{offset[3:5]}"
    return {"at": typed, "kind": entry.kind, "text": entry.text, "evidence_url": entry.evidence_url}


def _address(home: Incident | Postmortem) -> str:
    return f"{home.get_absolute_url()}timeline/"
