"""The timeline editor: times in the writer's zone, of an incident or a postmortem."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from postmortems.models import AuditEvent, Incident, Postmortem, Revision, Team, TimelineEntry, User, Visibility
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_berlin(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Europe/Berlin")


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(User.objects.get(pk=alice.pk))


@pytest.fixture(params=["incident", "postmortem"])
def home(request: pytest.FixtureRequest, alice: User, team: Team) -> Incident | Postmortem:
    """Both are edited on the same page."""
    if request.param == "incident":
        return factory.incident()
    return factory.postmortem(owner=alice, team=team, started_at=NOON)


def page(home: Any) -> str:
    return f"{home.get_absolute_url()}timeline/"


def entry(**fields: Any) -> dict[str, Any]:
    return {"at": "14:05", "kind": "action", "text": "Pool recycled", "evidence_url": "", **fields}


def test_a_time_is_of_the_writers_zone(as_alice: Client, home: Any) -> None:
    as_alice.post(page(home), entry())

    assert home.timeline.get().at == datetime(2026, 3, 1, 13, 5, tzinfo=UTC)
    assert "14:05" in as_alice.get(page(home)).text


def test_two_minutes_later_counts_from_the_entry_before(as_alice: Client, home: Any) -> None:
    as_alice.post(page(home), entry())
    as_alice.post(page(home), entry(at="+2m", text="It holds"))

    assert [f"{row.at:%H:%M} {row.text}" for row in home.timeline.all()] == ["13:05 Pool recycled", "13:07 It holds"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"at": "soon"}, "is no time"), ({"text": ""}, "What happened?"), ({"kind": "x"}, "valid choice")],
)
def test_what_is_wrong_is_said_and_the_text_is_kept(
    as_alice: Client, home: Any, wrong: dict[str, str], said: str
) -> None:
    answer = as_alice.post(page(home), {**entry(text="Typed with care"), **wrong})

    assert said in answer.text
    assert wrong.get("text", "Typed with care") in answer.text
    assert not home.timeline.exists()


def test_an_hour_that_came_twice_is_asked_with_a_button_for_each(as_alice: Client, home: Any) -> None:
    asked = as_alice.post(page(home), entry(at="2026-10-25 02:30"))
    as_alice.post(page(home), entry(at="2026-10-25 02:30:00+01:00"))

    assert asked.status_code == 409
    assert 'value="2026-10-25 02:30:00+01:00"' in asked.text
    assert home.timeline.get().at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_an_entry_is_put_right_and_taken_away(as_alice: Client, home: Any) -> None:
    as_alice.post(page(home), entry())
    row = home.timeline.get()
    assert 'value="2026-03-01 14:05+01:00"' in as_alice.get(f"{page(home)}{row.pk}/").text

    as_alice.post(f"{page(home)}{row.pk}/", entry(at="13:50", text="Pool restarted"))

    row = home.timeline.get()
    assert (row.at, row.text) == (datetime(2026, 3, 1, 12, 50, tzinfo=UTC), "Pool restarted")
    as_alice.post(f"{page(home)}{row.pk}/remove/")
    assert not home.timeline.exists()
    assert AuditEvent.objects.about(home).count() >= 3


def test_a_postmortems_timeline_is_in_its_revisions(as_alice: Client, alice: User) -> None:
    postmortem = factory.postmortem(owner=alice, started_at=NOON)

    as_alice.post(page(postmortem), entry())
    as_alice.post(page(postmortem), entry(at="14:00", text="Noticed"))

    revisions = Revision.objects.filter(postmortem=postmortem).order_by("number")
    assert [[moment["text"] for moment in row.content["timeline"]] for row in revisions] == [
        [],
        ["Pool recycled"],
        ["Noticed", "Pool recycled"],
    ]


def test_who_may_not_edit_changes_nothing(charlie: User, home: Any) -> None:
    row = TimelineEntry.objects.create(at=NOON, text="Paged", **{home._meta.model_name: home})
    type(home)._default_manager.filter(pk=home.pk).update(visibility=Visibility.RESTRICTED)
    as_charlie = factory.signed_in(charlie)

    answers = [
        as_charlie.get(page(home)),
        as_charlie.post(page(home), entry()),
        as_charlie.post(f"{page(home)}{row.pk}/", entry()),
        as_charlie.post(f"{page(home)}{row.pk}/remove/"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert home.timeline.get().text == "Paged"


def test_a_reader_may_look_but_not_write(home: Any) -> None:
    reader = factory.user("rita", roles=("reader",))

    assert factory.signed_in(reader).post(page(home), entry()).status_code == 403
    assert not home.timeline.exists()


def test_an_entry_of_another_document_is_not_found(as_alice: Client, home: Any) -> None:
    other = TimelineEntry.objects.create(at=NOON, text="Elsewhere", incident=factory.incident("Another"))

    assert as_alice.post(f"{page(home)}{other.pk}/remove/").status_code == 404
    assert TimelineEntry.objects.filter(pk=other.pk).exists()
