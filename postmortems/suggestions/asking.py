"""The question: the engine ranks by text, the rows are fetched as the reader may see them, what the text cannot know is
added, reasons are put in the reader's words, and below a threshold the answer is "nothing similar".
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from django.utils import timezone

from postmortems import search
from postmortems.models import ActionItem, Fix, Incident, Postmortem, Problem
from postmortems.search import Item, Match, Matches, reading
from postmortems.search.likeness import term_fields
from postmortems.suggestions.answer import Part, Reason, Report, Suggestion, Suggestions
from postmortems.suggestions.weighing import Features, parts_of, record_of

logger = logging.getLogger(__name__)

# How many of the engine's best are looked at again with what only the database knows.
RERANKED = 20
REASONS = 6
DEGRADED = "The search index is being rebuilt: suggestions come back in a moment."


def report_of(incident: Incident) -> Report:
    """What an incident says of itself. One from `to_ask` needs no query for it."""
    if not hasattr(incident, "listed_verdicts"):
        incident = reading.to_ask(Incident.objects.all()).get(pk=incident.pk)
    return Report(
        title=incident.title,
        symptoms=incident.symptoms,
        error_excerpt=incident.error_excerpt,
        services=tuple(service["slug"] for service in incident.listed_services),
        environment=incident.environment,
        started_at=incident.started_at,
        own_keys=own_keys_of(incident, (told["pk"] for told in incident.listed_postmortems)),
        verdicts={said["key"]: said["verdict"] for said in incident.listed_verdicts},
        incident=incident,
    )


def own_keys_of(incident: Incident, postmortems: Iterable[int]) -> frozenset[str]:
    """They would be the best match, and no help."""
    return frozenset({incident.search_key, *(f"{Postmortem.search_kind}:{pk}" for pk in postmortems)})


def suggest(report: Report, *, user: Any, limit: int = 3, as_of: datetime | None = None) -> Suggestions:
    """Earlier incidents and postmortems that look like this one, best first, with reasons; or "nothing similar".

    Only what this user may see, and only what was known before the incident started. `as_of`: with the records of the
    fixes as they stood then, for replaying the past.
    """
    if report.is_empty:
        return Suggestions()
    start = time.perf_counter()
    try:
        answer = _answer(report, user=user, limit=limit, as_of=as_of)
    except search.SearchError:
        logger.exception("Looking for similar incidents")
        search.rebuild_in_background()
        answer = Suggestions(degraded=DEGRADED)
    return replace(answer, took_ms=(time.perf_counter() - start) * 1000)


def _answer(report: Report, *, user: Any, limit: int, as_of: datetime | None) -> Suggestions:
    past, now = _similar(report, user=user)
    keys = [*(match.key for match in (*past.matches, *now.matches)), *report.dismissed]
    rows = reading.fetch_to_weigh(keys, user=user, own=report.incident, before=as_of)
    results, twins = (_weighed(found, report, rows)[:limit] for found in (past, now))
    promised = reading.add_help([each.row for each in (*results, *twins)], user=user, own=report.incident)
    return Suggestions(
        results=tuple(_suggestion(each, past, report, promised) for each in results),
        happening_now=tuple(_suggestion(each, now, report, promised) for each in twins),
        abstained=not results,
        total_candidates=past.candidates,
        nearest=() if results else search.nearest_terms(past),
        dismissed=tuple(rows[key] for key in sorted(report.dismissed) if key in rows),
    )


def _similar(report: Report, *, user: Any) -> tuple[Matches, Matches]:
    """Of the past, and of what is happening now."""
    reader = search.reader_of(user)
    like_this = partial(
        search.similar,
        report.title,
        report.text,
        access=reader.access,
        before=report.started_at,
        exclude=report.own_keys | report.dismissed | reader.hidden,
        words=reader.words,
        limit=RERANKED,
    )
    return like_this(), like_this(happening_now=True)


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


def _weighed(found: Matches, report: Report, rows: Mapping[str, Item]) -> list[_Judged]:
    """The engine's best, judged again with what only the database knows."""
    judged = []
    for match in _folded(found.matches, rows, report.dismissed):
        if confidence := search.confidence_of(match, found):
            row, own = rows[match.key], reading.services_of(rows[match.key])
            parts = parts_of(_channels(match), _features(row, own, report))
            judged.append(_Judged(match, row, own, confidence, parts))
    return sorted(judged, key=lambda each: (-each.score, each.match.key))


