"""Incidents: declared with text kept whatever happens, stepped through, and told what came of a fix."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from postmortems.models import Fix, FixUse, Incident, User
from tests import factory

NEW = "/incidents/new/"


def report(**fields: Any) -> dict[str, Any]:
    """What the declare form sends."""
    started = timezone.localtime() - timedelta(minutes=5)
    return {
        "title": "Checkout answers 503",
        "symptoms": "Half of the orders fail.",
        "error_excerpt": "  upstream timed out\n\tat line 7",
        "severity": "sev2",
        "kind": "service",
        "environment": "production",
        "started_at": f"{started:%Y-%m-%dT%H:%M}",
        "detection_source": "monitor",
        **fields,
    }


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


class TestDeclaring:
    def test_declares_what_was_typed(self, as_alice: Client, alice: User) -> None:
        factory.service("Checkout")

        answer = as_alice.post(NEW, report(services=["checkout"]), follow=True)

        incident = Incident.objects.get()
        assert answer.redirect_chain == [(incident.get_absolute_url(), 302)]
        assert f"{incident.ref} is declared." in answer.text
        assert (incident.title, incident.severity, incident.reported_by) == ("Checkout answers 503", "sev2", alice)
        assert incident.error_excerpt.replace("\r\n", "\n") == "  upstream timed out\n\tat line 7"
        assert [service.slug for service in incident.services.all()] == ["checkout"]

    def test_the_title_is_enough(self, as_alice: Client) -> None:
        as_alice.post(NEW, report(symptoms="", error_excerpt="", detection_source=""))

        assert Incident.objects.get().symptoms == ""

    def test_a_security_incident_is_not_there_for_others(self, as_alice: Client, charlie: User) -> None:
        as_alice.post(NEW, report(kind="security"))

        incident = Incident.objects.get()
        assert as_alice.get(incident.get_absolute_url()).status_code == 200
        assert factory.signed_in(charlie).get(incident.get_absolute_url()).status_code == 404

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"title": ""}, "Say in a few words what is broken."),
            ({"title": "x" * 10_000}, "at most 300 characters"),
            ({"title": "NUL \x00"}, "Null characters are not allowed."),
            ({"severity": "sev9"}, "Select a valid choice."),
            ({"services": ["no-such-service"]}, "not one of the available choices"),
            ({"started_at": "yesterday"}, "Enter a valid date/time."),
            ({"started_at": "2999-01-01T00:00"}, "This lies in the future."),
            ({"started_at": "0001-01-01T00:00"}, "Write the year in four digits"),
            ({"symptoms": "[" * 300_000}, "at most 100000 characters"),
        ],
    )
    def test_what_is_wrong_is_said_and_the_text_is_kept(
        self, as_alice: Client, wrong: dict[str, Any], said: str
    ) -> None:
        answer = as_alice.post(NEW, report(**wrong))

        assert answer.status_code == 200
        assert said in answer.text
        assert not Incident.objects.exists()
        for kept in ("Half of the orders fail.", "upstream timed out") if "symptoms" not in wrong else ():
            assert kept in answer.text
        if wrong.get("title", "").startswith("x"):
            assert "x" * 10_000 in answer.text

    def test_text_too_tangled_to_format_is_refused_and_kept(self, as_alice: Client) -> None:
        tangled = "[" * 60_000

        answer = as_alice.post(NEW, report(symptoms=tangled))

        assert answer.status_code == 200
        assert "too tangled" in answer.text and tangled in answer.text
        assert not Incident.objects.exists()

    def test_the_start_is_read_in_the_readers_zone(self, alice: User) -> None:
        User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")

        factory.signed_in(alice).post(NEW, report(started_at="2026-01-10T09:00"))

        assert Incident.objects.get().started_at.isoformat() == "2026-01-10T00:00:00+00:00"

    def test_an_hour_that_did_not_exist_is_said(self, alice: User) -> None:
        User.objects.filter(pk=alice.pk).update(time_zone="Europe/Berlin")

        answer = factory.signed_in(alice).post(NEW, report(started_at="2026-03-29T02:30"))

        assert "it may be ambiguous or it may not exist" in answer.text
        assert not Incident.objects.exists()

    def test_words_of_a_search_become_the_title(self, as_alice: Client) -> None:
        answer = as_alice.get(NEW, {"title": "orders & carts"})

        assert 'value="orders &amp; carts"' in answer.text


class TestSuggestingWhileDeclaring:
    def test_asking_without_javascript_keeps_the_text_and_declares_nothing(self, as_alice: Client) -> None:
        factory.service("Checkout")

        answer = as_alice.post(NEW, report(title="", services=["checkout"], show="suggestions"))

        assert not Incident.objects.exists()
        assert "Half of the orders fail." in answer.text and "upstream timed out" in answer.text
        assert re.search('value="checkout"[^>]* checked', answer.text)
        assert re.search('value="sev2"[^>]* checked', answer.text)
        assert "errorlist" not in answer.text

    def test_programs_write_no_moment_that_others_cannot_be_shown(self, as_alice: Client) -> None:
        sent = {"title": "Zero time", "started_at": "0001-01-01T00:00:00Z"}

        answer = as_alice.post("/api/v1/incidents/", sent, content_type="application/json")

        assert answer.status_code == 400 and "started_at" in answer.text
        assert not Incident.objects.exists()

    def test_a_piece_is_answered_whatever_is_typed_so_far(self, as_alice: Client) -> None:
        for typed in (
            {},
            {"title": ""},
            {"symptoms": "[" * 200_000},
            report(started_at="x", severity="x", title="x" * 9999),
        ):
            answer = as_alice.post("/incidents/suggestions/", typed)
            assert answer.status_code == 200
            assert "<html" not in answer.text

    def test_a_piece_is_only_posted(self, as_alice: Client) -> None:
        assert as_alice.get("/incidents/suggestions/").status_code == 405


def test_declaring_takes_few_queries(as_alice: Client, django_assert_max_num_queries: Any) -> None:
    factory.service("Checkout")
    typed = {"title": "It is down", "severity": "sev1", "kind": "service", "environment": "production"}
    savepoints = 4  # within a test; without one they are BEGIN and COMMIT

    with django_assert_max_num_queries(12 + savepoints):
        answer = as_alice.post("/incidents/new/", {**typed, "started_at": "2026-03-01T12:00", "services": ["checkout"]})

    assert answer.status_code == 302


class TestSteps:
    def test_an_incident_goes_its_way(self, as_alice: Client) -> None:
        incident = factory.incident(detected_at=factory.NOON)

        way = {
            "acknowledge": "investigating",
            "mitigate": "mitigated",
            "resolve": "resolved",
            "close": "closed",
            "reopen": "investigating",
            "cancel": "cancelled",
        }
        for step, status in way.items():
            answer = as_alice.post(reverse(f"incident_{step}", args=[incident.ref]), {"reason": "It is so."})
            incident.refresh_from_db()
            assert (answer.status_code, incident.status) == (302, status)

    def test_a_step_from_the_wrong_state_is_refused_in_words(self, as_alice: Client) -> None:
        incident = factory.incident()

        answer = as_alice.post(reverse("incident_reopen", args=[incident.ref]), {"reason": "It is back."})

        incident.refresh_from_db()
        assert incident.status == "open"
        assert f"{incident.ref} is open: this step does not start from there." in answer.text

    def test_the_page_offers_the_steps_that_are_possible(self, as_alice: Client) -> None:
        incident = factory.incident()

        in_progress = as_alice.get(incident.get_absolute_url()).text
        as_alice.post(reverse("incident_resolve", args=[incident.ref]))
        over = as_alice.get(incident.get_absolute_url()).text

        assert "Mark mitigated" in in_progress and "Reopen" not in in_progress
        assert "Reopen" in over and "Mark resolved" not in over


class TestEditing:
    def test_what_is_known_now_is_saved(self, as_alice: Client) -> None:
        incident = factory.incident(services=("Checkout",))
        address = reverse("incident_edit", args=[incident.ref])

        answer = as_alice.post(address, report(title="Checkout and cart answer 503"))

        incident.refresh_from_db()
        assert answer.headers["Location"] == incident.get_absolute_url()
        assert incident.title == "Checkout and cart answer 503"
        assert not incident.services.exists()

    def test_what_is_wrong_is_said_and_the_text_is_kept(self, as_alice: Client) -> None:
        incident = factory.incident(status="resolved", resolved_at=factory.NOON + timedelta(hours=1))

        answer = as_alice.post(reverse("incident_edit", args=[incident.ref]), report())

        assert "This is after the incident was resolved." in answer.text
        assert "Half of the orders fail." in answer.text

    def test_a_retired_service_stays_chosen(self, as_alice: Client) -> None:
        incident = factory.incident(services=("Old mail",))
        incident.services.update(retired_at=timezone.now())

        page = as_alice.get(reverse("incident_edit", args=[incident.ref])).text
        as_alice.post(reverse("incident_edit", args=[incident.ref]), report(services=["old-mail"]))

        assert "Old mail" in page
        assert incident.services.count() == 1
        assert "Old mail" not in as_alice.get(NEW).text


class TestOutcomes:
    def test_one_click_records_what_came_of_a_fix(self, as_alice: Client, alice: User) -> None:
        incident, fix = factory.incident(), factory.fix()

        answer = as_alice.post(
            reverse("fix_outcome", args=[incident.ref]), {"fix": fix.ref.lower(), "outcome": "worked"}, follow=True
        )

        use = FixUse.objects.get()
        assert (use.fix, use.incident, use.outcome, use.recorded_by) == (fix, incident, "worked", alice)
        assert answer.redirect_chain[0][0] == f"{incident.get_absolute_url()}#fix-{fix.pk}"
        assert f"Recorded for {fix.ref}: it worked." in answer.text

    def test_said_again_the_newer_answer_counts(self, as_alice: Client) -> None:
        incident, fix = factory.incident(), factory.fix()
        address = reverse("fix_outcome", args=[incident.ref])

        as_alice.post(address, {"fix": fix.ref, "outcome": "worked"})
        as_alice.post(address, {"fix": fix.ref, "outcome": "partly", "minutes_to_effect": "7", "note": "For an hour."})

        use = FixUse.objects.get()
        assert (use.outcome, use.minutes_to_effect, use.note) == ("partly", 7, "For an hour.")

    def test_htmx_gets_the_piece_with_the_new_record_and_the_message(self, as_alice: Client) -> None:
        incident, fix = factory.incident(), factory.fix()

        answer = as_alice.post(
            reverse("fix_outcome", args=[incident.ref]),
            {"fix": fix.ref, "outcome": "worked"},
            headers={"HX-Request": "true"},
        )

        assert answer.status_code == 200 and "<html" not in answer.text
        assert f'id="fix-{fix.pk}"' in answer.text and "Worked 1 of 1" in answer.text
        assert f'id="fix-{fix.pk}-worked" name="outcome" value="worked" aria-pressed="true"' in answer.text
        assert 'id="messages" hx-swap-oob' in answer.text and "it worked" in answer.text
        assert "csrfmiddlewaretoken" in answer.text

    @pytest.mark.parametrize(
        "wrong",
        [
            {"outcome": "splendid"},
            {"outcome": ""},
            {"fix": "FIX-999"},
            {"fix": "INC-1"},
            {"fix": "FIX-" + "9" * 20},
            {"minutes_to_effect": "-1"},
            {"minutes_to_effect": "99999999999"},
        ],
    )
    def test_what_cannot_be_recorded_is_said(self, as_alice: Client, wrong: dict[str, str]) -> None:
        incident, fix = factory.incident(), factory.fix()

        answer = as_alice.post(
            reverse("fix_outcome", args=[incident.ref]), {"fix": fix.ref, "outcome": "worked", **wrong}, follow=True
        )

        assert not FixUse.objects.exists()
        assert 'class="notice error"' in answer.text

    def test_a_fix_that_is_hidden_cannot_be_named(self, as_alice: Client) -> None:
        incident, hidden = factory.incident(), factory.fix("Turn the secret key", visibility="restricted")

        answer = as_alice.post(
            reverse("fix_outcome", args=[incident.ref]), {"fix": hidden.ref, "outcome": "worked"}, follow=True
        )

        assert not Fix.objects.get(pk=hidden.pk).uses.exists()
        assert "There is no fix of that number." in answer.text and "secret key" not in answer.text
