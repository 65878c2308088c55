"""Who works on an incident, who leads it, what they say, and when things really happened."""

from datetime import datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import Incident, Participant, TimelineEntry, User
from postmortems.workflows import auditing, telling, triage


class NotOnIt(DomainError):
    """They do not work on this incident, or may not."""


@transaction.atomic
def take_command(incident: Incident, *, by: User, at: datetime, instead_of: int | None) -> None:
    """One click. `instead_of`: pk of who led it when the page was read."""
    roles.require(by, "respond")
    if by.is_integration:
        raise NotOnIt("A person leads an incident, not a program.")
    _command(incident, by, by=by, at=at, instead_of=instead_of)
    if incident.status == Incident.Status.OPEN:
        incident.acknowledge(at=at)


@transaction.atomic
def hand_over(incident: Incident, to: User, *, by: User, at: datetime, instead_of: int | None) -> None:
    """To someone who works on it already."""
    roles.require(by, "respond")
    if not incident.participants.active().filter(user=to).exists():
        raise NotOnIt(f"{to} does not work on {incident.ref}. They join first, then take command.")
    if not roles.may(to, "respond") or not Incident.objects.visible_to(to).filter(pk=incident.pk).exists():
        raise NotOnIt(f"{to} may not lead {incident.ref} any more.")
    _command(incident, to, by=by, at=at, instead_of=instead_of)
    text = f"{by} hands you command of {incident.ref}."
    telling.tell([to], action="incident.command", text=text, about=incident, by=by, at=at)


def _command(incident: Incident, to: User, *, by: User, at: datetime, instead_of: int | None) -> None:
    before = incident.commander
    incident.hand_command(to, instead_of=instead_of, at=at)
    Participant.objects.join(incident=incident, user=to, at=at)
    triage.note(incident, f"{to} commands.", by=by, at=at)
    changes = {"commander": (str(before or ""), str(to))}
    auditing.record("incident.command", on=incident, by=by, at=at, changes=changes)
    search.changed(incident)


@transaction.atomic
def join(incident: Incident, *, by: User, at: datetime) -> None:
    """Works on it from now on, for the first time or again."""
    roles.require(by, "respond")
    if Participant.objects.join(incident=incident, user=by, at=at):
        auditing.record("incident.join", on=incident, by=by, at=at)


@transaction.atomic
def release(incident: Incident, *, by: User, at: datetime, note: str = "") -> None:
    """ "Cleared, not my area": with what was found innocent, so that nobody looks there again."""
    roles.require(by, "respond")
    row = incident.participants.filter(user=by).first()
    if row is None or not row.release(note=note, at=at):
        raise NotOnIt(f"You do not work on {incident.ref}.")
    if note:
        triage.note(incident, f"Looked at and found in order: {note}", by=by, at=at, kind=TimelineEntry.Kind.DIAGNOSIS)
    auditing.record("incident.release", on=incident, by=by, at=at, reason=note)
    search.changed(incident)


@transaction.atomic
def post_update(
    incident: Incident, *, text: str, by: Any, at: datetime, kind: str = "note", evidence_url: str = ""
) -> TimelineEntry:
    """What is known or done now."""
    roles.require(by, "respond")
    entry = triage.note(incident, text, by=by, at=at, kind=kind, evidence_url=evidence_url)
    auditing.record("incident.update", on=incident, by=by, at=at)
    telling.tell_mentioned(text, before="", about=incident, by=by, at=at)
    search.changed(incident)
    return entry


@transaction.atomic
def correct_times(incident: Incident, *, by: Any, at: datetime, **times: datetime | None) -> None:
    """Milestones as they really were; the audit log keeps how they stood before."""
    roles.require(by, "respond")
    changes = {
        name: tuple(value.isoformat() if value else None for value in pair)
        for name, pair in incident.correct_times(now=at, **times).items()
    }
    if changes:
        auditing.record("incident.correct_times", on=incident, by=by, at=at, changes=changes)  # type: ignore[arg-type]
        search.changed(incident)
