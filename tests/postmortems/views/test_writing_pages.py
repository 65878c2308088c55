"""Writing in the browser: drafting, the editor, unsaved text, two edits that meet, revisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from postmortems import sections
from postmortems.models import Postmortem, PostmortemTemplate, Revision, Team, User, WorkingCopy
from postmortems.workflows import writing
from tests import factory
from tests.factory import NOON


@pytest.fixture
def draft(alice: User, bob: User) -> Postmortem:
    """Alice's, begun with a revision; Bob may edit it."""
    postmortem = factory.postmortem(
        "Checkout was down", status="draft", owner=alice, sections={"summary": "It was down.", "impact": "Nobody paid."}
    )
    postmortem.members.add(alice, bob)
    Revision.objects.first_of(postmortem, by=alice, at=NOON, note="Begun.")
    return postmortem


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


def posted(postmortem: Postmortem, *, base: int, **fields: Any) -> dict[str, Any]:
    """What the editor's page would post."""
    postmortem = Postmortem.objects.get(pk=postmortem.pk)
    texts = {f"section_{key}": postmortem.text_of(key) for key in sections.KEYS}
    facts = {"title": postmortem.title, "kind": postmortem.kind, "severity": "", "environment": ""}
    owner = postmortem.owner.username if postmortem.owner else ""
    return {**texts, **facts, "cause_category": "", "owner": owner, "tags": "", "base": base, **fields}


def edit(client: Client, postmortem: Postmortem, *, base: int, **fields: Any) -> Any:
    return client.post(f"/postmortems/{postmortem.ref}/edit/", posted(postmortem, base=base, **fields))


class TestDrafting:
    def test_one_click_leads_from_the_incident_to_the_editor(self, as_alice: Client) -> None:
        incident = factory.incident(
            status="resolved", resolved_at=NOON + timedelta(hours=1), severity="sev1", symptoms="Orders fail."
        )
        page = as_alice.get(incident.get_absolute_url())
        assert "A SEV1 wants a postmortem" in page.text and "Write the postmortem" in page.text

        answer = as_alice.post(f"/incidents/{incident.ref}/postmortem/", follow=True)

        draft = Postmortem.objects.get()
        assert answer.redirect_chain[-1][0] == f"/postmortems/{draft.ref}/edit/"
        assert "Orders fail." in answer.text
        assert draft.ref in as_alice.get(incident.get_absolute_url()).text
        again = as_alice.post(f"/incidents/{incident.ref}/postmortem/", follow=True)
        assert again.redirect_chain[-1][0] == draft.get_absolute_url() and Postmortem.objects.count() == 1

    def test_an_incident_in_progress_is_refused_politely(self, as_alice: Client) -> None:
        incident = factory.incident()

        answer = as_alice.post(f"/incidents/{incident.ref}/postmortem/", follow=True)

        assert "is not over yet: resolve it first" in answer.text
        assert "Write the postmortem" not in answer.text
        assert not Postmortem.objects.exists()

    def test_one_is_begun_without_an_incident(self, as_alice: Client, alice: User) -> None:
        answer = as_alice.post("/postmortems/new/", {"title": "Almost", "kind": "near_miss", "severity": ""})

        draft = Postmortem.objects.get()
        assert answer.headers["Location"] == f"/postmortems/{draft.ref}/edit/"
        assert (draft.kind, draft.owner) == ("near_miss", alice)

    def test_the_title_is_asked_for_and_the_future_refused(self, as_alice: Client) -> None:
        answer = as_alice.post("/postmortems/new/", {"title": "", "kind": "service", "occurred_on": "2999-01-01"})

        assert "Say in a few words what happened." in answer.text and "lies in the future" in answer.text
        assert not Postmortem.objects.exists()

    def test_a_reader_is_not_offered_what_they_may_not(self, as_alice: Client, alice: User) -> None:
        alice.give_roles("reader")
        incident = factory.incident(status="resolved", resolved_at=NOON)

        assert as_alice.get("/postmortems/new/").status_code == 403
        assert "/postmortems/new/" not in as_alice.get("/postmortems/").text
        assert "Write the postmortem" not in as_alice.get(incident.get_absolute_url()).text
        refused = as_alice.post(f"/incidents/{incident.ref}/postmortem/", follow=True)
        assert "Your roles do not allow this" in refused.text and not Postmortem.objects.exists()

    def test_a_postmortem_that_one_may_not_see_is_not_led_to(self, as_alice: Client, bob: User, charlie: User) -> None:
        incident = factory.incident(status="resolved", resolved_at=NOON)
        hidden = factory.postmortem("Hidden title", status="draft", owner=charlie, visibility="restricted")
        hidden.incidents.add(incident)

        page = as_alice.get(incident.get_absolute_url()).text
        answer = as_alice.post(f"/incidents/{incident.ref}/postmortem/", follow=True)

        assert "Hidden title" not in page + answer.text and hidden.ref not in page + answer.text

    def test_an_incident_that_is_over_takes_few_queries(
        self, as_alice: Client, django_assert_max_num_queries: Any
    ) -> None:
        incident = factory.incident(status="resolved", resolved_at=NOON, services=("Checkout",))
        as_alice.get("/")

        with django_assert_max_num_queries(12):
            assert "Write the postmortem" in as_alice.get(incident.get_absolute_url()).text

    def test_the_home_page_tells_when_it_is_due(self, as_alice: Client, draft: Postmortem) -> None:
        Postmortem.objects.filter(pk=draft.pk).update(due_on=NOON.date())

        assert "late</span>" in as_alice.get("/").text


