"""The place in a text that answers a query best, as safe HTML with `<mark>`: cut from the text, not from an index."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kb.markdown import to_text
from kb.search.analysis import Chunk, analysed, analysed_word
from kb.search.base import IDENTIFIERS, PARTS, SURFACE, WORDS
from kb.search.folding import ACCENTS, CJK, fold, plain
from kb.search.identifiers import PIECE, names_in

MAX_TEXT = 20_000
LEAD = 6  # words shown before the first match, unless a sentence begins this near:
NEAR = 12

_RUN = re.compile(r"\S+")
_WORD = re.compile(rf"[{CJK}]+|(?:[^\W{CJK}]|[{ACCENTS}])+")
_IS_CJK = re.compile(f"[{CJK}]")
_UNIT = re.compile(rf"[{CJK}]{{1,4}}|[^\s{CJK}]{{1,80}}")  # what counts as a word of the snippet's length

Span = tuple[int, int]


class Match(NamedTuple):
    """From `start` to `end` the text is marked, because of these wanted tokens."""

    start: int
    end: int
    tokens: frozenset[str]


class _Wanted:
    """The tokens to look for, by channel. A prefix is given as ("surface", "pre*")."""

    def __init__(self, tokens: Collection[tuple[str, str]]) -> None:
        self.stems = {token for channel, token in tokens if channel == WORDS}
        self.parts = {token for channel, token in tokens if channel == PARTS}
        self.names = {token for channel, token in tokens if channel == IDENTIFIERS}
        self.starts = tuple(token[:-1] for channel, token in tokens if channel == SURFACE and token.endswith("*"))

    def in_chunk(self, chunk: Chunk) -> frozenset[str]:
        return self.in_word(chunk.stems, chunk.surface, chunk.parts) | self.in_names(chunk.identifiers)

    def in_word(self, stems: Sequence[str], surface: Sequence[str], parts: Sequence[str]) -> frozenset[str]:
        return frozenset(self.stems.intersection(stems) | self.parts.intersection(parts) | self._begun(surface))

    def in_names(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(self.names.intersection(names) | self._begun(names))

    def _begun(self, words: Sequence[str]) -> set[str]:
        return {f"{start}*" for start in self.starts if any(word.startswith(start) for word in words)}


def snippet(text: str, tokens: Collection[tuple[str, str]], *, words: int = 36) -> SafeString:
    """About so many words around the best matches; without any, the beginning of the text."""
    text = to_text(text[:MAX_TEXT])
    units = [unit.span() for unit in _UNIT.finditer(text)]
    if not units:
        return SafeString("")
    matches = list(_matches(text, _Wanted(tokens)))
    first, last = _window(text, units, matches, words)
    marked = _marked(text, (units[first][0], units[last][1]), matches)
    return format_html("{}{}{}", "… " if first else "", marked, " …" if last + 1 < len(units) else "")


def score_of(text: str, tokens: Collection[tuple[str, str]]) -> float:
    """How much of what is wanted stands in the text: each token counts, its repetitions less and less."""
    wanted = _Wanted(tokens)
    found = Counter(token for run in text[:MAX_TEXT].split() for token in wanted.in_chunk(analysed(run)))
    return sum(count / (count + 1) for count in found.values())


# --- finding -------------------------------------------------------------------------------------------------------


def _matches(text: str, wanted: _Wanted) -> Iterator[Match]:
    """In order of their begin. Most runs are dismissed by a look at what is remembered of them."""
    for run in _RUN.finditer(text):
        if wanted.in_chunk(analysed(run[0])):
            yield from sorted(
                [*_matching_names(run, wanted), *_matching_words(run, wanted)], key=lambda match: match.start
            )


def _matching_names(run: re.Match[str], wanted: _Wanted) -> Iterator[Match]:
    for piece in PIECE.finditer(run.string, *run.span()):
        if found := wanted.in_names(names_in(plain(piece[0]))):
            yield Match(piece.start(), piece.start() + len(piece[0].rstrip(".:,-")), found)


def _matching_words(run: re.Match[str], wanted: _Wanted) -> Iterator[Match]:
    for word in _WORD.finditer(run.string, *run.span()):
        if _IS_CJK.match(word[0]):
            yield from _matching_pairs(word, wanted)
        elif found := wanted.in_word(*analysed_word(plain(word[0]))):
            yield Match(*word.span(), found)


def _matching_pairs(word: re.Match[str], wanted: _Wanted) -> Iterator[Match]:
    """CJK text is stored in overlapping pairs of characters."""
    for at in range(word.start(), max(word.end() - 1, word.start() + 1)):
        pair = fold(word.string[at : at + 2])
        if found := wanted.in_word([pair], [pair], []):
            yield Match(at, at + len(pair), found)


# --- cutting -------------------------------------------------------------------------------------------------------


def _window(text: str, units: Sequence[Span], matches: Sequence[Match], words: int) -> tuple[int, int]:
    """The first and last unit to show."""
    starts = [start for start, _ in units]
    begin, end = _densest([bisect_right(starts, match.start) - 1 for match in matches], matches, words)
    first = _nice_begin(text, units, begin, room=words - 1 - (end - begin))
    first = max(0, min(first, len(units) - words))
    return first, min(first + words, len(units)) - 1


def _densest(places: Sequence[int], matches: Sequence[Match], words: int) -> tuple[int, int]:
    """Between which two units most different tokens are found, and of equals most matches; the earliest wins."""
    held: Counter[str] = Counter()
    left, best, window = 0, (0, 0), (0, 0)
    for right, place in enumerate(places):
        held.update(matches[right].tokens)
        while place - places[left] >= words:
            held.subtract(matches[left].tokens)
            left += 1
        held = +held  # forget what is not held any more
        if (value := (len(held), right - left + 1)) > best:
            best, window = value, (places[left], place)
    return window


def _nice_begin(text: str, units: Sequence[Span], begin: int, room: int) -> int:
    for at in range(begin, max(begin - min(room, NEAR), 0) - 1, -1):
        if at == 0 or text[units[at - 1][1] - 1] in ".!?。":
            return at
    return max(begin - min(room, LEAD), 0)


def _marked(text: str, shown: Span, matches: Sequence[Match]) -> SafeString:
    at, until = shown
    pieces = []
    for start, end in _joined(matches):
        if start < until and end > at:
            pieces.append((text[at : max(start, at)], text[max(start, at) : min(end, until)]))
            at = min(end, until)
    return format_html("{}{}", format_html_join("", "{}<mark>{}</mark>", pieces), text[at:until])


def _joined(matches: Sequence[Match]) -> list[Span]:
    """Overlapping matches as one."""
    spans: list[Span] = []
    for match in matches:
        if spans and match.start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], match.end))
        else:
            spans.append((match.start, match.end))
    return spans
