"""Working on an incident: look, lead, join, say, correct, and bring it through its states."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from postmortems import roles
from postmortems.lifecycle_forms import ReasonForm, ReleaseForm, TimesForm, UpdateForm, words_of
from postmortems.models import Incident, User
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import number_of, stepped, taken
from postmortems.workflows import closing, responding, triage


def incident_of(request: HttpRequest, ref: str) -> Incident:
    return by_ref(Incident.objects.visible_to(request.user).select_related("commander"), ref)


def step(request: HttpRequest, incident: Incident, take: Callable[..., object], done: str, **more: Any) -> HttpResponse:
    """Take one step and go back to where it was clicked; a refusal becomes a message."""
    return stepped(request, incident, _now(request, take, incident, more), f"{incident.ref}: {done}")


def _now(
    request: HttpRequest, take: Callable[..., object], incident: Incident, more: dict[str, Any]
) -> partial[object]:
    return partial(take, incident, by=request.user, at=timezone.now(), **more)


@require_POST
def incident_acknowledge(request: HttpRequest, ref: str) -> HttpResponse:
    return step(request, incident_of(request, ref), triage.acknowledge, "you are looking.")


@require_POST
def incident_mitigate(request: HttpRequest, ref: str) -> HttpResponse:
    return step(request, incident_of(request, ref), triage.mitigate, "marked as mitigated.")


@require_POST
def incident_resolve(request: HttpRequest, ref: str) -> HttpResponse:
    return step(request, incident_of(request, ref), triage.resolve, "marked as resolved.")


@require_POST
def incident_command(request: HttpRequest, ref: str) -> HttpResponse:
    """Take command, or hand it to `to`. `instead_of`: who led it when the page was read."""
    incident = incident_of(request, ref)
    seen = number_of(request.POST.get("instead_of"))
    if not request.POST.get("to"):
        return step(request, incident, responding.take_command, "you command.", instead_of=seen)
    to = get_object_or_404(User.objects.filter(participations__incident=incident), pk=number_of(request.POST["to"]))
    return step(request, incident, responding.hand_over, f"{to} commands.", to=to, instead_of=seen)


@require_POST
def incident_join(request: HttpRequest, ref: str) -> HttpResponse:
    return step(request, incident_of(request, ref), responding.join, "you work on it.")


@require_POST
def incident_release(request: HttpRequest, ref: str) -> HttpResponse:
    """ "Cleared, not my area"."""
    incident, form = incident_of(request, ref), ReleaseForm(request.POST)
    if not form.is_valid():
        messages.error(request, words_of(form))
        return redirect(incident)
    return step(request, incident, responding.release, "you are released. Thank you.", note=form.cleaned_data["note"])


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def incident_update(request: HttpRequest, ref: str) -> HttpResponse:
    """An entry of the timeline. The page of its own is for when something is wrong with it."""
    roles.require(request.user, "respond")
    incident, form = incident_of(request, ref), UpdateForm(request.POST or None)
    if form.is_valid():
        responding.post_update(incident, **form.cleaned_data, by=request.user, at=timezone.now())
        messages.success(request, f"{incident.ref}: added to the timeline.")
        return redirect(f"{incident.get_absolute_url()}#timeline")
    return render(request, "postmortems/incident_update.html", {"form": form, "incident": incident})


@require_http_methods(["GET", "HEAD", "POST"])
def incident_times(request: HttpRequest, ref: str) -> HttpResponse:
    roles.require(request.user, "respond")
    incident = incident_of(request, ref)
    form = TimesForm(request.POST or None, incident=incident)
    if form.is_valid() and taken(form, _now(request, responding.correct_times, incident, form.cleaned_data)):
        messages.success(request, f"{incident.ref}: the times are corrected.")
        return redirect(incident)
    context = {"form": form, "incident": incident, "zone": timezone.get_current_timezone()}
    return render(request, "postmortems/incident_times.html", context)


@dataclass(frozen=True)
class Ending:
    """A step that wants a reason, on a page of its own."""

    title: str
    says: str
    button: str
    done: str


CLOSE = Ending("Close", "Nothing is left to do.", "Close", "closed.")
CANCEL = Ending("Cancel", "It was no incident after all. What was written stays.", "Cancel the incident", "cancelled.")
REOPEN = Ending("Reopen", "It is back, or was never over. It goes on as under investigation.", "Reopen", "open again.")


@require_http_methods(["GET", "HEAD", "POST"])
def incident_cancel(request: HttpRequest, ref: str) -> HttpResponse:
    return _end(request, incident_of(request, ref), CANCEL, triage.cancel)


@require_http_methods(["GET", "HEAD", "POST"])
def incident_reopen(request: HttpRequest, ref: str) -> HttpResponse:
    return _end(request, incident_of(request, ref), REOPEN, triage.reopen)


@require_http_methods(["GET", "HEAD", "POST"])
def incident_close(request: HttpRequest, ref: str) -> HttpResponse:
    """With its blockers, each with the next step."""
    incident = incident_of(request, ref)
    return _end(request, incident, CLOSE, triage.close, blockers=closing.blockers_of(incident))


def _end(
    request: HttpRequest, incident: Incident, ending: Ending, take: Callable[..., object], **context: Any
) -> HttpResponse:
    if request.method != "POST":  # else the step asks
        roles.require(request.user, "respond")
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and taken(form, _now(request, take, incident, form.cleaned_data)):
        messages.success(request, f"{incident.ref}: {ending.done}")
        return redirect(incident)
    stops = any(blocker.stops for blocker in context.get("blockers", ()))
    asks = ending is not CLOSE or stops
    context |= {"form": form, "incident": incident, "ending": ending, "stops": stops, "asks": asks}
    return render(request, "postmortems/incident_end.html", context)
