"""Text -> tokens. Pure, the same everywhere, and quick: what stands between two spaces is analysed once and remembered.

The API is `words`, `surface`, `parts`, `identifiers`, `signatures`, `fold` and, for a whole document, `tokens_of`.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import Stemmer

from kb.search.base import IDENTIFIERS, PARTS, SIGNATURES, SURFACE, WORDS, Document, Schema
from kb.search.folding import CJK, fold, plain
from kb.search.identifiers import PIECE, identifiers, names_in
from kb.search.signatures import signatures

__all__ = [
    "ANALYSIS_VERSION",
    "DocumentTokens",
    "fold",
    "identifiers",
    "parts",
    "signatures",
    "surface",
    "tokens_of",
    "words",
]

# Part of what an index is built for: another number here means that stored tokens no longer fit, and a rebuild.
ANALYSIS_VERSION = 1
MAX_WORD = 64
_REMEMBERED = 60_000  # distinct runs of text kept analysed: about 25 MB, and most of a corpus' running text

# Words that stand in every English text, and what an apostrophe leaves of them. Words that describe a state in two or
# three letters (up, down, off, out, over) are kept.
_COMMON_WORDS = """
a about after again all also although always am among an and any are aren as at be because been before being both
but by can cannot could couldn d did didn do does doesn doing don during each either else ever every few for from
further had hadn has hasn have haven having he her here hers him his how however i if in into is isn it its itself
just ll m may me might more most much must my neither no nor not now of often on once only or other our ours own
quite rather re s same shall she should shouldn since so some such t than that the their them then there therefore
these they this those though through thus to too until upon us ve very was wasn we were weren what when where
whether which while who whom whose why will with within without would wouldn yet you your yours
"""
_COMMON = frozenset(_COMMON_WORDS.split())
WORD = re.compile(r"\w+")
_SCRIPTS = re.compile(rf"[{CJK}]+|[^\W{CJK}]+")
_HAS_CJK = re.compile(rf"[{CJK}]")
# HTTPServer -> HTTP, Server; URLs stays whole; PM2021 -> PM, 2021
_LOWER = r"[^\W0-9A-Z_]"
_PARTS = re.compile(rf"[A-Z]{{2,}}s(?!{_LOWER})|[A-Z]+(?!{_LOWER})|[A-Z]?{_LOWER}+|[0-9]+")
_EDGES = ".,;:!?()[]{}<>\"'`*|"


class Word(NamedTuple):
    """What one word holds: mostly one stem, no parts."""

    stems: tuple[str, ...]
    surface: tuple[str, ...]
    parts: tuple[str, ...]


class Chunk(NamedTuple):
    """What one run of characters between spaces holds."""

    stems: tuple[str, ...]
    surface: tuple[str, ...]
    parts: tuple[str, ...]
    identifiers: tuple[str, ...]


@dataclass(frozen=True)
class DocumentTokens:
    """What an engine stores: per channel, token -> weight; and each text field's stems in order, for phrases."""

    channels: dict[str, dict[str, float]]
    fields: list[list[str]]


def words(text: str) -> list[str]:
    """Stems in order, common words left out; CJK text as overlapping pairs of characters."""
    return [stem for run in text.split() for stem in analysed(run).stems]


def surface(text: str) -> list[str]:
    """The same words as written: folded, not stemmed."""
    return [word for run in text.split() for word in analysed(run).surface]


def parts(text: str) -> list[str]:
    """Stems of the pieces of compound names: `conn` and `pool` of `ConnPool`; nothing of other words."""
    return [part for run in text.split() for part in analysed(run).parts]


def tokens_of(document: Document, schema: Schema) -> DocumentTokens:
    """All tokens of a document. A text field that the schema does not have is a KeyError."""
    weights: dict[str, float] = {}
    counts: dict[str, Counter[str]] = {channel: Counter() for channel in (SURFACE, PARTS, IDENTIFIERS, SIGNATURES)}
    fields = []
    for name, text in document.text.items():
        stems, written, pieces, names = _columns(text)
        for stem, count in Counter(stems).items():
            weights[stem] = weights.get(stem, 0.0) + schema.text[name] * count
        fields.append(stems)
        counts[SURFACE].update(written)
        counts[PARTS].update(pieces)
        counts[IDENTIFIERS].update(names)
        counts[SIGNATURES].update(list(signatures(text)))
    others = {channel: dict(zip(found, map(float, found.values()), strict=True)) for channel, found in counts.items()}
    return DocumentTokens({WORDS: weights, **others}, fields)


def _columns(text: str) -> list[list[str]]:
    """Stems, surface, parts and identifiers of a text, each in order."""
    columns = zip(*map(analysed, text.split()), strict=True)
    return [list(chain.from_iterable(column)) for column in columns] or [[], [], [], []]


# --- one run of characters -----------------------------------------------------------------------------------------


class _Runs(dict[str, Chunk]):
    """Runs of characters -> what they hold. Bounded: when full it starts anew, which costs less than keeping order."""

    def __missing__(self, run: str) -> Chunk:
        bare = run.strip(_EDGES)
        chunk = _analyse(run) if bare == run else self[bare]
        if len(run) <= MAX_WORD:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[run] = chunk
        return chunk


class _Words(dict[str, Word]):
    """The same for the words that runs consist of: paths and frames are ever new, their words seldom."""

    def __missing__(self, word: str) -> Word:
        found = _analyse_word(word)
        if len(word) <= MAX_WORD:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = found
        return found


analysed = _Runs().__getitem__
analysed_word = _Words().__getitem__


def _analyse(run: str) -> Chunk:
    run = plain(run)
    found = [analysed_word(word) for word in WORD.findall(run)]
    stems, surface, parts = (
        found[0]
        if len(found) == 1
        else (
            tuple(stem for word in found for stem in word.stems),
            tuple(written for word in found for written in word.surface),
            tuple(part for word in found for part in word.parts),
        )
    )
    return Chunk(stems, surface, parts, tuple(name for piece in PIECE.findall(run) for name in names_in(piece)))


def _analyse_word(word: str) -> Word:
    written = tuple(token for token in _split_scripts(word) if token not in _COMMON)
    return Word(tuple(map(_stem, written)), written, tuple(_parts_of(word)))


def _split_scripts(word: str) -> list[str]:
    """The word itself, folded; of its CJK runs all overlapping pairs, as no spaces say where words begin."""
    if word.isascii() or not _HAS_CJK.search(word):
        return [_cut(word)]
    return [token for run in _SCRIPTS.findall(word) for token in (_pairs(run) if _HAS_CJK.match(run) else [_cut(run)])]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _cut(word: str) -> str:
    return word[:MAX_WORD].casefold()[:MAX_WORD]


def _parts_of(word: str) -> list[str]:
    pieces = _PARTS.findall(word[:MAX_WORD])
    if len(pieces) < 2:
        return []
    folded = [piece.casefold() for piece in pieces if len(piece) > 1]  # one letter or digit says nothing
    return [_stem(piece) for piece in folded if piece not in _COMMON]


class _PerThread(threading.local):
    """PyStemmer's stemmers must not be shared between threads."""

    def __init__(self) -> None:
        self.stem = Stemmer.Stemmer("english", 0).stemWord  # no cache of its own: ours is in front


_per_thread = _PerThread()


def _stem(word: str) -> str:
    """English, so there is nothing to do for a word that folding has not made ASCII."""
    return str(_per_thread.stem(word)) if word.isascii() else word
