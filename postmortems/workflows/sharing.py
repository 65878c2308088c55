"""Who may see a document. It counts at once and everywhere: whatever a person is shown goes through `visible_to`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import Fix, Incident, Postmortem, Team, User
from postmortems.roles import NotAllowed
from postmortems.workflows import auditing

Document = Incident | Postmortem | Fix


class LocksOneselfOut(DomainError):
    """Whoever asks for it would not see the document any more, and did not say that they know."""


def require_sharing(row: Document, by: Any) -> None:
    """Who may share at all, and of a postmortem may edit it."""
    roles.require(by, "share")
    if by is not None and isinstance(row, Postmortem) and not Postmortem.objects.editable_by(by).contains(row):
        raise NotAllowed(f"Who may see {row.ref} is said by those who may edit it.")


@transaction.atomic
def change_access(
    row: Document,
    *,
    visibility: str,
    members: Collection[User],
    teams: Collection[Team],
    by: Any,
    at: datetime,
    may_lock_out: bool = False,
) -> None:
    """Open, or restricted to these people and teams. Who asks does not lock themselves out unless they said so."""
    require_sharing(row, by)
    before = _access_of(row)
    row.admit(visibility=visibility, members=members, teams=teams)
    if by is not None and not may_lock_out and not type(row)._default_manager.visible_to(by).contains(row):
        says = f"You would not see {row.ref} yourself any more. Name yourself, or say below that you mean it."
        raise LocksOneselfOut(says)
    after = _access_of(row)
    if auditing.record_edit(f"{row.search_kind}.access", on=row, by=by, at=at, before=before, after=after):
        search.changed(row)


def _access_of(row: Document) -> dict[str, Any]:
    return {
        "visibility": row.visibility,
        "members": sorted(person.username for person in row.members.all()),
        "teams": sorted(team.name for team in row.shared_with.all()),
    }
