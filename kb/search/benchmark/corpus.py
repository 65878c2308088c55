"""Documents by the thousand from a few real texts: sentences recombined under a Zipf law, alike for the same seed."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from kb.search.base import Document, Schema

SCHEMA = Schema(
    text={"title": 4.0, "body": 1.0},
    keywords=("kind", "severity", "service", "status", "is"),
    dates=("occurred", "known_since"),
)
# Access: whoever has EVERYTHING sees all documents, whoever has OPEN all but every tenth.
EVERYTHING, OPEN = "all", "open"
CLOSED = 0.1
POSTMORTEM, FIX = "postmortem", "fix"
SERVICES = tuple(f"service-{number}" for number in range(30))
SEVERITIES = ("sev4", "sev3", "sev2", "sev1")
FIRST_DAY, DAYS = datetime(2016, 1, 1, tzinfo=UTC), 3650

MEDIAN_WORDS, SPREAD = 340, 0.45  # a log-normal length: one document in forty has more than 820 words
LONGEST_TITLE = 10
QUESTION_WORDS = 200
OF_ITS_TOPIC = 0.3  # the share of a document's sentences that come from one text, so that some documents are alike
SENTENCES_LAW = 0.7  # exponent of the law by which texts and sentences are chosen
COMMON_NAMES = 20  # about equally common ones at the top
NAMES_LAW = 0.25  # of the ranks after them, r or a higher one is drawn with (r/20)^-0.25: there is always a new one

_FENCE = re.compile(r"\s*(```|~~~)")
_MARKER = re.compile(r"\s*(?:[-*>]|\d+\.)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
_NAME_PART = re.compile(r"\b[a-z]{4,9}\b")
_FEWEST_WORDS = 4
_UNSEEN = 10**9  # the number of the first document that no corpus holds

Texts = Sequence[Sequence[str]]  # of each text its sentences


def sentences(text: str) -> list[str]:
    """The sentences of a Markdown text; in a block of code each line is one."""
    found: list[str] = []
    for fenced, paragraph in _paragraphs(text):
        found += [paragraph] if fenced else _SENTENCE_END.split(paragraph)
    return [sentence for sentence in found if len(sentence.split()) >= _FEWEST_WORDS]


def _paragraphs(text: str) -> Iterator[tuple[bool, str]]:
    """(whether it is code, the text on one line), a list's items each by itself."""
    fenced, lines = False, list[str]()
    for line in [*text.splitlines(), ""]:
        if (marked := _MARKER.match(line)) or fenced or _FENCE.match(line) or not line.strip():
            if lines:
                yield False, " ".join(lines)
            lines = []
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced:
            yield True, line.strip()
        elif line.strip():
            lines.append(line[marked.end() if marked else 0 :].strip())


@dataclass(frozen=True)
class Corpus:
    """As many documents as one wants. Number 7 is the same in a corpus of 10 and of 10,000.

    `named`: the share of sentences in which an invented name takes the place of a word. Names come without end, so that
    the vocabulary grows with the documents as it does in real ones.
    """

    texts: Texts
    seed: int = 1
    named: float = 0.35

    def __post_init__(self) -> None:
        if not any(self.texts):
            raise ValueError("a corpus is made of sentences, and there are none")

    def documents(self, count: int) -> Iterator[Document]:
        return _Maker(self).documents(range(count))

    def unseen(self, count: int) -> Iterator[Document]:
        """Documents of the same kind that are in no corpus, as long as the report of an incident."""
        return _Maker(self, QUESTION_WORDS).documents(range(_UNSEEN, _UNSEEN + count))


def drawing(*seeds: object) -> Random:
    """The same lots for the same seeds."""
    return Random("/".join(map(str, seeds)))  # noqa: S311  (data for measuring, nothing secret)


class _Maker:
    """The drawers that a corpus' documents are drawn from."""

    def __init__(self, corpus: Corpus, words: int = 0) -> None:
        order = drawing(corpus.seed)
        self._seed, self._named = corpus.seed, corpus.named
        self._words = words
        self._texts = order.sample([text for text in corpus.texts if text], sum(map(bool, corpus.texts)))
        every = [sentence for text in self._texts for sentence in text]
        self._sentences = order.sample(every, len(every))
        parts = sorted({part for text in every for part in _NAME_PART.findall(text)})
        self._names = order.sample(parts, len(parts)) or ["name"]
        self._text_law = _law(len(self._texts))
        self._sentence_law = _law(len(self._sentences))

    def documents(self, numbers: Iterable[int]) -> Iterator[Document]:
        return map(self._document, numbers)

    def _document(self, number: int) -> Document:
        lots = drawing(self._seed, number)
        words = self._words or int(lots.lognormvariate(math.log(MEDIAN_WORDS), SPREAD))
        title, *body = self._body(lots, words)
        occurred = FIRST_DAY + timedelta(days=lots.random() * DAYS)
        key = f"{POSTMORTEM}:{number}"
        return Document(
            key=key,
            version=1,
            text={"title": " ".join(title.split()[:LONGEST_TITLE]), "body": "\n".join(body)},
            keywords={
                "kind": (FIX if lots.random() < 0.2 else POSTMORTEM,),
                "severity": (lots.choice(SEVERITIES),),
                "service": (SERVICES[int(lots.paretovariate(0.5)) % len(SERVICES)],),
                "status": ("published",),
            },
            dates={"occurred": occurred, "known_since": occurred},
            access=frozenset({EVERYTHING, f"only:{key}" if lots.random() < CLOSED else OPEN}),
        )

    def _body(self, lots: Random, words: int) -> list[str]:
        """A title and then sentences, with `words` words in all."""
        topic = lots.choices(self._texts, cum_weights=self._text_law)[0]
        body = [lots.choice(topic), self._sentence(lots, topic)]
        left = words - sum(len(sentence.split()) for sentence in body)
        while left > 0:
            sentence = self._sentence(lots, topic)
            left -= len(sentence.split())
            body.append(sentence)
        body[-1] = " ".join(body[-1].split()[: left or None]) or body[-1]
        return body

    def _sentence(self, lots: Random, topic: Sequence[str]) -> str:
        if lots.random() < OF_ITS_TOPIC:
            sentence = lots.choice(topic)
        else:
            sentence = lots.choices(self._sentences, cum_weights=self._sentence_law)[0]
        if lots.random() >= self._named:
            return sentence
        words = sentence.split()
        words[lots.randrange(len(words))] = self._name(int(COMMON_NAMES * lots.paretovariate(NAMES_LAW)))
        return " ".join(words)

    def _name(self, rank: int) -> str:
        """`ledgerReplica`; the higher ranks carry a number."""
        count = len(self._names)
        first, second = self._names[rank % count], self._names[(rank // count + 7 * rank) % count]
        return f"{first}{second.capitalize()}{rank // count**2 or ''}"


def _law(count: int) -> list[float]:
    """Cumulative weights by rank."""
    return list(accumulate((rank + 1) ** -SENTENCES_LAW for rank in range(count)))
