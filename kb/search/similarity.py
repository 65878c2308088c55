"""From a text to the terms that say what it is about: the query of "have we seen this before?".

Not the whole text: the rarest-and-most-used terms find more, in a fraction of the time. Terms are weighted as in
Salton & Buckley 1988 ("Term-weighting approaches in automatic text retrieval"), (1 + ln tf) x idf^n; the engine's BM25
brings one idf itself. Pieces of compound names and the shapes of log lines are channels of their own, so that the one
name or line that matters is not drowned by the words around it.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


StatsOf = Callable[[Iterable[Term]], TermStats]
Counts = dict[str, dict[str, float]]
Synonyms = Callable[[Sequence[str]], Mapping[str, float]]

# A page of log lines, or twenty of prose: more says no more, and each word costs a look-up.
MAX_TEXT = 30_000


class Question:
    """The unseen text, analysed once: what is beyond MAX_TEXT characters is not read."""

    def __init__(self, title: str, text: str) -> None:
        self.title, self.text = title[:MAX_TEXT], text[:MAX_TEXT]
        self.title_runs = [analysis.analysed(run) for run in self.title.split()]
        self.text_runs = [analysis.analysed(run) for run in self.text.split()]
        self.lines = analysis.signatures(self.text)

    def counts(self, tuning: Tuning) -> Counts:
        """Channel -> token -> how often it is said; a word of the title counts several times."""
        words = Counter(stem for run in self.text_runs for stem in run.stems)
        weighed = {token: float(count) for token, count in words.items()}
        for token, count in Counter(stem for run in self.title_runs for stem in run.stems).items():
            weighed[token] = weighed.get(token, 0.0) + tuning.title * count
        runs = [*self.title_runs, *self.text_runs]
        channels: dict[str, Mapping[str, float]] = {
            WORDS: weighed,
            PARTS: Counter(part for run in runs for part in run.parts),
            IDENTIFIERS: Counter(name for run in runs for name in run.identifiers),
            SIGNATURES: dict.fromkeys(self.lines, 1),
        }
        return {channel: {token: float(n) for token, n in channels[channel].items()} for channel in tuning.channels}

    def implied(self, said: Mapping[str, float], tuning: Tuning, synonyms: Synonyms) -> dict[str, float]:
        """Stems that mean the same as something in the text and do not stand there, as often as a title, or once."""
        implied: dict[str, float] = {}
        for runs, times in ((self.title_runs, tuning.title), (self.text_runs, 1.0)):
            for token, factor in synonyms([stem for run in runs for stem in run.stems]).items():
                if token not in said:
                    implied[token] = max(implied.get(token, 0.0), (1 + math.log(times)) * factor)
        # `_weigh` takes the logarithm of a count: undo it here, so that the factor is what it says.
        return {token: math.exp(weight - 1) for token, weight in implied.items()}

    def written(self, terms: Iterable[Term]) -> dict[Term, str]:
        """How the text wrote each of these; a signature is written as its whole line. Implied ones are left out."""
        wanted = {(term.channel, term.token): term for term in terms}
        found = {term: self.lines[token] for (_, token), term in wanted.items() if token in self.lines}
        for run in dict.fromkeys(f"{self.title} {self.text}".split()):
            for channel, token, words in _wordings(run):
                if term := wanted.get((channel, token)):
                    found.setdefault(term, words)
        return found


def _wordings(run: str) -> Iterator[tuple[str, str, str]]:
    """(channel, token, how it is written) of everything in one run of characters."""
    chunk = analysis.analysed(run)
    written = re.findall(r"\w+", run)
    for word in written if len(chunk.stems) > 1 or chunk.parts else ():
        inner = analysis.analysed(word)
        yield from ((WORDS, stem, word) for stem in inner.stems)
        yield from ((PARTS, part, word) for part in inner.parts)
    yield from ((WORDS, stem, max(written, key=len, default=run)) for stem in chunk.stems)
    yield from ((IDENTIFIERS, name, run.strip(".,;:()[]\"'")) for name in chunk.identifiers)


@dataclass(frozen=True)
class KeyTerms:
    """`terms` carry their weights. `question.written(terms)` says how the text wrote them.

    `ideal` is about what a document with all of the text's best words would score, whether any document holds them or
    not: a yardstick, so that scores of different texts can be compared, and a text of strange words is not taken for
    a match because of the few it shares.
    """

    terms: tuple[Term, ...]
    ideal: float
    question: Question


class Weighed(NamedTuple):
    token: str
    weight: float
    frequency: int  # documents that hold it
    gain: float


def key_terms(title: str, text: str, stats_of: StatsOf, tuning: Tuning, synonyms: Synonyms | None = None) -> KeyTerms:
    """The terms of an unseen text, weighted for the search. Terms that no document holds are left out.

    `synonyms`: stems as they stand in the text -> stems that mean the same, each with a factor up to 1.
    """
    question = Question(title, text)
    counts = question.counts(tuning)
    implied = question.implied(counts[WORDS], tuning, synonyms) if synonyms else {}
    wanted = [Term(token, channel) for channel, tokens in counts.items() for token in tokens]
    stats = stats_of([*wanted, *(Term(token) for token in implied)])
    said = {channel: _weigh(channel, tokens, stats, tuning) for channel, tokens in counts.items()}
    terms = [term for channel, found in said.items() for term in _best(channel, found, tuning.channels[channel].terms)]
    # What is implied is not part of the yardstick: nobody wrote it.
    terms += _best(WORDS, _weigh(WORDS, implied, stats, tuning, factor=tuning.synonyms), tuning.implied)
    ideal = sum(sorted((gain for *_, gain in said[WORDS]), reverse=True)[: tuning.channels[WORDS].terms])
    return KeyTerms(tuple(terms), ideal, question)


def _weigh(
    channel: str, counts: Mapping[str, float], stats: TermStats, tuning: Tuning, factor: float = 1.0
) -> list[Weighed]:
    """Each token with its weight, and what it would add to the score of an ideal document. Not the too common ones."""
    how, most, log = tuning.channels[channel], max(1.0, stats.documents * tuning.most_common), math.log
    weighed = []
    for token, count in counts.items():
        frequency = stats.frequency.get((channel, token), 0)
        if frequency <= most:
            idf = max(log(stats.documents / (frequency + 1)) + 1, 0.01) if stats.documents else 0.01
            weight = factor * how.weight * (1 + log(count)) * idf**how.idf_power
            gain = weight * idf * (1.0 if frequency else tuning.strange)
            weighed.append(Weighed(token, weight, frequency, gain))
    return weighed


def _best(channel: str, weighed: Sequence[Weighed], limit: int) -> list[Term]:
    """Those that say most, of those that some document holds."""
    known = sorted((-each.gain, each.token, each.weight) for each in weighed if each.frequency)
    return [Term(token, channel, weight) for _, token, weight in known[:limit]]
