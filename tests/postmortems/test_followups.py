"""The life of an action item: each step, its history, who is told, who may; and what a recurrence does to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kb.errors import DomainError
from kb.search.models import IndexChange
from postmortems.models import (
    ActionDuePolicy,
    ActionItem,
    AuditEvent,
    Comparison,
    Fix,
    Incident,
    Notification,
    Postmortem,
    Problem,
    SavedFilter,
    Team,
    User,
    Visibility,
)
from postmortems.models.action_item import NotThatStep
from postmortems.roles import NotAllowed
from postmortems.workflows import followups, problems, publishing, recurring, saved_filters, triage, watching
from postmortems.workflows.followups import NotTheirs
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

State = ActionItem.State
SOON = date(2026, 4, 1)


@pytest.fixture
def home(alice: User) -> Postmortem:
    return factory.postmortem(severity="sev2", owner=alice)


@pytest.fixture
def item(home: Postmortem, alice: User) -> ActionItem:
    """Alice's."""
    return factory.action_item(postmortem=home, owner=alice, done_when="The alert fires in staging.")


def promise(home: Postmortem | Incident, by: User | None, **fields: Any) -> ActionItem:
    known = {"title": "Alert on slots", "kind": "detect", "done_when": "It fires.", "owner": by, "priority": "high"}
    return followups.create(home, by=by, at=NOON, **{**known, **fields})


def history(item: ActionItem) -> list[AuditEvent]:
    return list(AuditEvent.objects.about(item).order_by("pk"))


def told(user: User) -> list[str]:
    return [row.text for row in Notification.objects.filter(user=user).order_by("pk")]


def learned() -> set[str]:
    keys = set(IndexChange.objects.values_list("key", flat=True))
    IndexChange.objects.all().delete()
    return keys


class TestPromising:
    def test_it_hangs_on_its_home(self, home: Postmortem, alice: User) -> None:
        incident = factory.incident()

        assert promise(home, alice).home == home
        assert promise(incident, alice).home == incident

    def test_what_was_said_is_written_down_and_stands_in_its_history(self, home: Postmortem, alice: User) -> None:
        fields = {
            "kind": "mitigate",
            "priority": "low",
            "ticket": "OPS-7",
            "details": "Two lines.",
            "title": "Bound it",
        }

        item = promise(home, alice, due_on=SOON, **fields)

        item.refresh_from_db()
        assert {name: getattr(item, name) for name in fields} == fields
        assert (item.done_when, item.owner, item.created_at, item.state) == ("It fires.", alice, NOON, State.OPEN)
        written = {name: after for name, (before, after) in history(item)[0].changes.items() if before == ""}
        assert written == {
            **fields,
            "done_when": "It fires.",
            "owner": "Alice",
            "due_on": "2026-04-01",
            "state": "open",
        }

    def test_the_policy_of_severity_and_priority_proposes_a_date(self, home: Postmortem, alice: User) -> None:
        ActionDuePolicy.objects.filter(severity="sev2", priority="high").update(days=9)

        assert promise(home, alice).due_on == date(2026, 3, 10)
        assert promise(home, alice, due_on=SOON).due_on == SOON

    def test_without_a_severity_the_rule_for_any_other_counts(self, alice: User) -> None:
        ActionDuePolicy.objects.filter(severity="", priority="low").update(days=1)

        assert promise(factory.postmortem(), alice, priority="low").due_on == date(2026, 3, 2)

    def test_without_a_rule_there_is_no_date(self, home: Postmortem, alice: User) -> None:
        ActionDuePolicy.objects.all().delete()

        assert promise(home, alice).due_on is None

    def test_who_owns_it_is_told_and_who_watches(self, home: Postmortem, alice: User, bob: User, charlie: User) -> None:
        watching.watch(home, by=charlie, at=NOON)

        item = promise(home, alice, owner=bob)

        assert told(bob) == told(charlie) == [f"{item.ref} is promised by Bob: Alert on slots"]
        assert told(alice) == []

    def test_its_home_is_found_by_its_words(self, home: Postmortem, alice: User) -> None:
        learned()

        promise(home, alice)

        assert home.search_key in learned()

    def test_nobody_owns_what_they_may_not_see(self, alice: User, charlie: User) -> None:
        shut = factory.postmortem(visibility=Visibility.RESTRICTED, owner=alice)

        with pytest.raises(NotTheirs, match="Charlie may not see"):
            promise(shut, alice, owner=charlie)
        assert not ActionItem.objects.exists()

    def test_no_program_and_nobody_who_left_owns_one(self, home: Postmortem, alice: User) -> None:
        for off in ({"is_active": False}, {"is_integration": True}):
            with pytest.raises(NotTheirs):
                promise(home, alice, owner=factory.user(f"off{len(off)}{next(iter(off))}", **off))


