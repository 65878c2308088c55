"""Who may do what: the written table. Enforced by the workflows, tested row by row, shown at /about/roles/.

A role is a Django group of that name; a person may have several. What someone may not see, they may not act on either:
that is `visible_to`, and comes first. Some abilities hold for a row only if it is one's own (`editable_by`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied


class Role(StrEnum):
    READER = "reader"
    AUTHOR = "author"
    REVIEWER = "reviewer"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"


class NotAllowed(PermissionDenied):
    """None of the person's roles allows it. Not a refusal of a step, but of the person: the answer is a 403."""


@dataclass(frozen=True)
class Ability:
    """One thing people do, in words, and the roles that may."""

    key: str
    says: str
    roles: frozenset[Role]


EVERYONE = frozenset(Role)
WRITERS = EVERYONE - {Role.READER}
REVIEWERS = frozenset({Role.REVIEWER, Role.ADMINISTRATOR})
MANAGERS = frozenset({Role.MANAGER, Role.ADMINISTRATOR})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})

ABILITIES = (
    Ability("read", "Read and search what one may see, ask for suggestions, watch it", EVERYONE),
    Ability("declare", "Declare an incident", WRITERS),
    Ability("respond", "Work on an incident: edit, update, take command, its states, outcomes, verdicts", WRITERS),
    Ability("override", "Close an incident in spite of its blockers, with a reason", MANAGERS),
    Ability("write", "Draft a postmortem, and edit those that are one's own, one's team's or shared with one", WRITERS),
    Ability("write_any", "Edit, hand over and archive any postmortem one may see", MANAGERS),
    Ability("publish", "Publish an approved postmortem that one may edit", WRITERS),
    Ability("review", "Review postmortems, never one's own", REVIEWERS | MANAGERS),
    Ability("comment", "Comment on a postmortem that one may see", WRITERS),
    Ability("curate", "Create, edit and confirm fixes and known problems, and edit the glossary", WRITERS),
    Ability("verify", "Verify and retire fixes", REVIEWERS | MANAGERS),
    Ability("follow_up", "Work on action items, and verify those of others", WRITERS),
    Ability("decline", "Approve that an action item is not done, never one's own", REVIEWERS | MANAGERS),
    Ability("share", "Say who may see an incident or postmortem that one may edit, or a fix", WRITERS),
    Ability("invite", "Invite people", MANAGERS),
    Ability("administer", "Roles, teams, services, templates, policies, the audit log", ADMINISTRATORS),
)
BY_KEY = {ability.key: ability for ability in ABILITIES}


def may(user: Any, ability: str) -> bool:
    """Whether one of the roles of `user` allows it. A stranger may nothing; `KeyError` for an unknown ability."""
    allowed = BY_KEY[ability].roles
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    return not allowed.isdisjoint(user.roles)


def require(user: Any, ability: str) -> None:
    """Refuses with a `NotAllowed`. `None` is the program itself, on behalf of the operator: an import, an alert."""
    if user is not None and not may(user, ability):
        says = BY_KEY[ability].says
        raise NotAllowed(f"Your roles do not allow this: {says[0].lower()}{says[1:]}.")
