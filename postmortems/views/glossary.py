"""The glossary: everyone reads it, who may curate looks after it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from postmortems import roles
from postmortems.forms import GlossaryForm
from postmortems.models import GlossaryEntry
from postmortems.workflows import glossary


@require_http_methods(["GET", "HEAD", "POST"])
def glossary_list(request: HttpRequest) -> HttpResponse:
    """The groups; posted to, one more."""
    form = GlossaryForm(request.POST or None)
    if request.method == "POST":
        roles.require(request.user, "curate")
    if form.is_valid():
        entry = glossary.write_group(
            GlossaryEntry(), text=form.cleaned_data["terms"], by=request.user, at=timezone.now()
        )
        messages.success(request, f"Added: {entry}.")
        return redirect("glossary_list")
    entries = GlossaryEntry.objects.all()
    return render(request, "postmortems/glossary_list.html", {"entries": entries, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def glossary_edit(request: HttpRequest, pk: int) -> HttpResponse:
    roles.require(request.user, "curate")
    entry = get_object_or_404(GlossaryEntry, pk=pk)
    form = GlossaryForm(request.POST or None, entry=entry, initial={"terms": entry.terms})
    if form.is_valid():
        glossary.write_group(entry, text=form.cleaned_data["terms"], by=request.user, at=timezone.now())
        messages.success(request, f"Saved: {entry}.")
        return redirect("glossary_list")
    return render(request, "postmortems/glossary_edit.html", {"entry": entry, "form": form})


@require_POST
def glossary_remove(request: HttpRequest, pk: int) -> HttpResponse:
    roles.require(request.user, "curate")
    entry = get_object_or_404(GlossaryEntry, pk=pk)
    glossary.remove_group(entry, by=request.user, at=timezone.now())
    messages.success(request, f"Removed: {entry}. Each of these terms now stands for itself alone.")
    return redirect("glossary_list")
