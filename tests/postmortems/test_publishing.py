"""Publishing: who may, with what reason; who is told; and how a postmortem compares with what it looks like."""

from __future__ import annotations

from typing import Any

import pytest

from postmortems.models import AuditEvent, Comparison, Notification, Postmortem, Problem, Team, User, Visibility, Watch
from postmortems.models.postmortem import NotReady
from postmortems.roles import NotAllowed
from postmortems.workflows import publishing
from postmortems.workflows.publishing import NoAnswer
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

POOL = {
    "impact": "Orders failed with pool timeout and 503 while the failover ran.",
    "contributing_factors": "Connections of the old primary were kept in the pool.",
    "what_fixed_it": "Recycled the connection pool on every node.",
}


@pytest.fixture(autouse=True)
def an_index(learn: Any) -> None:
    """`learn` makes an empty one."""


@pytest.fixture
def approved(alice: User, team: Team) -> Postmortem:
    return factory.postmortem(
        "Checkout pool timeout after failover", status="approved", owner=alice, team=team, sections=POOL
    )


@pytest.fixture
def earlier(learn: Any) -> Postmortem:
    row = factory.postmortem("Checkout lost its connection pool in a failover", sections=POOL)
    learn(row, *[factory.postmortem(f"Disk of mail server {n} filled up") for n in range(12)])
    return row


def publish(postmortem: Postmortem, by: User, **details: Any) -> None:
    publishing.publish(postmortem, by=by, at=NOON, **details)


# --- who may publish what ---


def test_what_was_approved_is_published_and_those_who_watch_are_told(
    approved: Postmortem, bob: User, charlie: User
) -> None:
    checkout = factory.service("Checkout")
    approved.services.add(checkout)
    Watch.objects.create(user=charlie, service=checkout, since=NOON)

    publish(approved, bob)

    assert (approved.status, approved.published_at) == ("published", NOON)
    assert {row.user.username for row in Notification.objects.all()} == {"alice", "charlie"}
    event = AuditEvent.objects.about(approved).get()
    assert (event.action, event.changes) == ("postmortem.publish", {"status": ["approved", "published"]})


def test_who_watches_and_may_not_see_it_is_not_told(approved: Postmortem, alice: User, charlie: User) -> None:
    Postmortem.objects.update(visibility=Visibility.RESTRICTED)
    approved.refresh_from_db()
    Watch.objects.create(user=charlie, postmortem=approved, since=NOON)

    publish(approved, alice)

    assert not Notification.objects.exists()


@pytest.mark.parametrize("role", ["reader", "author", "reviewer"])
def test_without_an_approval_nobody_publishes_by_giving_a_reason(role: str, team: Team) -> None:
    owner = factory.user("owner", roles=(role,))
    draft = factory.postmortem(status="in_review", owner=owner, sections=POOL)

    with pytest.raises((NotReady, NotAllowed)):
        publish(draft, owner, reason="I am in a hurry.")

    assert Postmortem.objects.get().status == "in_review"


@pytest.mark.parametrize("role", ["manager", "administrator"])
def test_a_manager_publishes_without_an_approval_and_says_why(role: str, alice: User) -> None:
    manager = factory.user("mona", roles=(role,))
    draft = factory.postmortem(status="in_review", owner=alice, sections=POOL)
    draft.members.add(manager)

    with pytest.raises(NotReady, match="say why"):
        publish(draft, manager, reason=" ")
    publish(draft, manager, reason="The regulator asks for it today.")

    assert draft.is_published
    assert AuditEvent.objects.about(draft).get().reason == "The regulator asks for it today."


def test_who_may_not_edit_it_publishes_nothing(approved: Postmortem, charlie: User) -> None:
    with pytest.raises(NotAllowed):
        publish(approved, charlie)


def test_nothing_written_is_not_published(alice: User) -> None:
    with pytest.raises(NotReady, match="Nothing is written"):
        publish(factory.postmortem(status="approved", owner=alice), alice)


def test_it_is_archived_with_a_reason_and_brought_back(approved: Postmortem, alice: User) -> None:
    publish(approved, alice)

    with pytest.raises(NotReady, match="Say why"):
        publishing.archive(approved, reason=" ", by=alice, at=NOON)
    publishing.archive(approved, reason="The service is gone.", by=alice, at=NOON)
    assert (approved.status, approved.archived_at) == ("archived", NOON)
    assert AuditEvent.objects.first().reason == "The service is gone."  # type: ignore[union-attr]

    publishing.publish_again(approved, by=alice, at=NOON)
    assert (approved.status, approved.archived_at, approved.published_at) == ("published", None, NOON)


@pytest.mark.parametrize("step", ["archive", "publish_again"])
def test_who_may_not_edit_it_archives_nothing(charlie: User, step: str) -> None:
    row = factory.postmortem(status="archived" if step == "publish_again" else "published", published_at=NOON)
    reason = {"reason": "Old."} if step == "archive" else {}

    with pytest.raises(NotAllowed):
        getattr(publishing, step)(row, by=charlie, at=NOON, **reason)


# --- what it looks like ---


def test_publishing_asks_how_it_compares_with_what_looks_like_it(
    approved: Postmortem, earlier: Postmortem, alice: User
) -> None:
    publish(approved, alice)

    row = Comparison.objects.get()
    assert (row.postmortem, row.earlier, row.verdict, row.by) == (approved, earlier, "undecided", None)


