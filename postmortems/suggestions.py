"""Which earlier resolutions may help with this incident, and why. Reads only.

The engine ranks by text; here the rows are fetched as the reader may see them, what the text cannot know is added (same
service, how often the fix worked), reasons are put in the reader's words, and below a threshold the answer is "nothing
similar". The parts of a score add up to it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings

from postmortems import search
from postmortems.models import ActionItem, Fix, Incident, Postmortem
from postmortems.search import Item, Match, Matches, reading
from postmortems.search.likeness import term_fields

logger = logging.getLogger(__name__)

# How many of the engine's best are looked at again with what only the database knows.
RERANKED = 20
REASONS = 6
# Shares of the text's score; chosen so that they reorder neighbours and never lift the unlike over the like.
SAME_SERVICE = 0.15
FIX_RECORD = 0.20
DEGRADED = "The search index is being rebuilt: suggestions come back in a moment."


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

    name: str  # "Words", "Names", "Log lines", "Same service", "Record of the fix"
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
    fixes: tuple[
        Fix, ...
    ]  # annotated by with_track_record: worked, partly, no_effect, made_worse, tried, last_outcome_at
    open_actions: tuple[ActionItem, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "ref": self.ref,
            "kind": self.kind,
            "title": self.title,
            "url": settings.SITE_URL + self.url,
            "score": round(self.score, 4),
            "confidence": self.confidence,
            "occurred_on": self.occurred_on and self.occurred_on.isoformat(),
            "severity": self.severity or None,
            "services": list(self.services),
            "why": [{"term": r.term, "field": r.field, "weight": round(r.weight, 4)} for r in self.why],
            "matched_line": self.matched_line or None,
            "parts": [{"name": part.name, "value": round(part.value, 4)} for part in self.parts],
            "what_fixed_it": self.what_fixed_it or None,
            "fixes": [_fix_as_json(fix) for fix in self.fixes],
            "open_actions": [_action_as_json(action) for action in self.open_actions],
        }


@dataclass(frozen=True)
class Suggestions:
    """`abstained`: nothing similar enough among `total_candidates`. `degraded`: why the index could not be asked."""

    results: tuple[Suggestion, ...] = ()
    happening_now: tuple[Suggestion, ...] = ()  # incidents in progress that look alike: a duplicate?
    abstained: bool = False
    total_candidates: int = 0
    degraded: str = ""

    def as_json(self, report: Report) -> dict[str, Any]:
        """The stable shape of command and API."""
        return {
            "query": {"title": report.title, "symptoms": report.symptoms, "services": list(report.services)},
            "abstained": self.abstained,
            "degraded": self.degraded or None,
            "total_candidates": self.total_candidates,
            "happening_now": [suggestion.as_json() for suggestion in self.happening_now],
            "results": [suggestion.as_json() for suggestion in self.results],
        }


def _fix_as_json(fix: Any) -> dict[str, Any]:
    last = getattr(fix, "last_outcome_at", None)
    return {
        "ref": fix.ref,
        "title": fix.title,
        "kind": fix.kind,
        "worked": getattr(fix, "worked", 0),
        "tried": getattr(fix, "tried", 0),
        "last_outcome_on": last.date().isoformat() if last else None,
    }


def _action_as_json(action: ActionItem) -> dict[str, Any]:
    due = action.due_on.isoformat() if action.due_on else None
    return {"title": action.title, "kind": action.kind, "state": action.state, "due_on": due}


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
    """Earlier incidents and postmortems that look like this one, best first, with reasons; or "nothing similar".

    Only what this user may see, and only what was known before the incident started.
    """
    if not f"{report.title}{report.symptoms}{report.error_excerpt}".strip():
        return Suggestions()
    try:
        past = _similar(report, user=user, happening_now=False)
        now = _similar(report, user=user, happening_now=True)
    except search.SearchError:
        logger.exception("Looking for similar incidents")
        search.rebuild_in_background()
        return Suggestions(degraded=DEGRADED)
    results = _weighed(past, report, user=user, limit=limit)
    return Suggestions(
        results=results,
        happening_now=_weighed(now, report, user=user, limit=limit),
        abstained=not results,
        total_candidates=past.candidates,
    )


def _similar(report: Report, *, user: Any, happening_now: bool) -> Matches:
    return search.similar(
        report.title,
        f"{report.symptoms}\n{report.error_excerpt}",
        access=search.access_of(user),
        before=report.started_at,
        exclude=_own_keys(report) | search.hidden_changes(user),
        happening_now=happening_now,
        limit=RERANKED,
    )


def _own_keys(report: Report) -> frozenset[str]:
    """The incident itself, and the postmortems about it: they would be the best match, and no help."""
    if report.incident_pk is None:
        return frozenset()
    own = Postmortem.objects.filter(incidents=report.incident_pk).values_list("pk", flat=True)
    return frozenset({f"incident:{report.incident_pk}", *(f"postmortem:{pk}" for pk in own)})


@dataclass(frozen=True)
class _Judged:
    """A match that is like enough, with what only the database knows of it."""

    match: Match
    row: Item
    services: Mapping[str, str]  # slug -> name
    confidence: str
    parts: tuple[Part, ...]

    @property
    def score(self) -> float:
        return sum(part.value for part in self.parts)


def _weighed(found: Matches, report: Report, *, user: Any, limit: int) -> tuple[Suggestion, ...]:
    """The engine's best, judged again with what only the database knows."""
    rows = reading.fetch_with_help([match.key for match in found.matches], user=user)
    services = reading.services_of(rows)
    judged = []
    for match in _folded(found.matches, rows):
        if confidence := search.confidence_of(match, found):
            row, own = rows[match.key], services.get(match.key, {})
            parts = _parts(match, row, shares_service=not own.keys().isdisjoint(report.services))
            judged.append(_Judged(match, row, own, confidence, parts))
    judged.sort(key=lambda each: (-each.score, each.match.key))
    return tuple(_suggestion(each, found, report) for each in judged[:limit])


