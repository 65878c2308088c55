"""Prevention debt on the incident page: what was promised earlier, is still open, and would have prevented it."""

from datetime import date
from typing import Any

from django.db.models import OuterRef

from kb.listing import ListOf
from postmortems.models import ActionItem

FIELDS = ("title", "kind", "state", "due_on", "postmortem_id", "incident_id")


def listed(user: Any) -> ListOf:
    """The items of an incident, in its own query."""
    this = OuterRef(OuterRef("pk"))  # out of the list, out of its condition
    rows = ActionItem.objects.visible_to(user).unfinished().preventive().would_have_prevented(this, user)
    return ListOf(rows, pk="pk", **{name: name for name in FIELDS})


def items_of(incident: Any) -> list[ActionItem]:
    """The longest overdue first."""
    found = [ActionItem(**{**row, "due_on": _day(row["due_on"])}) for row in incident.debts]
    return sorted(found, key=lambda item: (item.due_on or date.max, item.pk))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
