"""Which later incidents an action item would have prevented: one definition, for the count and for the rows behind it.

An incident counts for an item if it shows the same thing again:

- a postmortem that tells of it is the item's own, or one of the same problem, or
- a suggestion of the item's postmortem (or of a fix or an incident of it) was judged "same cause" for it, or
- a fix of the item's postmortem, or of its problem, helped in it ("worked" or "partly"),

and it started after the item was promised (its postmortem was published; before that: the item was made) and before
the item was verified. Cancelled incidents and exercises do not count; neither does anything the reader may not see.
An item that hangs on an incident alone has no postmortem to compare by, and counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, Concat

from postmortems.models.fix import Fix, FixUse
from postmortems.models.incident import Incident, Kind
from postmortems.models.postmortem import Postmortem
from postmortems.models.suggestion import SuggestionVerdict

HELPED = (FixUse.Outcome.WORKED, FixUse.Outcome.PARTLY)
# The time in which an item is owed: it was promised, and nobody has seen yet that it holds.
OWED = {
    "promised_at": Coalesce("postmortem__published_at", "created_at"),
    # Verified nobody knows when, as in an import: nothing is held against it.
    "held_from": Coalesce(
        "verified_at",
        Case(When(state="verified", then=Coalesce("postmortem__published_at", "created_at"))),
        Value(datetime(9999, 1, 1, tzinfo=UTC)),
    ),
}

# Field of an action item, and how many queries lie between it and where it is asked for.
Of = Callable[[str, int], Any]


def outer(name: str, depth: int) -> Any:
    """A field of the row of the query around these."""
    reference: Any = name
    for _ in range(depth):
        reference = OuterRef(reference)
    return reference


def prevented(user: Any, of: Of = outer) -> QuerySet[Incident]:
    """The incidents that an item would have prevented, of what this reader may see."""
    started_in_time = Q(started_at__gt=of("promised_at", 1)) & Q(started_at__lt=of("held_from", 1))
    counted = Incident.objects.visible_to(user).exclude(status=Incident.Status.CANCELLED).exclude(kind=Kind.EXERCISE)
    shows_it = Exists(_told(user, of)) | Exists(_judged(user, of)) | Exists(_helped(user, of))
    return counted.filter(started_in_time).filter(shows_it)


def _told(user: Any, of: Of) -> QuerySet[Any]:
    same = Q(postmortem=of("postmortem", 2)) | Q(postmortem__problem=of("postmortem__problem", 2))
    told = Postmortem.incidents.through.objects.filter(incident=OuterRef("pk"))
    return told.filter(same).filter(Postmortem.objects.visible_where(user, "postmortem__"))


def _helped(user: Any, of: Of) -> QuerySet[Any]:
    problem = of("postmortem__problem", 2)
    its = Q(fix__postmortem=of("postmortem", 2)) | Q(fix__problem=problem) | Q(fix__postmortem__problem=problem)
    uses = FixUse.objects.filter(its, incident=OuterRef("pk"), outcome__in=HELPED)
    return uses.filter(Fix.objects.visible_where(user, "fix__"))


def _judged(user: Any, of: Of) -> QuerySet[Any]:
    verdicts = SuggestionVerdict.objects.filter(incident=OuterRef("pk"), verdict=SuggestionVerdict.Verdict.SAME_CAUSE)
    fixes = Fix.objects.visible_to(user).filter(postmortem=of("postmortem", 3))
    incidents = Incident.objects.visible_to(user).filter(postmortems=of("postmortem", 3))
    return verdicts.filter(
        Q(key=_key("postmortem", of("postmortem", 2)))
        | Exists(fixes.alias(named=_key("fix", F("pk"))).filter(named=OuterRef("key")))
        | Exists(incidents.alias(named=_key("incident", F("pk"))).filter(named=OuterRef("key")))
    )


def _key(kind: str, pk: Any) -> Concat:
    return Concat(Value(f"{kind}:"), Cast(pk, CharField()), output_field=CharField())
