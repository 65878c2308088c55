"""From documents with tokens to tokens with documents: what an index is built from, in arrays, not in objects.

A posting is an entry in three parallel arrays (12 bytes) until it is written; one sort by token makes the lists.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kb.search.segments import Ids, Places

GAP = 100  # positions between two text fields, so that no phrase crosses their border
_PLACE = np.dtype("<u4")


class PostingList(NamedTuple):
    """A token and its documents, ascending. `places`: for each document the bytes of its positions, if any are kept."""

    token: bytes
    ids: array[int]
    weights: array[float]
    places: list[bytes]


class _Numbers(dict[str, int]):
    """A number for each token, in the order in which they are first met."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


class Inversion:
    """The postings of one field. Documents come in ascending order."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._tokens = array("I")
        self._ids = array("I")
        self._extras = self._new_extras()

    def _new_extras(self) -> array[Any]:
        return array("f")

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, doc: int, tokens: Collection[str], weights: Iterable[float]) -> None:
        """The tokens of a document, each once."""
        self._tokens.extend([self._numbers[token] for token in tokens])
        self._ids.extend([doc] * len(tokens))
        self._extras.extend(weights)

    def extend(self, token: str, ids: Ids, extras: npt.NDArray[Any]) -> None:
        """Postings that are arrays already: of a segment that is merged into a new one."""
        self._tokens.extend([self._numbers[token]] * len(ids))
        self._ids.frombytes(ids.astype(np.uint32).tobytes())
        self._extras.frombytes(extras.tobytes())

    def lists(self) -> Iterator[PostingList]:
        """In the order of the tokens' bytes."""
        tokens, ids, weights = self._sorted()
        bounds = _bounds(tokens, len(self._numbers))
        raw_ids, raw_weights = ids.tobytes(), weights.tobytes()
        for token, number in self._in_order():
            cut = slice(4 * bounds[number], 4 * bounds[number + 1])
            yield PostingList(token, array("I", raw_ids[cut]), array("f", raw_weights[cut]), [])

    def _sorted(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """By token; the sort is stable, so each token's documents stay in order."""
        tokens = np.asarray(self._tokens)
        order = np.argsort(tokens, kind="stable")
        return tokens[order], np.asarray(self._ids)[order], np.asarray(self._extras)[order]

    def _in_order(self) -> list[tuple[bytes, int]]:
        return sorted((encoded(token), number) for token, number in self._numbers.items())


class PlacesInversion(Inversion):
    """The same with positions: an entry is one occurrence of a stem, its extra the position."""

    def _new_extras(self) -> array[Any]:
        return array("I")

    def add_fields(self, doc: int, fields: Sequence[Sequence[str]]) -> None:
        """The stems of a document's text fields, in order."""
        start = 0
        for stems in fields:
            self.add(doc, stems, range(start, start + len(stems)))
            start += len(stems) + GAP

    def lists(self) -> Iterator[PostingList]:
        tokens, ids, places = self._sorted()
        first = _changes(tokens, ids)  # of the occurrences of one stem in one document
        ends = [*(4 * first).tolist(), 4 * len(places)]
        raw = places.astype(_PLACE).tobytes()
        ids = ids[first]
        bounds = _bounds(tokens[first], len(self._numbers))
        for token, number in self._in_order():
            start, end = bounds[number], bounds[number + 1]
            values = [raw[a:b] for a, b in pairwise(ends[start : end + 1])]
            ones = array("f", bytes(np.ones(end - start, np.float32)))
            yield PostingList(token, array("I", ids[start:end].tobytes()), ones, values)


def encoded(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")


def decoded(token: bytes) -> str:
    return token.decode("utf-8", "surrogatepass")


def places_from(ids: Ids, values: Sequence[bytes]) -> Places:
    """What `PlacesInversion` has written, as places."""
    positions = np.frombuffer(b"".join(values), _PLACE).astype(np.uint64)
    counts = np.fromiter(map(len, values), np.int64, len(values)) // _PLACE.itemsize
    return (np.repeat(ids.astype(np.uint64), counts) << np.uint64(32)) | positions


def _bounds(tokens: npt.NDArray[Any], count: int) -> list[int]:
    """Where the entries of token number n begin, and n + 1, of sorted tokens."""
    ends: list[int] = np.cumsum(np.bincount(tokens, minlength=count)).tolist()
    return [0, *ends]


def _changes(*sorted_columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The first entry of each run in which no column changes."""
    if not len(sorted_columns[0]):
        return np.empty(0, np.int64)
    changed = np.any([column[1:] != column[:-1] for column in sorted_columns], axis=0)
    return np.concatenate([[0], np.flatnonzero(changed) + 1])
