"""Prevention debt: which later incidents an action item would have prevented, and who is told."""

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from postmortems.models import ActionItem, Incident, Postmortem, Problem, User, Visibility
from postmortems.search import reading
from postmortems.suggestions import Report, suggest
from postmortems.views import debt
from tests import factory
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db
NOON = factory.NOON
LATER = NOON + timedelta(days=30)


@pytest.fixture
def problem(db: None) -> Problem:
    return Problem.objects.create(title="Pools run dry")


@pytest.fixture
def postmortem(problem: Problem) -> Postmortem:
    """Published at noon."""
    return factory.postmortem("Pool exhausted", problem=problem)


@pytest.fixture
def item(postmortem: Postmortem) -> ActionItem:
    return factory.action_item("Require a quorum", postmortem=postmortem)


def counted(item: ActionItem, user: User) -> int:
    """As a list counts it, and as its rows are: always the same."""
    count = ActionItem.objects.with_prevented(user).get(pk=item.pk).prevented
    assert count == len(item.prevented_incidents(user))
    return int(count)


def again(problem: Problem | None = None, **details: Any) -> Incident:
    """A later incident, told by a postmortem of this problem."""
    row = factory.incident("Again", **{"started_at": LATER, **details})
    told = factory.postmortem("It came back", problem=problem)
    told.incidents.add(row)
    return row


class TestWhatCounts:
    def test_nothing_came_after_it(self, item: ActionItem, alice: User) -> None:
        factory.incident("Something else", started_at=LATER)

        assert counted(item, alice) == 0

    def test_a_later_incident_of_the_same_problem(self, item: ActionItem, problem: Problem, alice: User) -> None:
        row = again(problem)
        again(Problem.objects.create(title="Another"))
        again(None)

        assert list(item.prevented_incidents(alice)) == [row]
        assert counted(item, alice) == 1

    def test_of_a_postmortem_without_a_problem_only_what_it_tells_of_itself(self, alice: User) -> None:
        own = factory.postmortem("No problem named")
        item = factory.action_item(postmortem=own)
        own.incidents.add(factory.incident("First"), factory.incident("Again", started_at=LATER))
        again(None)

        assert counted(item, alice) == 1

    def test_so_does_a_fix_of_it_that_helped_without_a_problem(self, alice: User) -> None:
        own, other = factory.postmortem("No problem named"), factory.postmortem("Nor here")
        for home in (own, other):
            factory.fix_use(factory.fix(postmortem=home), factory.incident(home.title, started_at=LATER))

        counting = factory.action_item(postmortem=own)

        assert counted(counting, alice) == 1
        assert [row.title for row in counting.prevented_incidents(alice)] == ["No problem named"]

    @pytest.mark.parametrize(("verdict", "expected"), [("same_cause", 1), ("same_symptom", 0), ("not_similar", 0)])
    def test_a_suggestion_of_it_that_was_judged_the_same_cause(
        self, item: ActionItem, postmortem: Postmortem, alice: User, verdict: str, expected: int
    ) -> None:
        factory.verdict(factory.incident(started_at=LATER), postmortem, verdict)

        assert counted(item, alice) == expected

    def test_a_suggestion_of_its_fix_or_of_its_incident_counts_as_one_of_it(
        self, item: ActionItem, postmortem: Postmortem, alice: User
    ) -> None:
        first = factory.incident("First")
        postmortem.incidents.add(first)
        factory.verdict(factory.incident(started_at=LATER), factory.fix(postmortem=postmortem))
        factory.verdict(factory.incident(started_at=LATER), first)
        factory.verdict(factory.incident(started_at=LATER), factory.fix("Of something else"))

        assert counted(item, alice) == 2

    @pytest.mark.parametrize(
        ("outcome", "expected"), [("worked", 1), ("partly", 1), ("no_effect", 0), ("made_worse", 0)]
    )
    def test_a_fix_of_it_that_helped(
        self, item: ActionItem, postmortem: Postmortem, alice: User, outcome: str, expected: int
    ) -> None:
        factory.fix_use(factory.fix(postmortem=postmortem), factory.incident(started_at=LATER), outcome)

        assert counted(item, alice) == expected

    def test_so_does_a_fix_of_its_problem_and_of_another_postmortem_of_that(
        self, item: ActionItem, problem: Problem, alice: User
    ) -> None:
        sister = factory.postmortem("The second time", problem=problem)
        factory.fix_use(factory.fix(problem=problem), factory.incident(started_at=LATER))
        factory.fix_use(factory.fix(postmortem=sister), factory.incident(started_at=LATER))
        factory.fix_use(factory.fix("Of no problem"), factory.incident(started_at=LATER))
        unnamed = factory.action_item(postmortem=factory.postmortem("No problem named"))

        assert counted(item, alice) == 2
        assert counted(unnamed, alice) == 0

    def test_an_incident_counts_once_however_many_signs_there_are(
        self, item: ActionItem, postmortem: Postmortem, problem: Problem, alice: User
    ) -> None:
        row = again(problem)
        factory.verdict(row, postmortem)
        factory.fix_use(factory.fix(postmortem=postmortem), row)

        assert counted(item, alice) == 1

    def test_an_item_of_an_incident_alone_counts_nothing(self, problem: Problem, alice: User) -> None:
        again(problem)

        assert counted(factory.action_item(incident=factory.incident()), alice) == 0

    def test_exercises_and_what_was_cancelled_do_not_count(
        self, item: ActionItem, problem: Problem, alice: User
    ) -> None:
        again(problem, kind="exercise")
        again(problem, status="cancelled")

        assert counted(item, alice) == 0


