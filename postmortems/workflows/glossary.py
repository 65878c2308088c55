"""Which words mean the same here: groups are added, changed and removed by those who look after the glossary."""

from datetime import datetime
from typing import Any

from django.db import transaction

from postmortems import roles
from postmortems.models import GlossaryEntry
from postmortems.workflows import auditing


@transaction.atomic
def write_group(entry: GlossaryEntry, *, text: str, by: Any, at: datetime) -> GlossaryEntry:
    """A new group, or other terms in an old one; one term a line."""
    roles.require(by, "curate")
    action, before = ("glossary.edit", entry.members) if entry.pk else ("glossary.add", [])
    entry.write(text)
    auditing.record_edit(action, on=entry, by=by, at=at, before={"terms": before}, after={"terms": entry.members})
    return entry


@transaction.atomic
def remove_group(entry: GlossaryEntry, *, by: Any, at: datetime) -> None:
    """Its terms stand for themselves again."""
    roles.require(by, "curate")
    auditing.record("glossary.remove", on=entry, by=by, at=at, changes={"terms": (entry.members, [])})
    entry.delete()
