"""What is asked and what is answered: plain values, and the stable JSON of command and API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from postmortems.models import ActionItem, Fix, Incident, Problem, SuggestionVerdict
from postmortems.search import Item, Near


@dataclass(frozen=True)
class Report:
    """What is known of an incident now.

    `verdicts`: search key -> what people said of it for this incident. What is not similar is not suggested again.
    """

    title: str = ""
    symptoms: str = ""
    error_excerpt: str = ""
    services: tuple[str, ...] = ()  # slugs
    environment: str = ""
    started_at: datetime | None = None
    own_keys: frozenset[str] = frozenset()  # of the incident itself, and of the postmortems about it
    verdicts: Mapping[str, str] = field(default_factory=dict)
    incident: Incident | None = field(default=None, compare=False)  # that it is about, if it is declared

    @property
    def text(self) -> str:
        return f"{self.symptoms}\n{self.error_excerpt}"

    @property
    def dismissed(self) -> frozenset[str]:
        """What people said is not similar."""
        not_similar = SuggestionVerdict.Verdict.NOT_SIMILAR
        return frozenset(key for key, verdict in self.verdicts.items() if verdict == not_similar)

    @property
    def is_empty(self) -> bool:
        return not f"{self.title}{self.text}".strip()


@dataclass(frozen=True)
class Reason:
    """One thing in common, in the reader's own words. `weight` is its share of the score, 0 to 1."""

    term: str
    field: str  # symptoms, fix, cause, title, ...; "service" for a shared service, "log line" for a signature
    weight: float


@dataclass(frozen=True)
class Part:
    """A part of the score; the parts of a suggestion add up to it. Below zero only for a fix that did not help."""

    name: str  # "Words", "Names", "Log lines", "Same service", "Same environment", "Recent", "Record of the fix"
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
    fixes: tuple[Fix, ...]  # with their records, as `with_track_record` annotates them
    open_actions: tuple[ActionItem, ...]
    problem: Problem | None = None  # the known error it is an instance of
    verdict: str = ""  # what people said of it for this incident

    @property
    def key(self) -> str:
        return self.item.search_key

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
            "problem": self.problem and _problem_as_json(self.problem),
            "fixes": [_fix_as_json(fix) for fix in self.fixes],
            "open_actions": [_action_as_json(action) for action in self.open_actions],
        }


@dataclass(frozen=True)
class Group:
    """Look-alikes of one problem, best first; or one suggestion alone, whose problem nobody has named."""

    problem: Problem | None
    members: tuple[Suggestion, ...]


@dataclass(frozen=True)
class Suggestions:
    """`abstained`: nothing similar enough among `total_candidates`. `degraded`: why the index could not be asked."""

    results: tuple[Suggestion, ...] = ()
    happening_now: tuple[Suggestion, ...] = ()  # incidents in progress that look alike: a duplicate?
    abstained: bool = False
    total_candidates: int = 0
    degraded: str = ""
    nearest: tuple[Near, ...] = ()  # of an abstention: the rarest words of the report that some document holds
    dismissed: tuple[Item, ...] = ()  # what was said not to be similar
    took_ms: float = field(default=0.0, compare=False)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The results, each problem's together, in the order of their best members."""
        together: dict[object, list[Suggestion]] = {}
        for suggestion in self.results:
            home = suggestion.problem.pk if suggestion.problem else suggestion.key
            together.setdefault(home, []).append(suggestion)
        return tuple(Group(members[0].problem, tuple(members)) for members in together.values())

    def as_json(self, report: Report) -> dict[str, Any]:
        """The stable shape of command and API."""
        return {
            "query": {"title": report.title, "symptoms": report.symptoms, "services": list(report.services)},
            "abstained": self.abstained,
            "degraded": self.degraded or None,
            "total_candidates": self.total_candidates,
            "nearest_terms": [{"term": near.term, "documents": near.documents} for near in self.nearest],
            "happening_now": [suggestion.as_json() for suggestion in self.happening_now],
            "results": [suggestion.as_json() for suggestion in self.results],
        }


def _problem_as_json(problem: Problem) -> dict[str, Any]:
    return {"title": problem.title, "discriminating_check": problem.discriminating_check or None}


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
    late = action.days_late(on=timezone.localdate())
    said = {"title": action.title, "kind": action.kind, "state": action.state, "due_on": due, "days_late": late or None}
    return {"ref": action.ref, "promised_in": action.home_ref, **said}
