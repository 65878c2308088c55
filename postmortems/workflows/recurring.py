"""What happens to promises when their problem shows itself again, and what an item's page says of it."""

from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from kb.clock import site_day
from postmortems.models import ActionItem, AuditEvent, Postmortem, Problem
from postmortems.workflows import followups, telling

AGAIN = "Its problem showed itself again."
OCCURRENCE = "seen again in"  # a fact in the history, `PM-12`: shown to those who may see that


@transaction.atomic
def reopen_recurred(problem: Problem, *, occurrence: Postmortem, at: datetime) -> list[ActionItem]:
    """It happened again, as this postmortem tells, after it should have been prevented: those promises are open again.

    Preventive items of the problem's other postmortems (and of their incidents) that were done or verified before the
    occurrence began. What was declined stays so: its page says that it recurred. By the program, and told to the owner.
    The reason does not name the occurrence, which fewer people may be allowed to see than the item.
    """
    began = began_at(occurrence)
    if began is None:
        return []
    reopened = [item for item in _promised_against(problem, occurrence) if _ended_before(item, began)]
    for item in reopened:
        fact = {OCCURRENCE: ("", occurrence.ref)}
        followups.reopen_because(item, reason=AGAIN, by=None, at=at, **fact)
        _tell(item, at=at)
    return reopened


def _promised_against(problem: Problem, occurrence: Postmortem) -> QuerySet[ActionItem]:
    ended = (ActionItem.State.DONE, ActionItem.State.VERIFIED)
    rows = ActionItem.objects.of_problem(problem).preventive().filter(state__in=ended)
    rows = rows.exclude(postmortem=occurrence).exclude(incident__in=occurrence.incidents.values("pk"))
    return rows.select_related("postmortem", "incident", "owner").order_by("pk")


def _ended_before(item: ActionItem, began: datetime) -> bool:
    """Where nobody wrote down when it was done (an import), its promise is older than the occurrence."""
    ended = item.done_at or item.verified_at
    if ended is not None:
        return ended <= began
    home = item.home
    promised = began_at(home) if isinstance(home, Postmortem) else home.started_at
    return promised is not None and promised < began


def began_at(postmortem: Postmortem) -> datetime | None:
    """The moment its trouble began; where only the day is known, the end of that day. None: nobody wrote it down."""
    if postmortem.started_at:
        return postmortem.started_at
    if first := min((row.started_at for row in postmortem.incidents.all()), default=None):
        return first
    day = postmortem.occurred_on
    return datetime.combine(day, time.max, timezone.get_default_timezone()) if day else None


def _tell(item: ActionItem, *, at: datetime) -> None:
    text = f"{item.ref} is open again, because its problem recurred: {item.title}"
    telling.tell_watchers([item.owner], action="action.reopen", text=text, about=item.home, by=None, at=at)


# --- what a reader is shown ---


def recurrences(item: ActionItem, *, user: Any) -> list[Postmortem]:
    """The later postmortems of its problem that this reader may see, newest first."""
    home = item.home
    seen = Postmortem.objects.visible_to(user)
    told = seen.filter(pk=home.pk) if isinstance(home, Postmortem) else seen.filter(incidents=home)
    rows = seen.filter(problem__in=told.exclude(problem=None).values("problem")).exclude(pk__in=told.values("pk"))
    began = began_at(home) if isinstance(home, Postmortem) else home.started_at
    return list(rows.filter(occurred_on__gt=site_day(began)).newest_first()) if began else []


def history_of(item: ActionItem, *, user: Any) -> list[AuditEvent]:
    """All that was done to it, newest first. An occurrence that this reader may not see is not named."""
    events = list(AuditEvent.objects.about(item))
    named = {event.changes[OCCURRENCE][1] for event in events if OCCURRENCE in event.changes}
    shown = _shown(named, user)
    for event in events:
        if OCCURRENCE in event.changes and event.changes[OCCURRENCE][1] not in shown:
            event.changes = {name: change for name, change in event.changes.items() if name != OCCURRENCE}
    return events


def _shown(refs: set[str], user: Any) -> set[str]:
    pks = [pk for ref in refs if (pk := Postmortem.pk_of_ref(ref)) is not None]
    return {row.ref for row in Postmortem.objects.visible_to(user).filter(pk__in=pks)} if pks else set()
