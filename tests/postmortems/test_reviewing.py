"""A review: who may be asked, what is decided of which revision, every step from every state, races, comments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from postmortems.models import (
    AuditEvent,
    Comment,
    Notification,
    Postmortem,
    PostmortemTemplate,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    Team,
    User,
    Visibility,
)
from postmortems.models.postmortem import NotReady
from postmortems.models.readers import readers_of, reviewers_for
from postmortems.models.review import CHECKLIST, NotReviewable
from postmortems.roles import NotAllowed
from postmortems.workflows import publishing, reviewing
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

Status = Postmortem.Status
WRITTEN = {
    "summary": "Checkout was down.",
    "impact": "Orders failed for 40 min.",
    "contributing_factors": "The pool had no limit.",
    "what_fixed_it": "Recycled the pool.",
}
YES = {question.key: "yes" for question in CHECKLIST}


@pytest.fixture
def draft(alice: User, team: Team) -> Postmortem:
    PostmortemTemplate.objects.all().delete()
    return factory.postmortem(status="draft", owner=alice, team=team, sections=WRITTEN)


def ask(postmortem: Postmortem, *reviewers: User, by: Any = "owner", at: Any = NOON) -> None:
    reviewing.request_review(postmortem, reviewers=reviewers, by=postmortem.owner if by == "owner" else by, at=at)


def say(postmortem: Postmortem, by: User, decision: str = "approved", **details: Any) -> ReviewVerdict:
    known: dict[str, Any] = {"checklist": YES, "note": "Well written.", "revision": postmortem.revision, "at": NOON}
    return reviewing.give_verdict(postmortem, decision=decision, by=by, **{**known, **details})


def revise(postmortem: Postmortem, by: Any = None) -> None:
    """What saving a new revision does."""
    number = postmortem.revision + 1
    Postmortem.objects.filter(pk=postmortem.pk).update(revision=number)
    Revision.objects.create(postmortem=postmortem, number=number, content={}, by=by, at=NOON)
    postmortem.refresh_from_db()
    reviewing.text_changed(postmortem, by=by, at=NOON)


# --- asking ---


def test_a_review_is_asked_for_of_named_people_and_makes_the_first_revision(
    draft: Postmortem, alice: User, bob: User
) -> None:
    ask(draft, bob)

    assert (draft.status, draft.revision) == ("in_review", 1)
    revision = Revision.objects.get(postmortem=draft)
    assert (revision.number, revision.by, revision.content["sections"]) == (1, alice, WRITTEN)
    assert list(ReviewRequest.objects.waiting_for(bob).values_list("postmortem", flat=True)) == [draft.pk]
    told = Notification.objects.get()
    assert (told.user, told.text) == (bob, f"Alice asks you to review {draft.ref}.")
    assert AuditEvent.objects.about(draft).get().changes == {"reviewers": ["", "Bob"]}


def test_nobody_named_is_refused(draft: Postmortem) -> None:
    with pytest.raises(NotReady, match="at least one"):
        ask(draft)

    assert Postmortem.objects.get().status == "draft"


def test_the_owner_is_no_reviewer(draft: Postmortem, alice: User, bob: User) -> None:
    with pytest.raises(NotReady, match="someone else"):
        ask(draft, bob, alice)

    assert alice not in reviewers_for(draft)


def test_who_may_not_see_it_is_not_asked(draft: Postmortem, charlie: User) -> None:
    with pytest.raises(NotReady, match="may not see it"):
        ask(draft, charlie)


def test_who_lacks_the_role_is_not_asked(draft: Postmortem, team: Team) -> None:
    author = factory.user("author", roles=("author",))
    team.members.add(author)

    with pytest.raises(NotReady, match="lack the role"):
        ask(draft, author)


def test_what_the_template_requires_is_written_first(draft: Postmortem, bob: User) -> None:
    draft.write("impact", " ")
    draft.write("what_fixed_it", "")

    with pytest.raises(NotReady, match="Before a review, write: Impact, What fixed it"):
        ask(draft, bob)


def test_the_closest_template_says_what_is_required(draft: Postmortem, bob: User) -> None:
    PostmortemTemplate.objects.create(name="All").sections.create(key="lessons", is_required=True)
    of_its_kind = PostmortemTemplate.objects.create(name="Service", kind="service")
    of_its_kind.sections.create(key="lucky", is_required=True)
    of_its_kind.sections.create(key="surprised")

    assert reviewing.still_to_write(draft) == ["Where we got lucky"]


def test_who_may_not_edit_it_asks_for_no_review(draft: Postmortem, bob: User, charlie: User) -> None:
    with pytest.raises(NotAllowed):
        ask(draft, bob, by=charlie)


def test_asked_again_it_is_the_same_request_and_who_is_not_named_is_asked_no_longer(
    draft: Postmortem, bob: User, team: Team
) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob, dora)
    say(draft, bob, "changes_requested")

    ask(draft, bob, at=NOON + timedelta(days=1))

    assert [(row.reviewer, row.requested_at) for row in draft.review_requests.all()] == [
        (bob, NOON + timedelta(days=1))
    ]


# --- verdicts ---


def test_all_named_reviewers_have_to_approve(draft: Postmortem, bob: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob, dora)

    say(draft, bob)
    assert draft.status == "in_review"
    assert not ReviewRequest.objects.waiting_for(bob).exists()
    assert ReviewRequest.objects.waiting_for(dora).exists()

    say(draft, dora)
    assert draft.status == "approved"
    assert Notification.objects.filter(user=draft.owner, text__contains="can be published").exists()


def test_changes_are_asked_for_by_any_of_them_and_made_before_it_is_asked_again(
    draft: Postmortem, alice: User, bob: User
) -> None:
    ask(draft, bob)
    say(draft, bob, "changes_requested", note="For how long?", checklist={})
    assert draft.status == "changes_requested"
    assert Notification.objects.filter(user=alice, text__contains="asks for changes").exists()

    revise(draft, alice)
    assert draft.status == "changes_requested"
    ask(draft, bob)
    say(draft, bob)

    assert draft.status == "approved"
    assert [verdict.revision.number for verdict in ReviewVerdict.objects.order_by("pk")] == [1, 2]


def test_an_approval_of_an_older_revision_does_not_count(draft: Postmortem, alice: User, bob: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob, dora)
    say(draft, bob)
    revise(draft, alice)

    say(draft, dora)

    assert draft.status == "in_review"
    assert ReviewRequest.objects.waiting_for(bob).exists()


@pytest.mark.parametrize("decision", ["approved", "changes_requested"])
def test_who_read_an_older_text_is_told_so(draft: Postmortem, alice: User, bob: User, decision: str) -> None:
    ask(draft, bob)
    revise(draft, alice)

    with pytest.raises(NotReady, match="changed while you read: look at revision 2"):
        say(draft, bob, decision, revision=1)

    assert not ReviewVerdict.objects.exists()


def test_a_change_after_the_approval_asks_for_a_fresh_one(draft: Postmortem, alice: User, bob: User) -> None:
    ask(draft, bob)
    say(draft, bob)

    revise(draft, alice)

    assert draft.status == "in_review"
    assert Notification.objects.filter(user=bob, text__contains="look again").exists()
    with pytest.raises(NotReady):
        publishing.publish(draft, by=alice, at=NOON)


@pytest.mark.parametrize("status", [status for status in Status.values if status != "approved"])
def test_a_change_at_any_other_time_changes_no_state(status: str) -> None:
    postmortem = factory.postmortem(status=status, published_at=NOON)

    assert not postmortem.needs_fresh_review()
    assert Postmortem.objects.get().status == status


def test_an_approval_can_be_taken_back_until_it_is_published(draft: Postmortem, bob: User) -> None:
    ask(draft, bob)
    say(draft, bob)

    say(draft, bob, "changes_requested", note="I missed the timeline.")

    assert draft.status == "changes_requested"


@pytest.mark.parametrize("left_out", [question.key for question in CHECKLIST])
def test_an_approval_answers_every_question(draft: Postmortem, bob: User, left_out: str) -> None:
    ask(draft, bob)

    with pytest.raises(NotReviewable, match="answer the checklist"):
        say(draft, bob, checklist={key: value for key, value in YES.items() if key != left_out})

    assert draft.status == "in_review"


def test_an_approval_in_spite_of_a_no_says_why(draft: Postmortem, bob: User) -> None:
    ask(draft, bob)

    with pytest.raises(NotReviewable, match="published all the same"):
        say(draft, bob, checklist={**YES, "actions": "no"}, note=" ")
    say(draft, bob, checklist={**YES, "actions": "no"}, note="They are being planned.")

    assert draft.status == "approved"


def test_asking_for_changes_says_which_in_the_note_or_in_a_comment(draft: Postmortem, bob: User) -> None:
    ask(draft, bob)

    with pytest.raises(NotReviewable, match="Say what should change"):
        say(draft, bob, "changes_requested", note=" ")
    reviewing.comment(draft, body="For how long?", section="impact", by=bob, at=NOON)
    say(draft, bob, "changes_requested", note="")

    assert draft.status == "changes_requested"


def test_only_who_was_asked_decides(draft: Postmortem, alice: User, bob: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob)

    for other in (dora, alice):
        with pytest.raises(NotAllowed):
            say(draft, other)


def test_who_owns_it_by_now_does_not_decide(draft: Postmortem, bob: User) -> None:
    ask(draft, bob)
    Postmortem.objects.update(owner=bob)
    draft.refresh_from_db()

    with pytest.raises(NotAllowed):
        say(draft, bob)


# --- reviewers come and go ---


def test_a_reviewer_more_has_to_approve_too(draft: Postmortem, alice: User, bob: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob)
    reviewing.add_reviewer(draft, dora, by=alice, at=NOON)

    say(draft, bob)

    assert draft.status == "in_review"
    assert Notification.objects.filter(user=dora).exists()


def test_the_word_of_who_is_asked_no_longer_is_not_waited_for(
    draft: Postmortem, alice: User, bob: User, team: Team
) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    ask(draft, bob, dora)
    say(draft, bob)

    reviewing.remove_reviewer(draft, dora, by=alice, at=NOON)

    assert draft.status == "approved"


def test_the_last_reviewer_stays(draft: Postmortem, alice: User, bob: User) -> None:
    ask(draft, bob)

    with pytest.raises(NotReady, match="needs a reviewer"):
        reviewing.remove_reviewer(draft, bob, by=alice, at=NOON)


# --- every step from every state ---

STEPS: dict[str, tuple[set[str], Callable[[Postmortem], Any]]] = {
    "ask": ({"draft", "changes_requested"}, lambda row: ask(row, User.objects.get(username="bob"))),
    "approve": ({"in_review"}, lambda row: say(row, User.objects.get(username="bob"))),
    "request changes": (
        {"in_review", "approved"},
        lambda row: say(row, User.objects.get(username="bob"), "changes_requested"),
    ),
    "add a reviewer": (
        {"in_review", "changes_requested"},
        lambda row: reviewing.add_reviewer(row, User.objects.get(username="bob"), by=row.owner, at=NOON),
    ),
    "publish": ({"approved"}, lambda row: publishing.publish(row, by=row.owner, at=NOON)),
    "archive": ({"published"}, lambda row: publishing.archive(row, reason="Retired.", by=row.owner, at=NOON)),
    "publish again": ({"archived"}, lambda row: publishing.publish_again(row, by=row.owner, at=NOON)),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", Status.values)
def test_each_step_starts_where_it_may_and_nowhere_else(
    request: pytest.FixtureRequest, draft: Postmortem, bob: User, status: str, step: str
) -> None:
    starts, take = STEPS[step]
    if step == "publish":
        request.getfixturevalue("learn")  # it asks the index what looks like it
    Revision.objects.first_of(draft, by=None, at=NOON)
    ReviewRequest.objects.create(postmortem=draft, reviewer=bob, requested_at=NOON)
    Postmortem.objects.update(status=status, published_at=NOON)
    draft.refresh_from_db()

    if status in starts:
        take(draft)
    else:
        with pytest.raises(NotReady, match=draft.ref):
            take(draft)

    moved = Postmortem.objects.get().status != status
    assert moved == (status in starts and step != "add a reviewer")


MODEL_STEPS: dict[str, Callable[[Postmortem], None]] = {
    "draft": lambda row: row.ask_review(),
    "in_review": lambda row: row.approve(revision=0),
    "approved": lambda row: row.publish_approved(at=NOON),
    "published": lambda row: row.archive(at=NOON),
    "archived": lambda row: row.publish_again(),
}


@pytest.mark.parametrize("status", MODEL_STEPS)
def test_of_two_who_press_at_once_one_gets_the_refusal(status: str) -> None:
    mine = factory.postmortem(status=status, published_at=NOON, sections=WRITTEN)
    theirs = Postmortem.objects.get()
    MODEL_STEPS[status](mine)

    with pytest.raises(NotReady):
        MODEL_STEPS[status](theirs)

    assert theirs.status == mine.status == Postmortem.objects.get().status


def test_an_edit_between_reading_and_publishing_is_not_published(alice: User) -> None:
    mine = factory.postmortem(status="approved", owner=alice, sections=WRITTEN)
    Postmortem.objects.get().needs_fresh_review()

    with pytest.raises(NotReady):
        mine.publish_approved(at=NOON)

    assert Postmortem.objects.get().status == "in_review"


def test_a_revision_between_reading_and_approving_is_not_approved() -> None:
    mine = factory.postmortem(status="in_review", revision=1)
    Postmortem.objects.update(revision=2)

    with pytest.raises(NotReady, match="revision 2"):
        mine.approve(revision=1)


# --- comments ---


def test_a_comment_stands_at_its_section_and_the_owner_is_told(draft: Postmortem, alice: User, bob: User) -> None:
    row = reviewing.comment(draft, body="For how *long*?", section="impact", by=bob, at=NOON)

    assert (row.section, row.revision, row.html) == ("impact", 0, "<p>For how <em>long</em>?</p>")
    assert Notification.objects.get().text == f"Bob comments on {draft.ref}, impact."


def test_replies_stand_one_level_deep_and_reach_everyone_in_the_thread(
    draft: Postmortem, alice: User, bob: User, team: Team
) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    first = reviewing.comment(draft, body="How long?", section="impact", by=bob, at=NOON)
    reply = reviewing.comment(draft, body="40 min.", reply_to=first, by=dora, at=NOON)

    deeper = reviewing.comment(draft, body="Thanks.", reply_to=reply, by=alice, at=NOON)

    assert (deeper.reply_to, deeper.section) == (first, "impact")
    assert {row.user for row in Notification.objects.filter(text__startswith="Alice")} == {bob, dora}


def test_a_reply_to_another_postmortem_is_refused(draft: Postmortem, bob: User) -> None:
    elsewhere = reviewing.comment(factory.postmortem("Other"), body="?", by=bob, at=NOON)

    with pytest.raises(NotReviewable):
        reviewing.comment(draft, body="!", reply_to=elsewhere, by=bob, at=NOON)


def test_a_thread_is_resolved_once_and_can_be_opened_again(draft: Postmortem, alice: User, bob: User) -> None:
    row = reviewing.comment(draft, body="How long?", by=bob, at=NOON)

    reviewing.resolve_comment(row, by=alice, at=NOON)
    assert (row.resolved_by, Comment.objects.unresolved().exists()) == (alice, False)
    with pytest.raises(NotReviewable, match="already resolved"):
        reviewing.resolve_comment(row, by=bob, at=NOON)

    reviewing.reopen_comment(row, by=bob, at=NOON)
    assert Comment.objects.unresolved().get() == row
    with pytest.raises(NotReviewable, match="already open"):
        reviewing.reopen_comment(row, by=bob, at=NOON)


def test_a_reader_comments_nowhere(draft: Postmortem, team: Team) -> None:
    reader = factory.user("reader", roles=("reader",))
    team.members.add(reader)
    row = reviewing.comment(draft, body="How long?", by=draft.owner, at=NOON)

    for step in (
        lambda: reviewing.comment(draft, body="?", by=reader, at=NOON),
        lambda: reviewing.resolve_comment(row, by=reader, at=NOON),
        lambda: reviewing.reopen_comment(row, by=reader, at=NOON),
    ):
        with pytest.raises(NotAllowed):
            step()


# --- who may see it, asked from the other side ---


@pytest.mark.parametrize("status", ["draft", "in_review", "published", "archived"])
@pytest.mark.parametrize("visibility", Visibility.values)
def test_the_readers_of_a_postmortem_are_those_it_is_visible_to(
    alice: User, bob: User, charlie: User, admin: User, team: Team, status: str, visibility: str
) -> None:
    core = factory.team("Core", factory.user("eve"), bob)
    factory.user("root", roles=("administrator",))
    factory.user("gone", is_superuser=True, is_active=False)
    details = {"status": status, "visibility": visibility, "published_at": NOON, "owner": alice, "team": team}

    for named in ("", "member", "shared"):
        for incident in ("", "open", "alice", "team", "nobody"):
            row = factory.postmortem(**details)
            row.members.set([charlie] if named == "member" else [])
            row.shared_with.set([core] if named == "shared" else [])
            if incident:
                its = factory.incident(visibility="open" if incident == "open" else "restricted")
                its.members.set([alice] if incident == "alice" else [])
                its.shared_with.set([team] if incident == "team" else [])
                row.incidents.add(its)

            rows = Postmortem.objects.filter(pk=row.pk)
            assert set(readers_of(row)) == {user for user in User.objects.all() if rows.visible_to(user).exists()}


def test_a_draft_of_no_team_is_not_that_of_everybody_without_a_team(charlie: User) -> None:
    assert charlie not in readers_of(factory.postmortem(status="draft"))