class TestEditor:
    def test_it_shows_each_section_with_its_question(self, as_alice: Client, draft: Postmortem) -> None:
        template = PostmortemTemplate.objects.get(kind="", severity="")
        template.sections.filter(key="impact").update(prompt="{{ 7*7 }}{% include 'x' %}<b>who</b>")

        page = as_alice.get(f"/postmortems/{draft.ref}/edit/").text

        assert ">Nobody paid.</textarea>" in page.replace("\n", "")
        assert "{{ 7*7 }}{% include &#x27;x&#x27; %}&lt;b&gt;who&lt;/b&gt;" in page
        assert page.count("wanted before a review") == 4

    def test_a_save_leads_to_the_page_and_says_which_revision_it_is(self, as_alice: Client, draft: Postmortem) -> None:
        answer = edit(
            as_alice, draft, base=1, section_impact="9 %\r\n\r\nof *orders*", tags="dns, Cache , dns", note="x"
        )

        assert answer.headers["Location"] == draft.get_absolute_url()
        page = as_alice.get(draft.get_absolute_url()).text
        assert "Saved as revision 2." in page and "<em>orders</em>" in page and "Cache" in page
        assert Revision.objects.get(number=2).content["sections"]["impact"] == "9 %\n\nof *orders*"

    def test_a_section_that_the_page_did_not_have_is_not_emptied(self, as_alice: Client, draft: Postmortem) -> None:
        fields = posted(draft, base=1, section_summary="New.")
        del fields["section_impact"]

        as_alice.post(f"/postmortems/{draft.ref}/edit/", fields)

        assert Postmortem.objects.get().text_of("impact") == "Nobody paid."

    def test_wrong_input_comes_back_with_the_text(self, as_alice: Client, draft: Postmortem) -> None:
        answer = edit(
            as_alice, draft, base=1, title="", owner="nobody", occurred_on="soon", section_impact="Long typed text"
        )

        assert answer.status_code == 422
        assert "Long typed text" in answer.text and "There is nobody of that user name." in answer.text
        assert draft.revisions.count() == 1

    def test_text_too_tangled_to_format_is_refused_where_it_stands(self, as_alice: Client, draft: Postmortem) -> None:
        tangled = "[" * 60_000

        answer = edit(as_alice, draft, base=1, section_impact=tangled, section_summary="Kept.")

        assert answer.status_code == 422
        assert "too tangled" in answer.text and tangled in answer.text and "Kept." in answer.text

    @pytest.mark.parametrize("base", ["", "x", "-1", "999", "9" * 30])
    def test_a_wrong_base_is_no_breakdown_and_loses_nothing(
        self, as_alice: Client, draft: Postmortem, base: str
    ) -> None:
        answer = edit(as_alice, draft, base=base, section_impact="Long typed text")  # type: ignore[arg-type]

        assert answer.status_code in {409, 422} and "Long typed text" in answer.text

    def test_the_preview_saves_nothing_and_shows_only_clean_html(self, as_alice: Client, draft: Postmortem) -> None:
        hostile = "*fine* <script>alert(1)</script>"

        whole = edit(as_alice, draft, base=1, section_impact=hostile, preview="all")
        one = as_alice.post(f"/postmortems/{draft.ref}/preview/impact/", {"section_impact": hostile})

        for answer in (whole, one):
            assert "<em>fine</em>" in answer.text and "<script>alert" not in answer.text
        assert draft.revisions.count() == 1
        assert as_alice.post(f"/postmortems/{draft.ref}/preview/nothing/").status_code == 404

    def test_wordings_to_think_about_are_shown(self, as_alice: Client, draft: Postmortem) -> None:
        draft.write("impact", "The outage was caused by human error.")

        assert "wording" in as_alice.get(f"/postmortems/{draft.ref}/edit/").text

    def test_who_may_only_read_it_learns_why_and_others_nothing(
        self, alice: User, charlie: User, draft: Postmortem
    ) -> None:
        published = factory.postmortem(owner=alice)
        client = factory.signed_in(charlie)

        refused = client.get(f"/postmortems/{published.ref}/edit/")

        assert refused.status_code == 403 and "is edited by its owner" in refused.text
        assert client.get(f"/postmortems/{draft.ref}/edit/").status_code == 404
        assert edit(client, published, base=0, title="Mine").status_code == 403
        assert "/edit/" not in client.get(published.get_absolute_url()).text

    def test_the_pages_take_few_queries(
        self, as_alice: Client, draft: Postmortem, team: Team, django_assert_max_num_queries: Any
    ) -> None:
        Postmortem.objects.filter(pk=draft.pk).update(team=team)
        edit(as_alice, draft, base=1, title="Second", services=[factory.service("Checkout").slug], tags="dns")
        as_alice.get("/")

        for page in ("edit/", "revisions/", "revisions/1/", "revisions/1/restore/", "compare/", "compare/?view=inline"):
            with django_assert_max_num_queries(12):
                assert as_alice.get(f"/postmortems/{draft.ref}/{page}").status_code == 200, page


