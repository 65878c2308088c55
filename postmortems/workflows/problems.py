"""Problems: what several postmortems have in common, curated."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, Q
from django.utils import timezone

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem, Problem
from postmortems.workflows import auditing, recurring

STEPS = {
    Problem.State.OPEN: Problem.reopen,
    Problem.State.KNOWN_ERROR: Problem.know_error,
    Problem.State.SOLVED: Problem.solve,
}


class NotTogether(DomainError):
    """These two cannot be put together, or taken apart."""


@dataclass(frozen=True)
class Occurrence:
    """One time that the problem showed itself: a postmortem with its incidents, or an incident that its fix ended."""

    row: Postmortem | Incident
    on: date | None
    incidents: tuple[Incident, ...] = ()

    @property
    def is_postmortem(self) -> bool:
        return isinstance(self.row, Postmortem)


def occurrences(problem: Problem, *, user: Any) -> list[Occurrence]:
    """Newest first, those without a date last: of what this reader may see."""
    told_of = Prefetch("incidents", Incident.objects.visible_to(user))
    postmortems = Postmortem.objects.visible_to(user).filter(problem=problem).prefetch_related(told_of)
    rows = [Occurrence(row, row.occurred_on, tuple(row.incidents.all())) for row in postmortems]
    told = {incident for row in rows for incident in row.incidents}
    helped = FixUse.objects.filter(outcome=FixUse.Outcome.WORKED, fix__in=_fixes(problem, user))
    others = Incident.objects.visible_to(user).filter(pk__in=helped.values("incident"))
    rows += [Occurrence(row, timezone.localdate(row.started_at)) for row in others if row not in told]
    return sorted(rows, key=lambda each: (each.on is None, -(each.on or date.min).toordinal(), -each.row.pk))


@dataclass(frozen=True)
class Picture:
    """Occurrences on a line of time a hundred wide: (place, occurrence), and the years that it goes through."""

    first: date
    last: date
    dots: tuple[tuple[str, Occurrence], ...]
    years: tuple[tuple[str, int], ...]


def picture_of(seen: Sequence[Occurrence]) -> Picture | None:
    """None of what can be read at a glance anyway."""
    dated = [(each.on, each) for each in seen if each.on]
    days = [day for day, _ in dated]
    if len(days) < 2 or min(days) == max(days):
        return None
    first, last = min(days), max(days)

    def place(day: date) -> str:
        return f"{3 + 94 * (day - first).days / (last - first).days:.2f}"

    begins = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1)]
    dots = tuple((place(day), each) for day, each in dated)
    return Picture(first, last, dots, tuple((place(day), day.year) for day in begins))


def fixes_of(problem: Problem, *, user: Any) -> list[Any]:
    """What helps with it, the best proven first: its own, and those of its postmortems."""
    rows = _fixes(problem, user).with_track_record(user).order_by("pk")
    return sorted(rows, key=lambda fix: (fix.state == Fix.State.RETIRED, -fix.worked, fix.made_worse, fix.pk))


def promises_of(problem: Problem, *, user: Any) -> Any:
    """What was promised after its postmortems, would prevent it, and is not done: the longest overdue first."""
    owed = ActionItem.objects.visible_to(user).unfinished().preventive().filter(postmortem__problem=problem)
    return owed.select_related("postmortem").soonest_first()


def _fixes(problem: Problem, user: Any) -> Any:
    return Fix.objects.visible_to(user).filter(Q(problem=problem) | Q(postmortem__problem=problem))


@transaction.atomic
def edit(
    problem: Problem, *, title: str, cause_category: str, discriminating_check: str, by: Any, at: datetime
) -> None:
    """Title, category, and how to tell it from its look-alikes."""
    roles.require(by, "curate")
    after = {"title": title, "cause_category": cause_category, "discriminating_check": discriminating_check}
    before = {name: getattr(problem, name) for name in after}
    problem.describe(**after)
    search.changed(problem)
    auditing.record_edit("problem.edit", on=problem, by=by, at=at, before=before, after=after)


@transaction.atomic
def create(*, title: str, cause_category: str, discriminating_check: str, by: Any, at: datetime) -> Problem:
    roles.require(by, "curate")
    problem = Problem.objects.create(
        title=title, cause_category=cause_category, discriminating_check=discriminating_check
    )
    auditing.record("problem.create", on=problem, by=by, at=at)
    return problem


@transaction.atomic
def set_state(problem: Problem, state: str, *, by: Any, at: datetime) -> None:
    """Open, known with a workaround, or solved."""
    roles.require(by, "curate")
    before = problem.state
    STEPS[Problem.State(state)](problem)
    auditing.record("problem.state", on=problem, by=by, at=at, changes={"state": (before, problem.state)})


@transaction.atomic
def link(problem: Problem, row: Postmortem | Fix, *, by: Any, at: datetime) -> None:
    """This postmortem, or fix, is of it. Each has one problem: from another one it is taken away, and that is said."""
    roles.require(by, "curate")
    before = row.problem
    if before == problem:
        raise NotTogether(f"{row.ref} belongs to {problem.ref} already.")
    row.belong_to(problem)
    search.changed(row, problem)
    changes = {"problem": (before.ref if before else "", problem.ref)}
    auditing.record("problem.link", on=row, by=by, at=at, changes=changes)
    if isinstance(row, Postmortem):
        recurring.reopen_recurred(problem, occurrence=row, at=at)


@transaction.atomic
def unlink(problem: Problem, row: Postmortem | Fix, *, by: Any, at: datetime) -> None:
    """It was something else."""
    roles.require(by, "curate")
    if row.problem != problem:
        raise NotTogether(f"{row.ref} does not belong to {problem.ref}.")
    row.belong_to(None)
    search.changed(row, problem)
    auditing.record("problem.unlink", on=row, by=by, at=at, changes={"problem": (problem.ref, "")})


@transaction.atomic
def merge(problem: Problem, *, into: Problem, by: Any, at: datetime) -> None:
    """Two turn out to be one: everything goes over, the check is kept below the other's, and this one is gone."""
    roles.require(by, "curate")
    if problem == into:
        raise NotTogether("A problem cannot be merged with itself.")
    moved = [*problem.postmortems.all(), *problem.fixes.all()]
    for row in moved:
        row.belong_to(into)
    into.add_check(problem.discriminating_check)
    auditing.record("problem.merge", on=problem, by=by, at=at, changes={"into": (problem.ref, into.ref)})
    problem.delete()
    search.changed(into, *moved)
    for row in into.postmortems.all():
        recurring.reopen_recurred(into, occurrence=row, at=at)