def _folded(matches: Iterable[Match], rows: dict[str, Item]) -> list[Match]:
    """An incident whose postmortem is among the matches is told by the postmortem: one story, one card."""
    told = {
        incident.search_key
        for match in matches
        if isinstance(row := rows.get(match.key), Postmortem)
        for incident in row.incidents.all()
    }
    return [match for match in matches if match.key in rows and match.key not in told]


def fixes_of(row: Item) -> tuple[Fix, ...]:
    """The fixes that go with a result, the best proven first. Takes a row from `reading.fetch`."""
    if isinstance(row, Fix):
        return (row,)
    if isinstance(row, Postmortem):
        return tuple(sorted(row.fixes.all(), key=lambda fix: (-success_rate(fix), fix.pk)))
    return tuple(fix for postmortem in row.postmortems.all() for fix in fixes_of(postmortem))


def success_rate(fix: Any) -> float:
    """(worked + partly / 2 + 1) / (tried + 2): Laplace's rule of succession: an untried fix stands at one half."""
    return float((fix.worked + 0.5 * fix.partly + 1) / (fix.tried + 2))


def _parts(match: Match, row: Item, *, shares_service: bool) -> tuple[Part, ...]:
    by_channel: dict[str, float] = defaultdict(float)
    for term, value in match.parts:
        by_channel[search.CHANNEL_NAMES[term.channel]] += value
    text = sum(by_channel.values())
    if shares_service:
        by_channel["Same service"] = SAME_SERVICE * text
    if record := _record(row):
        by_channel["Record of the fix"] = FIX_RECORD * text * record
    return tuple(Part(name, value) for name, value in by_channel.items())


def _record(row: Item) -> float:
    """-0.5 to 0.5, from the best proven fix. A fix that made things worse never lifts."""
    rates = [min(success_rate(fix), 0.5) if fix.made_worse else success_rate(fix) for fix in _tried(row)]
    return max(rates) - 0.5 if rates else 0.0


def _tried(row: Item) -> list[Any]:
    return [fix for fix in fixes_of(row) if getattr(fix, "tried", 0)]


def _suggestion(judged: _Judged, found: Matches, report: Report) -> Suggestion:
    row = judged.row
    why, line = _reasons(judged.match, row, found)
    shared = tuple(Reason(name, "service", 0.0) for slug, name in judged.services.items() if slug in report.services)
    return Suggestion(
        item=row,
        ref=row.ref,
        kind=row.search_kind,
        title=row.title,
        url=row.get_absolute_url(),
        score=judged.score,
        confidence=judged.confidence,
        occurred_on=reading.occurred_on(row),
        severity=reading.severity_of(row),
        services=tuple(sorted(judged.services.values())),
        parts=judged.parts,
        why=(*shared, *why),
        matched_line=line,
        what_fixed_it=reading.what_fixed_it(row),
        fixes=fixes_of(row),
        open_actions=() if isinstance(row, Fix) else tuple(row.action_items.all()),
    )


def _reasons(match: Match, row: Item, found: Matches) -> tuple[tuple[Reason, ...], str]:
    """The terms that weigh most, as the report wrote them, and the log line of the same shape."""
    total = match.score or 1.0
    best = sorted(match.parts, key=lambda part: -part[1])
    fields = term_fields(row, [term for term, _ in best])
    reasons: dict[str, Reason] = {}
    line = ""
    for term, value in best:
        written = found.key_terms.written.get((term.channel, term.token))
        if written is None:  # only implied by a synonym: not the reader's word
            continue
        if search.CHANNEL_NAMES[term.channel] == "Log lines":
            line = line or written
            continue
        reasons.setdefault(written.lower(), Reason(written, fields.get(term, "text"), value / total))
    return tuple(reasons.values())[:REASONS], line
