"""Documents that look like a text, ranked by the engine; what it takes to explain and to judge the ranking."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from kb.search import analysis, engine, similarity
from kb.search.base import IDENTIFIERS, PARTS, SIGNATURES, WORDS, AnyOf, Query, SearchBackend, Term
from kb.search.similarity import KeyTerms
from postmortems.search import glossary, ranking
from postmortems.search.documents import Item
from postmortems.search.glossary import Glossary
from postmortems.search.reading import texts_of

PAST = {"kind": ("postmortem", "incident")}
NOW = {"kind": ("incident",), "is": ("open",)}
NOT_PAST = {"is": ("open",), "status": ("cancelled",)}


@dataclass(frozen=True)
class Match:
    """`parts`: what each key term added to the score."""

    key: str
    score: float
    parts: tuple[tuple[Term, float], ...]


@dataclass(frozen=True)
class Matches:
    matches: tuple[Match, ...]
    key_terms: KeyTerms
    candidates: int  # documents that were compared, similar or not
    scope: Query  # which documents those were: of this reader, and of the time before


def similar(
    title: str,
    text: str,
    *,
    access: frozenset[str],
    before: datetime | None = None,
    exclude: Collection[str] = (),
    happening_now: bool = False,
    limit: int = 10,
    backend: SearchBackend | None = None,
    words: Glossary = glossary.DEFAULT,
) -> Matches:
    """Past postmortems and incidents that are like this text (or incidents in progress), best first.

    `before`: only what was known before that moment. `exclude`: search keys, the incident itself among them. `words`:
    which ones mean the same. Raises SearchError when the index cannot answer.
    """
    index = backend or engine.backend()
    found = similarity.key_terms(title, text, index.term_stats, ranking.TUNING, words.synonyms)
    scope = Query(
        access=access,
        filters=NOW if happening_now else PAST,
        without={} if happening_now else NOT_PAST,
        dates={"known_since": (None, before)} if before and not happening_now else {},
        exclude=frozenset(exclude),
        limit=0,
    )
    hits = index.search(_asking(scope, found, limit)).hits if found.terms else ()
    return Matches(tuple(Match(hit.key, hit.score, hit.parts) for hit in hits), found, index.search(scope).total, scope)


def _asking(scope: Query, found: KeyTerms, limit: int) -> Query:
    return replace(scope, node=AnyOf(found.terms), limit=limit, explain=True)


@dataclass(frozen=True)
class Near:
    """A word of the text, as it was written, and how many of the compared documents hold it."""

    term: str
    documents: int


LOOKED_UP, NEAREST = 12, 4  # of the words that say most so many are counted, and so many told


def nearest_terms(found: Matches, *, backend: SearchBackend | None = None) -> tuple[Near, ...]:
    """The rarest words of a text that is like nothing, of those that some compared document holds.

    Each is counted within the scope: the frequencies of the whole index know of documents that this reader may not see.
    """
    index, written = backend or engine.backend(), found.key_terms.question.written(found.key_terms.terms)
    terms = [term for term in found.key_terms.terms if term.channel == WORDS and term in written]
    counted = [(index.search(replace(found.scope, node=term)).total, term) for term in terms[:LOOKED_UP]]
    rarest = sorted((count, term.token, term) for count, term in counted if count)[:NEAREST]
    return tuple(Near(written[term], count) for count, _, term in rarest)


CHANNEL_NAMES = {WORDS: "Words", PARTS: "Names", IDENTIFIERS: "Names", SIGNATURES: "Log lines"}
FIELD_ORDER = ("title", "symptoms", "fix", "cause", "summary", "body", "tags")


def term_fields(row: Item, terms: Sequence[Term]) -> dict[Term, str]:
    """Where each term stands in this row: the first of its fields, in the order a reader cares about."""
    texts = texts_of(row)
    held = {name: _tokens(texts[name]) for name in FIELD_ORDER if name in texts}
    return {
        term: name
        for term in terms
        for name in [next((name for name, tokens in held.items() if (term.channel, term.token) in tokens), "")]
        if name
    }


@lru_cache(maxsize=512)  # the same few texts stand in most answers, and tokens cost more than the ranking
def _tokens(text: str) -> frozenset[tuple[str, str]]:
    listed = (
        (WORDS, analysis.words(text)),
        (PARTS, analysis.parts(text)),
        (IDENTIFIERS, analysis.identifiers(text)),
        (SIGNATURES, analysis.signatures(text)),
    )
    return frozenset((channel, token) for channel, tokens in listed for token in tokens)


def confidence_of(match: Match, found: Matches) -> str:
    """ "strong", "possible", or "" for too little in common. A log line of the same shape is never too little."""
    evidence, enough = evidence_of(match, found), ranking.enough(found.candidates)
    if evidence >= ranking.STRONG * enough:
        return "strong"
    same_line = any(term.channel == SIGNATURES for term, _ in match.parts)
    return "possible" if same_line or evidence >= enough else ""


def evidence_of(match: Match, found: Matches) -> float:
    """The share that this score has of an ideal match's, taken more seriously the more words it rests on.

    A quarter of fifty words in common says more than a half of six: hence the square root, as of a sample's size.
    """
    if not found.key_terms.ideal:
        return 0.0
    words = sum(1 for term in found.key_terms.terms if term.channel == WORDS and term.weight)
    size = min(max(words, ranking.FEWEST_WORDS), ranking.MOST_WORDS)
    return match.score / found.key_terms.ideal * math.sqrt(size / ranking.USUAL_WORDS)