class TestItsLife:
    def test_from_open_to_verified(self, item: ActionItem, alice: User, bob: User) -> None:
        followups.start(item, by=alice, at=NOON)
        followups.complete(item, evidence="", by=alice, at=NOON)
        followups.verify(item, evidence="Fired on 3 March.", by=bob, at=NOON)

        assert item.state == State.VERIFIED and item.verified_by == bob
        assert [event.changes["state"] for event in history(item)] == [
            ["open", "in_progress"],
            ["in_progress", "done"],
            ["done", "verified"],
        ]
        assert [event.by for event in history(item)] == [alice, alice, bob]

    def test_its_owner_does_not_verify_it(self, item: ActionItem, alice: User) -> None:
        followups.complete(item, evidence="It fires.", by=alice, at=NOON)

        with pytest.raises(NotThatStep, match="other than its owner"):
            followups.verify(item, evidence="", by=alice, at=NOON)

    def test_who_did_it_does_not_verify_it_by_handing_it_on(self, item: ActionItem, alice: User, bob: User) -> None:
        followups.complete(item, evidence="It fires.", by=alice, at=NOON)
        followups.assign(item, owner=bob, by=alice, at=NOON)

        with pytest.raises(NotThatStep, match="than who did it"):
            followups.verify(item, evidence="", by=alice, at=NOON)

    def test_it_is_verified_with_evidence_only(self, item: ActionItem, alice: User, bob: User) -> None:
        followups.complete(item, evidence=" ", by=alice, at=NOON)

        with pytest.raises(NotThatStep, match="What shows"):
            followups.verify(item, evidence=" ", by=bob, at=NOON)

    def test_declined_with_a_reason_by_somebody_other_than_its_owner(
        self, item: ActionItem, alice: User, bob: User
    ) -> None:
        with pytest.raises(NotThatStep, match="other than its owner"):
            followups.decline(item, reason="Too dear.", by=alice, at=NOON)
        with pytest.raises(NotThatStep, match="Why"):
            followups.decline(item, reason=" ", by=bob, at=NOON)

        followups.decline(item, reason="Too dear.", by=bob, at=NOON)

        assert (item.state, item.reason, item.approved_by) == (State.WONT_DO, "Too dear.", bob)
        assert history(item)[-1].reason == "Too dear."
        assert told(alice)[-1].startswith(f"{item.ref} will not be done")

    def test_an_author_alone_does_not_approve_that(self, item: ActionItem) -> None:
        author = factory.user("ann", roles=("author",))

        with pytest.raises(NotAllowed):
            followups.decline(item, reason="Too dear.", by=author, at=NOON)

    def test_a_reader_works_on_nothing(self, item: ActionItem) -> None:
        reader = factory.user("rita", roles=("reader",))

        for step in (
            lambda: followups.start(item, by=reader, at=NOON),
            lambda: followups.edit(item, by=reader, at=NOON, title="Mine"),
            lambda: followups.assign(item, owner=reader, by=reader, at=NOON),
            lambda: followups.complete(item, evidence="", by=reader, at=NOON),
            lambda: followups.verify(item, evidence="x", by=reader, at=NOON),
            lambda: followups.reopen(item, reason="x", by=reader, at=NOON),
            lambda: followups.reschedule(item, due_on=SOON, reason="x", by=reader, at=NOON),
            lambda: followups.identify_owner("bob", user=reader, by=reader, at=NOON),
            lambda: followups.change_many([item], due_on=SOON, reason="x", by=reader, at=NOON),
            lambda: promise(item.home, reader),
        ):
            with pytest.raises(NotAllowed):
                step()

    def test_reopened_with_a_reason_and_what_ended_it_stays_in_its_history(
        self, item: ActionItem, alice: User, bob: User
    ) -> None:
        followups.complete(item, evidence="A test.", by=alice, at=NOON)
        with pytest.raises(DomainError, match="Why"):
            followups.reopen(item, reason=" ", by=bob, at=NOON)

        followups.reopen(item, reason="The test was deleted.", by=bob, at=NOON)

        assert (item.state, item.evidence, item.done_by) == (State.OPEN, "", None)
        last = history(item)[-1]
        assert last.reason == "The test was deleted." and last.changes["evidence"] == ["A test.", ""]

    def test_a_step_from_a_wrong_state_is_refused_and_leaves_no_trace(self, item: ActionItem, bob: User) -> None:
        with pytest.raises(NotThatStep, match="is open"):
            followups.verify(item, evidence="x", by=bob, at=NOON)
        assert history(item) == []


