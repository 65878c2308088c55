"""What was looked for in a bad incident, and is not known here yet."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from postmortems.insights.figures import Link, Section, Share, Table, figure
from postmortems.insights.scope import Scope, incidents_at_any_time
from postmortems.models import Incident, KnowledgeGap
from postmortems.models.gap import KnowledgeGapQuerySet

LISTED = 50


def gaps(scope: Scope, user: Any) -> KnowledgeGapQuerySet:
    """Asked in the period, in an incident of the team and service."""
    rows = KnowledgeGap.objects.visible_to(user).filter(at__gte=scope.begin, at__lt=scope.end)
    if scope.team or scope.service:
        rows = rows.filter(incident__in=incidents_at_any_time(scope, user).order_by().values("pk"))
    return rows


def of_state(rows: KnowledgeGapQuerySet, state: str) -> KnowledgeGapQuerySet:
    """`open`, `answered`, or all of them for the empty text; KeyError for others."""
    return {"": rows, "open": rows.unanswered(), "answered": rows.exclude(answered_at=None)}[state]


def section(scope: Scope, user: Any) -> Section:
    rows = gaps(scope, user)
    total, still = rows.count(), of_state(rows, "open").count()
    listed = of_state(rows, "open").order_by("-at", "-pk")[:LISTED].values_list("text", "incident", "at")
    return Section(
        key="gaps",
        title="Looked for, and not found",
        says=(
            "Searches by people on an open SEV1 or SEV2 that found nothing. A gap closes by itself as soon as "
            "something that everybody may see has all of its words."
        ),
        table=Table(
            ("Searched for", "In", "On"),
            tuple((_search(text), _incident(pk), timezone.localdate(at)) for text, pk, at in listed),
        ),
        headlines=(
            (
                "Still open",
                Share(figure(still, "gaps", state="open"), figure(total, "gaps")),
                "searches that found nothing",
            ),
            ("Answered since", figure(total - still, "gaps", state="answered"), "of these"),
        ),
        empty="" if total else "Nobody searched in vain during a SEV1 or SEV2 of this period.",
    )


def _search(text: str) -> Link:
    return Link(text, f"{reverse('search')}?{urlencode({'q': text})}")


def _incident(pk: int) -> Link:
    known = Incident(pk=pk)
    return Link(known.ref, known.get_absolute_url())
