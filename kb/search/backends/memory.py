"""The reference engine: a dictionary of documents, asked one by one. Slow on purpose, plain enough to be believed.

Every other engine is tested against its answers. It holds its documents in this process only.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from rapidfuzz.distance import OSA

from kb.search.analysis import fold, tokens_of
from kb.search.base import (
    CHANNELS,
    IDENTIFIERS,
    SURFACE,
    AllOf,
    AnyOf,
    Document,
    Hit,
    Node,
    Not,
    Page,
    Phrase,
    Prefix,
    Query,
    Schema,
    SearchBackend,
    Stored,
    Term,
    TermStats,
)

K1, B = 1.2, 0.75  # of BM25: how soon repetition stops counting, how much length does

Parts = dict[Term, float]  # what each term adds to a score


@dataclass(frozen=True)
class _Entry:
    """A document as the index holds it."""

    document: Document
    channels: Mapping[str, Mapping[str, float]]
    fields: Sequence[Sequence[str]]
    lengths: Mapping[str, float]

    @property
    def key(self) -> str:
        return self.document.key

    def has_phrase(self, tokens: Sequence[str]) -> bool:
        width = len(tokens)
        return any(
            list(tokens) == stems[at : at + width] for stems in self.fields for at in range(len(stems) - width + 1)
        )

    def begins_word(self, start: str) -> bool:
        return any(token.startswith(start) for channel in (SURFACE, IDENTIFIERS) for token in self.channels[channel])


class _State:
    """All documents at one moment; never changed, so that a reader's answer is of one piece."""

    def __init__(self, entries: Mapping[str, _Entry]) -> None:
        self.entries = entries

    @cached_property
    def average_lengths(self) -> Mapping[str, float]:
        count = len(self.entries) or 1
        return {c: sum(entry.lengths[c] for entry in self.entries.values()) / count for c in CHANNELS}

    def frequency(self, term: Term) -> int:
        return sum(term.token in entry.channels[term.channel] for entry in self.entries.values())


class MemoryBackend(SearchBackend):
    name = "memory"

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._state = _State({})
        self._writing = threading.Lock()

    # --- writing -------------------------------------------------------------------------------------------------

    def apply(self, changed: Sequence[Document], gone: Collection[str] = ()) -> None:
        with self._writing:
            entries = dict(self._state.entries)
            for document in changed:
                held = entries.get(document.key)
                if held is None or document.version >= held.document.version:
                    entries[document.key] = self._entry(document)
            for key in gone:
                entries.pop(key, None)
            self._state = _State(entries)

    def rebuild(self, documents: Iterable[Document]) -> int:
        with self._writing:
            self._state = _State({document.key: self._entry(document) for document in documents})
            return len(self._state.entries)

    def _entry(self, document: Document) -> _Entry:
        tokens = tokens_of(document, self.schema)
        lengths = {channel: sum(weights.values()) for channel, weights in tokens.channels.items()}
        return _Entry(document, tokens.channels, tokens.fields, lengths)

    # --- asking --------------------------------------------------------------------------------------------------

    def search(self, query: Query) -> Page:
        scoring = _Scoring(self._state)
        matching: list[tuple[_Entry, Parts]] = []
        counts: dict[str, Counter[str]] = {name: Counter() for name in query.facets}
        for entry in self._state.entries.values():
            if not _is_open(entry, query):
                continue
            parts = scoring.parts(query.node, entry)
            if parts is None:
                continue
            refused = {name for name, values in query.filters.items() if not _has_any(entry, name, values)}
            if not refused:
                matching.append((entry, parts))
            for name in query.facets:
                if refused <= {name}:
                    counts[name].update(set(entry.document.keywords.get(name, ())))
        matching.sort(key=lambda found: (_rank(query, *found), found[0].key))
        hits = matching[query.offset : query.offset + query.limit]
        return Page(tuple(_hit(query, *found) for found in hits), len(matching), counts)

    def term_stats(self, terms: Iterable[Term]) -> TermStats:
        state = self._state
        return TermStats(len(state.entries), {(term.channel, term.token): state.frequency(term) for term in terms})

    def similar_words(self, word: str, *, access: frozenset[str], limit: int = 3) -> list[str]:
        word = fold(word)
        seen = Counter(
            token
            for entry in self._state.entries.values()
            if entry.document.access & access
            for token in entry.channels[SURFACE]
        )
        edits = 1 if len(word) < 6 else 2
        near = [
            (distance, -count, token)
            for token, count in seen.items()
            if 0 < (distance := OSA.distance(word, token, score_cutoff=edits)) <= edits
        ]
        return [token for _, _, token in sorted(near)[:limit]]

    def stored(self) -> Mapping[str, Stored]:
        return {
            key: Stored(entry.document.version, entry.document.digest) for key, entry in self._state.entries.items()
        }

    def stats(self) -> Mapping[str, int | str]:
        return {"documents": len(self._state.entries)}


