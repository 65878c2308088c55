"""From documents with tokens to tokens with documents: what an index is built from, in arrays, not in objects.

A posting is an entry in three parallel arrays, 12 bytes in all, until it is written; one sort by token makes the lists.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kb.search.segments import Ids, Places

GAP = 100  # positions between two text fields, so that no phrase crosses their border
POSITION = np.dtype("<u4")


class PostingList(NamedTuple):
    """A token, the documents that hold it, ascending, and their weights. `positions`: where, if that is kept."""

    token: bytes
    ids: npt.NDArray[Any]
    weights: npt.NDArray[np.float32]
    positions: bytes


class _Numbers(dict[str, int]):
    """A number for each token, in the order in which they are first met."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


class Inversion:
    """The postings of one field. Documents come in ascending order."""

    _extra_type = "f"  # a posting's weight

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._tokens = array("I")
        self._ids = array("I")
        self._extras: array[Any] = array(self._extra_type)

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, doc: int, tokens: Collection[str], extras: Iterable[float]) -> None:
        """The tokens of a document."""
        self._tokens.extend(list(map(self._numbers.__getitem__, tokens)))
        self._ids.extend([doc] * len(tokens))
        self._extras.extend(extras)

    def extend(self, token: str, ids: Ids, extras: npt.NDArray[Any]) -> None:
        """Postings that are arrays already: of a segment that is merged into a new one."""
        if len(ids):  # else all its documents are deleted, and it is no token any more
            self._tokens.extend([self._numbers[token]] * len(ids))
            self._ids.frombytes(ids.astype(np.uint32).tobytes())
            self._extras.frombytes(extras.tobytes())

    def lists(self) -> Iterator[PostingList]:
        """In the order of the tokens' bytes."""
        tokens, ids, weights = self._sorted()
        bounds = _bounds(tokens, len(self._numbers))
        for token, number in self._in_order():
            cut = slice(bounds[number], bounds[number + 1])
            yield PostingList(token, ids[cut], weights[cut], b"")

    def _sorted(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """By token; the sort is stable, so each token's documents stay in order."""
        tokens = np.asarray(self._tokens)
        order = np.argsort(tokens, kind="stable")
        return tokens[order], np.asarray(self._ids)[order], np.asarray(self._extras)[order]

    def _in_order(self) -> list[tuple[bytes, int]]:
        return sorted((encoded(token), number) for token, number in self._numbers.items())


class PlacesInversion(Inversion):
    """The same with positions: an entry is one occurrence, its extra the position. A posting's weight: how many."""

    _extra_type = "I"

    def add_fields(self, doc: int, fields: Sequence[Sequence[str]]) -> None:
        """The stems of a document's text fields, in order."""
        start = 0
        for stems in fields:
            self.add(doc, stems, range(start, start + len(stems)))
            start += len(stems) + GAP

    def lists(self) -> Iterator[PostingList]:
        tokens, ids, places = self._sorted()
        first = _changes(tokens, ids)  # of the occurrences of one token in one document
        counts = np.diff(first, append=len(places)).astype(np.float32)
        ends = [*first.tolist(), len(places)]
        positions = places.astype(POSITION).tobytes()
        bounds = _bounds(tokens[first], len(self._numbers))
        ids = ids[first]
        for token, number in self._in_order():
            start, end = bounds[number], bounds[number + 1]
            held = slice(POSITION.itemsize * ends[start], POSITION.itemsize * ends[end])
            yield PostingList(token, ids[start:end], counts[start:end], positions[held])


def places_from(ids: Ids, counts: npt.NDArray[np.float32], positions: bytes) -> Places:
    """What `PlacesInversion` has written, as places."""
    docs = np.repeat(ids.astype(np.uint64), counts.astype(np.int64))
    return (docs << np.uint64(32)) | np.frombuffer(positions, POSITION).astype(np.uint64)


def encoded(token: str) -> bytes:
    """Any text: a lone surrogate, too, can be asked for."""
    return token.encode("utf-8", "surrogatepass")


def decoded(token: bytes) -> str:
    return token.decode("utf-8", "surrogatepass")


def _bounds(tokens: npt.NDArray[Any], count: int) -> list[int]:
    """Where the entries of token number n begin, and n + 1, among sorted tokens."""
    ends: list[int] = np.cumsum(np.bincount(tokens, minlength=count)).tolist()
    return [0, *ends]


def _changes(*sorted_columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The first entry of each run in which no column changes."""
    if not len(sorted_columns[0]):
        return np.empty(0, np.int64)
    changed = np.any([column[1:] != column[:-1] for column in sorted_columns], axis=0)
    return np.concatenate([[0], np.flatnonzero(changed) + 1])
