"""From a text to the terms that say what it is about: the query of "have we seen this before?".

Not the whole text: the thirty rarest-and-most-used terms find more, in a fraction of the time. Term weights follow
Salton & Buckley 1988 ("Term-weighting approaches in automatic text retrieval"): (1 + ln tf) x idf.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kb.search import analysis
from kb.search.base import IDENTIFIERS, SIGNATURES, WORDS, Term, TermStats


@dataclass(frozen=True)
class Tuning:
    """The numbers of the choice. `idf_power`: BM25 brings one idf itself, so 0.5 here makes idf^1.5 in all."""

    terms: int = 30
    title_boost: float = 3.0
    idf_power: float = 0.5
    most_common: float = 0.25  # a term in more than this share of all documents says nothing
    identifiers: float = 0.5
    signatures: float = 2.0


@dataclass(frozen=True)
class KeyTerms:
    """`terms` carry their weights. `ideal` is about what a document with all of them would score: a yardstick, so that
    scores of different texts can be compared. `written` maps a term to how the text wrote it."""

    terms: tuple[Term, ...]
    ideal: float
    written: Mapping[tuple[str, str], str]


StatsOf = Callable[[Iterable[Term]], TermStats]


def key_terms(title: str, text: str, stats_of: StatsOf, tuning: Tuning) -> KeyTerms:
    """The terms of an unseen text, weighted for the search. Terms that no document holds are left out."""
    counts = _count(title, text, tuning)
    stats = stats_of(Term(token, channel) for channel, token in counts)
    weighted = sorted(
        (
            (Term(token, channel, weight), gain)
            for (channel, token), count in counts.items()
            if (found := _weigh(channel, count, stats.frequency.get((channel, token), 0), stats.documents, tuning))
            for weight, gain in [found]
        ),
        key=lambda pair: (-pair[1], pair[0].token),
    )[: tuning.terms]
    written = _written(f"{title}\n{text}")
    return KeyTerms(
        terms=tuple(term for term, _ in weighted),
        ideal=sum(gain for _, gain in weighted),
        written={
            (term.channel, term.token): written.get((term.channel, term.token), term.token) for term, _ in weighted
        },
    )


def _count(title: str, text: str, tuning: Tuning) -> dict[tuple[str, str], float]:
    counts: Counter[tuple[str, str]] = Counter()
    for body, times in ((title, tuning.title_boost), (text, 1.0)):
        for token, n in Counter(analysis.words(body)).items():
            counts[WORDS, token] += n * times  # type: ignore[assignment]
        for token in set(analysis.identifiers(body)):
            counts[IDENTIFIERS, token] = 1
    for token in analysis.signatures(text):
        counts[SIGNATURES, token] = 1
    return {key: float(n) for key, n in counts.items()}


def _weigh(channel: str, count: float, frequency: int, documents: int, tuning: Tuning) -> tuple[float, float] | None:
    """(query weight, gain in a document that has it); None for a term that nobody has, or nearly everybody."""
    if not frequency or (channel == WORDS and documents > 20 and frequency > documents * tuning.most_common):
        return None
    idf = math.log(documents / (frequency + 1)) + 1
    if idf <= 0:
        return None
    weight = (1 + math.log(max(count, 1.0))) * idf**tuning.idf_power
    weight *= {IDENTIFIERS: tuning.identifiers, SIGNATURES: tuning.signatures}.get(channel, 1.0)
    return weight, weight * idf


def _written(text: str) -> dict[tuple[str, str], str]:
    """(channel, token) -> the first way the text wrote it. A signature is written as its whole line."""
    written: dict[tuple[str, str], str] = {
        (SIGNATURES, token): line for token, line in analysis.signatures(text).items()
    }
    for word in re.findall(r"\w+", text):
        for token in analysis.words(word):
            written.setdefault((WORDS, token), word)
    for chunk in text.split():
        for token in analysis.identifiers(chunk):
            written.setdefault((IDENTIFIERS, token), chunk.strip(".,;:()[]\"'"))
    return written
