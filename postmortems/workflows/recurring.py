"""What happens to promises when their problem shows itself again, and what an item's page says of it."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kb.clock import site_day
from postmortems.models import ActionItem, AuditEvent, Fix, Incident, Kind, Postmortem, Problem, prevention
from postmortems.models.action_item import ActionItemQuerySet
from postmortems.workflows import followups, telling

AGAIN = "Its problem showed itself again."
HELPED_AGAIN = "A fix of its problem helped again."
TAKEN_BACK = "Its problem did not show itself again after all."
OCCURRENCE = "seen again in"  # a fact in the history, `PM-12` or `INC-5`: shown to those who may see that


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
    rows = ActionItem.objects.of_problem(problem).exclude(postmortem=occurrence)
    rows = rows.exclude(incident__in=occurrence.incidents.values("pk"))
    return _reopen(rows, began, ref=occurrence.ref, reason=AGAIN, at=at)


@transaction.atomic
def follow_outcomes(incident: Incident, *, at: datetime) -> None:
    """What came of fixes in an incident says, before anybody writes its postmortem, that their problem is back.

    A fix that helped, wholly or in part, opens again what was promised in its postmortem and against its problem. If
    that is said otherwise later, or the incident is cancelled, what was opened for it is as it was, unless somebody has
    touched it since: it is theirs then. An exercise says nothing. Asked again, nothing more happens.
    """
    helped = _helped_in(incident)
    _take_back(incident, _against(helped), at=at)
    rows = _against(helped).exclude(incident=incident).exclude(postmortem__incidents=incident)
    _reopen(rows, incident.started_at, ref=incident.ref, reason=HELPED_AGAIN, at=at)


def _helped_in(incident: Incident) -> list[Fix]:
    if incident.kind == Kind.EXERCISE or incident.status == Incident.Status.CANCELLED:
        return []
    uses = incident.fix_uses.filter(outcome__in=prevention.HELPED).select_related("fix__postmortem")
    return [use.fix for use in uses]


def _against(fixes: Iterable[Fix]) -> ActionItemQuerySet:
    """Promised in the postmortems of these fixes, or against their problems."""
    postmortems, problems = set(), set()
    for fix in fixes:
        postmortems |= {fix.postmortem_id}
        problems |= {fix.problem_id, fix.postmortem.problem_id if fix.postmortem else None}
    told = Q(pk__in=postmortems - {None}) | Q(problem__in=problems - {None})
    return ActionItem.objects.promised_in(Postmortem.objects.filter(told))


def _reopen(rows: ActionItemQuerySet, began: datetime, *, ref: str, reason: str, at: datetime) -> list[ActionItem]:
    ended = rows.preventive().filter(state__in=(ActionItem.State.DONE, ActionItem.State.VERIFIED))
    items = ended.select_related("postmortem", "incident", "owner", "done_by", "verified_by").order_by("pk")
    reopened = [item for item in items if _ended_before(item, began)]
    for item in reopened:
        facts = {name: (value, "") for name, value in item.ending().items()}
        followups.reopen_because(item, reason=reason, by=None, at=at, **{OCCURRENCE: ("", ref), **facts})
        _tell(item, "is open again, because its problem recurred", "reopen", at=at)
    return reopened


def _take_back(incident: Incident, standing: ActionItemQuerySet, *, at: datetime) -> None:
    """What was opened for this incident alone, and is held against it no more."""
    tried = _against(use.fix for use in incident.fix_uses.select_related("fix__postmortem"))
    freed = tried.filter(state=ActionItem.State.OPEN, reopened_at__isnull=False).exclude(pk__in=standing.values("pk"))
    for item in freed.select_related("postmortem", "incident", "owner").order_by("pk"):
        last = AuditEvent.objects.about(item).first()
        if last and last.action == "action.reopen" and last.changes.get(OCCURRENCE) == ["", incident.ref]:
            ending = {name: before for name, (before, _) in last.changes.items() if name != OCCURRENCE}
            followups.end_as_before(item, ending, reason=TAKEN_BACK, at=at)
            _tell(item, "holds after all", "hold", at=at)


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


def _tell(item: ActionItem, what: str, verb: str, *, at: datetime) -> None:
    text = f"{item.ref} {what}: {item.title}"
    telling.tell_watchers([item.owner], action=f"action.{verb}", text=text, about=item.home, by=None, at=at)


# --- what a reader is shown ---


def recurrences(item: ActionItem, *, user: Any) -> list[Postmortem]:
    """The later postmortems of its problem that this reader may see, newest first."""
    home = item.home
    seen = Postmortem.objects.visible_to(user)
    told = seen.filter(pk=home.pk) if isinstance(home, Postmortem) else seen.filter(incidents=home)
    rows = seen.filter(problem__in=told.values("problem")).exclude(pk__in=told.values("pk"))
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
    return {
        row.ref
        for model in (Postmortem, Incident)
        if (pks := [pk for ref in refs if (pk := model.pk_of_ref(ref)) is not None])
        for row in model._default_manager.filter(pk__in=pks).visible_to(user)
    }
