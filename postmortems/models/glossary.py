"""Words of the trade that mean the same, as this organisation says them. Seeded from `search/glossary.py`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, Max, Q
from django.db.models.functions import Lower

from kb.errors import DomainError

# Together they fit into one row of a PostgreSQL index, in any script.
TERM_LENGTH = 60
MOST_TERMS = 10


class NoGroup(DomainError):
    """These terms cannot stand for one another."""


class GlossaryEntryQuerySet(models.QuerySet["GlossaryEntry"]):
    def state(self) -> tuple[int, datetime | None]:
        """Differs after every change: how many there are, and when the newest was saved."""
        found = self.aggregate(count=Count("pk"), newest=Max("updated_at"))
        return found["count"], found["newest"]

    def holding(self, terms: Iterable[str]) -> "GlossaryEntry | None":
        """The entry that has one of these terms already, whatever its case."""
        wanted = {term.casefold() for term in terms}
        return next((entry for entry in self if wanted & {term.casefold() for term in entry.members}), None)

    def group(self, text: str, *, but: Any = None) -> list[str]:
        """The terms of a text, one a line, tidied; refused when they are no group or overlap another one than `but`."""
        members = tidied(text)
        if len(members) < 2:
            raise NoGroup("At least two different terms are wanted, one per line.")
        if len(members) > MOST_TERMS:
            raise NoGroup(f"At most {MOST_TERMS} terms: more than that rarely mean the same.")
        if long := [term for term in members if len(term) > TERM_LENGTH]:
            raise NoGroup(f"Longer than {TERM_LENGTH} characters: {long[0]:.{TERM_LENGTH}}…")
        if other := self.exclude(pk=but).holding(members):
            raise NoGroup(f"In a group already: {other}. Add to that one instead.")
        return members


class GlossaryEntry(models.Model):
    """One group: any of its terms stands for the others. A term is in one group only."""

    terms = models.TextField(help_text="One per line, at least two: k8s, kubernetes.")
    updated_at = models.DateTimeField(auto_now=True)

    objects = GlossaryEntryQuerySet.as_manager()

    class Meta:
        ordering = [Lower("terms")]
        verbose_name_plural = "glossary entries"
        constraints = [
            models.UniqueConstraint(Lower("terms"), name="one_glossary_entry_per_group"),
            models.CheckConstraint(condition=Q(terms__contains="\n"), name="glossary_entry_has_two_terms"),
        ]

    def __str__(self) -> str:
        return " = ".join(self.members)

    @property
    def members(self) -> list[str]:
        return self.terms.split("\n")

    def clean(self) -> None:
        try:
            self.terms = "\n".join(GlossaryEntry.objects.group(self.terms, but=self.pk))
        except NoGroup as refusal:
            raise ValidationError({"terms": str(refusal)}) from refusal

    def write(self, text: str) -> "GlossaryEntry":
        """Save it with the terms of this text."""
        self.terms = "\n".join(GlossaryEntry.objects.group(text, but=self.pk))
        self.save()
        return self


def tidied(text: str) -> list[str]:
    """The terms of a text, in order: blanks collapsed, empty lines and repetitions dropped."""
    lines = (" ".join(line.split()) for line in text.replace("\r", "\n").split("\n"))
    first: dict[str, str] = {}
    for line in lines:
        if line:
            first.setdefault(line.casefold(), line)
    return list(first.values())
