"""Working on an incident in the browser: the clock, the crew, the timeline, the times, the end."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from postmortems.models import Incident, Participant, User
from tests import factory

AT = factory.NOON


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


@pytest.fixture
def worst(db: None) -> Incident:
    ago = timezone.now() - timedelta(minutes=12, seconds=5)
    return factory.incident(severity="sev1", started_at=ago, detected_at=ago)


def at(name: str, incident: Incident) -> str:
    return reverse(f"incident_{name}", args=[incident.ref])


class TestTheClock:
    @pytest.mark.parametrize("page", ["/", "/incidents/", ""])
    def test_it_runs_in_red_wherever_the_incident_is_shown_until_someone_takes_it(
        self, as_alice: Client, worst: Incident, page: str
    ) -> None:
        page = page or worst.get_absolute_url()
        before = as_alice.get(page).text

        as_alice.post(at("command", worst), {"instead_of": ""})

        assert re.search(r"No commander for <span data-since[^>]*>12 min<", before)
        assert "Take command" in before
        assert "No commander" not in as_alice.get(page).text

    def test_a_reader_sees_it_without_the_button(self, worst: Incident) -> None:
        page = factory.signed_in(factory.user("rita", roles=("reader",))).get(worst.get_absolute_url()).text

        assert "No commander for" in page
        assert "Take command" not in page and "Add to the timeline" not in page

    def test_who_comes_second_is_told_who_leads(self, as_alice: Client, bob: User, worst: Incident) -> None:
        factory.signed_in(bob).post(at("command", worst), {"instead_of": ""})

        page = as_alice.post(at("command", worst), {"instead_of": ""}, follow=True).text

        assert "Bob leads" in page
        worst.refresh_from_db()
        assert worst.commander == bob

    @pytest.mark.parametrize("odd", ["x", "-1", "9" * 40, "٣"])
    def test_an_odd_number_is_no_fault(self, as_alice: Client, worst: Incident, odd: str) -> None:
        assert as_alice.post(at("command", worst), {"to": odd, "instead_of": odd}).status_code == 404


class TestTheCrew:
    def test_one_looks_is_released_with_what_was_in_order_and_comes_back(
        self, as_alice: Client, worst: Incident
    ) -> None:
        as_alice.post(at("acknowledge", worst))
        as_alice.post(at("release", worst), {"note": "Load <b>of</b> the database"})
        page = as_alice.get(worst.get_absolute_url()).text

        assert "<dt>Released</dt><dd>Alice" in page
        assert "In order: Load &lt;b&gt;of&lt;/b&gt; the database" in page
        as_alice.post(at("join", worst))
        assert "<dt>On it</dt><dd>Alice" in as_alice.get(worst.get_absolute_url()).text

    def test_command_is_handed_to_someone_on_it(
        self, as_alice: Client, alice: User, bob: User, worst: Incident
    ) -> None:
        as_alice.post(at("command", worst))
        Participant.objects.join(incident=worst, user=bob, at=AT)

        page = as_alice.get(worst.get_absolute_url()).text
        as_alice.post(at("command", worst), {"to": bob.pk, "instead_of": alice.pk})

        assert f'<option value="{bob.pk}">Bob</option>' in page
        worst.refresh_from_db()
        assert worst.commander == bob

    def test_a_stranger_to_the_incident_is_nobody_to_hand_it_to(
        self, as_alice: Client, charlie: User, worst: Incident
    ) -> None:
        assert as_alice.post(at("command", worst), {"to": charlie.pk}).status_code == 404


class TestTheTimeline:
    def test_what_is_typed_stands_on_top_of_it(self, as_alice: Client, worst: Incident) -> None:
        as_alice.post(at("update", worst), {"text": "First"})
        as_alice.post(at("update", worst), {"text": "Second", "kind": "action", "evidence_url": "https://g.example/"})

        page = as_alice.get(worst.get_absolute_url()).text

        assert 0 < page.index("Second") < page.index("First")
        assert 'href="https://g.example/"' in page

    def test_a_wrong_address_keeps_the_text(self, as_alice: Client, worst: Incident) -> None:
        page = as_alice.post(at("update", worst), {"text": "p95 falls", "evidence_url": "javascript:alert(1)"})

        assert page.status_code == 200
        assert "p95 falls</textarea>" in page.text and "valid URL" in page.text
        assert not worst.timeline.exists()

    def test_customers_are_thought_of_first_then_kept_up_to_date_then_told_that_it_is_over(
        self, as_alice: Client, worst: Incident
    ) -> None:
        def prompt() -> str:
            found = re.search(r"<strong>Customers: “(.*?)”\.</strong>", as_alice.get(worst.get_absolute_url()).text)
            return found[1] if found else ""

        said = [prompt()]
        as_alice.post(at("update", worst), {"text": "We know.", "kind": "communication"})
        said.append(prompt())
        as_alice.post(at("resolve", worst))
        said.append(prompt())
        as_alice.post(at("update", worst), {"text": "It works again.", "kind": "communication"})
        said.append(prompt())

        assert said == ["We know", "Update with ETA", "All clear", ""]

    def test_a_message_to_customers_begins_with_words(self, as_alice: Client, worst: Incident) -> None:
        page = as_alice.get(f"{worst.get_absolute_url()}?say=know").text

        assert "We are aware that [what does not work]" in page
        assert '<option value="communication" selected>' in page

    def test_lesser_incidents_are_not_prompted(self, as_alice: Client) -> None:
        page = as_alice.get(factory.incident(severity="sev2").get_absolute_url()).text

        assert "Customers:" not in page

    @pytest.mark.parametrize(("kind", "words"), [("service", "flags"), ("security", "evidence")])
    def test_each_kind_grows_in_its_own_way(self, as_alice: Client, alice: User, kind: str, words: str) -> None:
        assert words in as_alice.get(factory.incident(kind=kind).get_absolute_url()).text


class TestTheTimes:
    def test_they_are_corrected_in_the_zone_of_the_reader(self, alice: User) -> None:
        alice.time_zone = "Europe/Berlin"
        alice.save()
        incident = factory.incident(detected_at=AT)
        client = factory.signed_in(alice)

        page = client.get(at("times", incident)).text
        client.post(at("times", incident), {"started_at": "2026-03-01T13:00", "detected_at": "2026-03-01T13:30"})

        assert "Europe/Berlin" in page and 'value="2026-03-01T13:00"' in page
        incident.refresh_from_db()
        assert (incident.started_at, incident.detected_at) == (AT, AT + timedelta(minutes=30))

    def test_seconds_that_the_field_does_not_show_are_kept(self, as_alice: Client) -> None:
        exact = datetime(2026, 3, 1, 12, 0, 42, tzinfo=UTC)
        incident = factory.incident(started_at=exact)

        as_alice.post(at("times", incident), {"started_at": "2026-03-01T12:00"})

        incident.refresh_from_db()
        assert incident.started_at == exact

    def test_a_contradiction_is_said_beside_what_was_typed(self, as_alice: Client) -> None:
        incident = factory.incident()

        page = as_alice.post(
            at("times", incident), {"started_at": "2026-03-01T12:00", "detected_at": "2026-03-01T11:00"}
        )

        assert "Detected is before started" in page.text and 'value="2026-03-01T11:00"' in page.text


class TestTheEnd:
    @pytest.fixture
    def over(self, db: None) -> Incident:
        return factory.incident(severity="sev1", status="resolved", resolved_at=AT)

    def test_the_page_lists_what_is_missing_and_keeps_the_button_from_an_author(
        self, as_alice: Client, over: Incident
    ) -> None:
        page = as_alice.get(at("close", over)).text

        assert "A postmortem is required" in page and "never had a commander" in page
        assert "Close nevertheless" not in page and "A manager can close it" in page

    def test_a_manager_closes_with_a_reason_that_the_page_shows(self, over: Incident) -> None:
        client = factory.signed_in(factory.user("mona", roles=("manager",)))
        refused = client.post(at("close", over), {"reason": ""})
        client.post(at("close", over), {"reason": "The vendor writes it."})

        assert "a manager says why" in refused.text
        assert "In spite of what was missing: The vendor writes it." in client.get(over.get_absolute_url()).text

    @pytest.mark.parametrize(("name", "status"), [("cancel", "open"), ("reopen", "resolved")])
    def test_without_a_reason_the_page_asks_again(self, as_alice: Client, name: str, status: str) -> None:
        incident = factory.incident(status=status, resolved_at=AT)

        page = as_alice.post(at(name, incident), {"reason": "  "})

        assert page.status_code == 200 and "Say why" in page.text
        incident.refresh_from_db()
        assert incident.status == status

    def test_why_it_was_no_incident_stands_on_its_page(self, as_alice: Client) -> None:
        incident = factory.incident()

        as_alice.post(at("cancel", incident), {"reason": "A drill of ours."})

        assert "Cancelled: A drill of ours." in as_alice.get(incident.get_absolute_url()).text


PAGES = ("update", "times", "close", "cancel", "reopen")
CLICKS = ("acknowledge", "mitigate", "resolve", "command", "join", "release", *PAGES)


@pytest.mark.parametrize("name", CLICKS)
def test_an_outsider_finds_nothing_to_work_on(charlie: User, alice: User, name: str) -> None:
    incident = factory.incident(visibility="restricted")
    incident.members.add(alice)

    answer = factory.signed_in(charlie).post(at(name, incident), {"reason": "x", "text": "x"})

    assert answer.status_code == 404
    incident.refresh_from_db()
    assert (incident.status, incident.timeline.count(), incident.participants.count()) == ("open", 0, 0)


@pytest.mark.parametrize("name", PAGES)
def test_each_page_takes_few_queries(
    as_alice: Client, worst: Incident, name: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12):
        assert as_alice.get(at(name, worst)).status_code == 200
