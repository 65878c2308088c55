"""From a text to the terms that say what it is about: the query of "have we seen this before?".

Not the whole text: the rarest-and-most-used terms find more, in a fraction of the time. Terms are weighted as in
Salton & Buckley 1988 ("Term-weighting approaches in automatic text retrieval"), (1 + ln tf) x idf^n; the engine's BM25
brings one idf itself. Pieces of compound names and the shapes of log lines are channels of their own, so that the one
name or line that matters is not drowned by the words around it.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kb.search import analysis
from kb.search.base import IDENTIFIERS, PARTS, SIGNATURES, WORDS, Term, TermStats


@dataclass(frozen=True)
class ChannelTuning:
    """How many terms a channel may give, how much they weigh, and how much more the rare ones."""

    terms: int
    weight: float
    idf_power: float


@dataclass(frozen=True)
class Tuning:
    """The numbers of the choice; who uses the engine keeps them in one place, with the figures that chose them."""

    title: float = 6.0  # a word of the title counts so often
    most_common: float = 0.7  # a term in more than this share of all documents says nothing
    strange: float = 0.35  # what a word that no document holds counts in the yardstick
    synonyms: float = 0.1  # the weight of a word that was not written but means the same
    implied: int = 15  # how many of those at most
    channels: Mapping[str, ChannelTuning] = field(
        default_factory=lambda: {
            WORDS: ChannelTuning(50, 1.0, 0.7),
            PARTS: ChannelTuning(12, 0.3, 0.3),
            SIGNATURES: ChannelTuning(12, 0.8, 0.3),
        }
    )


@dataclass(frozen=True)
class KeyTerms:
    """`terms` carry their weights. `written` maps (channel, token) to how the text wrote it.

    `ideal` is about what a document with all of the text's best words would score, whether any document holds them or
    not: a yardstick, so that scores of different texts can be compared, and a text of strange words is not taken for
    a match because of the few it shares.
    """

    terms: tuple[Term, ...] = ()
    ideal: float = 0.0
    written: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Weighed(NamedTuple):
    term: Term
    frequency: int  # documents that hold it
    gain: float


StatsOf = Callable[[Iterable[Term]], TermStats]
Counts = dict[str, dict[str, float]]
Synonyms = Callable[[Sequence[str]], Mapping[str, float]]


def key_terms(title: str, text: str, stats_of: StatsOf, tuning: Tuning, synonyms: Synonyms | None = None) -> KeyTerms:
    """The terms of an unseen text, weighted for the search. Terms that no document holds are left out.

    `synonyms`: stems as they stand in the text -> stems that mean the same, each with a factor up to 1.
    """
    counts = _count(title, text, tuning)
    implied = _implied(title, text, counts[WORDS], tuning, synonyms) if synonyms else {}
    wanted = [Term(token, channel) for channel, tokens in counts.items() for token in tokens]
    stats = stats_of([*wanted, *(Term(token) for token in implied)])
    said = {channel: _weigh(channel, tokens, stats, tuning) for channel, tokens in counts.items()}
    terms = [term for channel, weighed in said.items() for term in _best(weighed, tuning.channels[channel].terms)]
    # What is implied is not part of the yardstick: nobody wrote it.
    terms += _best(_weigh(WORDS, implied, stats, tuning, factor=tuning.synonyms), tuning.implied)
    ideal = sum(sorted((gain for *_, gain in said[WORDS]), reverse=True)[: tuning.channels[WORDS].terms])
    return KeyTerms(tuple(terms), ideal, _written(f"{title}\n{text}", terms))


def _count(title: str, text: str, tuning: Tuning) -> Counts:
    """Channel -> token -> how often it is said. Names and lines count once for being in the title."""
    words: Counter[str] = Counter(analysis.words(text))
    weighed = {token: float(count) for token, count in words.items()}
    for token, count in Counter(analysis.words(title)).items():
        weighed[token] = weighed.get(token, 0.0) + tuning.title * count
    counts: Counts = {WORDS: weighed}
    for channel, tokens in (
        (PARTS, analysis.parts(f"{title} {text}")),
        (IDENTIFIERS, analysis.identifiers(f"{title} {text}")),
        (SIGNATURES, list(analysis.signatures(text))),
    ):
        if channel in tuning.channels:
            counts[channel] = {token: float(count) for token, count in Counter(tokens).items()}
    return counts


def _implied(title: str, text: str, said: Mapping[str, float], tuning: Tuning, synonyms: Synonyms) -> dict[str, float]:
    """Stems that mean the same as something in the text and do not stand there, as often as a title, or once."""
    implied: dict[str, float] = {}
    for part, times in ((title, tuning.title), (text, 1.0)):
        for token, factor in synonyms(analysis.words(part)).items():
            if token not in said:
                implied[token] = max(implied.get(token, 0.0), (1 + math.log(times)) * factor)
    # `_choose` takes the logarithm of a count: undo it here, so that the factor is what it says.
    return {token: math.exp(weight - 1) for token, weight in implied.items()}


def _weigh(
    channel: str, counts: Mapping[str, float], stats: TermStats, tuning: Tuning, factor: float = 1.0
) -> list[Weighed]:
    """Each term with its weight, and what it would add to the score of an ideal document. Not the too common ones."""
    how = tuning.channels[channel]
    weighed = []
    for token, count in counts.items():
        frequency = stats.frequency.get((channel, token), 0)
        if frequency <= max(1.0, stats.documents * tuning.most_common):
            idf = max(math.log(stats.documents / (frequency + 1)) + 1, 0.01) if stats.documents else 0.01
            weight = factor * how.weight * (1 + math.log(count)) * idf**how.idf_power
            gain = weight * idf * (1.0 if frequency else tuning.strange)
            weighed.append(Weighed(Term(token, channel, weight), frequency, gain))
    return weighed


def _best(weighed: Sequence[Weighed], limit: int) -> list[Term]:
    """Those that say most, of those that some document holds."""
    known = [each for each in weighed if each.frequency]
    known.sort(key=lambda each: (-each.gain, each.term.token))
    return [each.term for each in known[:limit]]


def _written(text: str, terms: Iterable[Term]) -> dict[tuple[str, str], str]:
    """(channel, token) -> the first way the text wrote it. A signature is written as its whole line."""
    written: dict[tuple[str, str], str] = {
        (SIGNATURES, token): line for token, line in analysis.signatures(text).items()
    }
    for word in re.findall(r"\w+", text):
        for channel, tokens in ((WORDS, analysis.words(word)), (PARTS, analysis.parts(word))):
            for token in tokens:
                written.setdefault((channel, token), word)
    for chunk in text.split():
        for token in analysis.identifiers(chunk):
            written.setdefault((IDENTIFIERS, token), chunk.strip(".,;:()[]\"'"))
    wanted = {(term.channel, term.token) for term in terms}
    return {pair: words for pair, words in written.items() if pair in wanted}
