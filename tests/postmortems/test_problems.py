"""Problems: who sees one, every state from every other, linking and merging."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from postmortems.models import ActionItem, AuditEvent, Problem, User, Visibility
from postmortems.models.problem import NotThatState
from postmortems.roles import NotAllowed
from postmortems.workflows import problems
from postmortems.workflows.problems import NotTogether
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

RESTRICTED = {"visibility": Visibility.RESTRICTED}


@pytest.fixture
def problem() -> Problem:
    return Problem.objects.create(title="Pool keeps dead connections")


def sees(user: Any) -> bool:
    return Problem.objects.visible_to(user).exists()


def test_a_problem_that_nothing_hangs_on_is_seen_by_everyone_who_is_signed_in(problem: Problem, charlie: User) -> None:
    assert sees(charlie)
    assert not sees(AnonymousUser())
    assert not sees(factory.user("gone", is_active=False))


@pytest.mark.parametrize("make", [factory.postmortem, factory.fix])
def test_a_problem_is_hidden_with_all_that_hangs_on_it(
    problem: Problem, make: Callable[..., Any], alice: User, charlie: User, admin: User
) -> None:
    row = make(problem=problem, **RESTRICTED)
    row.members.add(alice)

    assert (sees(alice), sees(admin), sees(charlie)) == (True, True, False)

    make("Another, for all to see", problem=problem)
    assert sees(charlie)
    assert Problem.objects.visible_to(charlie).count() == 1


def test_a_draft_shows_its_problem_to_its_team_only(problem: Problem, alice: User, charlie: User) -> None:
    factory.postmortem(status="draft", owner=alice, problem=problem)

    assert (sees(alice), sees(charlie)) == (True, False)


STATES = {
    "open": {"known_error", "solved"},
    "known_error": {"open", "solved"},
    "solved": {"open", "known_error"},
}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_problem_changes_its_state_to_another_one(problem: Problem, alice: User, before: str, after: str) -> None:
    Problem.objects.update(state=before)
    factory.fix(problem=problem)
    problem.refresh_from_db()

    if after in STATES[before]:
        problems.set_state(problem, after, by=alice, at=NOON)
    else:
        with pytest.raises(NotThatState, match="already"):
            problems.set_state(problem, after, by=alice, at=NOON)

    assert Problem.objects.get().state == after


@pytest.mark.parametrize("state", ["retired", None])
def test_a_known_error_has_a_workaround(problem: Problem, alice: User, state: str | None) -> None:
    if state:
        factory.fix(problem=problem, state=state)

    with pytest.raises(NotThatState, match="workaround"):
        problems.set_state(problem, "known_error", by=alice, at=NOON)


def test_the_fix_of_a_postmortem_of_it_is_a_workaround_too(problem: Problem, alice: User) -> None:
    factory.fix(postmortem=factory.postmortem(problem=problem))

    problems.set_state(problem, "known_error", by=alice, at=NOON)

    assert problem.state == "known_error"


@pytest.mark.parametrize("make", [factory.postmortem, factory.fix])
def test_what_is_linked_can_be_taken_off_again(problem: Problem, make: Callable[..., Any], alice: User) -> None:
    row = make()
    problems.link(problem, row, by=alice, at=NOON)
    with pytest.raises(NotTogether, match="already"):
        problems.link(problem, row, by=alice, at=NOON)

    problems.unlink(problem, row, by=alice, at=NOON)
    with pytest.raises(NotTogether, match="does not belong"):
        problems.unlink(problem, row, by=alice, at=NOON)

    row.refresh_from_db()
    assert row.problem is None
    actions = AuditEvent.objects.about(row).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["problem.link", "problem.unlink"]


def test_two_problems_become_one_and_nothing_is_lost(problem: Problem, alice: User) -> None:
    other = Problem.objects.create(title="Pool", discriminating_check="Ask the proxy.")
    rows = [factory.postmortem(problem=other), factory.fix(problem=other)]
    problem.add_check("Look at the sockets.")

    problems.merge(other, into=problem, by=alice, at=NOON)

    for row in rows:
        row.refresh_from_db()
        assert row.problem == problem
    assert Problem.objects.get().discriminating_check == "Look at the sockets.\n\nAsk the proxy."


def test_a_problem_is_not_merged_with_itself(problem: Problem, alice: User) -> None:
    with pytest.raises(NotTogether):
        problems.merge(problem, into=problem, by=alice, at=NOON)

    assert Problem.objects.exists()


def test_a_check_that_is_known_is_not_said_twice(problem: Problem) -> None:
    problem.add_check("Ask the proxy.")
    problem.add_check(" Ask the proxy. ")
    problem.add_check("")

    assert problem.discriminating_check == "Ask the proxy."


def test_an_edit_says_what_changed(problem: Problem, alice: User) -> None:
    problems.edit(problem, title="Dead connections", cause_category="", discriminating_check="", by=alice, at=NOON)

    assert AuditEvent.objects.get().changes == {"title": ["Pool keeps dead connections", "Dead connections"]}


def test_a_reader_curates_nothing(problem: Problem) -> None:
    reader = factory.user("reader", roles=("reader",))
    row = factory.postmortem()
    words = {"title": "x", "cause_category": "", "discriminating_check": ""}

    for step in (
        lambda: problems.create(**words, by=reader, at=NOON),
        lambda: problems.edit(problem, **words, by=reader, at=NOON),
        lambda: problems.set_state(problem, "solved", by=reader, at=NOON),
        lambda: problems.link(problem, row, by=reader, at=NOON),
        lambda: problems.unlink(problem, row, by=reader, at=NOON),
        lambda: problems.merge(problem, into=problem, by=reader, at=NOON),
    ):
        with pytest.raises(NotAllowed):
            step()


def test_the_ref_of_a_problem_leads_back_to_it(problem: Problem) -> None:
    assert problem.ref == f"PRB-{problem.pk}"
    assert Problem.pk_of_ref(f"prb-{problem.pk}") == problem.pk


def test_the_page_says_what_would_prevent_it_and_is_not_done(problem: Problem, alice: User) -> None:
    told = factory.postmortem("Pool exhausted", problem=problem)
    hidden = factory.postmortem("Told to few", problem=problem, visibility=Visibility.RESTRICTED)
    due = timezone.localdate() - timedelta(days=74)
    factory.action_item("Require a quorum", postmortem=told, due_on=due)
    factory.action_item("Watch the pool", postmortem=told, kind=ActionItem.Kind.DETECT)
    factory.action_item("Name no names", postmortem=hidden)

    page = factory.signed_in(alice).get(problem.get_absolute_url()).content.decode()

    assert "Promised, and not done" in page
    assert "74 days late" in page
    assert "Require a quorum" in page
    assert "Watch the pool" not in page
    assert "Name no names" not in page