class TestWhen:
    def test_what_started_before_it_was_promised_does_not_count(
        self, item: ActionItem, problem: Problem, alice: User
    ) -> None:
        again(problem, started_at=NOON - timedelta(minutes=1))
        again(problem, started_at=NOON)

        assert counted(item, alice) == 0

    def test_before_its_postmortem_is_published_it_counts_from_when_it_was_made(
        self, problem: Problem, alice: User
    ) -> None:
        draft = factory.postmortem(status="draft", problem=problem, owner=alice)
        item = factory.action_item(postmortem=draft)
        ActionItem.objects.filter(pk=item.pk).update(created_at=LATER)
        again(problem)
        again(problem, started_at=LATER + timedelta(minutes=1))

        assert counted(item, alice) == 1

    def test_once_it_is_verified_nothing_more_counts(self, item: ActionItem, problem: Problem, alice: User) -> None:
        again(problem)
        again(problem, started_at=LATER + timedelta(days=2))

        item.complete(at=LATER)
        assert counted(item, alice) == 2

        item.verify(by=alice, evidence="The test is green.", at=LATER + timedelta(days=1))
        assert counted(item, alice) == 1

        item.reopen(at=LATER + timedelta(days=3))
        assert counted(item, alice) == 2

    def test_of_what_was_verified_nobody_knows_when_nothing_counts(
        self, postmortem: Postmortem, problem: Problem, alice: User
    ) -> None:
        again(problem)
        item = factory.action_item("Imported", postmortem=postmortem, state="verified", evidence="It said so.")

        assert counted(item, alice) == 0


class TestWhoSees:
    def test_a_hidden_incident_is_not_counted(
        self, item: ActionItem, problem: Problem, alice: User, charlie: User, admin: User
    ) -> None:
        again(problem, visibility=Visibility.RESTRICTED).members.add(alice)

        assert [counted(item, who) for who in (alice, charlie, admin)] == [1, 0, 1]

    def test_nor_is_one_that_a_fix_or_a_verdict_ties_to_it(
        self, item: ActionItem, postmortem: Postmortem, alice: User, charlie: User
    ) -> None:
        """No postmortem stands between that hides it."""
        helped, judged = (factory.incident(started_at=LATER, visibility=Visibility.RESTRICTED) for _ in range(2))
        for incident in (helped, judged):
            incident.members.add(alice)
        factory.fix_use(factory.fix(postmortem=postmortem), helped)
        factory.verdict(judged, postmortem)

        assert [counted(item, who) for who in (alice, charlie)] == [2, 0]

    def test_a_hidden_postmortem_ties_nothing_together(
        self, item: ActionItem, problem: Problem, alice: User, charlie: User
    ) -> None:
        told = factory.postmortem("Secret", problem=problem, visibility=Visibility.RESTRICTED)
        told.members.add(alice)
        told.incidents.add(factory.incident(started_at=LATER))

        assert [counted(item, who) for who in (alice, charlie)] == [1, 0]

    def test_a_hidden_fix_ties_nothing_together(
        self, item: ActionItem, postmortem: Postmortem, alice: User, charlie: User
    ) -> None:
        fix = factory.fix(postmortem=postmortem, visibility=Visibility.RESTRICTED)
        fix.members.add(alice)
        factory.fix_use(fix, factory.incident(started_at=LATER))
        factory.verdict(factory.incident(started_at=LATER), fix)

        assert [counted(item, who) for who in (alice, charlie)] == [2, 0]


