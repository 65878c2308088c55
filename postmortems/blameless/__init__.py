"""Blameless help: wordings of a text that make a person the cause, each with why and a question instead. Advisory.

Pure text in, hints out; English only, and silent about other languages. `hints(text)` is for a page, `count(texts)`
for a reviewer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from postmortems.blameless.catalogue import BY_KEY, RULES, Rule
from postmortems.blameless.detecting import matches
from postmortems.blameless.matching import Match
from postmortems.blameless.prose import prose_of
from postmortems.blameless.sentences import Sentence, sentences_of

__all__ = ["MAX_CHARS", "RULES", "Hint", "Rule", "count", "hints"]

MAX_CHARS = 200_000  # as many as can be formatted (kb.markdown); what stands behind is not looked at
MAX_HINTS = 200  # nobody reads more
MAX_EXCERPT = 60  # characters; a longer stretch between subject and verb is shown by the verb alone
AROUND = 45  # characters of the line that are shown on either side


@dataclass(frozen=True)
class Hint:
    """A wording to look at: `text[start:end]`, on `line` (from 1), and what surrounds it on that line."""

    start: int
    end: int
    line: int
    words: str
    before: str
    after: str
    rule: Rule

    @property
    def why(self) -> str:
        return self.rule.why

    @property
    def question(self) -> str:
        return self.rule.question

    def as_json(self) -> dict[str, object]:
        place = {"start": self.start, "end": self.end, "line": self.line, "words": self.words}
        return {**place, "rule": self.rule.key, "why": self.why, "question": self.question}


def hints(text: str) -> list[Hint]:
    """The wordings of a Markdown text, in its order; none overlaps another. In time linear in the text's length."""
    text = text[:MAX_CHARS]
    prose = prose_of(text)
    found: list[Hint] = []
    line, counted = 1, 0
    for start, end, key in _spans(text, prose):
        line, counted = line + text.count("\n", counted, start), start
        found.append(_hint(text, start, end, line, BY_KEY[key]))
        if len(found) == MAX_HINTS:
            break
    return found


def count(texts: Iterable[str]) -> int:
    """How many wordings to look at there are in several texts together: the sections of one postmortem."""
    return sum(len(hints(text)) for text in texts)


def _spans(text: str, prose: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, rule) of each wording. Where two overlap, the later one is its main word, or nothing."""
    behind = 0
    for sentence in sentences_of(prose):
        for match in sorted(matches(sentence), key=lambda match: (match.first, match.last)):
            start, end = _stretch(text, prose, sentence, match)
            if start < behind:
                start, end = sentence.at(match.word).start, sentence.at(match.word).end
            if start >= behind:
                behind = end
                yield start, end, match.rule


def _stretch(text: str, prose: str, sentence: Sentence, match: Match) -> tuple[int, int]:
    """From the subject to the last word; without the subject if that is long or has code, a quote, a line end in it."""
    for first, last in ((match.first, match.last), (match.word, match.last)):
        start, end = sentence.at(first).start, sentence.at(last).end
        if 0 < end - start <= MAX_EXCERPT and prose[start:end] == text[start:end] and "\n" not in text[start:end]:
            return start, end
    return sentence.at(match.word).start, sentence.at(match.word).end


def _hint(text: str, start: int, end: int, line: int, rule: Rule) -> Hint:
    return Hint(start, end, line, text[start:end], _before(text, start), _after(text, end), rule)


def _before(text: str, at: int) -> str:
    """What stands before on the line; of much the last words."""
    shown = text[max(0, at - AROUND) : at].rpartition("\n")[2]
    cut = len(shown) == AROUND and text[at - AROUND - 1 : at - AROUND] not in ("", "\n")
    return "…" + (shown.partition(" ")[2] or shown) if cut else shown


def _after(text: str, at: int) -> str:
    shown = text[at : at + AROUND].partition("\n")[0]
    cut = len(shown) == AROUND and text[at + AROUND : at + AROUND + 1] not in ("", "\n")
    return (shown.rpartition(" ")[0] or shown) + "…" if cut else shown
