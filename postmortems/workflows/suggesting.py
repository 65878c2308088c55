"""The loop: what people were shown, what they opened, what they said of it."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import Incident, SuggestionOpening, SuggestionRun, SuggestionVerdict
from postmortems.search import Item, reading
from postmortems.suggestions import Suggestions, engine_version

logger = logging.getLogger(__name__)

# While someone types, the panel is asked for again and again: what says the same as a moment ago is the same panel.
SAME_PANEL = timedelta(minutes=10)
# What was shown longer ago than this was about something else.
DECLARING = timedelta(hours=1)


class NoVerdict(DomainError):
    """There is nothing to judge, or nothing was said."""


def record_run(found: Suggestions, *, by: Any, at: datetime, incident: Incident | None = None) -> SuggestionRun | None:
    """Keep what this person was shown; None if there was nothing to show, or if it could not be kept.

    It happens while a page is read: what fails here is logged, and the page goes on.
    """
    if not found.results and not found.abstained:
        return None
    try:
        return (None if incident else _shown_just_now(found, by=by, at=at)) or _run(found, by, at, incident)
    except DatabaseError:
        logger.exception("Recording what was suggested to user %s", by.pk)
        return None


def _shown_just_now(found: Suggestions, *, by: Any, at: datetime) -> SuggestionRun | None:
    last = SuggestionRun.objects.while_declaring(by, since=at - SAME_PANEL).first()
    keys = [suggestion.key for suggestion in found.results]
    return last if last and last.says_the_same_as(keys, abstained=found.abstained) else None


def _run(found: Suggestions, by: Any, at: datetime, incident: Incident | None) -> SuggestionRun:
    return SuggestionRun.objects.create(
        user=by,
        incident=incident,
        at=at,
        engine=engine_version(),
        took_ms=found.took_ms,
        candidates=found.total_candidates,
        abstained=found.abstained,
        shown=[
            {
                "key": suggestion.key,
                "score": round(suggestion.score, 4),
                "confidence": suggestion.confidence,
                "parts": {part.name: round(part.value, 4) for part in suggestion.parts},
            }
            for suggestion in found.results
        ],
    )


def claim_runs(incident: Incident, *, by: Any, at: datetime) -> None:
    """What this person was shown while declaring belongs to the incident that came of it."""
    SuggestionRun.objects.while_declaring(by, since=at - DECLARING).belong_to(incident)


def record_opening(run: SuggestionRun, item: Item, *, by: Any, at: datetime) -> None:
    """That they opened it, if it is their own run: of a link that was passed on nothing is known.

    Like a run, it never stands in the way of the page.
    """
    if run.user_id != by.pk:
        return
    try:
        SuggestionOpening.objects.record(run=run, key=item.search_key, at=at)
    except DatabaseError:
        logger.exception("Recording that %s of run %s was opened", item.search_key, run.pk)


def give_verdict(incident: Incident, item: Item, *, verdict: str, by: Any, at: datetime) -> SuggestionVerdict:
    """What someone says of a suggested item; the newer word counts. "Not similar" takes it away for everybody."""
    roles.require(by, "respond")
    if item.search_key == incident.search_key:
        raise NoVerdict("This is the incident itself: it is not similar to itself.")
    return SuggestionVerdict.objects.record(incident=incident, key=item.search_key, verdict=verdict, by=by, at=at)


def verdicts_of(incident: Incident, *, reader: Any) -> list[dict[str, Any]]:
    """What was said of it, the newest first: `item` (its ref), `verdict`, `at`; only of what this reader may see."""
    said = list(incident.suggestion_verdicts.all())
    seen = reading.rows_of([row.key for row in said], user=reader)
    return [{"item": seen[row.key].ref, "verdict": row.verdict, "at": row.at} for row in said if row.key in seen]
