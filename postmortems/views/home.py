"""What is happening now, and what is mine to do."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postmortems.models import ActionItem, Incident, Postmortem, ReviewRequest

SHOWN = 6  # of each: one screen; the lists have the rest


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    me = request.user
    incidents = Incident.objects.visible_to(me).in_progress().select_related("commander").prefetch_related("services")
    postmortems = Postmortem.objects.visible_to(me)
    actions = ActionItem.objects.visible_to(me).owned_by(me).unfinished().soonest_first()
    mine = postmortems.unpublished().filter(Q(owner=me.pk) | Q(team__members=me.pk)).select_related("owner").distinct()
    reviews = ReviewRequest.objects.waiting_for(me)
    return render(
        request,
        "home.html",
        {
            "incidents": incidents.order_by("severity", "-started_at", "-pk")[: SHOWN + 1],
            "drafts": mine.order_by("-updated_at", "-pk")[:SHOWN],
            "reviews": reviews.select_related("postmortem", "requested_by").order_by("requested_at", "pk")[:SHOWN],
            "actions": actions.select_related("postmortem", "incident", "owner")[:SHOWN],
            "published": postmortems.published().prefetch_related("services").order_by("-published_at", "-pk")[:SHOWN],
            "shown": SHOWN,
        },
    )
