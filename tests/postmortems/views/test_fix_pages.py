"""Fixes in the browser: written, confirmed, verified, retired; two texts at once; what came of one."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from postmortems.models import Fix, FixUse, User
from tests import factory

WRITTEN = {"title": "Drain it", "kind": "mitigation", "steps": "Drain, then restart.", "confirm_every_months": "6"}


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


def at(name: str, fix: Fix) -> str:
    return reverse(f"fix_{name}", args=[fix.ref])


def typed(client: Client, fix: Fix, **changes: str) -> dict[str, str]:
    """What the form holds when it is opened, with these changes."""
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', client.get(at("edit", fix)).text)
    return {**WRITTEN, "title": fix.title, "seen": seen, **changes}


class TestWriting:
    def test_a_fix_is_written_alone(self, as_alice: Client) -> None:
        answer = as_alice.post("/fixes/new/", {**WRITTEN, "commands": "  kubectl drain x\n"})

        fix = Fix.objects.get()
        assert answer.url == fix.get_absolute_url()
        assert (fix.state, fix.commands) == ("draft", "  kubectl drain x\n")

    def test_what_fixed_an_incident_is_written_from_its_page(self, as_alice: Client) -> None:
        incident = factory.incident(services=("Checkout",))
        address = f"/fixes/new/?incident={incident.ref}"

        assert address in as_alice.get(incident.get_absolute_url()).text
        assert re.search(r'value="checkout"[^>]* checked', as_alice.get(address).text)
        as_alice.post(address, WRITTEN)

        assert FixUse.objects.get().incident == incident

    def test_a_title_alone_is_asked_for_more_and_kept(self, as_alice: Client) -> None:
        page = as_alice.post("/fixes/new/", {**WRITTEN, "steps": ""})

        assert page.status_code == 200 and not Fix.objects.exists()
        assert 'value="Drain it"' in page.text and "the title alone helps nobody" in page.text

    def test_of_two_who_edit_the_second_sees_both_texts_and_then_decides(self, as_alice: Client, bob: User) -> None:
        fix, as_bob = factory.fix(steps="Restart <it>."), factory.signed_in(bob)
        from_bob = typed(as_bob, fix, steps="Kill it.")
        as_alice.post(at("edit", fix), typed(as_alice, fix, steps="Drain <b>it</b>."))

        both = as_bob.post(at("edit", fix), from_bob).text
        (seen,) = re.findall(r'name="seen" value="([^"]+)"', both)
        kept = Fix.objects.get().steps
        as_bob.post(at("edit", fix), {**from_bob, "seen": seen})

        assert "Someone else saved this fix" in both
        assert html.escape("Drain <b>it</b>.") in both and "Kill it.</textarea>" in both
        assert kept == "Drain <b>it</b>."
        assert Fix.objects.get().steps == "Kill it."

    @pytest.mark.parametrize("months", ["0", "37", "x"])
    def test_an_odd_number_of_months_is_said(self, as_alice: Client, months: str) -> None:
        page = as_alice.post("/fixes/new/", {**WRITTEN, "confirm_every_months": months})

        assert page.status_code == 200 and "Drain, then restart.</textarea>" in page.text


class TestItsLife:
    def test_one_click_says_that_it_is_still_valid(self, as_alice: Client, alice: User) -> None:
        fix = factory.fix(commands="x")
        before = as_alice.get(fix.get_absolute_url()).text

        as_alice.post(at("confirm", fix))

        after = as_alice.get(fix.get_absolute_url()).text
        assert "To be confirmed" in before and ">Fresh<" in after
        assert "confirmed" in after and "by Alice" in after

    def test_it_is_verified_retired_with_a_reason_and_taken_back(self, as_alice: Client) -> None:
        fix = factory.fix(commands="x")

        as_alice.post(at("verify", fix))
        without = as_alice.post(at("retire", fix), {"reason": ""}).text
        as_alice.post(at("retire", fix), {"reason": "Use the new pool."})
        retired = as_alice.get(fix.get_absolute_url()).text
        as_alice.post(at("take_back", fix))

        assert "Say why it is retired" in without
        assert "Use the new pool." in retired and "Still valid" not in retired
        fix.refresh_from_db()
        assert fix.state == "draft"

    def test_an_author_is_not_offered_what_reviewers_do(self, db: None) -> None:
        page = factory.signed_in(factory.user("arno", roles=("author",))).get(factory.fix().get_absolute_url()).text

        assert "Still valid" in page and "/edit/" in page
        assert "Verify" not in page and "/retire/" not in page

    def test_a_reader_is_offered_nothing(self, db: None) -> None:
        client = factory.signed_in(factory.user("rita", roles=("reader",)))
        page = client.get(factory.fix().get_absolute_url()).text + client.get("/fixes/").text

        assert not re.search("Still valid|/edit/|/retire/|/use/|/fixes/new/", page)

    def test_what_an_import_guessed_says_so(self, as_alice: Client) -> None:
        fix = factory.fix(postmortem=factory.postmortem(), commands="x")

        for page in (fix.get_absolute_url(), "/fixes/"):
            assert "Taken from the text, not verified" in as_alice.get(page).text

    def test_the_list_is_narrowed_to_what_wants_a_word(self, as_alice: Client) -> None:
        factory.fix("Old one")
        factory.fix("Fresh one", last_confirmed=timezone.localdate())

        page = as_alice.get("/fixes/?freshness=to_confirm").text

        assert "Old one" in page and "Fresh one" not in page


class TestWhatCameOfIt:
    def test_it_is_said_on_the_page_of_the_fix(self, as_alice: Client) -> None:
        fix, incident = factory.fix(commands="x"), factory.incident()

        page = as_alice.post(at("use", fix), {"incident": incident.ref.lower(), "outcome": "worked"}, follow=True).text

        assert incident.title in page and FixUse.objects.get().incident == incident

    def test_of_an_incident_that_one_may_not_see_there_is_none(self, as_alice: Client) -> None:
        fix, secret = factory.fix(commands="x"), factory.incident("Secret", visibility="restricted")

        hidden = as_alice.post(at("use", fix), {"incident": secret.ref, "outcome": "worked"}, follow=True).text
        missing = as_alice.post(at("use", fix), {"incident": "INC-999", "outcome": "worked"}, follow=True).text

        assert "There is no incident of that number" in hidden and "There is no incident of that number" in missing
        assert not FixUse.objects.exists()


@pytest.mark.parametrize("name", ["edit", "verify", "confirm", "retire", "take_back", "use"])
def test_an_outsider_finds_nothing(charlie: User, alice: User, name: str) -> None:
    fix = factory.fix(postmortem=factory.postmortem(visibility="restricted", owner=alice), commands="x")

    answer = factory.signed_in(charlie).post(at(name, fix), {**WRITTEN, "reason": "x"})

    assert answer.status_code == 404
    assert Fix.objects.get().title == fix.title and Fix.objects.get().state == "draft"


@pytest.mark.parametrize("where", ["incident", "postmortem"])
def test_nothing_is_written_from_what_one_may_not_see(charlie: User, alice: User, where: str) -> None:
    row = getattr(factory, where)(visibility="restricted")

    assert factory.signed_in(charlie).get(f"/fixes/new/?{where}={row.ref}").status_code == 404


@pytest.mark.parametrize("name", ["detail", "edit", "retire"])
def test_each_page_takes_few_queries(as_alice: Client, name: str, django_assert_max_num_queries: Any) -> None:
    fix = factory.fix(services=("A", "B"), postmortem=factory.postmortem(), commands="x")
    for n in range(5):
        factory.fix_use(fix, factory.incident(f"Incident {n}"))

    with django_assert_max_num_queries(12):
        assert as_alice.get(at(name, fix)).status_code == 200
