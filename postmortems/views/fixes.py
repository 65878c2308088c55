"""The library of fixes: read, write, verify, confirm and retire them, and what came of each."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from postmortems import roles
from postmortems.filters import FixFilter
from postmortems.lifecycle_forms import FixForm, ReasonForm, UseForm, initial_of_fix, words_of
from postmortems.models import Fix, FixUse, Incident, Postmortem, Problem, Service
from postmortems.models.fix import Overtaken
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import stepped, taken
from postmortems.workflows import curating, triage

PER_PAGE = 25


def _seen_by(user: Any) -> Any:
    today = timezone.localdate()
    return Fix.objects.visible_to(user).with_freshness(today).with_track_record(user).prefetch_related("services")


@require_safe
def fix_list(request: HttpRequest) -> HttpResponse:
    found = FixFilter(request.GET, queryset=_seen_by(request.user))
    page = Paginator(found.qs.order_by("title", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/fix_list.html", {"filter": found, "page": page})


@require_safe
def fix_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    fix = by_ref(_seen_by(request.user).select_related("problem", "postmortem", "confirmed_by"), ref)
    uses = FixUse.objects.visible_to(request.user).filter(fix=fix).select_related("incident", "recorded_by")
    page = Paginator(uses, PER_PAGE).get_page(request.GET.get("page"))
    use = UseForm(incidents=Incident.objects.none())
    return render(request, "postmortems/fix_detail.html", {"fix": fix, "page": page, "use": use})


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def fix_new(request: HttpRequest) -> HttpResponse:
    """Alone, or from what is named in the address: `?incident=INC-3`, `?postmortem=PM-7`."""
    roles.require(request.user, "curate")
    home = _home_of(request)
    begun = {"title": request.GET.get("title", ""), "services": _slugs(home), "problem": _problem_of(home)}
    form = _form(request, begun)
    if form.is_valid():
        fields = {name: value for name, value in form.cleaned_data.items() if name != "seen"}
        fix = curating.create_fix(**fields, **home, by=request.user, at=timezone.now())
        messages.success(request, f"{fix.ref} is in the library, as a draft.")
        return redirect(fix)
    return render(request, "postmortems/fix_edit.html", {"form": form, **home})


def _home_of(request: HttpRequest) -> dict[str, Any]:
    """The row it comes from, if the reader may see that."""
    if ref := request.GET.get("incident"):
        return {"incident": by_ref(Incident.objects.visible_to(request.user), ref)}
    if ref := request.GET.get("postmortem"):
        return {"postmortem": by_ref(Postmortem.objects.visible_to(request.user), ref)}
    return {}


def _slugs(home: dict[str, Any]) -> list[str]:
    return [service.slug for row in home.values() for service in row.services.all()]


def _problem_of(home: dict[str, Any]) -> int | None:
    return home["postmortem"].problem_id if "postmortem" in home else None


def _form(request: HttpRequest, begun: dict[str, Any], fix: Fix | None = None) -> FixForm:
    services = Service.objects.in_use()
    if fix:
        services = (services | fix.services.all()).distinct()
    problems = Problem.objects.visible_to(request.user)
    return FixForm(request.POST or None, initial=begun, problems=problems, services=services)


@require_http_methods(["GET", "HEAD", "POST"])
def fix_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Whoever was overtaken gets both texts: theirs in the form, the other beside it; saved again, theirs counts."""
    roles.require(request.user, "curate")
    fix = by_ref(Fix.objects.visible_to(request.user), ref)
    form = _form(request, initial_of_fix(fix), fix)
    context: dict[str, Any] = {"form": form, "fix": fix}
    if form.is_valid():
        try:
            curating.edit_fix(fix, **form.cleaned_data, by=request.user, at=timezone.now())
        except Overtaken as refusal:
            theirs = by_ref(Fix.objects.visible_to(request.user), ref)
            form.add_error(None, str(refusal))
            form.data = request.POST.copy()
            form.data["seen"] = theirs.fingerprint()
            context["theirs"] = _differences(form, theirs)
        else:
            messages.success(request, f"{fix.ref}: saved.")
            return redirect(fix)
    return render(request, "postmortems/fix_edit.html", context)


def _differences(form: FixForm, theirs: Fix) -> list[tuple[str, str]]:
    """What now stands in the fields where the two texts differ."""
    mine = {**form.cleaned_data, "problem": getattr(form.cleaned_data["problem"], "pk", None)}
    mine["services"] = sorted(service.slug for service in mine["services"])
    stored = theirs.content()
    differing = [name for name in stored if stored[name] != mine[name]]
    return [(str(form[name].label), _shown(name, stored[name], theirs)) for name in differing]


def _shown(name: str, value: Any, fix: Fix) -> str:
    if name == "services":
        return ", ".join(value) or "none"
    return str(fix.problem or "none") if name == "problem" else str(value) or "nothing"


@require_POST
def fix_verify(request: HttpRequest, ref: str) -> HttpResponse:
    return _step(request, ref, curating.verify_fix, "verified.")


@require_POST
def fix_confirm(request: HttpRequest, ref: str) -> HttpResponse:
    return _step(request, ref, curating.confirm_fix, "still valid, as of today.")


@require_POST
def fix_take_back(request: HttpRequest, ref: str) -> HttpResponse:
    return _step(request, ref, curating.take_back_fix, "of use again, as a draft.")


def _step(request: HttpRequest, ref: str, take: Callable[..., None], done: str) -> HttpResponse:
    fix = by_ref(Fix.objects.visible_to(request.user), ref)
    return stepped(request, fix, partial(take, fix, by=request.user, at=timezone.now()), f"{fix.ref}: {done}")


@require_http_methods(["GET", "HEAD", "POST"])
def fix_retire(request: HttpRequest, ref: str) -> HttpResponse:
    roles.require(request.user, "verify")
    fix = by_ref(Fix.objects.visible_to(request.user), ref)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        step = partial(curating.retire_fix, fix, **form.cleaned_data, by=request.user, at=timezone.now())
        if taken(form, step):
            messages.success(request, f"{fix.ref}: retired. It is suggested to nobody any more.")
            return redirect(fix)
    return render(request, "postmortems/fix_retire.html", {"form": form, "fix": fix})


@require_POST
def fix_use(request: HttpRequest, ref: str) -> HttpResponse:
    """What came of it, said on its own page."""
    fix = by_ref(Fix.objects.visible_to(request.user), ref)
    form = UseForm(request.POST, incidents=Incident.objects.visible_to(request.user))
    if not form.is_valid():
        roles.require(request.user, "respond")
        messages.error(request, words_of(form))
        return redirect(fix)
    said = dict(form.cleaned_data)
    triage.record_outcome(said.pop("incident"), fix, **said, by=request.user, at=timezone.now())
    messages.success(request, f"{fix.ref}: recorded.")
    return redirect(fix)