class TestChangingIt:
    def test_what_is_edited_stands_in_its_history(self, item: ActionItem, bob: User) -> None:
        followups.edit(item, by=bob, at=NOON, title="Alert on slots", priority="high")

        assert history(item)[0].changes == {
            "title": ["Alert on pool saturation", "Alert on slots"],
            "priority": ["medium", "high"],
        }

    def test_nothing_changed_is_nothing_written(self, item: ActionItem, bob: User) -> None:
        followups.edit(item, by=bob, at=NOON, title=item.title)
        followups.assign(item, owner=item.owner, by=bob, at=NOON)

        assert history(item) == [] and not Notification.objects.exists()

    @pytest.mark.parametrize("field", ["state", "owner", "due_on", "reason", "evidence", "postmortem", "pk"])
    def test_owner_date_and_state_are_not_edited(self, item: ActionItem, bob: User, field: str) -> None:
        with pytest.raises(ValueError, match=field):
            followups.edit(item, by=bob, at=NOON, **{field: None})

    def test_a_date_changes_with_a_reason_only(self, item: ActionItem, alice: User, bob: User) -> None:
        with pytest.raises(NotThatStep, match="Why does the date change"):
            followups.reschedule(item, due_on=SOON, reason=" ", by=bob, at=NOON)

        followups.reschedule(item, due_on=SOON, reason="The vendor is late.", by=bob, at=NOON)

        assert (history(item)[0].reason, history(item)[0].changes) == (
            "The vendor is late.",
            {"due_on": ["", "2026-04-01"]},
        )
        assert told(alice) == [f"{item.ref} is due on 2026-04-01: {item.title}"]

    def test_handed_to_somebody_who_is_told(self, item: ActionItem, alice: User, bob: User) -> None:
        followups.assign(item, owner=bob, by=alice, at=NOON)

        assert item.owner == bob
        assert told(bob) == [f"{item.ref} has an owner: Bob: {item.title}"]

    def test_not_handed_to_who_may_not_see_it(self, alice: User, bob: User, charlie: User) -> None:
        shut = factory.incident(visibility=Visibility.RESTRICTED)
        shut.members.set([alice, bob])
        item = factory.action_item(incident=shut, owner=alice)

        followups.assign(item, owner=bob, by=alice, at=NOON)
        with pytest.raises(NotTheirs):
            followups.assign(item, owner=charlie, by=alice, at=NOON)


class TestThisIs:
    def test_all_rows_of_that_name_get_their_owner(self, home: Postmortem, alice: User, bob: User) -> None:
        rows = [
            factory.action_item(f"Item {n}", postmortem=home, owner_text=name)
            for n, name in enumerate(("Bob S.", "bob s."))
        ]
        other = factory.action_item("Of Rob", postmortem=home, owner_text="Rob")

        assert followups.identify_owner("Bob S.", user=bob, by=alice, at=NOON) == 2

        for row in rows:
            row.refresh_from_db()
            assert (row.owner, row.owner_text) == (bob, "")
        other.refresh_from_db()
        assert other.owner is None
        assert told(bob) == [f"{rows[0].ref}, and 1 more, are yours now: Item 0"]
        assert history(rows[0])[0].changes["owner"] == ["Bob S.", "Bob"]

    def test_not_those_that_one_may_not_see_oneself(self, alice: User, bob: User, charlie: User) -> None:
        shut = factory.postmortem(visibility=Visibility.RESTRICTED, owner=alice)
        shut.members.set([bob])
        factory.action_item(postmortem=shut, owner_text="Bob S.")

        assert followups.identify_owner("Bob S.", user=bob, by=charlie, at=NOON) == 0
        assert followups.identify_owner("Bob S.", user=charlie, by=alice, at=NOON) == 0
        assert followups.identify_owner("Bob S.", user=bob, by=alice, at=NOON) == 1

    def test_a_row_with_an_owner_keeps_them(self, item: ActionItem, bob: User) -> None:
        assert followups.identify_owner("", user=bob, by=bob, at=NOON) == 0


def test_of_whatever_is_changed_at_once_the_homes_are_learned(home: Postmortem, alice: User, bob: User) -> None:
    other = factory.postmortem("Another")
    items = [factory.action_item(postmortem=each, owner_text="Bob S.") for each in (home, other)]
    both = {home.search_key, other.search_key}
    learned()

    followups.identify_owner("Bob S.", user=bob, by=alice, at=NOON)
    assert learned() == both
    followups.change_many(items, owner=alice, reason="", by=alice, at=NOON)
    assert learned() == both
    followups.change_many(items, due_on=SOON, reason="New quarter.", by=alice, at=NOON)
    assert learned() == both


def test_each_end_is_told_to_its_owner(item: ActionItem, alice: User, bob: User) -> None:
    reviewer = factory.user("reviewer", roles=("reviewer",))

    followups.complete(item, evidence="A test.", by=bob, at=NOON)
    followups.verify(item, evidence="", by=reviewer, at=NOON)
    followups.reopen(item, reason=" It came again. ", by=bob, at=NOON)
    followups.decline(item, reason=" Too dear. ", by=reviewer, at=NOON)

    whats = ("is done, and waits for somebody to verify it", "is verified", "is open again", "will not be done")
    assert told(alice) == [f"{item.ref} {what}: {item.title}" for what in whats]
    assert [event.reason for event in history(item)] == ["", "", "It came again.", "Too dear."]
    assert item.reason == "Too dear."


