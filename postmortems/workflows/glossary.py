"""Which words mean the same here: groups are added, changed and removed by those who look after the glossary."""

from typing import Any

from django.db import transaction

from postmortems.models import GlossaryEntry


def may_edit(user: Any) -> bool:
    """Staff and administrators. Everyone who is signed in may read it."""
    return bool(user.is_active and (user.is_staff or user.is_superuser))


@transaction.atomic
def write_group(entry: GlossaryEntry, *, text: str) -> GlossaryEntry:
    """A new group, or other terms in an old one; one term a line."""
    return entry.write(text)


def remove_group(entry: GlossaryEntry) -> None:
    """Its terms stand for themselves again."""
    entry.delete()
