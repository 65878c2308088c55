"""A new segment: of documents, or of the documents of older segments. What is written is the engine's business."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kb.search import lists, w3
from kb.search.base import CHANNELS
from kb.search.entries import Entry
from kb.search.inversion import POSITION, Inversion, PlacesInversion, PostingList
from kb.search.lists import PostingArrays
from kb.search.segments import Ids, Mask
from kb.search.w3 import W3Segment
from kb.search.w3_writing import SegmentFile

Column = tuple[str, int | bytes]  # its type in the file, what stands for a missing value


class Made(NamedTuple):
    """A segment's file, closed; `lengths`: of each channel, in all."""

    path: Path
    documents: int
    lengths: Mapping[str, float]


class Drawer:
    """Documents that will be a segment. In memory until then: 12 bytes for each occurrence of a word."""

    def __init__(self, columns: Mapping[str, Column], length_of_byte: Ids) -> None:
        self.documents = 0
        self._length_of_byte = length_of_byte
        self._places = PlacesInversion()
        self._inversions: defaultdict[str, Inversion] = defaultdict(Inversion, {w3.PLACES: self._places})
        self._columns = {name: column for name, column in columns.items() if name not in _LENGTHS.values()}
        self._rows: dict[str, list[Any]] = {name: [] for name in self._columns}
        self._lengths = {channel: array("d") for channel in CHANNELS}

    def add(self, entry: Entry) -> None:
        for channel, weights in entry.channels.items():
            self._inversions[channel].add(self.documents, weights, weights.values())
        for name, values in entry.exact.items():
            self._inversions[name].add(self.documents, values, repeat(1.0, len(values)))
        self._places.add_fields(self.documents, entry.fields)
        for channel, lengths in self._lengths.items():
            lengths.append(sum(entry.channels[channel].values()))
        for name, rows in self._rows.items():
            rows.append(entry.row.get(name, self._columns[name][1]))
        self.documents += 1

    def write(self, path: Path) -> Made:
        columns = {name: np.array(rows, self._columns[name][0]) for name, rows in self._rows.items()}
        for channel, lengths in self._lengths.items():
            columns[_LENGTHS[channel]] = self._as_bytes(np.asarray(lengths))
        with _written(path) as file:
            for name in sorted(self._inversions):
                file.start_field(name)
                for postings in self._inversions.pop(name).lists():
                    file.add(postings)
            file.finish(columns, self.documents)
        return Made(path, self.documents, {channel: sum(lengths) for channel, lengths in self._lengths.items()})

    def _as_bytes(self, lengths: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        """Whoosh keeps them so: the next of the 256 lengths that a byte stands for."""
        return np.minimum(np.searchsorted(self._length_of_byte, lengths), 255).astype(np.uint8)


_LENGTHS = {channel: w3.length_column(channel) for channel in CHANNELS}


class Source:
    """A segment to be merged. `numbers`: of each document its number in the new segment; -1: it is left out."""

    def __init__(self, segment: W3Segment, living: Mask, first: int) -> None:
        self.segment = segment
        self.living = living
        self.numbers: Ids = np.where(living, first - 1 + np.cumsum(living, dtype=np.int32), -1).astype(np.int32)
        self.number_of: list[int] = self.numbers.tolist()
        self.end = first + int(living.sum())
        self.shift = first if living.all() else None  # what each number grows by, if all stay

    def infos(self, at: int, field: str) -> Iterator[tuple[bytes, int, bytes]]:
        return ((token, at, info) for token, info in self.segment.infos(field))

    def living_postings(self, info: bytes, *, places: bool) -> PostingArrays:
        ids, weights, positions = self.segment.postings_of(info)
        if self.shift is not None:
            return PostingArrays(ids + np.int32(self.shift), weights, positions)
        stay = self.living[ids]
        if places:
            positions = np.frombuffer(positions, POSITION)[np.repeat(stay, weights.astype(np.int64))].tobytes()
        return PostingArrays(self.numbers[ids][stay], weights[stay], positions)


def sources_of(segments: Sequence[W3Segment], living: Sequence[Mask]) -> list[Source]:
    sources: list[Source] = []
    for segment, mask in zip(segments, living, strict=True):
        sources.append(Source(segment, mask, sources[-1].end if sources else 0))
    return sources


def merged(path: Path, sources: Sequence[Source], columns: Mapping[str, Column]) -> Made:
    """One segment of several, token by token: 0.2 ms a document, and no more memory than the longest list takes."""
    documents = sources[-1].end
    with _written(path) as file:
        for field in sorted({field for source in sources for field in source.segment.fields}):
            file.start_field(field)
            _merge_field(file, sources, field)
        rows = {
            name: np.concatenate(
                [source.segment.column(name, kind, missing)[source.living] for source in sources], dtype=kind
            )
            for name, (kind, missing) in columns.items()
        }
        file.finish(rows, documents)
    lengths = {
        channel: sum(float(source.segment.lengths(channel)[source.living].sum()) for source in sources)
        for channel in CHANNELS
    }
    return Made(path, documents, lengths)


def _merge_field(file: SegmentFile, sources: Sequence[Source], field: str) -> None:
    streams = [source.infos(at, field) for at, source in enumerate(sources)]
    for token, group in groupby(merge(*streams), key=itemgetter(0)):
        found = [(sources[at], info) for _, at, info in group]
        if all(lists.extent_of(info) is None for _, info in found):
            _add_short(file, token, *lists.joined((info, source.number_of) for source, info in found))
            continue
        postings = _joined(found, places=field == w3.PLACES)
        if len(postings.ids):  # else all its documents are deleted, and it is no token any more
            file.add(PostingList(token, *postings))


def _add_short(file: SegmentFile, token: bytes, ids: list[int], weights: list[float], positions: bytes) -> None:
    if 0 < len(ids) <= lists.INLINED:
        file.add_info(token, lists.inlined_info(ids, weights, positions))
    elif ids:
        file.add(PostingList(token, np.array(ids, np.int32), np.array(weights, np.float32), positions))


def _joined(found: Sequence[tuple[Source, bytes]], *, places: bool) -> PostingArrays:
    parts = [source.living_postings(info, places=places) for source, info in found]
    ids, weights = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    return PostingArrays(ids, weights, b"".join(part.positions for part in parts))


@contextmanager
def _written(path: Path) -> Iterator[SegmentFile]:
    """A file that is closed, and does not stay if it was not finished."""
    file = SegmentFile(path)
    try:
        yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        file.close()