@pytest.mark.parametrize("account", [{"is_active": False}, {"is_integration": True}], ids=["left", "a program"])
def test_nobody_owns_it_who_cannot_be_reminded(item: ActionItem, alice: User, account: dict[str, bool]) -> None:
    nobody = factory.user("nobody", **account)

    for step in (
        lambda: followups.assign(item, owner=nobody, by=alice, at=NOON),
        lambda: followups.change_many([item], owner=nobody, reason="", by=alice, at=NOON),
        lambda: promise(item.home, alice, owner=nobody),
    ):
        with pytest.raises(NotTheirs, match="no account that somebody signs in with"):
            step()


class TestMany:
    def test_owner_and_date_of_all_of_them(self, home: Postmortem, alice: User, bob: User) -> None:
        items = [factory.action_item(f"Item {n}", postmortem=home, owner=alice) for n in range(3)]

        changed = followups.change_many(items, owner=bob, due_on=SOON, reason="New quarter.", by=alice, at=NOON)

        assert changed == 3
        assert set(ActionItem.objects.values_list("owner", "due_on")) == {(bob.pk, SOON)}
        assert {event.reason for event in AuditEvent.objects.all()} == {"New quarter."}
        assert len(told(bob)) == 1

    def test_all_or_none(self, home: Postmortem, alice: User, bob: User) -> None:
        shut = factory.postmortem(visibility=Visibility.RESTRICTED, owner=alice)
        items = [factory.action_item(postmortem=each) for each in (home, shut)]

        with pytest.raises(NotTheirs):
            followups.change_many(items, owner=bob, reason="", by=alice, at=NOON)
        assert not ActionItem.objects.exclude(owner=None).exists()

    def test_a_date_wants_a_reason_an_owner_does_not(self, item: ActionItem, bob: User) -> None:
        with pytest.raises(NotThatStep):
            followups.change_many([item], owner=bob, due_on=SOON, reason="", by=bob, at=NOON)
        item.refresh_from_db()
        assert item.due_on is None

        assert followups.change_many([item], owner=bob, reason="", by=item.owner, at=NOON) == 1
        assert told(bob) == [f"{item.ref} is yours now: {item.title}"]

    def test_nothing_to_change_is_said(self, item: ActionItem, bob: User) -> None:
        with pytest.raises(DomainError, match="Say what changes"):
            followups.change_many([item], reason="", by=bob, at=NOON)


LATER = NOON + timedelta(days=60)


