"""What changed between two texts, by lines and words: for reading. `three_way` merges with the same matching.

difflib takes quadratic time where much is alike; beyond a bound only the beginning and the end are matched, and what
stands between them counts as changed.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_PAIRS = 300_000  # equal pairs that difflib may look at again and again: about a tenth of a second each time
MOST_TOKENS = 20_000
WORD = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")  # with the space before it: what is added at an end changes nothing else
Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True)
class Piece:
    """A run of text that both have, only the earlier or only the later."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Row:
    """Lines that belong together, side by side: what they were, and what they are."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def is_same(self) -> bool:
        return all(piece.kind == "same" for piece in (*self.before, *self.after))

    @property
    def inline(self) -> list[Piece]:
        """Both in one flow: what is gone stands before what came for it."""
        return _one_flow(list(self.before), list(self.after))


def rows(before: str, after: str) -> list[Row]:
    """The two texts side by side, line for line; within lines that changed, word for word."""
    old, new = before.split("\n") if before else [], after.split("\n") if after else []
    found: list[Row] = []
    at_old = at_new = 0
    for start_old, start_new, length in [*matching_blocks(old, new), (len(old), len(new), 0)]:
        gone, came = "\n".join(old[at_old:start_old]), "\n".join(new[at_new:start_new])
        if start_old > at_old or start_new > at_new:
            found.append(_changed(gone, came))
        if length:
            same = (Piece("same", "\n".join(old[start_old : start_old + length])),)
            found.append(Row(same, same))
        at_old, at_new = start_old + length, start_new + length
    return found


def _changed(gone: str, came: str) -> Row:
    old, new = WORD.findall(gone), WORD.findall(came)
    before: list[Piece] = []
    after: list[Piece] = []
    at_old = at_new = 0
    for start_old, start_new, length in [*matching_blocks(old, new), (len(old), len(new), 0)]:
        before += _piece("gone", old[at_old:start_old]) + _piece("same", old[start_old : start_old + length])
        after += _piece("new", new[at_new:start_new]) + _piece("same", new[start_new : start_new + length])
        at_old, at_new = start_old + length, start_new + length
    return Row(tuple(before), tuple(after))


def _piece(kind: Kind, tokens: Sequence[str]) -> list[Piece]:
    return [Piece(kind, "".join(tokens))] if tokens else []


def _one_flow(before: list[Piece], after: list[Piece]) -> list[Piece]:
    flow: list[Piece] = []
    while before or after:
        if before and before[0].kind == "gone":
            flow.append(before.pop(0))
        elif after and after[0].kind == "new":
            flow.append(after.pop(0))
        else:
            before.pop(0)
            flow.append(after.pop(0))
    return flow


def matching_blocks(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int, int]]:
    """(place in `before`, place in `after`, length) of what both have, in order and without overlap."""
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    ends = [(0, 0, head)], [(len(before) - tail, len(after) - tail, tail)]
    middle = [(a + head, b + head, n) for a, b, n in _matched(old, new)]
    return [block for block in (*ends[0], *middle, *ends[1]) if block[2]]


def _matched(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    counts = Counter(new)
    pairs = sum(number * counts[token] for token, number in Counter(old).items())
    if not pairs or pairs > MOST_PAIRS or len(old) + len(new) > MOST_TOKENS:
        return []
    return [(m.a, m.b, m.size) for m in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()]
