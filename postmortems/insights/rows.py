"""Every set of rows that a number stands for, by name: what a link of a `Figure` leads to.

Each is made by the very queryset that was counted; the test of the pages follows each link and counts again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from postmortems.insights import actions, detection, durations, gaps, learning, recurrence, reuse, severity
from postmortems.insights.scope import Scope, incidents, midnight
from postmortems.models import ActionItem, Problem, Severity
from postmortems.models.action_item import SOONEST_FIRST

Args = Mapping[str, str]
Rows = QuerySet[Any] | Sequence[Any]


class NoSuchRows(LookupError):
    """Nothing is called so, or it may not be seen."""


@dataclass(frozen=True)
class Asked:
    """What a link says, by whom it was followed, and when."""

    scope: Scope
    user: Any
    args: Args
    at: datetime

    def one_of(self, name: str, known: Mapping[str, str]) -> str:
        """The words for an argument, empty where it is not given; refuses values that are not known."""
        value = self.args.get(name, "")
        if value and value not in known:
            raise NoSuchRows(value)
        return known.get(value, "")

    def ref(self, name: str, rows: QuerySet[Any]) -> Any:
        pk = rows.model.pk_of_ref(self.args.get(name, ""))
        if pk is None or (row := rows.filter(pk=pk).first()) is None:
            raise NoSuchRows(self.args.get(name, ""))
        return row


@dataclass(frozen=True)
class Found:
    """The rows, and what they are, in words."""

    says: str
    rows: Rows


def _incidents(asked: Asked) -> Found:
    rows, words = incidents(asked.scope, asked.user), ["Incidents"]
    if label := asked.one_of("severity", dict(Severity.choices)):
        rows = rows.filter(severity=asked.args["severity"])
        words.append(label)
    if at := asked.args.get("at"):
        bucket = _bucket(at, asked.scope)
        rows = rows.filter(started_at__gte=midnight(bucket), started_at__lt=midnight(asked.scope.after(bucket)))
        words.append(f"{'week from ' if asked.scope.is_weekly else ''}{severity.name_of(bucket, asked.scope)}")
    return Found(", ".join(words), rows.newest_first())


def _bucket(text: str, scope: Scope) -> date:
    """The first day of a week or month that was counted; of no other day is there a number."""
    for bucket in scope.buckets():
        if bucket.isoformat() == text:
            return bucket
    raise NoSuchRows(text)


def _detected(asked: Asked) -> Found:
    names = {**detection.SOURCES, detection.SAID: "it was said", "customers": "customers"}
    by = asked.one_of("by", names)
    rows = detection.detected(incidents(asked.scope, asked.user), asked.args.get("by", ""))
    return Found(f"Incidents by who noticed first: {by[:1].lower()}{by[1:]}", rows.newest_first())


def _timed(asked: Asked) -> Found:
    what, known = asked.args.get("what", ""), asked.args.get("known", "yes") == "yes"
    rows = durations.timed(incidents(asked.scope, asked.user), what, known=known)
    name = durations.NAMES[what][0].lower() + durations.NAMES[what][1:]
    return Found(f"Incidents of which the time {name} is {'known' if known else 'not known'}", rows.newest_first())


def _problem(asked: Asked) -> Problem:
    found: Problem = asked.ref("problem", Problem.objects.visible_to(asked.user))
    return found


def _showings(asked: Asked) -> Found:
    problem = _problem(asked)
    found = [each for each in recurrence.showings(asked.scope, asked.user) if each.problem == problem.pk]
    return Found(f"Each time that {problem.ref} showed itself: {problem.title}", recurrence.rows_of(found))


def _recurrences(asked: Asked) -> Found:
    problem = _problem(asked)
    found = [each for each in recurrence.showings(asked.scope, asked.user) if each.problem == problem.pk]
    again = [each for each in found if not each.is_first]
    return Found(f"Each time that {problem.ref} came back: {problem.title}", recurrence.rows_of(again))


def _known_incidents(asked: Asked) -> Found:
    found = recurrence.showings(asked.scope, asked.user)
    rows = recurrence.known_incidents(found, asked.scope, asked.user)
    return Found("Incidents of a problem that had shown itself before", rows.newest_first())


def _problems_back(asked: Asked) -> Found:
    return Found("Problems that came back", recurrence.came_back(recurrence.showings(asked.scope, asked.user)))


def _reuse(asked: Asked) -> Found:
    step = asked.args.get("step", "")
    says = {**reuse.STEPS, "timed": "A useful suggestion, and when it was in sight, is known"}[step]
    return Found(f"Incidents: {says[0].lower()}{says[1:]}", reuse.of_step(asked.scope, asked.user, step).newest_first())


def _promised(asked: Asked) -> Found:
    rows, state = actions.promised(asked.scope, asked.user), asked.args.get("state", "")
    label = asked.one_of("state", {**dict(ActionItem.State.choices), "wanted": "without what will not be done"})
    if state:
        rows = actions.wanted(rows) if state == "wanted" else rows.filter(state=state)
    words = f": {label[0].lower()}{label[1:]}" if label else ""
    return Found(f"Action items promised in the period{words}", _to_list(rows))


def _open(asked: Asked) -> Found:
    age = asked.args.get("age", "")
    rows = actions.of_age(actions.items(asked.scope, asked.user).unfinished(), age, asked.at)
    words = ["Open action items", *([f"promised {_lower(actions.AGES[age][0])} ago"] if age else [])]
    if asked.args.get("late"):
        rows = rows.filter(actions.late(asked.at))
        words.append("late")
    return Found(", ".join(words), _to_list(rows))


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _to_list(rows: QuerySet[ActionItem]) -> QuerySet[ActionItem]:
    return rows.select_related("owner", "postmortem", "incident").order_by(*SOONEST_FIRST)


def _prevented(asked: Asked) -> Found:
    item: ActionItem = asked.ref("item", ActionItem.objects.visible_to(asked.user))
    says = f"Later incidents that {item.ref} would have prevented: {item.title}"
    return Found(says, item.prevented_incidents(asked.user))


def _due(asked: Asked) -> Found:
    rows, how = learning.due(asked.scope, asked.user), asked.args.get("how", "")
    if how:
        rows = rows.filter(learning.is_due(how, timezone.localdate(asked.at)))
    says = f": {_lower(learning.DUE[how])}" if how else ""
    return Found(f"Postmortems due in the period{says}", rows.order_by("due_on", "pk"))


def _missing(asked: Asked) -> Found:
    rows = learning.missing(asked.scope, asked.user, asked.at)
    return Found("Incidents whose postmortem was wanted by now, and is not there", rows.newest_first())


def _published(asked: Asked) -> Found:
    rows, how = learning.published(asked.scope, asked.user), asked.args.get("how", "")
    if how:
        rows = rows.filter(learning.of_life(how))
    says = f": {_lower(learning.LIFE[how])}" if how else ""
    return Found(f"Postmortems published in the period{says}", rows.order_by("-published_at", "-pk"))


def _gaps(asked: Asked) -> Found:
    state = asked.args.get("state", "")
    rows = gaps.of_state(gaps.gaps(asked.scope, asked.user), state)
    says = {
        "": "Searches in a SEV1 or SEV2 that found nothing",
        "open": "Still not answered",
        "answered": "Answered since",
    }
    return Found(says[state], rows.select_related("incident").order_by("-at", "-pk"))


ROWS: Mapping[str, Callable[[Asked], Found]] = {
    "incidents": _incidents,
    "detected": _detected,
    "timed": _timed,
    "showings": _showings,
    "recurrences": _recurrences,
    "known-incidents": _known_incidents,
    "problems-back": _problems_back,
    "reuse": _reuse,
    "promised": _promised,
    "open": _open,
    "prevented": _prevented,
    "due": _due,
    "missing": _missing,
    "published": _published,
    "gaps": _gaps,
}


def find(name: str, asked: Asked) -> Found:
    """The rows of a link; `NoSuchRows` for a name or an argument that nothing is called."""
    try:
        return ROWS[name](asked)
    except KeyError as error:
        raise NoSuchRows(name) from error
