"""What is happening now, and what is mine to do."""

from typing import Any

from django.db.models import Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postmortems.models import ActionItem, Incident, Postmortem, ReviewRequest
from postmortems.models.prepared import PreparedForReaders

SHOWN = 6  # of each: one screen; the lists have the rest


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    me = request.user
    incidents, published = _incidents.rows(me), _published.rows(me)
    for rows in (incidents, published):
        prefetch_related_objects(rows, "services")
    mine = {"drafts": _drafts.rows(me), "reviews": _reviews.rows(me), "actions": _actions.rows(me)}
    return render(request, "home.html", {"incidents": incidents, "published": published, **mine, "shown": SHOWN})


@PreparedForReaders
def _incidents(me: Any) -> Any:
    rows = Incident.objects.visible_to(me).in_progress().select_related("commander")
    return rows.order_by("severity", "-started_at", "-pk")[: SHOWN + 1]


@PreparedForReaders
def _published(me: Any) -> Any:
    return Postmortem.objects.visible_to(me).published().order_by("-published_at", "-pk")[:SHOWN]


@PreparedForReaders
def _drafts(me: Any) -> Any:
    rows = Postmortem.objects.visible_to(me).unpublished().filter(Q(owner=me.pk) | Q(team__members=me.pk))
    return rows.select_related("owner").distinct().order_by("-updated_at", "-pk")[:SHOWN]


@PreparedForReaders
def _reviews(me: Any) -> Any:
    rows = ReviewRequest.objects.waiting_for(me).select_related("postmortem", "requested_by")
    return rows.order_by("requested_at", "pk")[:SHOWN]


@PreparedForReaders
def _actions(me: Any) -> Any:
    rows = ActionItem.objects.visible_to(me).owned_by(me).unfinished().soonest_first()
    return rows.select_related("postmortem", "incident", "owner")[:SHOWN]
