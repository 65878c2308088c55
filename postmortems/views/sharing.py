"""Who may see an incident, a postmortem, a fix: one page for all three."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from kb.errors import DomainError
from postmortems.access_forms import AccessForm, access_of
from postmortems.models import Fix, Incident, Postmortem
from postmortems.views.permalinks import by_ref
from postmortems.workflows import sharing


@require_http_methods(["GET", "HEAD", "POST"])
def incident_access(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, by_ref(Incident.objects.visible_to(request.user), ref))


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_access(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, by_ref(Postmortem.objects.visible_to(request.user), ref))


@require_http_methods(["GET", "HEAD", "POST"])
def fix_access(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, by_ref(Fix.objects.visible_to(request.user), ref))


def _page(request: HttpRequest, row: sharing.Document) -> HttpResponse:
    sharing.require_sharing(row, request.user)
    form = AccessForm(request.POST or None, initial=access_of(row))
    if form.is_valid():
        try:
            sharing.change_access(row, **form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error("may_lock_out", str(refusal))
        else:
            messages.success(request, f"{row.ref}: saved. It counts from now on, everywhere.")
            seen = type(row)._default_manager.visible_to(request.user).filter(pk=row.pk).exists()
            return redirect(row if seen else "home")
    return render(request, "postmortems/access_edit.html", {"form": form, "row": row, "homes": homes_of(row, request)})


def homes_of(row: sharing.Document, request: HttpRequest) -> list[Incident | Postmortem]:
    """What it hangs on and what closes its doors too."""
    if isinstance(row, Fix) and row.postmortem:
        return [row.postmortem, *homes_of(row.postmortem, request)]
    if isinstance(row, Postmortem):
        return list(row.incidents.filter(Incident.objects.visible_where(request.user)))
    return []