class TestItHappensAgain:
    @pytest.fixture
    def problem(self) -> Problem:
        return Problem.objects.create(title="The pool runs dry")

    @pytest.fixture
    def earlier(self, problem: Problem) -> Postmortem:
        return factory.postmortem("The first time", problem=problem, occurred_on=date(2026, 1, 10))

    @pytest.fixture
    def again(self) -> Postmortem:
        return factory.postmortem("It was down again", occurred_on=date(2026, 3, 20))

    def done(self, home: Postmortem | Incident, at: datetime | None = NOON, **fields: Any) -> ActionItem:
        place = {"incident": home} if isinstance(home, Incident) else {"postmortem": home}
        return factory.action_item(**{"state": "done", "done_at": at, **place, **fields})

    def test_what_should_have_prevented_it_is_open_again(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, alice: User, bob: User
    ) -> None:
        item = self.done(earlier, owner=alice, state="verified", evidence="A test.")

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        assert (item.state, item.reopened_at) == (State.OPEN, LATER)
        event = history(item)[-1]
        assert event.by is None and event.reason == recurring.AGAIN
        assert event.changes[recurring.OCCURRENCE] == ["", again.ref]
        assert told(alice) == [f"{item.ref} is open again, because its problem recurred: {item.title}"]

    def test_so_it_is_when_two_are_found_to_have_one_cause(
        self, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        item = self.done(earlier)
        comparison = Comparison.objects.create(postmortem=again, earlier=earlier, verdict="undecided", at=NOON)

        publishing.compare(comparison, verdict="same_cause", by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == State.OPEN

    def test_so_it_is_when_two_problems_turn_out_to_be_one(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        other = Problem.objects.create(title="Slots run out")
        Postmortem.objects.filter(pk=again.pk).update(problem=other)
        item = self.done(earlier)

        problems.merge(other, into=problem, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == State.OPEN

    def test_so_are_items_of_the_incidents_of_earlier_postmortems(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        incident = factory.incident(started_at=NOON - timedelta(days=50))
        earlier.incidents.add(incident)
        item = self.done(incident)

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == State.OPEN

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "detect"},
            {"state": "wont_do", "reason": "Too dear."},
            {"done_at": NOON + timedelta(days=30)},  # it happened before this was done
        ],
        ids=["not preventive", "declined", "done later"],
    )
    def test_others_stay_as_they_are(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User, fields: dict[str, Any]
    ) -> None:
        item = self.done(earlier, **fields) if "done_at" not in fields else self.done(earlier, at=fields["done_at"])
        before = item.state

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == before and history(item) == []

    def test_what_was_promised_after_it_and_done_the_same_day_stays_done(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        incident = factory.incident(started_at=NOON)
        again.incidents.add(incident)
        Postmortem.objects.filter(pk=again.pk).update(started_at=NOON + timedelta(hours=1))
        own = [self.done(again), self.done(incident)]

        problems.link(problem, Postmortem.objects.get(pk=again.pk), by=bob, at=LATER)

        for item in own:
            item.refresh_from_db()
            assert item.state == State.DONE

    def test_promises_against_other_problems_are_kept(self, problem: Problem, again: Postmortem, bob: User) -> None:
        other = Problem.objects.create(title="Certificates run out")
        elsewhere = factory.postmortem("Another thing", problem=other, occurred_on=date(2026, 1, 10))
        incident = factory.incident(started_at=NOON - timedelta(days=50))
        elsewhere.incidents.add(incident)
        without = factory.incident("Of no postmortem", started_at=NOON - timedelta(days=50))
        items = [self.done(home) for home in (elsewhere, incident, without, factory.postmortem("Of no problem"))]

        assert recurring.reopen_recurred(problem, occurrence=again, at=LATER) == []

        assert {ActionItem.objects.get(pk=item.pk).state for item in items} == {State.DONE}

    def test_an_older_one_that_is_linked_later_is_no_recurrence(
        self, problem: Problem, earlier: Postmortem, bob: User
    ) -> None:
        item = self.done(earlier)
        older = factory.postmortem("Long ago", occurred_on=date(2025, 1, 1))

        problems.link(problem, older, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == State.DONE

    @pytest.mark.parametrize(
        ("done_at", "state"), [("2026-03-21T06:59:00Z", State.OPEN), ("2026-03-21T07:00:00Z", State.DONE)]
    )
    def test_a_day_without_a_time_ends_where_the_site_is(
        self,
        problem: Problem,
        earlier: Postmortem,
        again: Postmortem,
        bob: User,
        settings: Any,
        done_at: str,
        state: State,
    ) -> None:
        settings.TIME_ZONE = "America/Los_Angeles"
        item = self.done(earlier, at=datetime.fromisoformat(done_at))

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == state

    def test_what_was_seen_on_the_same_day_is_not_seen_again(self, problem: Problem, bob: User, settings: Any) -> None:
        """Both began in the morning of the tenth there, when it was still the ninth in Greenwich."""
        settings.TIME_ZONE = "Asia/Tokyo"
        incident = factory.incident(started_at=datetime(2026, 1, 9, 22, 0, tzinfo=UTC))
        told = {"occurred_on": date(2026, 1, 10), "problem": problem}
        factory.postmortem("As it began", **told).incidents.add(incident)
        factory.postmortem("The same morning", **told)
        later = factory.postmortem("The next day", **{**told, "occurred_on": date(2026, 1, 11)})
        last = factory.postmortem("The day after", **{**told, "occurred_on": date(2026, 1, 12)})
        factory.postmortem("Something else", occurred_on=date(2026, 1, 11))

        assert recurring.recurrences(self.done(incident), user=bob) == [last, later]

    def test_imported_as_done_without_a_date_the_promise_is_older(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        item, of_a_later_one = self.done(earlier, at=None), self.done(again, at=None)

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        of_a_later_one.refresh_from_db()
        assert (item.state, of_a_later_one.state) == (State.OPEN, State.DONE)

    def test_a_promise_of_the_same_day_or_of_no_day_is_not_older(
        self, problem: Problem, again: Postmortem, bob: User
    ) -> None:
        days = (again.occurred_on, date(2026, 4, 1), None)
        items = [self.done(factory.postmortem(problem=problem, occurred_on=day), at=None) for day in days]

        assert recurring.reopen_recurred(problem, occurrence=again, at=LATER) == []

        assert set(ActionItem.objects.filter(pk__in=[item.pk for item in items]).values_list("state")) == {("done",)}

    def test_what_ended_is_asked_of_when_it_was_done_else_of_when_it_was_verified(
        self, problem: Problem, earlier: Postmortem, again: Postmortem
    ) -> None:
        Postmortem.objects.filter(pk=again.pk).update(started_at=NOON)
        again.refresh_from_db()
        known = {"state": "verified", "evidence": "A test."}
        before, after = NOON - timedelta(days=1), NOON + timedelta(days=1)
        done_at_last = self.done(earlier, at=NOON, verified_at=after, **known)
        verified = self.done(earlier, at=None, verified_at=before, **known)
        self.done(earlier, at=None, verified_at=after, **known)
        self.done(earlier, at=NOON + timedelta(microseconds=1))

        assert recurring.reopen_recurred(problem, occurrence=again, at=LATER) == [done_at_last, verified]

    def test_a_hidden_occurrence_is_not_named_to_who_may_not_see_it(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, alice: User, bob: User, charlie: User
    ) -> None:
        Postmortem.objects.filter(pk=again.pk).update(visibility=Visibility.RESTRICTED)
        again.members.set([bob])
        item = self.done(earlier, owner=alice)
        watching.watch(earlier, by=charlie, at=NOON)

        problems.link(problem, again, by=bob, at=LATER)

        item.refresh_from_db()
        assert item.state == State.OPEN
        for reader, sees in ((bob, True), (alice, False), (charlie, False)):
            shown = str([(event.reason, event.changes) for event in recurring.history_of(item, user=reader)])
            assert (again.ref in shown) == sees
            assert (again in recurring.recurrences(item, user=reader)) == sees
        assert again.ref not in str(told(alice) + told(charlie))

    def test_what_was_declined_says_that_it_recurred(
        self, problem: Problem, earlier: Postmortem, again: Postmortem, bob: User
    ) -> None:
        item = self.done(earlier, state="wont_do", reason="Too dear.")

        problems.link(problem, again, by=bob, at=LATER)

        assert recurring.recurrences(item, user=bob) == [again]


class TestAFixHelpsAgain:
    """Before anybody has written what happened, a fix that helped says whose problem is back."""

    @pytest.fixture
    def home(self) -> Postmortem:
        problem = Problem.objects.create(title="The pool runs dry")
        return factory.postmortem("The first time", problem=problem, occurred_on=date(2026, 1, 10))

    @pytest.fixture
    def kept(self, home: Postmortem, alice: User, bob: User) -> ActionItem:
        """Verified, by Bob, with evidence."""
        known = {"done_at": NOON, "done_by": alice, "verified_at": NOON, "verified_by": bob, "evidence": "A test."}
        return factory.action_item("Bound it", postmortem=home, owner=alice, state="verified", **known)

    @pytest.fixture
    def fix(self, home: Postmortem) -> Fix:
        return factory.fix("Recycle the pool", postmortem=home)

    @pytest.fixture
    def incident(self) -> Incident:
        return factory.incident("Checkout is slow", started_at=LATER)

    def say(self, incident: Incident, fix: Fix, outcome: str, by: User) -> None:
        triage.record_outcome(incident, fix, outcome=outcome, by=by, at=LATER + timedelta(hours=1))

    def state(self, item: ActionItem) -> str:
        item.refresh_from_db()
        return item.state

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [("worked", "open"), ("partly", "open"), ("no_effect", "verified"), ("made_worse", "verified")],
    )
    def test_what_should_have_prevented_it_is_open_again(
        self, kept: ActionItem, fix: Fix, incident: Incident, bob: User, outcome: str, state: str
    ) -> None:
        self.say(incident, fix, outcome, bob)

        assert self.state(kept) == state

    def test_its_history_names_the_incident_and_its_owner_is_told_once(
        self, kept: ActionItem, fix: Fix, incident: Incident, alice: User, bob: User
    ) -> None:
        for outcome in ("worked", "partly", "worked"):
            self.say(incident, fix, outcome, bob)

        (event,) = history(kept)
        assert (event.action, event.by, event.reason) == ("action.reopen", None, recurring.HELPED_AGAIN)
        assert event.changes[recurring.OCCURRENCE] == ["", incident.ref]
        assert told(alice) == [f"{kept.ref} is open again, because its problem recurred: Bound it"]

    def test_done_anew_it_is_not_opened_again_by_the_same_incident(
        self, kept: ActionItem, fix: Fix, incident: Incident, alice: User, bob: User
    ) -> None:
        self.say(incident, fix, "worked", bob)
        kept.refresh_from_db()
        followups.complete(kept, evidence="Bounded lower.", by=alice, at=LATER + timedelta(hours=2))

        self.say(incident, fix, "worked", bob)

        assert self.state(kept) == "done"

    def test_a_fix_of_the_problem_or_of_a_sister_postmortem_says_it_too(
        self, home: Postmortem, kept: ActionItem, incident: Incident, bob: User
    ) -> None:
        sister = factory.postmortem("The second time", problem=home.problem)
        for n, fix in enumerate((factory.fix(problem=home.problem), factory.fix(postmortem=sister))):
            later = factory.incident(started_at=LATER + timedelta(days=n))
            ActionItem.objects.filter(pk=kept.pk).update(state="verified", evidence="A test.", done_at=NOON)
            self.say(later, fix, "partly", bob)
            assert self.state(kept) == "open"

    @pytest.mark.parametrize(
        "fields",
        [{"kind": "exercise"}, {"status": "cancelled", "cancel_reason": "Noise."}, {"started_at": NOON}],
        ids=["exercise", "cancelled", "before it was done"],
    )
    def test_what_is_no_recurrence_opens_nothing(
        self, kept: ActionItem, fix: Fix, bob: User, fields: dict[str, Any]
    ) -> None:
        ActionItem.objects.filter(pk=kept.pk).update(done_at=NOON + timedelta(minutes=1))
        self.say(factory.incident(**{"started_at": LATER, **fields}), fix, "worked", bob)

        assert self.state(kept) == "verified"

    def test_it_says_so_of_a_postmortem_that_names_no_problem(self, incident: Incident, bob: User) -> None:
        home = factory.postmortem("No problem named")
        item, other = (
            factory.action_item(postmortem=each, state="done", done_at=NOON)
            for each in (home, factory.postmortem("Nor here"))
        )

        self.say(incident, factory.fix(postmortem=home), "worked", bob)

        assert (self.state(item), self.state(other)) == ("open", "done")

    def test_not_what_was_promised_in_that_incident_itself(
        self, home: Postmortem, fix: Fix, incident: Incident, bob: User
    ) -> None:
        home.incidents.add(incident, earlier := factory.incident("Earlier"))
        own, of_earlier = (
            factory.action_item(incident=each, state="done", done_at=NOON) for each in (incident, earlier)
        )

        self.say(incident, fix, "worked", bob)

        assert (self.state(own), self.state(of_earlier)) == ("done", "open")

    def test_neither_do_fixes_of_something_else_nor_the_incident_that_it_comes_from(
        self, home: Postmortem, kept: ActionItem, fix: Fix, incident: Incident, bob: User
    ) -> None:
        self.say(incident, factory.fix("Of something else"), "worked", bob)
        own = factory.incident(started_at=LATER)
        home.incidents.add(own)
        self.say(own, fix, "worked", bob)

        assert self.state(kept) == "verified"

    def test_taken_back_it_is_as_it_was(
        self, kept: ActionItem, fix: Fix, incident: Incident, alice: User, bob: User
    ) -> None:
        before = ActionItem.objects.values().get(pk=kept.pk)
        self.say(incident, fix, "worked", bob)
        self.say(incident, fix, "no_effect", bob)
        self.say(incident, fix, "no_effect", bob)

        after = ActionItem.objects.values().get(pk=kept.pk)
        assert after == {**before, "reopened_at": after["reopened_at"]}
        assert [event.action for event in history(kept)] == ["action.reopen", "action.hold"]
        assert told(alice)[-1] == f"{kept.ref} holds after all: Bound it"

    def test_a_second_fix_that_helped_still_stands(
        self, home: Postmortem, kept: ActionItem, fix: Fix, incident: Incident, bob: User
    ) -> None:
        self.say(incident, fix, "worked", bob)
        self.say(incident, factory.fix(problem=home.problem), "worked", bob)

        self.say(incident, fix, "no_effect", bob)

        assert self.state(kept) == "open"

    def test_what_one_incident_opened_again_another_does_not_take_back(
        self, kept: ActionItem, fix: Fix, incident: Incident, bob: User
    ) -> None:
        self.say(incident, fix, "worked", bob)

        self.say(factory.incident("Another", started_at=LATER), fix, "no_effect", bob)

        assert self.state(kept) == "open"

    def test_what_somebody_took_up_since_is_theirs(
        self, kept: ActionItem, fix: Fix, incident: Incident, alice: User, bob: User
    ) -> None:
        self.say(incident, fix, "worked", bob)
        kept.refresh_from_db()
        followups.reschedule(kept, due_on=SOON, reason="Next week.", by=alice, at=LATER)

        self.say(incident, fix, "no_effect", bob)

        assert self.state(kept) == "open"

    def test_an_incident_that_was_none_takes_it_back_and_reopened_says_it_again(
        self, kept: ActionItem, fix: Fix, incident: Incident, bob: User
    ) -> None:
        self.say(incident, fix, "worked", bob)

        triage.cancel(incident, reason="A drill.", by=bob, at=LATER)
        assert self.state(kept) == "verified"

        triage.reopen(incident, reason="It was none.", by=bob, at=LATER)
        assert self.state(kept) == "open"

    def test_a_hidden_incident_is_not_named_to_who_may_not_see_it(
        self, kept: ActionItem, fix: Fix, incident: Incident, alice: User, bob: User
    ) -> None:
        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.RESTRICTED)
        incident.members.set([bob])

        self.say(incident, fix, "worked", bob)

        assert self.state(kept) == "open"
        for reader, sees in ((bob, True), (alice, False)):
            shown = str([(event.reason, event.changes) for event in recurring.history_of(kept, user=reader)])
            assert (incident.ref in shown) == sees
        assert incident.ref not in str(told(alice))


def test_two_who_press_at_once(item: ActionItem, alice: User, bob: User) -> None:
    same = ActionItem.objects.get(pk=item.pk)
    followups.complete(item, evidence="", by=alice, at=NOON)

    with pytest.raises(NotThatStep, match="is done"):
        followups.complete(same, evidence="", by=bob, at=NOON)
    assert len(history(item)) == 1


def test_what_somebody_else_changed_meanwhile_is_in_the_history_once(item: ActionItem, alice: User, bob: User) -> None:
    stale = ActionItem.objects.get(pk=item.pk)
    followups.assign(item, owner=bob, by=alice, at=NOON)

    followups.assign(stale, owner=alice, by=alice, at=NOON)

    assert [event.changes["owner"] for event in history(item)] == [["Alice", "Bob"], ["Bob", "Alice"]]


def test_whose_it_became_meanwhile_does_not_verify_it(item: ActionItem, alice: User, bob: User) -> None:
    followups.complete(item, evidence="A test.", by=alice, at=NOON)
    stale = ActionItem.objects.get(pk=item.pk)
    followups.assign(item, owner=bob, by=alice, at=NOON)

    with pytest.raises(NotThatStep, match="other than its owner"):
        followups.verify(stale, evidence="", by=bob, at=NOON)


@pytest.mark.parametrize(
    ("state", "field"),
    [("done", "done_at"), ("verified", "verified_at"), ("wont_do", "declined_at")],
)
def test_what_ended_last_comes_first(home: Postmortem, state: str, field: str) -> None:
    known = {"state": state, "evidence": "A test.", "reason": "Too dear.", "postmortem": home}
    for title, days, due_on in (("older", 1, SOON), ("newer", 2, None), ("as new", 2, SOON)):
        factory.action_item(title, **{"done_at": NOON, field: NOON + timedelta(days=days)}, due_on=due_on, **known)

    assert [item.title for item in ActionItem.objects.by_urgency()] == ["newer", "as new", "older"]


def test_what_has_no_date_comes_last_wherever_nobody_says_otherwise(home: Postmortem) -> None:
    for title, due_on in (("some day", None), ("later", SOON + timedelta(days=1)), ("soon", SOON)):
        factory.action_item(title, postmortem=home, due_on=due_on)

    assert [item.title for item in home.action_items.all()] == ["soon", "later", "some day"]
    assert [item.title for item in ActionItem.objects.soonest_first()] == ["soon", "later", "some day"]


def test_of_what_is_not_finished_the_soonest_comes_first(home: Postmortem) -> None:
    for title, due_on in (("some day", None), ("later", SOON + timedelta(days=1)), ("soon", SOON), ("as soon", SOON)):
        factory.action_item(title, postmortem=home, due_on=due_on)

    assert [item.title for item in ActionItem.objects.by_urgency()] == ["soon", "as soon", "later", "some day"]


def test_a_team_sees_what_its_people_own(alice: User, team: Team, charlie: User) -> None:
    home = factory.postmortem()
    mine, other = factory.action_item(postmortem=home, owner=alice), factory.action_item(postmortem=home, owner=charlie)

    others = factory.team("Others", charlie)
    its = factory.action_item(postmortem=factory.postmortem(team=team))

    assert set(ActionItem.objects.of_teams(team)) == {mine, its}
    assert set(ActionItem.objects.of_teams(others)) == {other}
    assert set(ActionItem.objects.of_teams(team, others)) == {mine, its, other}


def test_what_hangs_on_an_incident_of_another_postmortem_is_not_told_with_this_one(home: Postmortem) -> None:
    own, foreign = factory.incident(), factory.incident()
    home.incidents.add(own)
    factory.postmortem("Another").incidents.add(own, foreign)
    told = [factory.action_item(postmortem=home, incident=incident) for incident in (None, own)]
    factory.action_item(postmortem=home, incident=foreign)

    assert list(home.action_items.seen_with_its_postmortem().order_by("pk")) == told


class TestListsThatAreKept:
    def keep(self, by: User, *, is_shared: bool, name: str = "Late ones") -> SavedFilter:
        return saved_filters.keep(name=name, query="due=late", is_shared=is_shared, by=by, at=NOON)

    def test_what_everybody_finds_is_written_down_and_ones_own_is_not(self, alice: User) -> None:
        own, shared = self.keep(alice, is_shared=False, name="Mine"), self.keep(alice, is_shared=True)

        for row in (own, shared):
            saved_filters.remove(row, by=alice, at=NOON)

        events = AuditEvent.objects.order_by("pk").values_list("action", "object_name", "changes")
        assert list(events) == [
            ("filter.share", "Late ones", {"query": ["", "due=late"]}),
            ("filter.remove", "Late ones", {}),
        ]

    def test_a_reader_keeps_lists_but_for_nobody_else(self) -> None:
        reader = factory.user("reader", roles=("reader",))

        assert self.keep(reader, is_shared=False).owner == reader
        with pytest.raises(NotAllowed):
            self.keep(reader, is_shared=True, name="Another")

    def test_of_two_at_once_the_first_is_kept(self, alice: User, bob: User) -> None:
        first = self.keep(alice, is_shared=False)

        with pytest.raises(saved_filters.NameTaken):
            self.keep(alice, is_shared=True)
        self.keep(bob, is_shared=False)

        assert list(SavedFilter.objects.filter(owner=alice).values_list("pk", "is_shared")) == [(first.pk, False)]
