"""What every engine is asked: questions drawn from the documents themselves, so that each has an answer."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import TypeVar

from kb.search import analysis
from kb.search.base import Document
from kb.search.benchmark.corpus import DAYS, FIRST_DAY, Corpus, drawing

WORD, BOTH, PHRASE, FILTERED, PREFIX, FUZZY, SUGGESTION = OPERATIONS = (
    *("word", "both", "phrase", "filtered", "prefix", "fuzzy", "suggestion"),
)
LABELS = {
    WORD: "one word",
    BOTH: "two words, both wanted",
    PHRASE: "phrase of two words",
    FILTERED: "word, three filters, two facets, newest first",
    PREFIX: "beginning of a word",
    FUZZY: "misspelt word",
    SUGGESTION: "suggestion for 200 words",
}
COUNTED = (WORD, BOTH, PHRASE, FILTERED)  # where every engine should find about the same documents

T = TypeVar("T")

KEY_WORDS = 30
PREFIX_LENGTH = 4
FILTERED_DAYS = 1100
_DRAWN_FROM = 2000  # documents that questions are drawn from
_COUNTED_IN = 1000  # documents in which the frequency of words is counted, to choose key words
_TRIES = 1000
_PLAIN = re.compile(r"[a-z]{4,15}")  # words that all engines cut out of a text alike


@dataclass(frozen=True)
class Question:
    """`words`: those wanted, of a suggestion the key words for engines that choose none themselves."""

    operation: str
    words: tuple[str, ...]
    title: str = ""
    text: str = ""
    since: datetime = FIRST_DAY
    until: datetime = FIRST_DAY


Questions = Mapping[str, Sequence[Question]]


def draw(corpus: Corpus, documents: int, each: int) -> Questions:
    """`each` questions of every operation, about a corpus of so many documents. The same for every engine."""
    source = _Source(list(corpus.documents(min(documents, _DRAWN_FROM))), drawing(corpus.seed, "questions"))
    reports = corpus.unseen(each)
    return {
        WORD: [Question(WORD, (source.word(),)) for _ in range(each)],
        BOTH: [Question(BOTH, source.two_words()) for _ in range(each)],
        PHRASE: [Question(PHRASE, source.pair()) for _ in range(each)],
        FILTERED: [_filtered(source) for _ in range(each)],
        PREFIX: [Question(PREFIX, (source.word()[:PREFIX_LENGTH],)) for _ in range(each)],
        FUZZY: [Question(FUZZY, (source.misspelt(),)) for _ in range(each)],
        SUGGESTION: [
            Question(SUGGESTION, source.key_words(report), report.text["title"], report.text["body"])
            for report in reports
        ],
    }


def _filtered(source: "_Source") -> Question:
    since = FIRST_DAY + timedelta(days=source.lots.randrange(DAYS - FILTERED_DAYS))
    return Question(FILTERED, (source.word(),), since=since, until=since + timedelta(days=FILTERED_DAYS))


@dataclass
class _Source:
    documents: Sequence[Document]
    lots: Random
    frequency: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for document in self.documents[:_COUNTED_IN]:
            self.frequency.update({word for text in document.text.values() for word in analysis.surface(text)})

    def word(self) -> str:
        """As often as it is used."""
        return self.lots.choice(self._some(lambda body: list(_plain_words(body))))

    def two_words(self) -> tuple[str, ...]:
        """Different ones, of one document."""
        found = self._some(lambda body: sorted(set(_plain_words(body))), fewest=2)
        return tuple(self.lots.sample(found, 2))

    def pair(self) -> tuple[str, str]:
        """Neighbours in a sentence."""
        return self.lots.choice(self._some(lambda body: list(_plain_pairs(body))))

    def misspelt(self) -> str:
        """A word with two neighbouring letters swapped: one edit."""
        word = self.word()
        at = self.lots.randrange(1, len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    def key_words(self, report: Document) -> tuple[str, ...]:
        """The words that say most about a report, by tf-idf: what engines without a choice of their own are given."""
        documents = min(len(self.documents), _COUNTED_IN)
        counts = Counter(word for text in report.text.values() for word in analysis.surface(text) if word.isalnum())
        weights = {
            word: (1 + math.log(count)) * math.log(documents / self.frequency[word])
            for word, count in counts.items()
            if 0 < self.frequency[word] <= documents / 2
        }
        return tuple(sorted(weights, key=lambda word: (-weights[word], word))[:KEY_WORDS])

    def _some(self, cut: Callable[[str], list[T]], fewest: int = 1) -> list[T]:
        """What is cut out of a document that has enough of it."""
        for _ in range(_TRIES):
            if len(found := cut(self.lots.choice(self.documents).text["body"])) >= fewest:
                return found
        raise ValueError("the documents have no words that questions could be made of")


def _plain_words(body: str) -> Iterator[str]:
    for run in body.split():
        word = run.strip(".,;:")
        if _is_plain(word):
            yield word


def _plain_pairs(body: str) -> Iterator[tuple[str, str]]:
    """Nothing but a space between them: engines differ in what they take punctuation for."""
    for line in body.splitlines():
        for first, second in pairwise(line.split()):
            if _is_plain(first) and _is_plain(last := second.rstrip(".,;:")):
                yield first, last


def _is_plain(word: str) -> bool:
    return bool(_PLAIN.fullmatch(word)) and analysis.surface(word) == [word]
