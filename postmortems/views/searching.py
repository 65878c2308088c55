"""Search, for people."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from postmortems.models import Fix, Incident, Postmortem
from postmortems.search import FACETS, find
from postmortems.workflows import learning

EXAMPLES = (
    ("connection pool timeout", "all three words, in any order and form"),
    ('"connection reset by peer"', "these words side by side"),
    ("replication -mysql", "without a word"),
    ("etcd OR zookeeper", "either of them"),
    ("certif*", "words that begin so (three letters or more)"),
    ("ORA-01555", "an error code, a host and port, a path: as it is"),
    ("dns service:checkout severity:sev1", "only one service, only one severity"),
    ("is:draft after:2026-01-01", "drafts of what happened since January 2026"),
    ("INC-1", "a ref: goes straight to its page"),
)
SORTS = {"relevance": "Best match", "newest": "Newest", "oldest": "Oldest"}


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    filters = {name: values for name in FACETS if (values := [value for value in request.GET.getlist(name) if value])}
    if not text and not filters:
        return render(request, "postmortems/search_help.html", {"examples": EXAMPLES})
    if row := _named(text, request.user):
        return redirect(row)
    sort = request.GET.get("sort", "")
    results = find(
        text, user=request.user, filters=filters, sort=sort if sort in SORTS else "relevance", page=_page(request)
    )
    if request.method == "GET" and not filters:
        learning.record_gap(results, by=request.user, at=timezone.now(), incident=request.GET.get("incident", ""))
    return render(
        request,
        "postmortems/search_results.html",
        {"results": results, "sorts": SORTS, "sort": sort if sort in SORTS else "relevance", "filtered": bool(filters)},
    )


def _named(text: str, user: Any) -> Incident | Postmortem | Fix | None:
    """Who types a ref wants that page: the row of `INC-7`, if the reader may see it."""
    for model in (Incident, Postmortem, Fix):
        if (pk := model.pk_of_ref(text)) is not None:
            found: Incident | Postmortem | Fix | None = model.objects.visible_to(user).filter(pk=pk).first()
            return found
    return None


def _page(request: HttpRequest) -> int:
    number = request.GET.get("page", "")
    return int(number) if number.isdecimal() and len(number) < 6 else 1
