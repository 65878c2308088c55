"""An index as arrays: immutable segments, what is worth keeping of them in memory, and a snapshot over all of them.

Nothing here knows how an engine keeps its files: an engine implements the `read_...` methods of `Segment`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kb.search.base import Stored
from kb.search.memory import Memory

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Moments = npt.NDArray[np.int64]
Places = npt.NDArray[np.uint64]  # document << 32 | position, ascending

KEY, ACCESS = "key", "access"  # the fields beside the channels and keywords
NO_DATE = int(np.iinfo(np.int64).min)  # what a document without that date has
NOBODY: Ids = np.empty(0, np.int32)

_MASKS = 16  # in a snapshot, a byte a document each
_REMEMBERED = 20_000  # frequencies in a snapshot, about 4 MB; suggestions ask for hundreds, mostly the same

# BM25's usual constants (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").
K1 = 1.2
B = 0.75


class Postings(NamedTuple):
    """The documents that hold a token, ascending, and the token's weight in each."""

    ids: Ids
    weights: npt.NDArray[np.float32]


class Values(NamedTuple):
    """The values of a keyword field: document `ids[i]` has the value `names[codes[i]]`."""

    names: list[str]
    ids: Ids
    codes: Ids


class Keys:
    """A key for each document, in a quarter of the memory that a list of strings takes."""

    def __init__(self, keys: Sequence[str]) -> None:
        encoded = [key.encode("utf-8", "surrogatepass") for key in keys]
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        self._all = b"".join(encoded)

    def __getitem__(self, doc: int) -> str:
        return self._all[self._ends[doc] : self._ends[doc + 1]].decode("utf-8", "surrogatepass")


class Segment(ABC):
    """One immutable part of an index, read when needed and safe to share between threads.

    `size` counts deleted documents too: which ones are deleted changes with each commit and is the snapshot's business.
    """

    def __init__(self, name: str, size: int, memory: Memory) -> None:
        self.name = name
        self.size = size
        self._memory = memory
        self._columns: dict[tuple[str, str], Any] = {}

    @abstractmethod
    def read_postings(self, channel: str, token: str) -> Postings: ...

    @abstractmethod
    def read_places(self, stem: str) -> Places: ...

    @abstractmethod
    def read_lengths(self, channel: str) -> npt.NDArray[np.int32]: ...

    @abstractmethod
    def read_dates(self, name: str) -> Moments: ...

    @abstractmethod
    def read_keys(self) -> list[str]: ...

    @abstractmethod
    def stored(self, doc: int) -> Stored: ...

    @abstractmethod
    def frequency(self, channel: str, token: str) -> int:
        """Documents that hold the token, deleted ones included."""

    @abstractmethod
    def total_length(self, channel: str) -> float:
        """Of all documents, deleted ones included."""

    @abstractmethod
    def read_tokens(self, channel: str) -> list[str]:
        """All tokens of a channel, or values of a keyword field."""

    @abstractmethod
    def read_beginning_with(self, channel: str, prefix: str, most: int) -> Ids:
        """Documents that hold a token that begins so; of more tokens than `most`, the most frequent count."""

    def postings(self, channel: str, token: str) -> Postings:
        key = (self.name, channel, token)
        found: Postings = self._memory.recall(key, lambda: self.read_postings(channel, token))
        return found

    def places(self, stem: str) -> Places:
        found: Places = self._memory.recall((self.name, stem), lambda: self.read_places(stem))
        return found

    def beginning_with(self, channel: str, prefix: str, most: int) -> Ids:
        key = (self.name, channel, prefix, str(most))
        found: Ids = self._memory.recall(key, lambda: self.read_beginning_with(channel, prefix, most))
        return found

    def lengths(self, channel: str) -> npt.NDArray[np.int32]:
        found: npt.NDArray[np.int32] = self._column("lengths", channel, lambda: self.read_lengths(channel))
        return found

    def dates(self, name: str) -> Moments:
        found: Moments = self._column("dates", name, lambda: self.read_dates(name))
        return found

    def values(self, keyword: str) -> Values:
        found: Values = self._column("values", keyword, lambda: self._read_values(keyword))
        return found

    def vocabulary(self, channel: str) -> list[str]:
        found: list[str] = self._column("words", channel, lambda: self.read_tokens(channel))
        return found

    def keys(self) -> Keys:
        found: Keys = self._column("keys", "", lambda: Keys(self.read_keys()))
        return found

    def _column(self, kind: str, name: str, read: Callable[[], Any]) -> Any:
        if (kind, name) not in self._columns:
            self._columns[kind, name] = read()
        return self._columns[kind, name]

    def _read_values(self, keyword: str) -> Values:
        names = self.read_tokens(keyword)
        ids = [self.read_postings(keyword, value).ids for value in names]
        codes = np.repeat(np.arange(len(names), dtype=np.int32), [len(found) for found in ids])
        return Values(names, np.concatenate(ids) if ids else NOBODY, codes)


