"""The file of one of Whoosh's segments, read by whole lists: the format of its W3 codec. Does not import whoosh.

Whoosh 2.7.4 and its forks write and read these same files, but posting by posting, through a Python object for each
token and one file position for all threads. A list at a time takes a tenth of the time. The parts of the file:

    directory      name -> offset and length of the others, pickled
    .trm           tokens in order, each with its term info, and a hash table to find one (Bernstein's cdb)
    .pst           posting lists (see `kb.search.lists`); short ones stand in the term info instead
    .NAME.col      one value of fixed width per document
"""

from __future__ import annotations

import os
import struct
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, wraps
from hashlib import md5
from heapq import nlargest
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kb.search import lists
from kb.search.base import CHANNELS, Corrupt, SearchError, Stored
from kb.search.inversion import decoded, encoded, places_from
from kb.search.lists import PostingArrays
from kb.search.memory import Memory
from kb.search.segments import KEY, NO_DATE, NOBODY, Ids, Moments, Places, Postings, Segment

PLACES, VERSION, DIGEST = "places", "version", "digest"
DIGEST_LENGTH = 24
NO_VERSION = -1

DIRECTORY = struct.Struct("!qi")  # its place and length, at the start of the file
TABLE = struct.Struct("!qi")  # of slots: place, number
_SLOT = struct.Struct("!Iq")  # hash, place of the entry
ENTRY = struct.Struct("!ii")  # length of the key, length of the term info, which follow
LENGTH = struct.Struct("!i")
TABLES = 256
_ARRAYS = {"B": "u1", "H": ">u2", "i": ">i4", "I": ">u4", "q": ">i8"}  # Whoosh's type codes
_PROBES = 4  # slots read at once
_REMEMBERED = 2_000  # term infos in each segment, 400 KB: a suggestion asks first for frequencies, then for postings
_MOSTLY_ENOUGH = 96  # bytes of a term info
_CHUNK = 1 << 16

R = TypeVar("R")


def date_column(name: str) -> str:
    return f"date_{name}"


def length_column(channel: str) -> str:
    return f"_{channel}_len"


def columns(dates: Iterable[str]) -> dict[str, tuple[str, int | bytes]]:
    """All columns of a segment, each with its type in the file and what stands for a missing value."""
    return {
        **{length_column(channel): ("u1", 0) for channel in CHANNELS},
        **{date_column(name): (">i8", NO_DATE) for name in dates},
        VERSION: (">i8", NO_VERSION),
        DIGEST: (f"S{DIGEST_LENGTH}", b""),
    }


def _guarded(read: Callable[..., R]) -> Callable[..., R]:
    """Whatever a damaged file leads to has one name."""

    @wraps(read)
    def guarded(*args: Any) -> R:
        try:
            return read(*args)
        except SearchError:
            raise
        except Exception as error:
            raise Corrupt(f"the index cannot be read: {type(error).__name__}: {error}") from error

    return guarded