def test_of_what_the_publisher_may_not_see_nothing_is_asked(
    approved: Postmortem, earlier: Postmortem, alice: User
) -> None:
    Postmortem.objects.filter(pk=earlier.pk).update(visibility=Visibility.RESTRICTED)

    publish(approved, alice)

    assert not Comparison.objects.exists()


def test_drafts_and_archived_ones_are_not_asked_about(
    approved: Postmortem, earlier: Postmortem, alice: User, learn: Any
) -> None:
    Postmortem.objects.filter(pk=earlier.pk).update(status="archived")
    learn(earlier, factory.postmortem("Checkout pool, a draft", status="draft", owner=alice, sections=POOL))

    publish(approved, alice)

    assert not Comparison.objects.exists()


def test_what_was_answered_is_not_asked_again_from_either_side(
    approved: Postmortem, earlier: Postmortem, alice: User, learn: Any
) -> None:
    publish(approved, alice)
    learn(approved)
    publishing.compare(Comparison.objects.get(), verdict="different", by=alice, at=NOON)

    assert publishing.ask_about_lookalikes(approved, by=alice, at=NOON) == 0
    assert publishing.ask_about_lookalikes(earlier, by=alice, at=NOON) == 0
    assert Comparison.objects.get().verdict == "different"


@pytest.fixture
def comparison(approved: Postmortem) -> Comparison:
    row = Comparison.objects.ask(approved, factory.postmortem("Pool empty", cause_category="capacity"), at=NOON)
    assert row
    return row


def same_cause(comparison: Comparison, by: User, **details: Any) -> None:
    publishing.compare(comparison, verdict="same_cause", by=by, at=NOON, **details)


def test_the_same_cause_makes_a_problem_of_both(comparison: Comparison, alice: User) -> None:
    same_cause(comparison, alice, title="Pool keeps dead connections", how_to_tell="Count the sockets in CLOSE_WAIT.")

    problem = Problem.objects.get()
    assert (problem.title, problem.cause_category) == ("Pool keeps dead connections", "capacity")
    assert problem.discriminating_check == "Count the sockets in CLOSE_WAIT."
    assert set(problem.postmortems.all()) == {comparison.postmortem, comparison.earlier}
    assert (comparison.verdict, comparison.by) == ("same_cause", alice)


@pytest.mark.parametrize("side", ["postmortem", "earlier"])
def test_the_same_cause_joins_the_problem_of_either(comparison: Comparison, alice: User, side: str) -> None:
    problem = Problem.objects.create(title="Pool", discriminating_check="Look at the sockets.")
    getattr(comparison, side).belong_to(problem)

    same_cause(comparison, alice, how_to_tell="Ask the proxy.")

    assert set(problem.postmortems.all()) == {comparison.postmortem, comparison.earlier}
    problem.refresh_from_db()
    assert problem.discriminating_check == "Look at the sockets.\n\nAsk the proxy."


def test_a_problem_needs_a_name(comparison: Comparison, alice: User) -> None:
    with pytest.raises(NoAnswer, match="Name the problem"):
        same_cause(comparison, alice, title=" ")

    assert Comparison.objects.get().verdict == "undecided"


def test_two_problems_are_merged_first(comparison: Comparison, alice: User) -> None:
    for row in (comparison.postmortem, comparison.earlier):
        row.belong_to(Problem.objects.create(title=row.title))

    with pytest.raises(NoAnswer, match="merge"):
        same_cause(comparison, alice)


def test_the_same_symptom_keeps_them_apart_and_wants_the_check(comparison: Comparison, alice: User) -> None:
    problem = Problem.objects.create(title="Pool")
    comparison.earlier.belong_to(problem)

    with pytest.raises(NoAnswer, match="tell them apart"):
        publishing.compare(comparison, verdict="same_symptom", by=alice, at=NOON)
    publishing.compare(comparison, verdict="same_symptom", how_to_tell="Ask the proxy.", by=alice, at=NOON)

    comparison.postmortem.refresh_from_db()
    problem.refresh_from_db()
    assert comparison.postmortem.problem is None
    assert problem.discriminating_check == comparison.how_to_tell == "Ask the proxy."


def test_what_was_put_together_is_taken_apart_before_it_is_called_different(
    comparison: Comparison, alice: User
) -> None:
    same_cause(comparison, alice, title="Pool")

    with pytest.raises(NoAnswer, match="take one of them off"):
        publishing.compare(comparison, verdict="different", by=alice, at=NOON)


def test_a_reader_compares_nothing(comparison: Comparison) -> None:
    with pytest.raises(NotAllowed):
        same_cause(comparison, factory.user("reader", roles=("reader",)), title="Pool")


def test_a_comparison_is_seen_by_those_who_see_both(comparison: Comparison, alice: User, charlie: User) -> None:
    Postmortem.objects.filter(pk=comparison.postmortem.pk).update(status="published", published_at=NOON)
    assert Comparison.objects.visible_to(charlie).exists()

    Postmortem.objects.filter(pk=comparison.earlier.pk).update(visibility=Visibility.RESTRICTED)
    assert not Comparison.objects.visible_to(charlie).exists()