class Snapshot:
    """All segments of one commit, seen as one row of documents numbered from 0. Immutable, shared by threads."""

    _numbers = count()

    def __init__(self, segments: Sequence[Segment], deleted: Sequence[Sequence[int]], memory: Memory) -> None:
        ends = np.cumsum([0, *(segment.size for segment in segments)])
        self.segments = tuple(segments)
        self.bases = [int(base) for base in ends[:-1]]
        self.size = int(ends[-1])
        self.live: Mask = np.ones(self.size, np.bool_)
        for base, ids in zip(self.bases, deleted, strict=True):
            self.live[[base + doc for doc in ids]] = False
        self.documents = int(self.live.sum())
        self._name = f"snapshot {next(self._numbers)}"
        self._memory = memory
        self._norms: dict[str, Shares] = {}
        self._frequencies: dict[tuple[str, str], int] = {}
        self._masks: dict[Hashable, Mask] = {}

    def postings(self, channel: str, token: str) -> Postings:
        return self._across([segment.postings(channel, token) for segment in self.segments])

    def _across(self, found: Sequence[Postings]) -> Postings:
        """What each segment found, with the documents' numbers here."""
        ids = [part.ids + np.int32(base) if base else part.ids for base, part in zip(self.bases, found, strict=True)]
        return Postings(_joined(ids), _joined([part.weights for part in found]))

    def saturated(self, channel: str, token: str) -> Postings:
        """BM25's tf / (tf + norm) for each document that holds the token: all of its score but a factor.

        Never quite 0, so that a match shows in the score even where a field's boost is 0.
        """
        key = (self._name, channel, token)
        found: Postings = self._memory.recall(key, lambda: self._saturated(channel, token))
        return found

    def _saturated(self, channel: str, token: str) -> Postings:
        # Not by way of `postings`: memory is better filled with what is asked for again.
        ids, weights = self._across([segment.read_postings(channel, token) for segment in self.segments])
        shares = self.norms(channel).take(ids)
        shares += weights
        np.divide(weights, shares, out=shares)
        return Postings(ids, np.maximum(shares, np.float32(1e-30), out=shares))

    def frequency(self, channel: str, token: str) -> int:
        """Deleted documents count until they are merged away, in N alike: as in Lucene, the quotient hardly moves."""
        known = self._frequencies
        found = known.get((channel, token))
        if found is None:
            if len(known) >= _REMEMBERED:
                self._frequencies = {}  # costs less than keeping order
            found = known[channel, token] = sum(segment.frequency(channel, token) for segment in self.segments)
        return found

    def norms(self, channel: str) -> Shares:
        """BM25's K1 x ((1 - B) + B x length / average length), per document."""
        if channel not in self._norms:
            lengths = _joined([segment.lengths(channel) for segment in self.segments])
            average = sum(segment.total_length(channel) for segment in self.segments) / max(self.size, 1) or 1.0
            self._norms[channel] = (K1 * ((1 - B) + B * lengths / average)).astype(np.float32)
        return self._norms[channel]

    def mask(self, key: Hashable, work_out: Callable[[], Mask]) -> Mask:
        """Documents that a reader may see, or of a kind: wanted again with each letter typed. Not to be written to."""
        found = self._masks.get(key)
        if found is None:
            if len(self._masks) >= _MASKS:
                self._masks = {}
            found = self._masks[key] = work_out()
        return found

    def dates(self, name: str) -> Moments:
        return _joined([segment.dates(name) for segment in self.segments])

    def phrase(self, stems: Sequence[str]) -> Ids:
        """Documents that have the stems side by side."""
        return _joined([phrase_in(segment, stems) + np.int32(base) for base, segment in self._parts()])

    def counts(self, keyword: str, mask: Mask) -> dict[str, int]:
        """How many of these documents have each value."""
        total: Counter[str] = Counter()
        for base, segment in self._parts():
            values = segment.values(keyword)
            chosen = values.codes[mask[values.ids + base]]
            counted = np.bincount(chosen, minlength=len(values.names))
            total.update({values.names[code]: int(counted[code]) for code in counted.nonzero()[0]})
        return dict(total)

    def beginning_with(self, channel: str, prefix: str, most: int) -> Ids:
        """Documents that hold a token that begins so; in each segment, of the `most` most frequent."""
        return _joined(
            [segment.beginning_with(channel, prefix, most) + np.int32(base) for base, segment in self._parts()]
        )

    def keys(self, ids: npt.NDArray[np.integer] | Sequence[int]) -> list[str]:
        docs = np.asarray(ids, np.int64)
        parts = np.searchsorted(self.bases, docs, side="right") - 1
        local = docs - np.asarray(self.bases, np.int64)[parts]
        keys = [segment.keys() for segment in self.segments]
        return [keys[part][doc] for part, doc in zip(parts.tolist(), local.tolist(), strict=True)]

    def docs_of(self, keys: Sequence[str]) -> list[int]:
        """Where documents with these keys are stored, if they are."""
        found = [self.postings(KEY, key).ids for key in keys]
        return [doc for ids in found for doc in ids[self.live[ids]].tolist()]

    def stored(self, doc: int) -> Stored:
        part = bisect_right(self.bases, doc) - 1
        return self.segments[part].stored(doc - self.bases[part])

    def living_in(self, number: int) -> Mask:
        """Which documents of a segment are there."""
        base = self.bases[number]
        return self.live[base : base + self.segments[number].size]

    def live_sizes(self) -> list[int]:
        return [int(self.living_in(number).sum()) for number in range(len(self.segments))]

    def _parts(self) -> Iterator[tuple[int, Segment]]:
        return zip(self.bases, self.segments, strict=True)


def phrase_in(segment: Segment, stems: Sequence[str]) -> Ids:
    """Where the last stem would have to stand, by each stem's places; rarest first, for the fewest comparisons."""
    wanted = [segment.places(stem) + np.uint64(after) for after, stem in enumerate(reversed(stems))]
    wanted.sort(key=len)
    ends = wanted[0] if wanted else np.empty(0, np.uint64)
    for places in wanted[1:]:
        if not len(ends) or not len(places):
            return NOBODY
        at = np.searchsorted(places, ends)
        ends = ends[places[np.minimum(at, len(places) - 1)] == ends]
    return np.unique(ends >> np.uint64(32)).astype(np.int32)


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays) if arrays else np.empty(0, np.int32)