class W3Segment(Segment):
    """The file of one segment. Read where the bytes stand, never by a common position: threads need not wait.

    Not mapped into memory: to read behind the end of a mapped file that was cut off kills the process.
    """

    def __init__(
        self, path: Path, size: int, total_lengths: Mapping[str, float], length_of_byte: Ids, memory: Memory
    ) -> None:
        super().__init__(path.stem, size, memory)
        self._total_lengths = total_lengths
        self._length_of_byte = length_of_byte
        self._known: dict[tuple[str, str], bytes | None] = {}
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._open()

    @_guarded
    def _open(self) -> None:
        place, _ = DIRECTORY.unpack(self._at(0, DIRECTORY.size))
        listed = lists.unpickled(BytesIO(self._at(place, os.fstat(self._file.fileno()).st_size - place)))
        self._parts = {name.removeprefix(self.name): (at["offset"], at["length"]) for name, at in listed.items()}
        self._postings_place, _ = self._parts[".pst"]
        self._tokens_place, length = self._parts[".trm"]
        tail_length = LENGTH.size + LENGTH.unpack(self._token_bytes(length - LENGTH.size, LENGTH.size))[0]
        tables = length - tail_length - TABLES * TABLE.size
        self._tables = list(TABLE.iter_unpack(self._token_bytes(tables, TABLES * TABLE.size)))
        self._entries_end = self._tables[0][0]
        tail = BytesIO(self._token_bytes(length - tail_length, tail_length))
        extras = lists.unpickled(tail)
        self._fields: dict[str, bytes] = {name: struct.pack("!H", n) for name, n in extras["fieldmap"].items()}
        self._order = (length - tail_length + tail.tell(), _ARRAYS[extras["indextype"]], extras["indexlen"])

    # --- what the base class wants

    @_guarded
    def read_postings(self, channel: str, token: str) -> Postings:
        ids, weights, _ = self._list(self._find(channel, token))
        return Postings(ids, weights)

    @_guarded
    def read_places(self, stem: str) -> Places:
        return places_from(*self._list(self._find(PLACES, stem)))

    @_guarded
    def frequency(self, channel: str, token: str) -> int:
        info = self._find(channel, token)
        return lists.frequency_of(info) if info else 0

    def total_length(self, channel: str) -> float:
        return float(self._total_lengths.get(channel, 0.0))

    @_guarded
    def read_tokens(self, channel: str) -> list[str]:
        return [decoded(token) for token, _ in self._infos(channel, b"")]

    @_guarded
    def read_beginning_with(self, channel: str, prefix: str, most: int) -> Ids:
        infos = [info for _, info in self._infos(channel, encoded(prefix))]
        holders = [self._list(info).ids for info in nlargest(most, infos, key=lists.frequency_of)]
        return np.unique(np.concatenate(holders)) if holders else NOBODY

    @_guarded
    def read_lengths(self, channel: str) -> npt.NDArray[np.int32]:
        lengths: npt.NDArray[np.int32] = self._length_of_byte[self._numbers(length_column(channel), "u1", 0)]
        return lengths

    @_guarded
    def read_dates(self, name: str) -> Moments:
        return self._numbers(date_column(name), ">i8", NO_DATE).astype(np.int64)

    @_guarded
    def read_keys(self) -> list[str]:
        keys = [""] * self.size
        for token, info in self._infos(KEY, b""):
            key = decoded(token)
            for doc in self._list(info).ids.tolist():
                keys[doc] = key
        return keys

    def stored(self, doc: int) -> Stored:
        versions, digests = self._column("stored", "", self._read_stored)
        return Stored(int(versions[doc]), digests[doc].decode())

    @_guarded
    def _read_stored(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return self._numbers(VERSION, ">i8", NO_VERSION), self._numbers(DIGEST, f"S{DIGEST_LENGTH}", b"")

    # --- what a merge copies

    @property
    def fields(self) -> Iterable[str]:
        return self._fields

    def infos(self, field: str) -> Iterator[tuple[bytes, bytes]]:
        """The tokens of a field, in order, each with its term info."""
        return self._infos(field, b"")

    def postings_of(self, info: bytes) -> PostingArrays:
        return self._list(info)

    def column(self, name: str, kind: str, missing: int | bytes) -> npt.NDArray[Any]:
        """A value of the file's own type for each document."""
        return self._numbers(name, kind, missing)

    # --- tokens

    def _find(self, field: str, token: str) -> bytes | None:
        """The term info of a token, if any document holds it."""
        known = self._known
        if (field, token) in known:
            return known[field, token]
        if len(known) >= _REMEMBERED:
            self._known = {}  # costs less than keeping order; another thread may still have the old one
        found = known[field, token] = self._looked_up(field, encoded(token))
        return found

    def _looked_up(self, field: str, token: bytes) -> bytes | None:
        """Two reads, mostly: a token's hash tells where its slot is; if that is taken, the next ones are looked at."""
        if field not in self._fields:
            return None
        key = self._fields[field] + token
        wanted = int.from_bytes(md5(key, usedforsecurity=False).digest()[-4:], "big")
        start, count = self._tables[wanted & (TABLES - 1)]
        slot, seen = (wanted >> 8) % max(count, 1), 0
        while seen < count:
            few = min(_PROBES, count - slot)
            for hashed, place in _SLOT.iter_unpack(self._token_bytes(start + slot * _SLOT.size, few * _SLOT.size)):
                if not place:
                    return None
                if hashed == wanted and (info := self._info_at(place, key)) is not None:
                    return info
            slot, seen = (slot + few) % count, seen + few
        return None

    def _info_at(self, place: int, key: bytes) -> bytes | None:
        """The term info of the entry here, if it is this key's."""
        entry = self._token_bytes(place, ENTRY.size + len(key) + _MOSTLY_ENOUGH, at_least=ENTRY.size + len(key))
        key_length, length = ENTRY.unpack_from(entry)
        start = ENTRY.size + key_length
        if entry[ENTRY.size : start] != key:
            return None
        info = entry[start : start + length]
        return info if len(info) == length else self._token_bytes(place + start, length)

    def _infos(self, field: str, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The tokens of a field that begin so, in order."""
        if field not in self._fields:
            return
        start = self._fields[field] + prefix
        at = bisect_left(self._places, start, key=self._key_at)
        if at < len(self._places):
            for key, info in self._entries(int(self._places[at])):
                if not key.startswith(start):
                    return
                yield key[2:], info

    @cached_property
    def _places(self) -> npt.NDArray[Any]:
        """Where each entry begins, in order."""
        start, kind, count = self._order
        return np.frombuffer(self._token_bytes(start, count * np.dtype(kind).itemsize), kind)

    def _key_at(self, place: int) -> bytes:
        length, _ = ENTRY.unpack(self._token_bytes(int(place), ENTRY.size))
        return self._token_bytes(int(place) + ENTRY.size, length)

    def _entries(self, place: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, term info) from here on, read by the chunk."""
        size = _CHUNK
        while place < self._entries_end:
            chunk, at = self._token_bytes(place, min(size, self._entries_end - place)), 0
            while at + ENTRY.size <= len(chunk):
                key_length, length = ENTRY.unpack_from(chunk, at)
                start = at + ENTRY.size
                if start + key_length + length > len(chunk):
                    break
                yield chunk[start : start + key_length], chunk[start + key_length : start + key_length + length]
                at = start + key_length + length
            place += at
            size = _CHUNK if at else 2 * size  # one entry may be longer than a chunk

    # --- bytes

    def _list(self, info: bytes | None) -> PostingArrays:
        if info is None:
            return lists.NOTHING
        extent = lists.extent_of(info)
        found = lists.decode(self._at(self._postings_place + extent[0], extent[1])) if extent else lists.inlined(info)
        if found.ids[-1] >= self.size or len(found.ids) != len(found.weights):
            raise ValueError("a posting list that cannot be")
        return found

    def _numbers(self, column: str, kind: str, missing: int | bytes) -> npt.NDArray[Any]:
        """A column. Whoosh leaves out the whole of it, or the rows at its end, where all is missing."""
        values = np.full(self.size, missing, kind)
        written = np.frombuffer(self._at(*self._parts.get(f".{column}.col", (0, 0))), kind)
        values[: len(written)] = written
        return values

    def _token_bytes(self, place: int, length: int, *, at_least: int | None = None) -> bytes:
        return self._at(self._tokens_place + place, length, at_least=at_least)

    def _at(self, place: int, length: int, *, at_least: int | None = None) -> bytes:
        data = os.pread(self._file.fileno(), length, place)
        if len(data) < (length if at_least is None else at_least):
            raise EOFError(f"{self.name} is cut off")
        return data
