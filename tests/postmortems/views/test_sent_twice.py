"""A second click, a reload, Back and send: what a form makes is made once."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postmortems.models import (
    ActionItem,
    Comment,
    Fix,
    Incident,
    Invitation,
    KeptAnswer,
    Postmortem,
    TimelineEntry,
    User,
)
from postmortems.models.kept_answer import GIVEN_UP
from postmortems.views import once
from tests import factory

pytestmark = pytest.mark.django_db

Form = tuple[str, str, dict[str, Any], Any]
DECLARED = {
    **{"title": "Checkout is slow", "severity": "sev2", "kind": "service"},
    **{"environment": "production", "started_at": "2026-03-01T10:00"},
}


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


def number_on(page: str) -> str:
    found = re.search(r'name="once" value="([0-9a-f-]{36})"', page)
    assert found, "This page has no form that is sent once."
    return found[1]


def declaring() -> Form:
    return "/incidents/new/", "/incidents/new/", DECLARED, Incident


def updating() -> Form:
    at = factory.incident().get_absolute_url()
    return at, f"{at}update/", {"text": "Drained it.", "kind": "action"}, TimelineEntry


def adding_with_a_time() -> Form:
    at = f"{factory.incident().get_absolute_url()}timeline/"
    return at, at, {"at": "2026-03-01 10:00", "kind": "note", "text": "Drained it."}, TimelineEntry


def commenting() -> Form:
    alice = User.objects.get(username="alice")
    at = factory.postmortem(status="draft", owner=alice, sections={"summary": "Slow."}).get_absolute_url()
    return f"{at}review/", f"{at}comments/", {"section": "summary", "body": "Which pool?"}, Comment


def writing_a_fix() -> Form:
    return (
        "/fixes/new/",
        "/fixes/new/",
        {"title": "Drain it", "kind": "mitigation", "steps": "Drain.", "confirm_every_months": 6},
        Fix,
    )


def promising() -> Form:
    at = f"/actions/new/?incident={factory.incident().ref}"
    return (
        at,
        at,
        {"title": "Require quorum", "done_when": "It is.", "kind": "prevent", "priority": "medium"},
        ActionItem,
    )


def beginning() -> Form:
    return "/postmortems/new/", "/postmortems/new/", {"title": "Pool exhausted", "kind": "service"}, Postmortem


FORMS = [
    *(declaring, updating, adding_with_a_time, commenting),
    *(writing_a_fix, promising, beginning),
]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_sent_twice_is_made_once(as_alice: Client, form: Callable[[], Form]) -> None:
    page, address, typed, model = form()
    before = model.objects.count()
    typed = {**typed, "once": number_on(as_alice.get(page).text)}

    first, second = as_alice.post(address, typed), as_alice.post(address, typed)

    assert (first.status_code, second.status_code) == (302, 302), first.text
    assert second.headers["Location"] == first.headers["Location"]
    assert model.objects.count() == before + 1
    assert "This was sent twice. It counts once." in as_alice.get(page).text


@pytest.mark.parametrize("form", FORMS)
def test_from_two_pages_the_same_is_two_things(as_alice: Client, form: Callable[[], Form]) -> None:
    page, address, typed, model = form()
    before = model.objects.count()

    for _ in range(2):
        assert as_alice.post(address, {**typed, "once": number_on(as_alice.get(page).text)}).status_code == 302

    assert model.objects.count() == before + 2


def test_an_invitation_goes_out_once(admin: User, mailoutbox: list[Any]) -> None:
    client = factory.signed_in(admin)
    typed = {"email": "dora@example.org", "role": "reader", "once": number_on(client.get("/invitations/").text)}

    for _ in range(2):
        assert client.post("/invitations/", typed).status_code == 302

    assert Invitation.objects.count() == 1


class TestDeclaring:
    """The one that matters most, and each way it may come."""

    @pytest.fixture
    def typed(self, as_alice: Client) -> dict[str, str]:
        return {**DECLARED, "once": number_on(as_alice.get("/incidents/new/").text)}

    def test_with_another_text_it_is_another_incident(self, as_alice: Client, typed: dict[str, str]) -> None:
        for title in ("Checkout is slow", "Search is slow"):
            as_alice.post("/incidents/new/", {**typed, "title": title})

        assert Incident.objects.count() == 2

    def test_somebody_else_has_numbers_of_their_own(self, as_alice: Client, bob: User, typed: dict[str, str]) -> None:
        as_alice.post("/incidents/new/", typed)
        answer = factory.signed_in(bob).post("/incidents/new/", typed)

        assert Incident.objects.get(reported_by=bob).get_absolute_url() in answer.headers["Location"]

    def test_what_was_refused_may_be_put_right_and_sent(self, as_alice: Client, typed: dict[str, str]) -> None:
        refused = [as_alice.post("/incidents/new/", {**typed, "title": ""}).status_code for _ in range(2)]
        taken = as_alice.post("/incidents/new/", typed)

        assert (refused, taken.status_code) == ([200, 200], 302)
        assert KeptAnswer.objects.count() == 1

    def test_while_the_first_is_worked_on_nothing_is_done_a_second_time(
        self, as_alice: Client, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(once, "PATIENCE", 0.2)
        as_alice.post("/incidents/new/", typed)
        KeptAnswer.objects.update(status=None, at=timezone.now())

        answer = as_alice.post("/incidents/new/", typed)

        assert (answer.status_code, Incident.objects.count()) == (409, 1)
        assert "Reload this page in a moment" in answer.text

    def test_of_a_server_that_died_on_the_way_nothing_is_waited_for(
        self, as_alice: Client, typed: dict[str, str]
    ) -> None:
        as_alice.post("/incidents/new/", typed)
        Incident.objects.all().delete()
        KeptAnswer.objects.update(status=None, at=timezone.now() - GIVEN_UP - timedelta(seconds=1))

        assert as_alice.post("/incidents/new/", typed).status_code == 302
        assert Incident.objects.count() == 1

    def test_a_form_without_a_number_is_taken_as_ever(self, as_alice: Client, typed: dict[str, str]) -> None:
        del typed["once"]

        for _ in range(2):
            as_alice.post("/incidents/new/", typed)

        assert Incident.objects.count() == 2

    def test_what_cannot_be_found_leaves_nothing_behind(self, as_alice: Client, typed: dict[str, str]) -> None:
        assert as_alice.post("/incidents/INC-99/update/", {"text": "Drained", **typed}).status_code == 404
        assert not KeptAnswer.objects.exists()
