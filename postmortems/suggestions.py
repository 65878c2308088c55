"""Which earlier resolutions may help with this incident, and why. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from postmortems.models import ActionItem, Fix, Incident
from postmortems.search import Item


@dataclass(frozen=True)
class Report:
    """What is known of an incident now. `incident_pk` is None while it is being declared."""

    title: str = ""
    symptoms: str = ""
    error_excerpt: str = ""
    services: tuple[str, ...] = ()  # slugs
    environment: str = ""
    started_at: datetime | None = None
    incident_pk: int | None = None


@dataclass(frozen=True)
class Reason:
    """One thing in common, in the reader's own words. `weight` is its share of the score, 0 to 1."""

    term: str
    field: str  # symptoms, fix, cause, title, ...; "service" for a shared service, "log line" for a signature
    weight: float


@dataclass(frozen=True)
class Part:
    """A part of the score; the parts of a suggestion add up to it."""

    name: str  # "Words", "Identifiers", "Log lines", "Same service", "Record of the fix"
    value: float


@dataclass(frozen=True)
class Suggestion:
    item: Item
    ref: str
    kind: str
    title: str
    url: str
    score: float
    confidence: str  # "strong" or "possible"
    occurred_on: date | None
    severity: str  # "SEV1" or ""
    services: tuple[str, ...]
    parts: tuple[Part, ...]
    why: tuple[Reason, ...]
    matched_line: str  # the reader's log line that has the same shape there; "" if none
    what_fixed_it: str  # first lines, plain text
    fixes: tuple[Fix, ...]  # annotated by with_track_record: worked, partly, no_effect, made_worse, tried, last_outcome_at
    open_actions: tuple[ActionItem, ...]


@dataclass(frozen=True)
class Suggestions:
    """`abstained`: nothing similar enough among `total_candidates`. `degraded`: why the index could not be asked."""

    results: tuple[Suggestion, ...] = ()
    happening_now: tuple[Suggestion, ...] = ()  # incidents in progress that look alike: a duplicate?
    abstained: bool = False
    total_candidates: int = 0
    degraded: str = ""


def report_of(incident: Incident) -> Report:
    """What an incident says of itself."""
    return Report(
        title=incident.title,
        symptoms=incident.symptoms,
        error_excerpt=incident.error_excerpt,
        services=tuple(service.slug for service in incident.services.all()),
        environment=incident.environment,
        started_at=incident.started_at,
        incident_pk=incident.pk,
    )


def suggest(report: Report, *, user: Any, limit: int = 3) -> Suggestions:
    """Earlier incidents and postmortems that look like this one, best first, with reasons; or an honest "nothing similar"."""
    raise NotImplementedError
