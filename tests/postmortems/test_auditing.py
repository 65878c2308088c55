"""The audit log and notifications, as every workflow writes them."""

import pytest

from kb.origin import Origin, comes_from
from postmortems.models import AuditEvent, Notification, Revision, User, Visibility
from postmortems.models.revision import Immutable
from postmortems.workflows import auditing, telling
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
