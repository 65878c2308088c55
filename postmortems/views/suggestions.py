"""What people do with suggestions: open them, judge them, and see how well they help."""

from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from kb.errors import DomainError
from postmortems.forms import VerdictForm
from postmortems.models import Incident, SuggestionRun, SuggestionVerdict
from postmortems.search import Item
from postmortems.suggestions import quality
from postmortems.views.permalinks import any_by_ref, by_ref
from postmortems.workflows import suggesting

LOOKED_BACK = timedelta(weeks=26)


@never_cache
@require_safe
def suggestion_open(request: HttpRequest, run: int, ref: str) -> HttpResponse:
    """To the page of what was suggested; that it was opened is kept."""
    shown = get_object_or_404(SuggestionRun.objects.visible_to(request.user), pk=run)
    item = any_by_ref(ref, request.user)
    if item.search_key not in shown.keys:
        raise Http404("That was not suggested then.")
    if request.method == "GET":
        suggesting.record_opening(shown, item, by=request.user, at=timezone.now())
    return redirect(item)


@require_POST
def suggestion_verdict(request: HttpRequest, ref: str) -> HttpResponse:
    """One click: how a suggestion compares with this incident."""
    incident = by_ref(Incident.objects.visible_to(request.user), ref)
    item = any_by_ref(request.POST.get("item", ""), request.user)
    form = VerdictForm(request.POST)
    try:
        if not form.is_valid():
            raise suggesting.NoVerdict("Say how it compares: same cause, same symptom or not similar.")
        given = form.cleaned_data["verdict"]
        suggesting.give_verdict(incident, item, verdict=given, by=request.user, at=timezone.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
        back = incident.get_absolute_url()
        return HttpResponseClientRedirect(back) if "HX-Request" in request.headers else redirect(back)
    return _judged(request, incident, item, given)


def _judged(request: HttpRequest, incident: Incident, item: Item, given: str) -> HttpResponse:
    said = SuggestionVerdict.Verdict(given).label.lower()
    messages.success(request, f"{item.ref}: {said}.")
    if "HX-Request" not in request.headers:
        return redirect(f"{incident.get_absolute_url()}#verdict-{item.ref.lower()}")
    context = {"incident": incident, "item": item, "verdict": given}
    return render(request, "postmortems/_verdict_given.html", context)


@require_safe
def suggestion_quality(request: HttpRequest) -> HttpResponse:
    """Precision, usefulness, abstention and time, of the incidents that the reader may see."""
    cases = quality.cases_for(request.user, since=timezone.now() - LOOKED_BACK)
    return render(
        request,
        "postmortems/suggestion_quality.html",
        {"quality": quality.quality_of(cases), "few": quality.FEW, "weeks": LOOKED_BACK.days // 7},
    )
