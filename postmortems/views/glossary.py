"""The glossary: everyone reads it, staff and administrators look after it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from postmortems.forms import GlossaryForm
from postmortems.models import GlossaryEntry
from postmortems.workflows import glossary


@require_http_methods(["GET", "HEAD", "POST"])
def glossary_list(request: HttpRequest) -> HttpResponse:
    """The groups; posted to, one more."""
    may_edit = glossary.may_edit(request.user)
    form = GlossaryForm(_posted_by_an_editor(request))
    if form.is_valid():
        entry = glossary.write_group(GlossaryEntry(), text=form.cleaned_data["terms"])
        messages.success(request, f"Added: {entry}.")
        return redirect("glossary_list")
    entries = GlossaryEntry.objects.all()
    return render(request, "postmortems/glossary_list.html", {"entries": entries, "form": form, "may_edit": may_edit})


@require_http_methods(["GET", "HEAD", "POST"])
def glossary_edit(request: HttpRequest, pk: int) -> HttpResponse:
    if not glossary.may_edit(request.user):
        raise PermissionDenied
    entry = get_object_or_404(GlossaryEntry, pk=pk)
    form = GlossaryForm(_posted_by_an_editor(request), entry=entry, initial={"terms": entry.terms})
    if form.is_valid():
        glossary.write_group(entry, text=form.cleaned_data["terms"])
        messages.success(request, f"Saved: {entry}.")
        return redirect("glossary_list")
    return render(request, "postmortems/glossary_edit.html", {"entry": entry, "form": form})


@require_POST
def glossary_remove(request: HttpRequest, pk: int) -> HttpResponse:
    _posted_by_an_editor(request)
    entry = get_object_or_404(GlossaryEntry, pk=pk)
    glossary.remove_group(entry)
    messages.success(request, f"Removed: {entry}. Each of these terms now stands for itself alone.")
    return redirect("glossary_list")


def _posted_by_an_editor(request: HttpRequest) -> QueryDict | None:
    if request.method != "POST":
        return None
    if not glossary.may_edit(request.user):
        raise PermissionDenied
    return request.POST
