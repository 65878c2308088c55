"""The audit log: what is written down, who reads it, and that nothing in it changes."""

import csv
import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from postmortems.models import AuditEvent, Incident, Revision, Tag, User, Visibility
from postmortems.workflows import auditing
from tests import factory
from tests.factory import NOON
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db

triggers = importlib.import_module("postmortems.migrations.0010_append_only_log")


def event(on: Incident, by: User | None = None, action: str = "incident.edit", **details: object) -> AuditEvent:
    return auditing.record(action, on=on, by=by, at=NOON, **details)  # type: ignore[arg-type]


# --- the database ---


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def the_trigger_that_tests_take_away() -> Iterator[None]:
    """See `django_db_setup` in tests/conftest.py."""
    if connection.vendor == "sqlite":
        name, step, table = triggers.REFUSED[1]
        execute(triggers.SQLITE.format(name=name, step=step, table=table))
    yield
    if connection.vendor == "sqlite":
        execute("DROP TRIGGER audit_event_is_never_deleted")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postmortems_auditevent SET action = 'x'",
        "DELETE FROM postmortems_auditevent",
        "UPDATE postmortems_revision SET note = 'x'",
        "UPDATE postmortems_revision SET number = 2",
    ],
)
def test_the_database_itself_refuses_to_change_the_past(statement: str) -> None:
    event(factory.incident())
    Revision.objects.create(postmortem=factory.postmortem(), number=1, content={}, at=NOON)

    with the_trigger_that_tests_take_away(), pytest.raises(DatabaseError), transaction.atomic():
        execute(statement)

    assert (AuditEvent.objects.count(), Revision.objects.get().note) == (1, "")


def test_an_account_can_be_deleted_and_what_it_wrote_stays(alice: User) -> None:
    revision = Revision.objects.create(postmortem=factory.postmortem(), number=1, content={}, by=alice, at=NOON)

    alice.delete()

    assert Revision.objects.get(pk=revision.pk).by is None


# --- sign-in ---


def test_signing_in_and_failing_to_are_written_down_with_the_address(alice: User) -> None:
    client = Client(REMOTE_ADDR="192.0.2.7")

    client.post("/accounts/login/", {"username": "alice", "password": "wrong"})
    client.post("/accounts/login/", {"username": "hunter2-my-password", "password": "wrong"})
    client.post("/accounts/login/", {"username": "alice", "password": factory.PASSWORD})
    client.post("/accounts/logout/")

    written = [(e.action, e.object_name, e.channel, e.address) for e in AuditEvent.objects.order_by("pk")]
    assert written == [
        ("account.sign_in_failed", "Alice", "web", "192.0.2.7"),
        ("account.sign_in_failed", "Unknown name", "web", "192.0.2.7"),
        ("account.sign_in", "Alice", "web", "192.0.2.7"),
        ("account.sign_out", "Alice", "web", "192.0.2.7"),
    ]


def test_a_program_that_fails_to_sign_in_is_written_down(alice: User) -> None:
    Client(headers={"Authorization": "Basic YWxpY2U6d3Jvbmc="}).get("/api/v1/search/?q=x")

    assert [(e.action, e.channel) for e in AuditEvent.objects.all()] == [("account.sign_in_failed", "api")]


# --- who reads it ---


def test_the_whole_log_is_for_administrators(learn: Learn, alice: User, admin: User) -> None:
    event(factory.incident("Checkout is down"), by=alice)

    assert factory.signed_in(alice).get("/audit/").status_code == 403
    assert "Checkout is down" in factory.signed_in(admin).get("/audit/").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("person=ali", {"incident.edit"}),
        ("action=incident", {"incident.edit", "incident.close"}),
        ("document=INC-{first}", {"incident.edit"}),
        ("document=database", {"incident.close"}),
        ("since=2026-03-01&until=2026-03-01", {"incident.edit", "incident.close"}),
        ("since=2026-03-02&action=incident", set()),
        ("since=nonsense&action=incident", {"incident.edit", "incident.close"}),
    ],
)
def test_it_is_filtered(admin: User, alice: User, bob: User, query: str, found: set[str]) -> None:
    first, second = factory.incident("Checkout is down"), factory.incident("The database is slow")
    event(first, by=alice)
    event(second, by=bob, action="incident.close")

    page = factory.signed_in(admin).get(f"/audit/?{query.format(first=first.pk)}").text

    assert {action for action in ("incident.edit", "incident.close") if f"<code>{action}</code>" in page} == found


def test_it_goes_into_a_spreadsheet_without_running_there(admin: User) -> None:
    event(factory.incident('=HYPERLINK("http://x")'), reason="@SUM(A1)", changes={"title": ("a", "b")})

    answer = factory.signed_in(admin).get("/audit/?format=csv&action=incident")

    (row,) = csv.DictReader(b"".join(answer.streaming_content).decode().splitlines())  # type: ignore[attr-defined]
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    assert row["reason"] == "'@SUM(A1)" and row["changes"] == '{"title": ["a", "b"]}'


def test_the_history_of_an_incident_is_read_by_who_answers_for_it(
    alice: User, bob: User, charlie: User, admin: User
) -> None:
    incident = factory.incident(reported_by=alice, commander=bob)
    event(incident)
    page = f"/incidents/{incident.ref}/history/"

    assert [factory.signed_in(who).get(page).status_code for who in (alice, bob, charlie, admin)] == [
        200,
        200,
        403,
        200,
    ]
    assert "incident.edit" in factory.signed_in(alice).get(page).text


def test_the_history_of_a_postmortem_is_read_by_its_owner_and_hidden_with_it(
    alice: User, bob: User, charlie: User
) -> None:
    postmortem = factory.postmortem(owner=alice, visibility=Visibility.RESTRICTED)
    postmortem.members.add(bob)
    page = f"/postmortems/{postmortem.ref}/history/"

    assert [factory.signed_in(who).get(page).status_code for who in (alice, bob, charlie)] == [200, 403, 404]


def test_many_entries_are_one_page_of_few_queries(
    admin: User, django_assert_max_num_queries: object, alice: User
) -> None:
    incident = factory.incident()
    for _ in range(60):
        event(incident, by=alice)
    client = factory.signed_in(admin)

    with django_assert_max_num_queries(12):  # type: ignore[operator]
        page = client.get("/audit/").text

    assert "1 to 50 of 60" in page


def test_a_change_in_the_admin_is_written_down(learn: Learn, admin: User) -> None:
    client = factory.signed_in(admin)
    client.post("/admin/postmortems/tag/add/", {"name": "dns", "slug": "dns", "aliases": "[]"})
    tag = Tag.objects.get()
    client.post(f"/admin/postmortems/tag/{tag.pk}/change/", {"name": "DNS", "slug": "dns", "aliases": "[]"})
    client.post(f"/admin/postmortems/tag/{tag.pk}/delete/", {"post": "yes"})

    written = [
        (e.action, e.by_name, e.object_key, e.reason.partition(",")[0]) for e in AuditEvent.objects.order_by("pk")
    ]
    key = f"tag:{tag.pk}"
    assert written == [
        ("admin.add", "admin", key, ""),
        ("admin.change", "admin", key, "Name"),
        ("admin.delete", "admin", key, ""),
    ]
