"""The pages of a review, of publishing and of problems: tried by owner, reviewer and stranger, and counted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from postmortems.models import Comment, Comparison, Postmortem, PostmortemTemplate, Problem, Team, User, Visibility
from postmortems.models.review import CHECKLIST
from postmortems.workflows import reviewing
from tests import factory
from tests.factory import NOON, signed_in

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12
WRITTEN = {
    "summary": "Checkout was down.",
    "impact": "Orders failed for 40 min. Bob broke it.",
    "contributing_factors": "The pool had no limit.",
    "what_fixed_it": "Recycled the pool.",
}
YES = {f"check_{question.key}": "yes" for question in CHECKLIST}


@pytest.fixture
def draft(alice: User, team: Team) -> Postmortem:
    PostmortemTemplate.objects.all().delete()
    return factory.postmortem("Pool empty", status="draft", owner=alice, team=team, sections=WRITTEN)


@pytest.fixture
def in_review(draft: Postmortem, alice: User, bob: User) -> Postmortem:
    reviewing.request_review(draft, reviewers=[bob], by=alice, at=NOON)
    return draft


def status() -> str:
    return Postmortem.objects.get().status


def page(client: Client, row: Any, path: str = "", **data: Any) -> str:
    answer = client.post(f"{row.get_absolute_url()}{path}", data, follow=True) if data else None
    answer = answer or client.get(f"{row.get_absolute_url()}{path}")
    assert answer.status_code == 200
    return str(answer.content.decode())


# --- the review ---


def test_the_owner_asks_bob_and_bob_finds_it_on_his_home_page(draft: Postmortem, alice: User, bob: User) -> None:
    owner = signed_in(alice)
    assert "Ask for a review" in page(owner, draft, "review/")

    page(owner, draft, "review/ask/", reviewers=[bob.username])

    assert status() == "in_review"
    home = signed_in(bob).get("/").content.decode()
    assert "Waiting for your verdict" in home
    assert f"{draft.get_absolute_url()}review/" in home
    assert "Waiting for your verdict" not in owner.get("/").content.decode()


def test_who_asks_again_finds_the_reviewers_chosen(draft: Postmortem, alice: User, bob: User) -> None:
    reviewing.request_review(draft, reviewers=[bob], by=alice, at=NOON)
    said = {"decision": "changes_requested", "checklist": {}, "note": "Say how long."}
    reviewing.give_verdict(draft, revision=draft.revision, by=bob, at=NOON, **said)

    shown = page(signed_in(alice), draft, "review/")

    assert re.search(r'<input[^>]* name="reviewers"[^>]* value="bob"[^>]* checked', shown)


def test_what_is_still_to_write_is_said_before_anybody_can_be_asked(draft: Postmortem, alice: User) -> None:
    draft.write("impact", "")

    shown = page(signed_in(alice), draft, "review/")

    assert "Still to write: Impact." in shown
    assert 'name="reviewers"' not in shown


def test_only_who_reviews_and_sees_it_can_be_chosen(draft: Postmortem, alice: User, bob: User, charlie: User) -> None:
    shown = page(signed_in(alice), draft, "review/")

    assert 'value="bob"' in shown
    assert "Charlie" not in shown
    page(signed_in(alice), draft, "review/ask/", reviewers=[charlie.username, "9" * 20])
    assert status() == "draft"


def test_bob_approves(in_review: Postmortem, bob: User) -> None:
    reviewer = signed_in(bob)
    assert "Is it blameless?" in page(reviewer, in_review, "review/")

    shown = page(reviewer, in_review, "review/", revision=1, decision="approved", **YES)

    assert status() == "approved"
    assert "approved revision 1" in shown


def test_an_unanswered_checklist_is_asked_for_and_nothing_that_was_typed_is_lost(
    in_review: Postmortem, bob: User
) -> None:
    typed = {**YES, "check_actions": "", "note": "Good, but look at the actions."}

    shown = page(signed_in(bob), in_review, "review/", revision=1, decision="approved", **typed)

    assert status() == "in_review"
    assert "Still open: Are the actions specific" in shown
    assert "Good, but look at the actions." in shown
    assert shown.count(" checked") == 4


def test_an_older_text_is_not_approved_and_the_note_is_kept(in_review: Postmortem, bob: User) -> None:
    Postmortem.objects.update(revision=2)

    shown = page(signed_in(bob), in_review, "review/", revision=1, decision="approved", note="Fine.", **YES)

    assert "look at revision 2" in shown
    assert ">\nFine.</textarea>" in shown


def test_a_verdict_of_an_older_revision_says_so(in_review: Postmortem, alice: User, bob: User) -> None:
    page(signed_in(bob), in_review, "review/", revision=1, decision="changes_requested", note="For how long?")
    Postmortem.objects.update(revision=2)

    shown = page(signed_in(alice), in_review, "review/")

    assert "asked for changes to revision 1" in shown
    assert "revision 2 is newer" in shown
    assert "For how long?" in shown


def test_nobody_but_the_named_reviewer_sees_the_verdict_form(in_review: Postmortem, alice: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)

    for other in (alice, dora):
        assert "Your verdict" not in page(signed_in(other), in_review, "review/")
        answer = signed_in(other).post(
            f"{in_review.get_absolute_url()}review/", {"revision": 1, "decision": "approved", **YES}
        )
        assert answer.status_code == 403
    assert status() == "in_review"


def test_reviewers_come_and_go(in_review: Postmortem, alice: User, bob: User, team: Team) -> None:
    dora = factory.user("dora")
    team.members.add(dora)
    owner = signed_in(alice)

    assert "dora is asked, too." in page(owner, in_review, "review/add/", reviewer=dora.pk)
    assert "Bob is asked no longer." in page(owner, in_review, "review/remove/", reviewer=bob.pk)
    assert [row.reviewer for row in in_review.review_requests.all()] == [dora]


def test_the_hints_of_each_section_are_counted(in_review: Postmortem, bob: User) -> None:
    assert "1 wording to look at" in page(signed_in(bob), in_review, "review/")


@pytest.mark.parametrize("bad", ["", "x", "9" * 30, "²"])
def test_a_reviewer_who_is_nobody_is_not_there(in_review: Postmortem, alice: User, bad: str) -> None:
    for path in ("review/add/", "review/remove/"):
        assert signed_in(alice).post(f"{in_review.get_absolute_url()}{path}", {"reviewer": bad}).status_code == 404


# --- comments ---


def test_a_comment_is_answered_resolved_and_opened_again(in_review: Postmortem, alice: User, bob: User) -> None:
    reviewer, owner = signed_in(bob), signed_in(alice)
    page(reviewer, in_review, "comments/", section="impact", body="For how **long**?")
    row = Comment.objects.get()

    shown = page(owner, in_review, "comments/", section="", reply_to=row.pk, body="40 min.")
    assert "<strong>long</strong>" in shown
    assert "40 min." in shown
    assert Comment.objects.filter(reply_to=row, section="impact").exists()

    answer = owner.post(f"{in_review.get_absolute_url()}comments/{row.pk}/resolve/")
    assert answer["Location"] == f"{in_review.get_absolute_url()}review/#comment-{row.pk}"
    assert "Resolved" in page(reviewer, in_review, "review/")
    owner.post(f"{in_review.get_absolute_url()}comments/{row.pk}/reopen/")
    assert Comment.objects.unresolved().get() == row


def test_a_comment_that_is_too_long_is_shown_again_where_it_was_typed(in_review: Postmortem, bob: User) -> None:
    shown = page(signed_in(bob), in_review, "comments/", section="impact", body="Long! " + "x" * 20_000)

    assert shown.count("Long! xxx") == 1
    assert "at most 20000 characters" in shown
    assert not Comment.objects.exists()


def test_comments_stand_on_the_page_until_it_is_published(in_review: Postmortem, alice: User, bob: User) -> None:
    reviewer = signed_in(bob)
    answer = reviewer.post(
        f"{in_review.get_absolute_url()}comments/", {"section": "impact", "body": "A remark.", "from": "page"}
    )
    assert answer["Location"].startswith(f"{in_review.get_absolute_url()}#comment-")
    assert "A remark." in page(reviewer, in_review)

    Postmortem.objects.update(status="published", published_at=NOON)

    assert "A remark." not in page(reviewer, in_review)
    assert "A remark." in page(reviewer, in_review, "review/")


def test_after_publication_the_review_is_for_those_who_took_part(in_review: Postmortem, charlie: User) -> None:
    Postmortem.objects.update(status="published", published_at=NOON)

    assert signed_in(charlie).get(in_review.get_absolute_url()).status_code == 200
    assert signed_in(charlie).get(f"{in_review.get_absolute_url()}review/").status_code == 404


def test_a_comment_on_a_section_that_was_emptied_stays_in_sight(in_review: Postmortem, bob: User) -> None:
    reviewing.comment(in_review, body="Why gone?", section="lucky", by=bob, at=NOON)

    shown = page(signed_in(bob), in_review, "review/")

    assert "Where we got lucky" in shown
    assert "Why gone?" in shown


# --- publishing ---


def test_unresolved_comments_warn_and_do_not_stop(in_review: Postmortem, alice: User, bob: User) -> None:
    reviewing.comment(in_review, body="?", by=bob, at=NOON)
    Postmortem.objects.update(status="approved")
    owner = signed_in(alice)

    assert "1 comment still to resolve" in page(owner, in_review, "publish/")
    shown = page(owner, in_review, "publish/", reason="")

    assert status() == "published"
    assert "is published" in shown


def test_without_an_approval_the_page_offers_no_button(in_review: Postmortem, alice: User) -> None:
    owner = signed_in(alice)

    assert ">Publish</button>" not in page(owner, in_review, "publish/")
    assert "when its reviewers have approved it" in page(owner, in_review, "publish/", reason="I want to.")
    assert status() == "in_review"


def test_a_manager_gives_a_reason(in_review: Postmortem, team: Team) -> None:
    mona = factory.user("mona", roles=("manager",))
    team.members.add(mona)
    manager = signed_in(mona)

    assert "say why" in page(manager, in_review, "publish/", reason=" ")
    page(manager, in_review, "publish/", reason="The regulator waits.")

    assert status() == "published"


def test_it_is_archived_with_its_reason_and_published_again(alice: User) -> None:
    row = factory.postmortem(owner=alice, sections=WRITTEN)
    owner = signed_in(alice)

    assert "Say why" in page(owner, row, "archive/", reason=" ")
    assert "Archived: The service is gone." in page(owner, row, "archive/", reason="The service is gone.")
    page(owner, row, "publish-again/", x="x")

    assert status() == "published"


def test_who_only_reads_it_archives_and_publishes_nothing(charlie: User) -> None:
    row = factory.postmortem(sections=WRITTEN)

    for path in ("publish/", "archive/", "publish-again/", "alike/again/"):
        assert signed_in(charlie).post(f"{row.get_absolute_url()}{path}", {"reason": "x"}).status_code == 404


@pytest.fixture
def pair(draft: Postmortem) -> Comparison:
    Postmortem.objects.update(status="published", published_at=NOON)
    row = Comparison.objects.ask(draft, factory.postmortem("Pool was empty before", sections=WRITTEN), at=NOON)
    assert row
    return row


def test_the_owner_is_reminded_until_the_question_is_answered(pair: Comparison, alice: User, bob: User) -> None:
    owner, row = signed_in(alice), pair.postmortem
    assert "same cause, same symptom, or different?" in page(owner, row)
    assert "same cause, same symptom, or different?" not in page(signed_in(bob), row)

    shown = page(
        owner, row, "alike/", comparison=pair.pk, verdict="same_cause", title="Pool leaks", how_to_tell="Look."
    )

    assert "Same cause" in shown
    assert "same cause, same symptom, or different?" not in page(owner, row)
    assert "Pool leaks" in page(owner, row)
    assert Problem.objects.get().postmortems.count() == 2


def test_an_answer_that_cannot_be_is_shown_again(pair: Comparison, alice: User) -> None:
    owner, row = signed_in(alice), pair.postmortem

    assert "Choose one" in page(owner, row, "alike/", comparison=pair.pk, how_to_tell="Look at it.")
    shown = page(owner, row, "alike/", comparison=pair.pk, verdict="same_symptom", title="Kept")
    assert "Say how one can tell them apart" in shown
    assert Comparison.objects.get().verdict == "undecided"


@pytest.mark.parametrize("bad", ["", "x", "0", "9" * 18, "²"])
def test_a_comparison_that_is_not_there_is_not_there(pair: Comparison, alice: User, bad: str) -> None:
    url = f"{pair.postmortem.get_absolute_url()}alike/"

    assert signed_in(alice).post(url, {"comparison": bad, "verdict": "different"}).status_code == 404


def test_an_earlier_one_that_is_hidden_is_not_asked_about(pair: Comparison, alice: User) -> None:
    Postmortem.objects.filter(pk=pair.earlier.pk).update(visibility=Visibility.RESTRICTED)
    owner, row = signed_in(alice), pair.postmortem

    assert pair.earlier.title not in page(owner, row, "alike/")
    assert "same cause, same symptom" not in page(owner, row)
    assert (
        owner.post(f"{row.get_absolute_url()}alike/", {"comparison": pair.pk, "verdict": "different"}).status_code
        == 404
    )


# --- problems ---


@pytest.fixture
def problem(alice: User) -> Problem:
    """Shown twice, once hidden, with a fix that worked."""
    row = Problem.objects.create(title="Pool leaks", discriminating_check="Count `CLOSE_WAIT`.")
    factory.postmortem("First time", problem=row, occurred_on=NOON.replace(year=2024).date())
    told = factory.postmortem("Second time", problem=row)
    hidden = factory.postmortem("Hidden time", problem=row, visibility=Visibility.RESTRICTED)
    hidden.members.add(alice)
    factory.fix_use(factory.fix("Recycle", postmortem=told), factory.incident("An incident alone"))
    return row


def test_a_problem_shows_what_its_reader_may_see(problem: Problem, alice: User, charlie: User) -> None:
    mine, theirs = page(signed_in(alice), problem), page(signed_in(charlie), problem)

    for text in ("Pool leaks", "<code>CLOSE_WAIT</code>", "First time", "Second time", "Recycle", "An incident alone"):
        assert text in mine
        assert text in theirs
    assert "Hidden time" in mine
    assert "Hidden time" not in theirs
    assert ("seen 4 times" in mine, "seen 3 times" in theirs) == (True, True)
    assert (mine.count("<circle"), theirs.count("<circle")) == (4, 3)


def test_the_list_counts_what_its_reader_may_see(problem: Problem, alice: User, charlie: User) -> None:
    secret = Problem.objects.create(title="A secret cause")
    factory.postmortem("Secret", problem=secret, visibility=Visibility.RESTRICTED)

    assert "3 times" in signed_in(alice).get("/problems/").content.decode()
    shown = signed_in(charlie).get("/problems/").content.decode()
    assert "2 times" in shown
    assert "A secret cause" not in shown


@pytest.mark.parametrize("path", ["", "edit/", "state/", "link/", "unlink/", "merge/"])
def test_a_hidden_problem_and_none_are_the_same(charlie: User, path: str) -> None:
    secret = Problem.objects.create(title="A secret cause")
    factory.postmortem(problem=secret, visibility=Visibility.RESTRICTED)
    stranger = signed_in(charlie)

    for ref in (secret.ref, "PRB-999999", "PRB-x"):
        ask = stranger.get if path in ("", "edit/") else stranger.post
        assert ask(f"/problems/{ref}/{path}").status_code == 404


def test_a_problem_is_edited_linked_and_merged(problem: Problem, alice: User) -> None:
    curator, row = signed_in(alice), factory.postmortem("Third time")
    other = Problem.objects.create(title="The same, it turns out", discriminating_check="Ask the proxy.")

    page(curator, problem, "edit/", title="Pool keeps sockets", cause_category="defect", discriminating_check="Look.")
    page(curator, problem, "link/", ref=row.ref.lower())
    page(curator, problem, "state/", state="known_error")
    shown = page(curator, problem, "merge/", ref=other.ref)

    for text in ("Pool keeps sockets", "Third time", "Known error", "Ask the proxy."):
        assert text in shown
    assert Problem.objects.get().pk == problem.pk
    page(curator, problem, "unlink/", ref=row.ref)
    row.refresh_from_db()
    assert row.problem is None


@pytest.mark.parametrize(("path", "typed"), [("link/", "PM-0"), ("link/", "nonsense"), ("merge/", "PRB-0")])
def test_a_ref_of_nothing_is_shown_again(problem: Problem, alice: User, path: str, typed: str) -> None:
    shown = page(signed_in(alice), problem, path, ref=typed)

    assert "of that number" in shown
    assert f'value="{typed}"' in shown


def test_what_is_hidden_cannot_be_linked(problem: Problem, charlie: User) -> None:
    hidden = Postmortem.objects.get(title="Hidden time")

    assert "of that number" in page(signed_in(charlie), problem, "unlink/", ref=hidden.ref)


def test_a_state_that_is_none_changes_nothing(problem: Problem, alice: User) -> None:
    assert "Choose one of the states" in page(signed_in(alice), problem, "state/", state="gone")


def test_a_reader_sees_no_buttons_and_is_refused(problem: Problem) -> None:
    reader = signed_in(factory.user("reader", roles=("reader",)))

    assert "Mark solved" not in page(reader, problem)
    for path in ("edit/", "state/"):
        answer = reader.post(f"{problem.get_absolute_url()}{path}", {"title": "x", "state": "solved"})
        assert answer.status_code == 403
    assert Problem.objects.get().state == "open"


def test_the_pages_of_a_postmortem_and_a_fix_lead_to_the_problem(problem: Problem, alice: User) -> None:
    fix = factory.fix("Own", problem=problem)

    for row in (Postmortem.objects.get(title="First time"), fix):
        assert f'href="{problem.get_absolute_url()}"' in page(signed_in(alice), row)


# --- for strangers, and how much it costs ---


@pytest.mark.parametrize(
    "path", ["review/", "review/ask/", "review/add/", "review/remove/", "comments/", "publish/", "archive/", "alike/"]
)
def test_an_unpublished_one_is_not_there_for_strangers(in_review: Postmortem, charlie: User, path: str) -> None:
    stranger = signed_in(charlie)
    url = f"{in_review.get_absolute_url()}{path}"

    if path not in ("review/ask/", "review/add/", "review/remove/", "comments/"):
        assert stranger.get(url).status_code == 404
    assert stranger.post(url, {"body": "x", "reason": "x"}).status_code == 404


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("state", ["draft", "in_review", "changes_requested", "approved", "published", "archived"])
def test_pages_need_few_queries(
    in_review: Postmortem, who: str, state: str, django_assert_max_num_queries: Any
) -> None:
    in_review.incidents.add(factory.incident(), factory.incident())
    for n in range(5):
        row = reviewing.comment(in_review, body=f"{n}?", section="impact", by=in_review.owner, at=NOON)
        reviewing.comment(in_review, body="!", reply_to=row, by=in_review.owner, at=NOON)
    Comparison.objects.ask(in_review, factory.postmortem("Earlier", sections=WRITTEN), at=NOON)
    Postmortem.objects.filter(pk=in_review.pk).update(status=state, published_at=NOON)
    client = signed_in(User.objects.get(username=who))

    for path in ("", "review/", "publish/", "alike/"):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert client.get(f"{in_review.get_absolute_url()}{path}").status_code == 200


def test_pages_of_problems_and_home_need_few_queries(
    problem: Problem, in_review: Postmortem, bob: User, django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        row = factory.postmortem(f"Time {n}", problem=problem)
        row.incidents.add(factory.incident())
        factory.fix(f"Fix {n}", problem=problem)
        Comparison.objects.create(
            postmortem=row, earlier=factory.postmortem(), verdict="same_symptom", how_to_tell="Look.", at=NOON
        )
    client = signed_in(bob)

    for url in ("/", "/problems/", problem.get_absolute_url(), f"{problem.get_absolute_url()}edit/"):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert client.get(url).status_code == 200
