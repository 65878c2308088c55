"""What is kept of how the knowledge is used: what was looked for in vain, and that a postmortem was read.

Both happen while a page is read: what fails here is logged, and the page goes on.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from kb.jobs.retrying import Retry, job
from postmortems import search
from postmortems.models import ActionItem, Fix, Incident, KnowledgeGap, Postmortem, Problem, Reading
from postmortems.models.gap import BAD

logger = logging.getLogger(__name__)


def record_gap(found: search.Results, *, by: Any, at: datetime, incident: str = "") -> KnowledgeGap | None:
    """A search without any result, by somebody on an open SEV1 or SEV2; `incident`: the ref of the one it was for.

    Without one, the worst and newest that they command or work on. None if it is no gap, or could not be kept.
    """
    text = found.text.strip()
    if found.total or found.degraded or not text or _is_ref(text):
        return None
    try:
        there = _their_incident(by, incident)
        return KnowledgeGap.objects.record(incident=there, text=text, by=by, at=at) if there else None
    except DatabaseError:
        logger.exception("Recording what user %s looked for in vain", by.pk)
        return None


def _is_ref(text: str) -> bool:
    return any(model.pk_of_ref(text) is not None for model in (Incident, Postmortem, Fix, Problem, ActionItem))


def _their_incident(by: Any, ref: str) -> Incident | None:
    rows = Incident.objects.visible_to(by).in_progress().filter(severity__in=BAD)
    if (pk := Incident.pk_of_ref(ref)) is not None:
        return rows.filter(pk=pk).first()
    on_it = Q(participants__user=by, participants__released_at=None)
    return rows.filter(on_it | Q(commander=by)).order_by("severity", "-started_at", "-pk").first()


def close_answered_gaps(*, at: datetime, gaps: Iterable[KnowledgeGap] | None = None) -> int:
    """Ask again what found nothing; what something answers now is closed. Returns how many were.

    `gaps`: these; else all that are open. Only what everybody may see answers: a gap
    that closed tells nobody of a document that they may not see.
    """
    asked = KnowledgeGap.objects.unanswered().select_related("incident") if gaps is None else gaps
    answered = search.answered_for_everybody({gap.pk: (gap.text, gap.incident.search_key) for gap in asked})
    return KnowledgeGap.objects.filter(pk__in=answered).answer(at=at) if answered else 0


@job(retry=Retry(attempts=1))  # it comes again by itself
def ask_gaps_again() -> int:
    """For the worker, every hour."""
    return close_answered_gaps(at=timezone.now())


def note_reading(postmortem: Any, *, by: Any, at: datetime) -> None:
    """The first time that somebody other than its owner opens a published one. Takes a row with `is_read`."""
    if postmortem.is_read or postmortem.owner_id == by.pk or not postmortem.is_published:
        return
    try:
        Reading.objects.record(postmortem=postmortem, reader=by, on=timezone.localdate(at))
    except DatabaseError:
        logger.exception("Recording that %s was read", postmortem.ref)
