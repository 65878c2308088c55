"""What the incident page shows of the people on it, and of what customers should hear."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef
from django.http import HttpRequest

from kb.listing import ListOf
from postmortems import guidance
from postmortems.lifecycle_forms import ReleaseForm, UpdateForm
from postmortems.models import Incident, Participant, TimelineEntry, User

COMMUNICATION = TimelineEntry.Kind.COMMUNICATION


@dataclass(frozen=True)
class Member:
    """Somebody who works on it, or did."""

    pk: int
    name: str
    is_released: bool
    note: str
    joined: str


def listed() -> ListOf:
    """The participants of an incident, in its own query."""
    rows = Participant.objects.filter(incident=OuterRef("pk"))
    names = {name: f"user__{name}" for name in ("username", "first_name", "last_name")}
    return ListOf(rows, user="user_id", **names, note="note", joined="joined_at", released="released_at")


def members_of(incident: Any) -> list[Member]:
    found = [
        Member(
            pk=row["user"],
            name=str(User(username=row["username"], first_name=row["first_name"], last_name=row["last_name"])),
            is_released=row["released"] is not None,
            note=row["note"],
            joined=row["joined"],
        )
        for row in incident.crew
    ]
    return sorted(found, key=lambda member: (member.is_released, member.joined, member.pk))


def context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Who works on it, whether the reader does, and the box for an update; `?say=eta` begins one with those words."""
    crew = members_of(incident)
    said = guidance.BY_KEY.get(request.GET.get("say", ""))
    begun = {"text": said.text, "kind": COMMUNICATION} if said else {}
    return {
        "crew": crew,
        "on_it": any(member.pk == request.user.pk and not member.is_released for member in crew),
        "update": UpdateForm(initial=begun, auto_id="update_%s"),
        "release": ReleaseForm(auto_id="release_%s"),
        "messages_to_customers": guidance.MESSAGES if incident.severity == "sev1" else (),
        "due_message": _due(incident),
        "escalation": guidance.escalation(incident.kind),
    }


def _due(incident: Incident) -> guidance.Message | None:
    said = [entry.at for entry in incident.timeline.all() if entry.kind == COMMUNICATION]
    over = incident.resolved_at
    return (
        guidance.message_due(
            severity=incident.severity,
            is_over=incident.status == Incident.Status.RESOLVED,
            said=len(said),
            said_since_over=bool(over and any(at >= over for at in said)),
        )
        if incident.is_in_progress or incident.is_over
        else None
    )
