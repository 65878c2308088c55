"""The only door to kb.search: what of the domain is findable, what changed, and finding it for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.safestring import SafeString

from postmortems.models import Fix, Incident, Postmortem

Item = Postmortem | Incident | Fix


@dataclass(frozen=True)
class Result:
    """One found thing, as a reader sees it. `snippet` is safe HTML with `<mark>`; the rest is plain text."""

    item: Item
    ref: str
    kind: str  # postmortem, incident, fix
    title: str
    url: str
    score: float
    occurred_on: date | None
    severity: str  # "SEV1" or ""
    services: tuple[str, ...]
    status: str
    snippet: SafeString
    snippet_section: str  # the heading the snippet was cut from
    what_fixed_it: str  # its first lines, plain text


@dataclass(frozen=True)
class FacetValue:
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Facet:
    field: str
    label: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True)
class Results:
    """A page of results. `degraded` says in words why the index did not answer and the database did; empty: all is well."""

    text: str
    results: tuple[Result, ...]
    total: int
    page: int
    pages: int
    facets: tuple[Facet, ...] = ()
    notes: tuple[str, ...] = ()  # "No document has all words: these have some of them."
    did_you_mean: str = ""
    degraded: str = ""


def find(
    text: str,
    *,
    user: Any,
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict),  # type: ignore[assignment]
    sort: str = "relevance",
    page: int = 1,
    per_page: int = 10,
) -> Results:
    """What this reader may see of what matches the text."""
    raise NotImplementedError
