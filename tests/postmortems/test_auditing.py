"""The audit log and notifications, as every workflow writes them."""

from collections.abc import Callable
from typing import Any

import pytest

from kb.origin import Origin, comes_from
from postmortems.models import AuditEvent, Fix, Incident, Notification, Problem, Revision, User, Visibility
from postmortems.models.revision import Immutable
from postmortems.workflows import auditing, curating, problems, telling, tokens, triage
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db


def test_who_did_what_to_what_when_and_from_where(alice: User) -> None:
    incident = factory.incident()

    with comes_from(Origin("web", "192.0.2.7")):
        auditing.record("incident.edit", on=incident, by=alice, at=NOON, changes={"title": ("a", "b")})

    event = AuditEvent.objects.about(incident).get()
    assert (event.by_name, event.action, event.channel, event.address) == ("Alice", "incident.edit", "web", "192.0.2.7")
    assert event.changes == {"title": ["a", "b"]}


def test_the_log_outlives_the_account(alice: User) -> None:
    auditing.record("incident.edit", on=factory.incident(), by=alice, at=NOON)

    alice.delete()

    assert AuditEvent.objects.get().by_name == "Alice"


def test_what_is_written_stays_written(alice: User) -> None:
    event = auditing.record("incident.edit", on=factory.incident(), by=alice, at=NOON)
    revision = Revision.objects.create(postmortem=factory.postmortem(), number=1, content={}, at=NOON)

    for step in (event.save, event.delete, AuditEvent.objects.all().delete, revision.save):
        with pytest.raises(Immutable):
            step()
    for rows in (AuditEvent.objects.all(), Revision.objects.all()):
        with pytest.raises(Immutable):
            rows.update(pk=7)


def test_only_those_who_may_see_it_are_told_and_not_who_did_it(alice: User, bob: User, charlie: User) -> None:
    secret = factory.incident(visibility=Visibility.RESTRICTED)
    secret.members.add(alice, bob)

    telling.tell([alice, bob, charlie, None], action="incident.open", text="It began.", about=secret, by=alice, at=NOON)

    assert [row.user for row in Notification.objects.all()] == [bob]


def test_a_notification_is_gone_with_the_right_to_see_what_it_is_about(alice: User, bob: User) -> None:
    secret = factory.incident(visibility=Visibility.RESTRICTED)
    secret.members.add(bob)
    telling.tell([bob], action="incident.open", text="It began.", about=secret, by=alice, at=NOON)

    secret.members.remove(bob)

    assert not Notification.objects.visible_to(bob).exists()


# --- saved, and nothing changed ---


def edited_incident(by: User, **changes: Any) -> None:
    row = Incident.objects.get()
    triage.edit_incident(row, **{"title": row.title, "services": row.services.all(), **changes}, by=by, at=NOON)


def edited_fix(by: User, **changes: Any) -> None:
    row = Fix.objects.get()
    said = {"title": row.title, "kind": row.kind, "steps": row.steps, "services": row.services.all(), "problem": None}
    curating.edit_fix(row, **{**said, **changes}, seen=row.fingerprint(), by=by, at=NOON)


def edited_problem(by: User, **changes: Any) -> None:
    row = Problem.objects.get()
    said = {name: getattr(row, name) for name in ("title", "cause_category", "discriminating_check")}
    problems.edit(row, **{**said, **changes}, by=by, at=NOON)


@pytest.mark.parametrize("edit", [edited_incident, edited_fix, edited_problem])
def test_who_saves_and_changes_nothing_leaves_no_trace(alice: User, edit: Callable[..., None]) -> None:
    factory.incident(services=("Checkout",))
    factory.fix(steps="Drain it.")
    Problem.objects.create(title="Pool exhausted")

    edit(alice)
    assert not AuditEvent.objects.filter(action__endswith=".edit").exists()

    edit(alice, title="Another")
    assert [list(event.changes) for event in AuditEvent.objects.filter(action__endswith=".edit")] == [["title"]]


def test_the_services_that_an_incident_is_given_stand_in_its_history(alice: User) -> None:
    incident, search = factory.incident(services=("Checkout",)), factory.service("Search")

    triage.edit_incident(incident, services=[search], by=alice, at=NOON)

    assert AuditEvent.objects.about(incident).get().changes == {"services": [["Checkout"], ["Search"]]}


def test_a_token_is_revoked_once(alice: User) -> None:
    token, _ = tokens.issue(user=alice, name="CI", scopes=["read"], by=alice, at=NOON)

    for _ in range(2):
        tokens.revoke(token, by=alice, at=NOON)

    assert AuditEvent.objects.filter(action="token.revoke").count() == 1
