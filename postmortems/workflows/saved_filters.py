"""Lists of action items that people keep: their own, or for everybody."""

from datetime import datetime

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import SavedFilter, User
from postmortems.workflows import auditing


class NameTaken(DomainError):
    """One's lists are told apart by their names."""


@transaction.atomic
def keep(*, name: str, query: str, is_shared: bool, by: User, at: datetime) -> SavedFilter:
    """`query`: the filters as in the list's address. What everybody finds beside their own is in the audit log."""
    roles.require(by, "follow_up" if is_shared else "read")
    known = {"query": query, "is_shared": is_shared, "created_at": at}
    row, is_new = SavedFilter.objects.get_or_create(owner=by, name=name, defaults=known)
    if not is_new:
        raise NameTaken("You have a list of that name. Remove it first, or choose another name.")
    if is_shared:
        auditing.record("filter.share", on=row, by=by, at=at, changes={"query": ("", query)})
    return row


@transaction.atomic
def remove(row: SavedFilter, *, by: User, at: datetime) -> None:
    roles.require(by, "read")
    if row.is_shared:
        auditing.record("filter.remove", on=row, by=by, at=at)
    row.delete()
