"""Problems: what several postmortems have in common, curated."""

from datetime import datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import Fix, Postmortem, Problem
from postmortems.workflows import auditing

STEPS = {
    Problem.State.OPEN: Problem.reopen,
    Problem.State.KNOWN_ERROR: Problem.know_error,
    Problem.State.SOLVED: Problem.solve,
}


class NotTogether(DomainError):
    """These two cannot be put together, or taken apart."""


@transaction.atomic
def edit(
    problem: Problem, *, title: str, cause_category: str, discriminating_check: str, by: Any, at: datetime
) -> None:
    """Title, category, and how to tell it from its look-alikes."""
    roles.require(by, "curate")
    names = {"title": title, "cause_category": cause_category, "discriminating_check": discriminating_check}
    changes = {name: (getattr(problem, name), value) for name, value in names.items()}
    problem.describe(title=title, cause_category=cause_category, discriminating_check=discriminating_check)
    search.changed(problem)
    changed = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    auditing.record("problem.edit", on=problem, by=by, at=at, changes=changed)


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
