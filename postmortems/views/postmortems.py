"""Postmortems, to read."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from postmortems.filters import PostmortemFilter
from postmortems.models import (
    ActionItem,
    AuditEvent,
    Comparison,
    Fix,
    ImportedFile,
    Incident,
    Postmortem,
    Reading,
    Watch,
)
from postmortems.views.permalinks import by_ref
from postmortems.views.reviews import threads_of
from postmortems.workflows import learning

PER_PAGE = 25
RELATED = 10


@require_safe
def postmortem_list(request: HttpRequest) -> HttpResponse:
    rows = Postmortem.objects.visible_to(request.user).prefetch_related("services")
    found = PostmortemFilter(request.GET, queryset=rows)
    page = Paginator(found.qs.newest_first(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/postmortem_list.html", {"filter": found, "page": page})


@require_safe
def postmortem_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    postmortem = by_ref(_to_read(request.user, Postmortem.pk_of_ref(ref)), ref)
    if request.method == "GET":
        learning.note_reading(postmortem, by=request.user, at=timezone.now())
    written = postmortem.sections_in_order()
    fixes = list(postmortem.fixes.all())
    told = {fix.steps.strip() for fix in fixes}
    return render(
        request,
        "postmortems/postmortem_detail.html",
        {
            "postmortem": postmortem,
            "fixes": fixes,
            # An import makes a fix of this section's text: said once is enough.
            "what_fixed_it": [t for t in written if t.key == "what_fixed_it" and t.body.strip() not in told],
            "sections": [text for text in written if text.key != "what_fixed_it"],
            "same_problem": _same_problem(postmortem, request.user),
            "owed": [item for item in postmortem.action_items.all() if item.is_unfinished],
            **_life_of(postmortem, request.user),
        },
    )


def _life_of(postmortem: Any, user: Any) -> dict[str, Any]:
    """What its state adds to the page: remarks before it is published, then an open question, or why it is archived."""
    if postmortem.status not in Postmortem.READABLE:
        return {"threads": threads_of(postmortem)}
    if postmortem.status == Postmortem.Status.ARCHIVED:
        told = AuditEvent.objects.about(postmortem).filter(action="postmortem.archive").first()
        return {"archived_because": told.reason if told else ""}
    if postmortem.owner_id != user.pk:
        return {}
    return {"to_compare": Comparison.objects.visible_to(user).undecided().filter(postmortem=postmortem)}


def _to_read(user: Any, pk: int | None) -> Any:
    fixes = Fix.objects.visible_to(user).with_freshness(timezone.localdate()).with_track_record(user).order_by("pk")
    with_it: list[Any] = [
        "sections",
        "services",
        "tags",
        "timeline",
        "attachments",
        Prefetch("fixes", fixes),
        Prefetch("incidents", Incident.objects.visible_to(user)),
        Prefetch("action_items", ActionItem.objects.visible_to(user).select_related("owner")),
    ]
    rows = (
        Postmortem.objects.visible_to(user)
        .with_rights(user)
        .annotate(is_watched=Watch.objects.is_of(user, "postmortem"), is_read=Reading.objects.exist_by(user, pk))
        .select_related("owner", "team", "problem", "imported_file")
    )
    return rows.defer("imported_file__text").prefetch_related(*with_it)


def _same_problem(postmortem: Postmortem, user: Any) -> list[Postmortem]:
    if postmortem.problem is None:
        return []
    others = Postmortem.objects.visible_to(user).filter(problem=postmortem.problem).exclude(pk=postmortem.pk)
    return list(others.newest_first()[:RELATED])


@require_safe
def postmortem_source(request: HttpRequest, ref: str) -> HttpResponse:
    """The imported file as it was, as plain text."""
    postmortem = by_ref(Postmortem.objects.visible_to(request.user), ref)
    file = ImportedFile.objects.filter(postmortem=postmortem).first()
    if file is None:
        raise Http404("This postmortem was not imported.")
    return HttpResponse(file.text, content_type="text/plain; charset=utf-8")
