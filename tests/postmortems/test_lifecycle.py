"""The life of an incident: every step from every state, who leads, who works on it, what closing wants."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from postmortems.models import AuditEvent, Incident, Notification, Participant, PostmortemPolicy, User
from postmortems.models.incident import NotPossible, OutOfOrder
from postmortems.models.participant import StillInCommand
from postmortems.roles import NotAllowed
from postmortems.workflows import closing, responding, triage
from postmortems.workflows.closing import NotReadyToClose
from postmortems.workflows.responding import NotOnIt
from tests import factory

AT = factory.NOON
MINUTE = timedelta(minutes=1)
Step = Callable[..., None]

STEPS: dict[str, tuple[Step, dict[str, str], set[str], str]] = {
    "acknowledge": (triage.acknowledge, {}, {"open"}, "investigating"),
    "mitigate": (triage.mitigate, {}, {"open", "investigating"}, "mitigated"),
    "resolve": (triage.resolve, {}, {"open", "investigating", "mitigated"}, "resolved"),
    "close": (triage.close, {}, {"resolved"}, "closed"),
    "cancel": (triage.cancel, {"reason": "A drill."}, {"open", "investigating", "mitigated"}, "cancelled"),
    "reopen": (triage.reopen, {"reason": "It is back."}, {"resolved", "closed", "cancelled"}, "investigating"),
}


def incident_in(status: str, **details: Any) -> Incident:
    """An incident that nothing keeps from being closed."""
    over = {"resolved_at": AT + MINUTE} if status in {"resolved", "closed"} else {}
    return factory.incident(**{"status": status, "detected_at": AT, "mitigated_at": AT, **over, **details})


@pytest.mark.parametrize("status", Incident.Status.values)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_taken_from_its_states_and_refused_from_all_others(alice: User, name: str, status: str) -> None:
    step, more, starts, leads_to = STEPS[name]
    incident = incident_in(status)

    if status in starts:
        step(incident, by=alice, at=AT + 5 * MINUTE, **more)
    else:
        with pytest.raises(NotPossible):
            step(incident, by=alice, at=AT + 5 * MINUTE, **more)

    incident.refresh_from_db()
    assert incident.status == (leads_to if status in starts else status)
    assert incident.timeline.count() == AuditEvent.objects.count() == (status in starts)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_audited_with_both_states_and_stands_on_the_timeline(alice: User, name: str) -> None:
    step, more, starts, leads_to = STEPS[name]
    incident = incident_in(min(starts))

    step(incident, by=alice, at=AT + 5 * MINUTE, **more)

    event, entry = AuditEvent.objects.get(), incident.timeline.get()
    assert event.action == f"incident.{name}"
    assert event.changes == {"status": [min(starts), leads_to]}
    assert event.reason == more.get("reason", "")
    assert (entry.by, entry.at) == (alice, AT + 5 * MINUTE)
    assert more.get("reason", "") in entry.text


@pytest.mark.parametrize("name", STEPS)
def test_a_reader_takes_no_step(db: None, name: str) -> None:
    step, more, starts, _ = STEPS[name]
    reader, incident = factory.user("rita", roles=("reader",)), incident_in(min(starts))

    with pytest.raises(NotAllowed):
        step(incident, by=reader, at=AT, **more)

    incident.refresh_from_db()
    assert incident.status == min(starts)


@pytest.mark.parametrize(("step", "status"), [(triage.cancel, "open"), (triage.reopen, "resolved")])
def test_cancelling_and_reopening_want_a_reason(alice: User, step: Step, status: str) -> None:
    incident = incident_in(status)

    with pytest.raises(NotPossible, match="Say why"):
        step(incident, reason=" ", by=alice, at=AT)


def test_of_two_who_look_the_second_is_told(alice: User, bob: User) -> None:
    incident = incident_in("open")
    as_bob_sees_it = Incident.objects.get(pk=incident.pk)
    triage.acknowledge(incident, by=alice, at=AT)

    with pytest.raises(NotPossible):
        triage.acknowledge(as_bob_sees_it, by=bob, at=AT)

    assert incident.acknowledged_at == AT
    assert [row.user for row in incident.participants.all()] == [alice]


def test_reopening_clears_how_it_ended(alice: User) -> None:
    incident = incident_in("closed", closed_at=AT + 2 * MINUTE, close_reason="Enough.")

    triage.reopen(incident, reason="It is back.", by=alice, at=AT + 3 * MINUTE)

    incident.refresh_from_db()
    assert (incident.resolved_at, incident.closed_at, incident.close_reason) == (None, None, "")


class TestCommand:
    def test_it_is_taken_in_one_click_and_the_clock_stops(self, alice: User) -> None:
        incident = incident_in("open", severity="sev1")
        assert incident.wants_commander
        assert Incident.objects.without_commander().get() == incident

        responding.take_command(incident, by=alice, at=AT + MINUTE, instead_of=None)

        incident.refresh_from_db()
        assert (incident.commander, incident.commander_since) == (alice, AT + MINUTE)
        assert incident.status == "investigating"
        assert not incident.wants_commander
        assert incident.participants.active().get().user == alice

    @pytest.mark.parametrize(("severity", "status"), [("sev2", "open"), ("sev1", "resolved"), ("sev1", "cancelled")])
    def test_only_the_worst_in_progress_want_one(self, db: None, severity: str, status: str) -> None:
        assert not incident_in(status, severity=severity).wants_commander
        assert not Incident.objects.without_commander().exists()

    def test_of_two_who_take_it_at_once_the_second_is_told_who_was_first(self, alice: User, bob: User) -> None:
        incident = incident_in("open")
        as_bob_sees_it = Incident.objects.get(pk=incident.pk)
        responding.take_command(incident, by=alice, at=AT, instead_of=None)

        with pytest.raises(NotPossible, match="Alice leads"):
            responding.take_command(as_bob_sees_it, by=bob, at=AT, instead_of=None)

        incident.refresh_from_db()
        assert incident.commander == alice

    def test_it_is_handed_to_someone_who_works_on_it_and_they_are_told(self, alice: User, bob: User) -> None:
        incident = incident_in("investigating", commander=alice)
        with pytest.raises(NotOnIt):
            responding.hand_over(incident, bob, by=alice, at=AT, instead_of=alice.pk)
        responding.join(incident, by=bob, at=AT)

        responding.hand_over(incident, bob, by=alice, at=AT + MINUTE, instead_of=alice.pk)

        incident.refresh_from_db()
        assert incident.commander == bob
        assert Notification.objects.get().user == bob
        assert AuditEvent.objects.filter(action="incident.command").get().changes == {"commander": ["Alice", "Bob"]}

    def test_it_is_not_handed_to_someone_who_may_not_see_it_any_more(self, alice: User, charlie: User) -> None:
        incident = incident_in("investigating", commander=alice, visibility="restricted")
        incident.members.add(alice)
        Participant.objects.join(incident=incident, user=charlie, at=AT)

        with pytest.raises(NotOnIt):
            responding.hand_over(incident, charlie, by=alice, at=AT, instead_of=alice.pk)


class TestCrew:
    def test_who_looked_and_found_it_in_order_is_released_with_that_note(self, alice: User) -> None:
        incident = incident_in("investigating")
        responding.join(incident, by=alice, at=AT)

        responding.release(incident, by=alice, at=AT + MINUTE, note="The database")

        row = incident.participants.get()
        assert (row.released_at, row.note) == (AT + MINUTE, "The database")
        assert "The database" in incident.timeline.get().text
        with pytest.raises(NotOnIt):
            responding.release(incident, by=alice, at=AT + 2 * MINUTE)

    def test_who_was_released_may_come_back(self, alice: User) -> None:
        incident = incident_in("investigating")
        responding.join(incident, by=alice, at=AT)
        responding.release(incident, by=alice, at=AT + MINUTE, note="The database")

        responding.join(incident, by=alice, at=AT + 2 * MINUTE)

        row = incident.participants.active().get()
        assert (row.joined_at, row.note) == (AT + 2 * MINUTE, "")

    def test_joining_twice_is_joining_once(self, alice: User) -> None:
        incident = incident_in("investigating")
        responding.join(incident, by=alice, at=AT)

        responding.join(incident, by=alice, at=AT + MINUTE)

        assert incident.participants.get().joined_at == AT
        assert AuditEvent.objects.count() == 1

    def test_who_leads_cannot_leave(self, alice: User) -> None:
        incident = incident_in("investigating")
        responding.take_command(incident, by=alice, at=AT, instead_of=None)

        with pytest.raises(StillInCommand):
            responding.release(incident, by=alice, at=AT + MINUTE)

    def test_it_is_told_when_it_is_over_or_back_or_worse(self, alice: User, bob: User, charlie: User) -> None:
        incident = incident_in("investigating", commander=bob)
        responding.join(incident, by=charlie, at=AT)
        responding.release(incident, by=charlie, at=AT)
        responding.join(incident, by=alice, at=AT)

        triage.edit_incident(incident, services=[], by=alice, at=AT, severity="sev1")
        triage.resolve(incident, by=alice, at=AT + MINUTE)
        triage.reopen(incident, reason="It is back.", by=alice, at=AT + 2 * MINUTE)

        told = Notification.objects.order_by("pk").values_list("user__username", "action")
        assert list(told) == [("bob", "incident.raise"), ("bob", "incident.resolve"), ("bob", "incident.reopen")]


def test_a_lowered_severity_stands_on_the_timeline_and_in_the_audit_log_and_wakes_nobody(
    alice: User, bob: User
) -> None:
    incident = incident_in("open", severity="sev2", commander=bob)

    triage.edit_incident(incident, services=[], by=alice, at=AT, title=incident.title, severity="sev3")

    assert incident.timeline.get().text == "Severity lowered from SEV2 to SEV3."
    assert AuditEvent.objects.get().changes == {"severity": ["sev2", "sev3"]}
    assert not Notification.objects.exists()


def test_an_update_keeps_who_said_it_and_its_evidence(alice: User) -> None:
    incident = incident_in("open")

    responding.post_update(
        incident, text="p95 falls", by=alice, at=AT, kind="diagnosis", evidence_url="https://g.example/1"
    )

    entry = incident.timeline.get()
    assert (entry.text, entry.by, entry.kind, entry.evidence_url) == (
        *("p95 falls", alice, "diagnosis"),
        "https://g.example/1",
    )


class TestTimes:
    def test_a_correction_is_audited_with_what_stood_before(self, alice: User) -> None:
        incident = incident_in("resolved")

        responding.correct_times(incident, by=alice, at=AT + 9 * MINUTE, mitigated_at=AT + MINUTE)

        incident.refresh_from_db()
        assert incident.mitigated_at == AT + MINUTE
        assert AuditEvent.objects.get().changes == {
            "mitigated_at": [AT.isoformat(), (AT + MINUTE).isoformat()],
        }

    def test_what_stays_as_it_was_is_no_change(self, alice: User) -> None:
        incident = incident_in("resolved")

        responding.correct_times(incident, by=alice, at=AT + 9 * MINUTE, mitigated_at=AT, started_at=AT)

        assert not AuditEvent.objects.exists()

    @pytest.mark.parametrize(
        ("status", "times", "says"),
        [
            ("resolved", {"detected_at": AT - MINUTE}, "Detected is before started"),
            ("resolved", {"mitigated_at": AT - MINUTE}, "Mitigated is before detected"),
            ("resolved", {"mitigated_at": AT + 2 * MINUTE}, "Resolved is before mitigated"),
            ("resolved", {"resolved_at": None}, "resolved is missing"),
            ("resolved", {"closed_at": AT + 2 * MINUTE}, "not closed"),
            ("open", {"resolved_at": AT + MINUTE}, "not resolved"),
            ("open", {"mitigated_at": AT + 20 * MINUTE}, "in the future"),
            ("open", {"started_at": None}, "started is missing"),
        ],
    )
    def test_times_that_contradict_each_other_are_refused(
        self, alice: User, status: str, times: dict[str, Any], says: str
    ) -> None:
        incident = incident_in(status)

        with pytest.raises(OutOfOrder, match=says):
            responding.correct_times(incident, by=alice, at=AT + 9 * MINUTE, **times)

        incident.refresh_from_db()
        assert incident.mitigated_at == AT


class TestClosing:
    @pytest.fixture
    def worst(self, alice: User) -> Incident:
        """A required postmortem, no commander, no time of detection."""
        return incident_in("resolved", severity="sev1", detected_at=None)

    def test_it_lists_what_is_missing(self, worst: Incident) -> None:
        stops = [blocker.says for blocker in closing.blockers_of(worst) if blocker.stops]

        assert len(stops) == 3
        assert "A postmortem is required within 5 days" in stops[0]
        assert "detected" in stops[1]
        assert "never had a commander" in stops[2]

    def test_outcomes_that_are_not_recorded_are_advice(self, alice: User) -> None:
        incident = incident_in("resolved")
        (advice,) = closing.blockers_of(incident)

        triage.close(incident, by=alice, at=AT + 5 * MINUTE)

        assert not advice.stops
        assert incident.status == "closed"

    def test_nothing_missing_is_no_blocker(self, worst: Incident, alice: User) -> None:
        Incident.objects.filter(pk=worst.pk).update(detected_at=AT, commander=alice)
        worst.refresh_from_db()
        factory.postmortem().incidents.add(worst)
        factory.fix_use(factory.fix(), worst)

        assert closing.blockers_of(worst) == []

    def test_a_draft_does_not_count_as_published(self, worst: Incident) -> None:
        factory.postmortem(status="draft").incidents.add(worst)

        assert any("postmortem is required" in blocker.says for blocker in closing.blockers_of(worst))

    def test_a_policy_of_its_kind_comes_before_one_of_any(self, db: None) -> None:
        PostmortemPolicy.objects.create(severity="sev1", kind="exercise", is_required=False)
        drill = incident_in("resolved", severity="sev1", kind="exercise", commander=factory.user("dora"))

        assert not any(blocker.stops for blocker in closing.blockers_of(drill))

    def test_an_author_cannot_override_even_with_a_reason(self, worst: Incident, alice: User) -> None:
        with pytest.raises(NotAllowed):
            triage.close(worst, by=alice, at=AT + 5 * MINUTE, reason="Enough.")

        assert worst.status == "resolved"

    def test_a_manager_overrides_with_a_reason_that_is_kept(self, worst: Incident) -> None:
        manager = factory.user("mona", roles=("manager",))
        with pytest.raises(NotReadyToClose, match="manager says why"):
            triage.close(worst, by=manager, at=AT + 5 * MINUTE)

        triage.close(worst, by=manager, at=AT + 5 * MINUTE, reason="The vendor writes it.")

        worst.refresh_from_db()
        assert (worst.status, worst.close_reason) == ("closed", "The vendor writes it.")
        assert AuditEvent.objects.get().reason == "The vendor writes it."
