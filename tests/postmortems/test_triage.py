"""Declaring an incident and what comes of fixes."""

from datetime import timedelta

import pytest

from postmortems.models import FixUse, Incident, User, Visibility
from postmortems.models.incident import NotPossible
from postmortems.workflows import triage
from tests import factory

AT = factory.NOON


def declared(by: User, **details: object) -> Incident:
    return triage.open_incident(
        **{"title": "Checkout answers 503", "symptoms": "All requests fail.", "by": by, "at": AT, **details}  # type: ignore[arg-type]
    )


def test_the_first_report_is_kept_as_it_was(alice: User) -> None:
    incident = declared(alice, services=[factory.service("Checkout")])

    triage.edit_incident(
        incident, services=[], by=alice, at=AT, title="It is the database", symptoms="Slots are used up."
    )

    incident.refresh_from_db()
    assert incident.title == "It is the database"
    assert incident.first_report["title"] == "Checkout answers 503"
    assert incident.first_report["symptoms"] == "All requests fail."
    assert incident.first_report["services"] == ["checkout"]


def test_a_security_incident_starts_restricted_to_who_declared_it(alice: User, charlie: User) -> None:
    incident = declared(alice, kind="security")

    assert incident.visibility == Visibility.RESTRICTED
    assert Incident.objects.visible_to(alice).contains(incident)
    assert not Incident.objects.visible_to(charlie).contains(incident)


def test_an_incident_cannot_start_in_the_future(alice: User) -> None:
    with pytest.raises(triage.NotYetStarted):
        declared(alice, started_at=AT + timedelta(minutes=1))

    assert not Incident.objects.exists()


def test_steps_are_written_to_the_timeline(alice: User) -> None:
    incident = declared(alice)

    triage.mitigate(incident, by=alice, at=AT + timedelta(minutes=5))
    triage.resolve(incident, by=alice, at=AT + timedelta(minutes=9))

    assert incident.status == Incident.Status.RESOLVED
    assert [entry.at - AT for entry in incident.timeline.all()] == [timedelta(minutes=5), timedelta(minutes=9)]


def test_the_second_of_two_who_resolve_is_refused_and_leaves_no_entry(alice: User, bob: User) -> None:
    incident = declared(alice)
    as_bob_sees_it = Incident.objects.get(pk=incident.pk)
    triage.resolve(incident, by=alice, at=AT + timedelta(minutes=1))

    with pytest.raises(NotPossible):
        triage.resolve(as_bob_sees_it, by=bob, at=AT + timedelta(minutes=2))

    assert incident.timeline.count() == 1


def test_a_reopened_incident_is_in_progress_again(alice: User) -> None:
    incident = declared(alice)
    triage.resolve(incident, by=alice, at=AT + timedelta(minutes=1))

    triage.reopen(incident, reason="It is back.", by=alice, at=AT + timedelta(minutes=2))

    assert incident.is_in_progress
    assert incident.resolved_at is None


def test_an_outcome_said_again_replaces_the_earlier_one(alice: User) -> None:
    incident, fix = declared(alice), factory.fix()

    triage.record_outcome(incident, fix, outcome="no_effect", by=alice, at=AT)
    triage.record_outcome(incident, fix, outcome="worked", by=alice, at=AT, minutes_to_effect=7)

    use = FixUse.objects.get()
    assert (use.outcome, use.minutes_to_effect) == ("worked", 7)


def test_a_success_confirms_the_fix_and_a_failure_does_not(alice: User) -> None:
    incident, helped, did_not = declared(alice), factory.fix("A"), factory.fix("B")

    triage.record_outcome(incident, helped, outcome="worked", by=alice, at=AT)
    triage.record_outcome(incident, did_not, outcome="no_effect", by=alice, at=AT)

    assert helped.last_confirmed == AT.date()
    assert did_not.last_confirmed is None
