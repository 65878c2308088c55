"""Publishing, the archive, and how a postmortem compares with what it looks like."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kb.errors import DomainError
from postmortems import blameless, roles
from postmortems.lifecycle_forms import ReasonForm
from postmortems.models import Comparison, Postmortem
from postmortems.review_forms import CompareForm
from postmortems.search import reading
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import number_of, stepped, taken
from postmortems.workflows import publishing


def _mine(request: HttpRequest, ref: str) -> Any:
    """One that the reader may edit; whoever only reads it is sent away as from one that is not there."""
    return by_ref(Postmortem.objects.editable_by(request.user), ref)


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_publish(request: HttpRequest, ref: str) -> HttpResponse:
    """What is still open, as a warning; then it is published, and asked what it is like."""
    postmortem = _mine(request, ref)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        step = partial(publishing.publish, postmortem, **form.cleaned_data, by=request.user, at=timezone.now())
        if taken(form, step):
            messages.success(request, f"{postmortem.ref} is published, and found by the next search.")
            asked = Comparison.objects.visible_to(request.user).undecided().filter(postmortem=postmortem)
            return redirect("postmortem_alike", postmortem.ref) if asked.exists() else redirect(postmortem)
    texts = [text.body for text in postmortem.sections_in_order()]
    context = {
        "postmortem": postmortem,
        "form": form,
        "unresolved": postmortem.comments.unresolved().count(),
        "hints": blameless.count(texts),
        "may_override": roles.may(request.user, "write_any"),
    }
    return render(request, "postmortems/postmortem_publish.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_archive(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _mine(request, ref)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        step = partial(publishing.archive, postmortem, **form.cleaned_data, by=request.user, at=timezone.now())
        if taken(form, step):
            messages.success(request, f"{postmortem.ref} is archived: kept for the record.")
            return redirect(postmortem)
    return render(request, "postmortems/postmortem_archive.html", {"postmortem": postmortem, "form": form})


@require_POST
def postmortem_publish_again(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _mine(request, ref)
    step = partial(publishing.publish_again, postmortem, by=request.user, at=timezone.now())
    return stepped(request, postmortem, step, f"{postmortem.ref} is published again.")


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_alike(request: HttpRequest, ref: str) -> HttpResponse:
    """ "This looks like PM-7": same cause, same symptom, or different."""
    postmortem = by_ref(Postmortem.objects.visible_to(request.user).select_related("problem"), ref)
    rows = Comparison.objects.visible_to(request.user).filter(postmortem=postmortem)
    rows = rows.select_related("postmortem__problem", "earlier__problem", "by")
    form, answered = None, None
    if request.method == "POST":
        answered = get_object_or_404(rows, pk=number_of(request.POST.get("comparison")))
        form = CompareForm(request.POST, auto_id=f"id_{answered.pk}_%s")
        if form.is_valid():
            step = partial(publishing.compare, answered, **form.cleaned_data, by=request.user, at=timezone.now())
            if taken(form, step):
                said = answered.get_verdict_display().lower()
                messages.success(request, f"{postmortem.ref} and {answered.earlier.ref}: {said}.")
                return redirect("postmortem_alike", postmortem.ref)
    return _alike_page(request, postmortem, list(rows), {answered.pk: form} if answered else {})


def _alike_page(
    request: HttpRequest, postmortem: Postmortem, rows: list[Comparison], forms: dict[int, Any]
) -> HttpResponse:
    texts = reading.fetch([row.earlier.search_key for row in rows], user=request.user)
    cards = [
        {
            "comparison": row,
            "what_fixed_it": reading.what_fixed_it(texts[row.earlier.search_key]),
            "form": forms.get(row.pk) or CompareForm(auto_id=f"id_{row.pk}_%s", initial=_initial(row)),
        }
        for row in sorted(rows, key=lambda row: (row.verdict != Comparison.Verdict.UNDECIDED, row.pk))
    ]
    context = {"postmortem": postmortem, "cards": cards, "open": sum(row.verdict == "undecided" for row in rows)}
    return render(request, "postmortems/postmortem_alike.html", context)


def _initial(row: Comparison) -> dict[str, str]:
    return {"verdict": row.verdict, "how_to_tell": row.how_to_tell, "title": row.earlier.title}


@require_POST
def postmortem_look_again(request: HttpRequest, ref: str) -> HttpResponse:
    """Since then others may have been published that look like it."""
    postmortem = _mine(request, ref)
    try:
        found = publishing.ask_about_lookalikes(postmortem, by=request.user, at=timezone.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{found} more to compare." if found else "Nothing else looks like it.")
    return redirect("postmortem_alike", postmortem.ref)