class TestFromTheIncident:
    def test_what_was_owed_when_it_started(self, item: ActionItem, problem: Problem, alice: User) -> None:
        row, other = again(problem), factory.incident(started_at=LATER)

        assert list(ActionItem.objects.would_have_prevented(row.pk, alice)) == [item]
        assert list(ActionItem.objects.would_have_prevented(other.pk, alice)) == []


def test_a_list_counts_in_its_own_query(
    item: ActionItem, problem: Problem, alice: User, django_assert_num_queries: Any
) -> None:
    again(problem)
    assert not alice.is_administrator  # asked once

    with django_assert_num_queries(1):
        assert [row.prevented for row in ActionItem.objects.visible_to(alice).with_prevented(alice)] == [1]


def test_the_incident_page_says_what_would_have_prevented_it(
    item: ActionItem, postmortem: Postmortem, problem: Problem, alice: User
) -> None:
    today = timezone.localdate()
    ActionItem.objects.filter(pk=item.pk).update(due_on=today - timedelta(days=74))
    factory.action_item("Tell a time", postmortem=postmortem, due_on=today - timedelta(days=1))
    factory.action_item("Alert on it", postmortem=postmortem, kind="detect", due_on=today - timedelta(days=9))
    factory.action_item("Already done", postmortem=postmortem, state="done")
    row = again(problem)

    said = plain(factory.signed_in(alice).get(row.get_absolute_url()).text)

    assert f"{postmortem.ref}: “Require a quorum” is 74 days late" in said
    assert f"{postmortem.ref}: “Tell a time” is 1 day late" in said
    assert said.index("74 days") < said.index("1 day late")
    assert "“Alert on it”" not in said
    assert "“Already done”" not in said


def test_of_what_is_owed_the_longest_overdue_comes_first_and_what_has_no_date_last() -> None:
    known = {"title": "", "kind": "prevent", "state": "open", "postmortem_id": 1, "incident_id": None}
    days = {3: None, 4: "2026-03-02", 2: "2026-03-01", 1: "2026-03-02"}
    incident = SimpleNamespace(debts=[{**known, "pk": pk, "due_on": day} for pk, day in days.items()])

    assert [item.pk for item in debt.items_of(incident)] == [2, 1, 4, 3]


def test_the_incident_page_says_nothing_of_what_the_reader_may_not_see(
    item: ActionItem, postmortem: Postmortem, problem: Problem, alice: User, charlie: User
) -> None:
    row = again(problem)
    postmortem.admit(visibility=Visibility.RESTRICTED, members=[alice], teams=[])

    said = {who.username: factory.signed_in(who).get(row.get_absolute_url()).text for who in (alice, charlie)}

    assert "Require a quorum" in said["alice"]
    assert "Require a quorum" not in said["charlie"]


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def test_an_incident_that_is_suggested_brings_what_its_postmortem_promised(
    item: ActionItem, postmortem: Postmortem, alice: User
) -> None:
    first = factory.incident("First")
    postmortem.incidents.add(first)
    both = factory.action_item("Of both", postmortem=postmortem, incident=first)
    rows = reading.fetch_to_weigh([first.search_key, postmortem.search_key], user=alice)

    promised = reading.add_help(rows.values(), user=alice)

    for row in rows.values():
        assert {each.pk for each in reading.promised_in(row, promised)} == {item.pk, both.pk}


def test_a_program_is_told_what_is_late_and_where_it_was_promised(learn: Learn, alice: User) -> None:
    sections = {"summary": "The connection pool of checkout was exhausted: ECONNREFUSED 10.0.0.7:5432."}
    postmortem = factory.postmortem("Connection pool exhausted", sections=sections)
    due_on = timezone.localdate() - timedelta(days=74)
    item = factory.action_item("Bound the pool", postmortem=postmortem, due_on=due_on)
    others = [factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n}."}) for n in range(20)]
    learn(postmortem, *others)
    report = Report(title="Connection pool exhausted", symptoms="ECONNREFUSED 10.0.0.7:5432")

    answer = suggest(report, user=alice).as_json(report)

    assert answer["results"][0]["open_actions"] == [
        {
            **{"ref": item.ref, "promised_in": postmortem.ref, "title": "Bound the pool", "kind": "prevent"},
            **{"state": "open", "due_on": due_on.isoformat(), "days_late": 74},
        }
    ]
