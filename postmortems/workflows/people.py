"""People: what they may do, where they belong, whether they may come in. Whatever changes is written down."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import Team, User
from postmortems.workflows import auditing


class LastAdministrator(DomainError):
    """Without one nobody could give rights any more."""


@transaction.atomic
def change_person(
    person: User, *, roles_given: Collection[str], teams: Collection[Team], is_active: bool, by: Any, at: datetime
) -> None:
    """These roles and teams and no others. The last administrator stays one."""
    roles.require(by, "administer")
    before = state_of(person)
    person.give_roles(*roles_given)
    person.teams.set(teams)
    person.let_in(is_active)
    if not User.administrators().exists():
        raise LastAdministrator("This is the last administrator. Make somebody else one first.")
    record_change(person, before=before, by=by, at=at)


def record_change(person: User, *, before: Mapping[str, Any], by: Any, at: datetime, reason: str = "") -> None:
    """What is not as it was before: see `state_of`."""
    after = state_of(person)
    auditing.record_edit("account.change", on=person, by=by, at=at, reason=reason, before=before, after=after)


def state_of(person: User) -> dict[str, Any]:
    return {
        "roles": sorted(group.name for group in person.groups.all()),
        "teams": sorted(team.name for team in person.teams.all()),
        "may sign in": person.is_active,
    }