def _folded(matches: Iterable[Match], rows: Mapping[str, Item], dismissed: frozenset[str]) -> list[Match]:
    """An incident whose postmortem is among the matches is told by the postmortem: one story, one card.

    And with a postmortem that was said not to be similar go the incidents that it tells of.
    """
    listed = [match for match in matches if match.key in rows]
    told = {match.key for match in listed} | dismissed
    return [match for match in listed if told.isdisjoint(_telling(rows[match.key]))]


def _telling(row: Item) -> list[str]:
    return [postmortem.search_key for postmortem in row.told_by] if isinstance(row, Incident) else []


def _channels(match: Match) -> dict[str, float]:
    by_channel: dict[str, float] = defaultdict(float)
    for term, value in match.parts:
        by_channel[search.CHANNEL_NAMES[term.channel]] += value
    return by_channel


def _features(row: Item, services: Mapping[str, str], report: Report) -> Features:
    happened = reading.occurred_on(row)
    today = timezone.localdate(report.started_at)
    return Features(
        same_service=not services.keys().isdisjoint(report.services),
        same_environment=bool(report.environment) and getattr(row, "environment", "") == report.environment,
        days_ago=(today - happened).days if happened else None,
        records=tuple(record_of(fix) for fix in fixes_of(row)),
    )


def fixes_of(row: Item) -> tuple[Fix, ...]:
    """The fixes that go with a result, the best proven first. Takes a row from `reading.fetch_to_weigh`."""
    if isinstance(row, Fix):
        return (row,)
    if isinstance(row, Postmortem):
        return tuple(sorted(row.fixes.all(), key=lambda fix: (-record_of(fix).standing, fix.pk)))
    return tuple(fix for postmortem in row.told_by for fix in fixes_of(postmortem))


def problem_of(row: Item) -> Problem | None:
    """The known error that this is an instance of; of an incident, what its postmortems say."""
    if isinstance(row, Incident):
        return next((postmortem.problem for postmortem in row.told_by if postmortem.problem), None)
    return row.problem


def _suggestion(
    judged: _Judged, found: Matches, report: Report, promised: Mapping[str, list[ActionItem]]
) -> Suggestion:
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
        open_actions=_most_wanted(item for item in reading.promised_in(row, promised) if item.is_unfinished),
        problem=problem_of(row),
        verdict=report.verdicts.get(row.search_key, ""),
    )


def _most_wanted(items: Iterable[ActionItem]) -> tuple[ActionItem, ...]:
    """What would have prevented it comes first, then what has waited longest."""
    ranked = sorted(items, key=lambda item: (not item.is_preventive, item.due_on or date.max, item.pk))
    return tuple(ranked)


def _reasons(match: Match, row: Item, found: Matches) -> tuple[tuple[Reason, ...], str]:
    """The terms that weigh most, as the report wrote them, and the log line of the same shape."""
    total = match.score or 1.0
    best = sorted(match.parts, key=lambda part: -part[1])
    fields = term_fields(row, [term for term, _ in best])
    written_as = found.key_terms.question.written(term for term, _ in best)
    reasons: dict[str, Reason] = {}
    line = ""
    for term, value in best:
        written = written_as.get(term)
        if written is None:  # only implied by a synonym: not the reader's word
            continue
        if search.CHANNEL_NAMES[term.channel] == "Log lines":
            line = line or written
            continue
        reasons.setdefault(written.lower(), Reason(written, fields.get(term, "text"), value / total))
    return tuple(reasons.values())[:REASONS], line