class TestUnsavedText:
    def keep(self, client: Client, draft: Postmortem, copy: str = "", **fields: Any) -> Any:
        data = {**posted(draft, base=1, **fields), "copy": copy}
        return client.post(f"/postmortems/{draft.ref}/working-copy/", data)

    def test_it_is_kept_offered_again_and_gone_after_the_save(self, as_alice: Client, draft: Postmortem) -> None:
        kept = self.keep(as_alice, draft, section_impact="Half a sent").json()

        offered = as_alice.get(f"/postmortems/{draft.ref}/edit/").text
        assert "You have unsaved text" in offered and "<textarea" not in offered
        again = as_alice.get(f"/postmortems/{draft.ref}/edit/?continue=1").text
        assert "Half a sent</textarea>" in again and kept["copy"] in again

        edit(as_alice, draft, base=1, section_impact="Half a sentence.", copy=kept["copy"])
        assert not WorkingCopy.objects.exists()

    def test_nobody_else_sees_it(self, as_alice: Client, bob: User, draft: Postmortem) -> None:
        self.keep(as_alice, draft, section_impact="Half a sent")

        page = factory.signed_in(bob).get(f"/postmortems/{draft.ref}/edit/?continue=1").text

        assert "Half a sent" not in page and "Nobody paid." in page

    def test_another_window_does_not_write_over_it(self, as_alice: Client, draft: Postmortem) -> None:
        self.keep(as_alice, draft, section_impact="In the first window")

        other = self.keep(as_alice, draft, section_impact="In the second window")

        assert other.status_code == 409
        assert WorkingCopy.objects.get().content["section_impact"] == ["In the first window"]

    def test_a_save_elsewhere_leaves_it(self, as_alice: Client, draft: Postmortem) -> None:
        self.keep(as_alice, draft, section_impact="In the first window")

        edit(as_alice, draft, base=1, title="From a page that knows nothing of it")

        assert WorkingCopy.objects.exists()

    def test_it_is_discarded_when_asked(self, as_alice: Client, draft: Postmortem) -> None:
        self.keep(as_alice, draft, section_impact="Half a sent")

        answer = as_alice.post(f"/postmortems/{draft.ref}/working-copy/discard/", follow=True)

        assert "is discarded" in answer.text and not WorkingCopy.objects.exists()

    def test_text_without_a_base_is_refused(self, as_alice: Client, draft: Postmortem) -> None:
        assert as_alice.post(f"/postmortems/{draft.ref}/working-copy/", {"base": "²"}).status_code == 400


class TestTwoEdits:
    def test_what_does_not_collide_is_merged_and_said(self, as_alice: Client, bob: User, draft: Postmortem) -> None:
        mine = posted(draft, base=1, section_summary="By Alice.")
        edit(factory.signed_in(bob), draft, base=1, section_impact="By Bob.")

        answer = as_alice.post(f"/postmortems/{draft.ref}/edit/", mine, follow=True)

        assert "Bob changed Impact meanwhile: both are kept." in answer.text
        assert "By Alice." in answer.text and "By Bob." in answer.text

    def test_a_collision_shows_both_texts_and_a_proposal_that_can_be_saved(
        self, as_alice: Client, bob: User, draft: Postmortem
    ) -> None:
        edit(factory.signed_in(bob), draft, base=1, section_impact="Said by Bob.", title="Bob's title")

        answer = edit(as_alice, draft, base=1, section_impact="Said by Alice.", title="Her title", tags="dns")

        assert answer.status_code == 409
        assert "<del> Bob</del>" in answer.text and "<ins> Alice</ins>" in answer.text
        assert "Said by Bob.\n\nSaid by Alice.</textarea>" in answer.text
        copy = WorkingCopy.objects.get()
        assert copy.content["section_impact"] == ["Said by Alice."] and copy.base_revision == 1

        fields = {"section_impact": "Said by both.", "title": "One title", "tags": "dns", "copy": copy.mark}
        saved = edit(as_alice, draft, base=2, **fields)
        assert saved.status_code == 302
        assert Revision.objects.get(number=3).content["tags"] == ["dns"]
        assert not WorkingCopy.objects.exists()


