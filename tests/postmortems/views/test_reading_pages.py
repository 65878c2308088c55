"""Postmortems, fixes, action items, search, account: what a reader finds there."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postmortems.models import ImportedFile, Problem, User
from tests import factory


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


class TestPostmortem:
    def test_what_fixed_it_comes_before_everything_else(self, as_alice: Client) -> None:
        postmortem = factory.postmortem(
            sections={"summary": "It was down.", "what_fixed_it": "We turned it off and on."}
        )
        factory.fix("Restart it", postmortem=postmortem, steps="1. Off\n2. On", commands="systemctl restart it")

        page = as_alice.get(postmortem.get_absolute_url()).text

        assert page.index("We turned it off and on.") < page.index("systemctl restart it") < page.index("It was down.")

    def test_the_text_that_became_a_fix_is_shown_once(self, as_alice: Client) -> None:
        postmortem = factory.postmortem(sections={"what_fixed_it": "Turned it off and on."})
        factory.fix("Restart it", postmortem=postmortem, steps="Turned it off and on.\n")

        page = as_alice.get(postmortem.get_absolute_url()).text

        assert page.count("Turned it off and on.") == 1

    def test_what_was_promised_and_is_late_is_said_at_the_top(self, as_alice: Client) -> None:
        row = factory.postmortem()
        due = timezone.localdate() - timedelta(days=74)
        factory.action_item(postmortem=row, due_on=due)
        factory.action_item(postmortem=row)
        factory.action_item(postmortem=row, due_on=due, state="done")

        head, _, _ = as_alice.get(row.get_absolute_url()).content.decode().partition('id="fixed"')

        assert "2 action items are open, up to 74 days late" in head

    def test_an_imported_file_is_plain_text(self, as_alice: Client, charlie: User) -> None:
        postmortem = factory.postmortem()
        source = {
            "identity": "a",
            "path": "a.md",
            "content_hash": "0",
            "fingerprint": "0",
            "text": "<script>alert(1)</script>",
        }
        ImportedFile.objects.create(postmortem=postmortem, **source)

        answer = as_alice.get(f"/postmortems/{postmortem.ref}/source/")

        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.text == "<script>alert(1)</script>"

    def test_a_file_is_as_hidden_as_its_postmortem(self, charlie: User, alice: User) -> None:
        draft = factory.postmortem(status="draft", owner=alice)
        ImportedFile.objects.create(
            postmortem=draft, identity="a", path="a", content_hash="0", fingerprint="0", text="x"
        )

        assert factory.signed_in(charlie).get(f"/postmortems/{draft.ref}/source/").status_code == 404
        assert factory.signed_in(alice).get(f"/postmortems/{factory.postmortem().ref}/source/").status_code == 404

    def test_others_of_the_same_problem_are_listed_as_far_as_they_may_be_seen(self, as_alice: Client) -> None:
        problem = Problem.objects.create(title="Disks fill up", discriminating_check="`df -h` says 100 %")
        postmortem = factory.postmortem(problem=problem)
        factory.postmortem("The other time", problem=problem)
        factory.postmortem("The secret time", problem=problem, visibility="restricted")

        page = as_alice.get(postmortem.get_absolute_url()).text

        assert "The other time" in page and "The secret time" not in page
        assert "<code>df -h</code> says 100 %" in page


class TestFix:
    def test_the_record_counts_what_the_reader_may_see(self, as_alice: Client) -> None:
        fix = factory.fix()
        for n, outcome in enumerate(("worked", "worked", "no_effect")):
            factory.fix_use(fix, factory.incident(f"Incident {n}"), outcome)
        factory.fix_use(fix, factory.incident("Hidden incident", visibility="restricted"), "made_worse")

        page = as_alice.get(fix.get_absolute_url()).text

        assert "Worked 2 of 3" in page and "1 no effect" in page
        assert "Hidden incident" not in page and "made it worse" not in page

    def test_a_stale_fix_says_so(self, as_alice: Client) -> None:
        page = as_alice.get(factory.fix(state="stale").get_absolute_url()).text

        assert "Check each step before you run it." in page


class TestFilters:
    def test_incidents_in_progress(self, as_alice: Client) -> None:
        factory.incident("Still burning")
        factory.incident("All over", status="resolved", resolved_at=factory.NOON)

        page = as_alice.get("/incidents/?status=in_progress").text

        assert "Still burning" in page and "All over" not in page
        over = as_alice.get("/incidents/?status=resolved").text
        assert "All over" in over and "Still burning" not in over

    def test_by_service(self, as_alice: Client) -> None:
        factory.postmortem("Of checkout", services=("Checkout",))
        factory.postmortem("Of mail", services=("Mail",))

        page = as_alice.get("/postmortems/?services=checkout").text

        assert "Of checkout" in page and "Of mail" not in page

    def test_a_filter_that_makes_no_sense_is_said(self, as_alice: Client) -> None:
        answer = as_alice.get("/incidents/?severity=sev9&services=nothing")

        assert answer.status_code == 200
        assert "Select a valid choice" in answer.text

    def test_action_items_begin_with_what_is_not_finished(self, as_alice: Client) -> None:
        postmortem = factory.postmortem()
        factory.action_item("To be done", postmortem=postmortem)
        factory.action_item("Long done", postmortem=postmortem, state="done")

        unfinished, everything = as_alice.get("/actions/").text, as_alice.get("/actions/?state=").text

        assert "To be done" in unfinished and "Long done" not in unfinished
        assert "To be done" in everything and "Long done" in everything

    def test_action_items_that_are_late_and_mine(self, as_alice: Client, alice: User, bob: User) -> None:
        postmortem, yesterday = factory.postmortem(), timezone.localdate() - timedelta(days=1)
        factory.action_item("Mine and late", postmortem=postmortem, owner=alice, due_on=yesterday)
        factory.action_item("Of Bob and late", postmortem=postmortem, owner=bob, due_on=yesterday)
        factory.action_item("Mine in time", postmortem=postmortem, owner=alice, due_on=date(2999, 1, 1))

        page = as_alice.get("/actions/?due=late&mine=on").text

        assert "Mine and late" in page and "1 day late" in page
        assert "Of Bob and late" not in page and "Mine in time" not in page


class TestSearch:
    def test_nothing_typed_explains_how_to_search(self, as_alice: Client) -> None:
        assert "connection reset by peer" in as_alice.get("/search/?q=+").text

    def test_a_ref_goes_straight_to_its_page(self, as_alice: Client) -> None:
        incident = factory.incident()

        assert as_alice.get("/search/", {"q": incident.ref.lower()}).headers["Location"] == incident.get_absolute_url()

    def test_the_ref_of_a_hidden_row_is_a_search_like_any_other(self, charlie: User) -> None:
        hidden = factory.incident("Keys were read", visibility="restricted")

        answers = [factory.signed_in(charlie).get("/search/", {"q": ref}) for ref in (hidden.ref, "INC-999999")]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert "Keys were read" not in answers[0].text

    @pytest.mark.parametrize(
        "text", ["zzyzx", '"', "(((((", "a AND OR", "service:", "\x00", "💥", "x" * 3000, "<b>&", "-", "*", "%"]
    )
    @pytest.mark.parametrize("more", [{}, {"page": "x"}, {"page": "9" * 30}, {"sort": "x"}, {"severity": "sev9"}])
    def test_any_text_is_a_valid_search(self, as_alice: Client, text: str, more: dict[str, str]) -> None:
        answer = as_alice.get("/search/", {"q": text, **more})

        assert answer.status_code == 200
        assert "<b>&" not in answer.text

    def test_nothing_found_says_what_to_do_next(self, as_alice: Client) -> None:
        page = as_alice.get("/search/", {"q": "zzyzx quux"}).text

        assert "Nothing found" in page
        assert "/incidents/new/?title=zzyzx%20quux" in page


class TestAccount:
    def test_the_zone_is_kept_and_used(self, as_alice: Client, alice: User) -> None:
        incident = factory.incident(started_at=factory.NOON)

        as_alice.post("/account/", {"time_zone": "Asia/Kolkata"})
        page = as_alice.get(incident.get_absolute_url()).text

        alice.refresh_from_db()
        assert alice.time_zone == "Asia/Kolkata"
        assert 'title="2026-03-01 12:00 UTC">1 Mar 2026, 17:30</time>' in page

    def test_a_zone_that_does_not_exist_is_said(self, as_alice: Client, alice: User) -> None:
        answer = as_alice.post("/account/", {"time_zone": "Mars/Olympus"})

        alice.refresh_from_db()
        assert "Select a valid choice" in answer.text
        assert alice.time_zone == ""


class TestSignIn:
    def test_leads_back_to_the_page_that_was_asked_for(self, client: Client, alice: User) -> None:
        asked = client.get("/incidents/?severity=sev1", follow=True)

        answer = client.post(
            asked.redirect_chain[0][0],
            {"username": "alice", "password": factory.PASSWORD, "next": "/incidents/?severity=sev1"},
        )

        assert answer.headers["Location"] == "/incidents/?severity=sev1"

    def test_a_wrong_password_says_neither_which_is_wrong(self, client: Client, alice: User) -> None:
        wrong = client.post("/accounts/login/", {"username": "alice", "password": "x"}).text
        unknown = client.post("/accounts/login/", {"username": "nobody", "password": "x"}).text

        assert "That name and password do not match." in wrong
        assert "That name and password do not match." in unknown

    def test_sign_out_is_a_button_not_a_link(self, as_alice: Client) -> None:
        assert as_alice.get("/accounts/logout/").status_code == 405
        assert as_alice.post("/accounts/logout/").status_code == 302
        assert as_alice.get("/").status_code == 302
