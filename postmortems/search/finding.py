"""Finding what a reader asks for: the engine proposes, the database disposes, and texts are cut from the database."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.conf import settings
from django.utils.safestring import SafeString

from kb.search import engine, highlight, query, upkeep
from kb.search.base import Node, Page, Query, SearchError
from postmortems.search import fallback, reading
from postmortems.search.documents import Item
from postmortems.search.facets import FACETS, Facet, facets_of
from postmortems.search.fields import FIELDS
from postmortems.search.readers import reader_of

logger = logging.getLogger(__name__)

MAX_PAGES = 100
SORTS = ("relevance", "newest", "oldest")
Tokens = frozenset[tuple[str, str]]
SECTION_OF_FIELD = {
    "symptoms": "Symptoms",
    "fix": "What fixed it",
    "cause": "Cause",
    "summary": "Summary",
    "body": "Text",
    "tags": "Services and tags",
    "title": "Title",
}
DEGRADED = "The search index is being rebuilt. These results come straight from the database: fewer, and not ranked."
PARTIAL = "No document has all of these words. These have some of them, best first."


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

    def as_json(self) -> dict[str, Any]:
        return {
            "ref": self.ref,
            "kind": self.kind,
            "title": self.title,
            "url": settings.SITE_URL + self.url,
            "score": round(self.score, 4),
            "occurred_on": self.occurred_on and self.occurred_on.isoformat(),
            "severity": self.severity or None,
            "services": list(self.services),
            "status": self.status,
            "snippet": str(self.snippet),
            "what_fixed_it": self.what_fixed_it or None,
        }


@dataclass(frozen=True)
class Results:
    """A page of results. `degraded` says in words why the database answered and not the index; empty: all is well."""

    text: str
    results: tuple[Result, ...]
    total: int
    page: int
    pages: int
    facets: tuple[Facet, ...] = ()
    notes: tuple[str, ...] = ()
    did_you_mean: str = ""
    degraded: str = ""

    def as_json(self) -> dict[str, Any]:
        """The stable shape of command and API."""
        return {
            "query": self.text,
            "total": self.total,
            "page": self.page,
            "pages": self.pages,
            "degraded": self.degraded or None,
            "notes": list(self.notes),
            "did_you_mean": self.did_you_mean or None,
            "results": [result.as_json() for result in self.results],
            "facets": {facet.field: {value.value: value.count for value in facet.values} for facet in self.facets},
        }


def find(
    text: str,
    *,
    user: Any,
    filters: Mapping[str, Sequence[str]] | None = None,
    sort: str = "relevance",
    page: int = 1,
    per_page: int = 10,
) -> Results:
    """What this reader may see of what matches the text and the filters (facet field -> values, any of which will do).

    Any text is a valid query. When the index cannot answer, the database does, and the answer says so.
    """
    parsed = query.parse(text, FIELDS)
    page = min(max(page, 1), MAX_PAGES)
    wanted = _query(parsed, user=user, filters=filters or {}, sort=sort, offset=(page - 1) * per_page, limit=per_page)
    try:
        answer, notes = _ask(wanted, parsed.loose)
        correction = "" if answer.total else _correction(text, parsed, wanted)
    except SearchError:
        logger.exception("Searching the index; the database answers instead")
        upkeep.rebuild_in_background()
        rows, total = fallback.find(parsed, wanted, user=user)
        results = _results({row.search_key: row for row in rows}, Page((), 0), parsed.tokens)
        return Results(text, results, total, page, _pages(total, per_page), notes=parsed.notes, degraded=DEGRADED)
    rows_by_key = reading.fetch([hit.key for hit in answer.hits], user=user)
    return Results(
        text=text,
        results=_results(rows_by_key, answer, parsed.tokens),
        total=answer.total,
        page=page,
        pages=_pages(answer.total, per_page),
        facets=facets_of(answer.facets, wanted.filters),
        notes=(*parsed.notes, *notes),
        did_you_mean=correction,
    )


def _query(
    parsed: query.Parsed, *, user: Any, filters: Mapping[str, Sequence[str]], sort: str, offset: int, limit: int
) -> Query:
    chosen = {
        name: tuple(value.lower() for value in values) for name, values in filters.items() if name in FACETS and values
    }
    reader = reader_of(user)
    return Query(
        access=reader.access,
        node=parsed.node,
        # What was typed narrows what was clicked: a field that has both must satisfy the typed one.
        filters={**chosen, **parsed.filters},
        without=parsed.without,
        dates=parsed.dates,
        exclude=reader.hidden,
        sort=sort if sort in SORTS else "relevance",  # type: ignore[arg-type]
        sort_date="occurred",
        facets=tuple(FACETS),
        offset=offset,
        limit=limit,
    )


def _ask(wanted: Query, loose: Node | None) -> tuple[Page, tuple[str, ...]]:
    """All words; if no document has them all, the best partial matches, and a note that says so."""
    backend = engine.backend()
    answer = backend.search(wanted)
    if answer.total or loose is None:
        return answer, ()
    partial = backend.search(replace(wanted, node=loose))
    return partial, ((PARTIAL,) if partial.total else ())


def _correction(text: str, parsed: query.Parsed, wanted: Query) -> str:
    """The text with its unknown words replaced by likely ones that this reader could find; empty if there is none."""
    corrected = text
    for word in parsed.words:
        if likely := engine.backend().similar_words(word, access=wanted.access, limit=1):
            corrected = corrected.replace(word, likely[0])
    return corrected if corrected != text else ""


def _results(rows: Mapping[str, Item], answer: Page, tokens: Tokens) -> tuple[Result, ...]:
    scores = {hit.key: hit.score for hit in answer.hits} or dict.fromkeys(rows, 0.0)
    return tuple(
        _result(rows[key], score, tokens, reading.services_of(rows[key]))
        for key, score in scores.items()
        if key in rows
    )


def _result(row: Item, score: float, tokens: Tokens, services: Mapping[str, str]) -> Result:
    texts = reading.texts_of(row)
    section = max(
        (name for name in SECTION_OF_FIELD if name in texts),
        key=lambda n: highlight.score_of(texts[n], tokens),
    )
    return Result(
        item=row,
        ref=row.ref,
        kind=row.search_kind,
        title=row.title,
        url=row.get_absolute_url(),
        score=score,
        occurred_on=reading.occurred_on(row),
        severity=reading.severity_of(row),
        services=tuple(sorted(services.values())),
        status=reading.status_of(row),
        snippet=highlight.snippet(texts[section], tokens),
        snippet_section=SECTION_OF_FIELD[section],
        what_fixed_it=reading.what_fixed_it(row),
    )


def _pages(total: int, per_page: int) -> int:
    return min(max(1, -(-total // per_page)), MAX_PAGES)