class TestRevisions:
    @pytest.fixture(autouse=True)
    def three(self, alice: User, draft: Postmortem) -> None:
        for number, text in ((1, "Nobody could pay."), (2, "Nobody could pay at all.")):
            changes = {"sections": {"impact": text}}
            writing.save_revision(draft, changes=changes, base=number, by=alice, at=NOON, note=f"Note {number}")

    def test_each_has_its_address_and_says_what_it_said(self, as_alice: Client, draft: Postmortem) -> None:
        listed = as_alice.get(f"/postmortems/{draft.ref}/revisions/").text

        assert "Note 1" in listed and f"/postmortems/{draft.ref}/revisions/2/" in listed
        assert "Nobody paid." in as_alice.get(f"/postmortems/{draft.ref}/revisions/1/").text
        assert "Nobody could pay.</p>" in as_alice.get(f"/postmortems/{draft.ref}/revisions/2/").text

    def test_words_that_changed_are_marked_in_both_views(self, as_alice: Client, draft: Postmortem) -> None:
        side = as_alice.get(f"/postmortems/{draft.ref}/compare/").text
        inline = as_alice.get(f"/postmortems/{draft.ref}/compare/?from=1&to=3&view=inline").text

        assert "<ins> at all</ins>" in side and "<del>" not in side.split("Impact</h2>")[1].split("</section>")[0]
        assert "<del> paid</del>" in inline and "<ins> could pay at all</ins>" in inline
        assert "from revision 1 to 3" in inline

    def test_restoring_asks_first(self, as_alice: Client, draft: Postmortem) -> None:
        address = f"/postmortems/{draft.ref}/revisions/1/restore/"

        asked = as_alice.get(address)
        assert "Restore revision 1?" in asked.text and Revision.objects.count() == 3
        as_alice.post(address, {"newest": 3})

        assert Postmortem.objects.get().text_of("impact") == "Nobody paid."
        assert Revision.objects.get(number=4).note == "Restored revision 1."

    def test_restoring_over_something_newer_is_refused(self, as_alice: Client, draft: Postmortem) -> None:
        answer = as_alice.post(f"/postmortems/{draft.ref}/revisions/1/restore/", {"newest": 2}, follow=True)

        assert "is at revision 3 by now" in answer.text and Revision.objects.count() == 3

    @pytest.mark.parametrize(
        "path",
        [
            *("revisions/9/", "revisions/0/", "revisions/99999999999999999999/", "compare/?from=x", "compare/?to=9"),
            *("compare/?from=-1", "compare/?from=%C2%B2", "compare/?to=99999999999999999999"),
        ],
    )
    def test_what_is_no_revision_is_not_found(self, as_alice: Client, draft: Postmortem, path: str) -> None:
        assert as_alice.get(f"/postmortems/{draft.ref}/{path}").status_code == 404

    def test_they_are_as_hidden_as_their_postmortem(self, charlie: User, draft: Postmortem) -> None:
        client = factory.signed_in(charlie)

        for path in ("revisions/", "revisions/1/", "compare/", "revisions/1/restore/"):
            assert client.get(f"/postmortems/{draft.ref}/{path}").status_code == 404, path
        assert client.post(f"/postmortems/{draft.ref}/revisions/1/restore/", {"newest": 3}).status_code == 404

    def test_who_may_read_may_compare_and_not_restore(self, charlie: User, draft: Postmortem) -> None:
        Postmortem.objects.filter(pk=draft.pk).update(status="published", published_at=NOON)
        client = factory.signed_in(charlie)

        assert client.get(f"/postmortems/{draft.ref}/compare/").status_code == 200
        assert client.post(f"/postmortems/{draft.ref}/revisions/1/restore/", {"newest": 3}).status_code == 403
        assert Revision.objects.count() == 3

    def test_one_without_any_says_so(self, as_alice: Client, alice: User) -> None:
        imported = factory.postmortem(owner=alice)

        assert "No revision yet" in as_alice.get(f"/postmortems/{imported.ref}/revisions/").text
        assert as_alice.get(f"/postmortems/{imported.ref}/compare/").status_code == 404