# --- which documents match, and how well ---------------------------------------------------------------------------


class _Scoring:
    """BM25 over one state, with the inverse document frequencies it has needed so far."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._idf: dict[Term, float] = {}

    def parts(self, node: Node, entry: _Entry) -> Parts | None:
        """What each term of the node adds to this document's score; None if the document does not match."""
        match node:
            case Term():
                return {node: self._bm25(node, entry)} if node.token in entry.channels[node.channel] else None
            case Phrase(tokens):
                matches = entry.has_phrase(tokens)
                return _sum({Term(token): self._bm25(Term(token), entry)} for token in tokens) if matches else None
            case Prefix(start):
                return {Term(start, SURFACE): 1.0} if entry.begins_word(start) else None
            case Not(inner):
                return {} if self.parts(inner, entry) is None else None
            case AllOf(nodes):
                found = [self.parts(inner, entry) for inner in nodes]
                return None if None in found else _sum(parts for parts in found if parts is not None)
            case AnyOf(nodes):
                some = [parts for inner in nodes if (parts := self.parts(inner, entry)) is not None]
                return _sum(some) if some else None

    def _bm25(self, term: Term, entry: _Entry) -> float:
        count = entry.channels[term.channel][term.token]
        relative_length = entry.lengths[term.channel] / self._state.average_lengths[term.channel]
        saturated = count * (K1 + 1) / (count + K1 * (1 - B + B * relative_length))
        return term.weight * self._inverse_frequency(term) * saturated

    def _inverse_frequency(self, term: Term) -> float:
        if term not in self._idf:
            self._idf[term] = math.log(len(self._state.entries) / (self._state.frequency(term) + 1)) + 1
        return self._idf[term]


def _sum(found: Iterable[Parts]) -> Parts:
    total: Parts = {}
    for parts in found:
        for term, value in parts.items():
            total[term] = total.get(term, 0.0) + value
    return total


# --- what else a query asks ----------------------------------------------------------------------------------------


def _is_open(entry: _Entry, query: Query) -> bool:
    """Whether all but text and filters lets the document through."""
    document = entry.document
    return (
        bool(document.access & query.access)
        and document.key not in query.exclude
        and not any(_has_any(entry, name, values) for name, values in query.without.items())
        and all(_is_within(document.dates.get(name), *ends) for name, ends in query.dates.items())
    )


def _has_any(entry: _Entry, name: str, values: Collection[str]) -> bool:
    return not set(values).isdisjoint(entry.document.keywords.get(name, ()))


def _is_within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    return moment is not None and (start is None or start <= moment) and (end is None or moment < end)


def _rank(query: Query, entry: _Entry, parts: Parts) -> float:
    """Smaller is better."""
    if query.sort == "relevance":
        return -math.fsum(parts.values())
    moment = entry.document.dates.get(query.sort_date)
    if moment is None:
        return math.inf
    return moment.timestamp() if query.sort == "oldest" else -moment.timestamp()


def _hit(query: Query, entry: _Entry, parts: Parts) -> Hit:
    return Hit(entry.key, math.fsum(parts.values()), tuple(parts.items()) if query.explain else ())
