"""Incidents: declare one, see what fixed it before, say what came of it."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import OuterRef, Prefetch, Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from kb.errors import DomainError
from kb.listing import ListOf
from postmortems import roles, suggestions
from postmortems.filters import IncidentFilter
from postmortems.forms import DeclareForm, EditForm, OutcomeForm, initial_of
from postmortems.models import Fix, Incident, PostmortemPolicy, TimelineEntry, Watch
from postmortems.models.prepared import PreparedForReaders
from postmortems.search import reading
from postmortems.views import crew, debt
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref, prepared_by_ref
from postmortems.workflows import suggesting, triage

PER_PAGE = 25


@require_safe
def incident_list(request: HttpRequest) -> HttpResponse:
    rows = Incident.objects.visible_to(request.user).select_related("commander").prefetch_related("services")
    found = IncidentFilter(request.GET, queryset=rows)
    page = Paginator(found.qs.newest_first(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/incident_list.html", {"filter": found, "page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def incident_new(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        typed = {"title": request.GET.get("title", ""), "services": request.GET.getlist("service")}
        form = DeclareForm(initial={**typed, "started_at": timezone.localtime()})
        return _declare_page(request, form)
    form = DeclareForm(request.POST)
    if "show" in request.POST:
        return _declare_page(request, form.as_typed(), form.report())
    if form.is_valid():
        try:
            incident = triage.open_incident(**form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{incident.ref} is declared.")
            return redirect(incident)
    return _declare_page(request, form, form.report())


def _declare_page(request: HttpRequest, form: DeclareForm, report: suggestions.Report | None = None) -> HttpResponse:
    report = report or suggestions.Report(title=form.initial.get("title", ""))
    return render(request, "postmortems/incident_new.html", {"form": form, **_panel(request, report)})


@require_POST
def incident_suggestions(request: HttpRequest) -> HttpResponse:
    """The suggestion panel for what is typed so far."""
    report = DeclareForm(request.POST).report()
    return render(request, "postmortems/_suggestions_live.html", _panel(request, report))


def _panel(request: HttpRequest, report: suggestions.Report) -> dict[str, Any]:
    """What the suggestion panel shows; that it was seen is kept."""
    found = suggestions.suggest(report, user=request.user)
    seen = request.method != "HEAD"
    now = timezone.now()
    run = suggesting.record_run(found, by=request.user, at=now, incident=report.incident) if seen else None
    return {"found": found, "report": report, "run": run}


@require_safe
def incident_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    incident = _read(request.user, ref)
    panel = _panel(request, suggestions.report_of(incident))
    reading.complete(incident, user=request.user)
    return render(
        request,
        "postmortems/incident_detail.html",
        {
            "incident": incident,
            **panel,
            "uses": {use.fix_id: use for use in incident.fix_uses.all()},
            "form": OutcomeForm(fixes=Fix.objects.none()),
            **crew.context(request, incident),
            "debts": debt.items_of(incident),
            **_wanted(incident),
        },
    )


def _wanted(incident: Any) -> dict[str, Any]:
    """What the policy says of a postmortem that is not begun yet."""
    # The one of its kind stands before the one of any: "" is the smallest word.
    rules = sorted(incident.policies, key=lambda rule: rule["kind"], reverse=True)
    wanted = rules and incident.is_over and not incident.told_by
    policy = PostmortemPolicy(severity=incident.severity, **rules[0]) if wanted else None
    return {"policy": policy, "due_on": policy.due_on(incident) if policy else None}


def _read(user: Any, ref: str) -> Any:
    incident = prepared_by_ref(Incident, _to_read, ref, user)
    prefetch_related_objects([incident], Prefetch("timeline", TimelineEntry.objects.select_related("by")))
    return incident


@PreparedForReaders
def _to_read(user: Any, pk: int) -> Any:
    rows = Incident.objects.visible_to(user).filter(pk=pk).select_related("commander", "reported_by")
    rules = PostmortemPolicy.objects.filter(Q(kind=OuterRef("kind")) | Q(kind=""), severity=OuterRef("severity"))
    fields = {name: name for name in ("kind", "is_required", "days_until_due")}
    return reading.to_ask(rows).annotate(
        crew=crew.listed(),
        debts=debt.listed(user),
        policies=ListOf(rules, **fields),
        is_watched=Watch.objects.is_of(user, "incident"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def incident_edit(request: HttpRequest, ref: str) -> HttpResponse:
    roles.require(request.user, "respond")
    incident = by_ref(Incident.objects.visible_to(request.user), ref)
    form = EditForm(
        request.POST or None,
        initial=initial_of(incident),
        chosen=incident.services.all(),
        ended_at=incident.resolved_at,
    )
    if form.is_valid():
        try:
            triage.edit_incident(incident, **form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Saved. The text as first declared is kept beside it.")
            return redirect(incident)
    return render(request, "postmortems/incident_edit.html", {"form": form, "incident": incident})


@require_POST
def fix_outcome(request: HttpRequest, ref: str) -> HttpResponse:
    """One click: what came of a fix in this incident."""
    incident = by_ref(Incident.objects.visible_to(request.user), ref)
    form = OutcomeForm(request.POST, fixes=Fix.objects.visible_to(request.user))
    by_htmx = "HX-Request" in request.headers
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return HttpResponseClientRedirect(incident.get_absolute_url()) if by_htmx else redirect(incident)
    use = triage.record_outcome(incident, by=request.user, at=timezone.now(), **form.cleaned_data)
    messages.success(request, f"Recorded for {use.fix.ref}: {use.get_outcome_display().lower()}.")
    if not by_htmx:
        return redirect(f"{incident.get_absolute_url()}#fix-{use.fix_id}")
    fixes = Fix.objects.visible_to(request.user).with_freshness(timezone.localdate()).with_track_record(request.user)
    fix = fixes.get(pk=use.fix_id)
    seen = _read(request.user, ref)
    reading.complete(seen, user=request.user)
    return render(request, "postmortems/_outcome_recorded.html", {"incident": seen, "fix": fix, "uses": {fix.pk: use}})
