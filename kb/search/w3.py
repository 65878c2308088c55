"""Whoosh's files, read and written by whole lists: the format of its W3 codec. Does not import whoosh.

Whoosh 2.7.4 and its forks write and read these same files, but posting by posting, through a Python object for each
token and one file position for all threads. A list at a time takes a tenth of the time. The parts of a segment's file:

    directory      name -> offset and length of the others, pickled
    .trm           tokens in order, each with its term info, and a hash table to find one (Bernstein's cdb)
    .pst           posting lists; short ones stand in the term info instead
    .NAME.col      one value of fixed width per document
"""

from __future__ import annotations

import os
import pickle
import struct
import weakref
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, wraps
from hashlib import md5
from heapq import nlargest
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from kb.search.base import Corrupt, SearchError, Stored
from kb.search.inversion import decoded, encoded, places_from
from kb.search.segments import KEY, NO_DATE, NOBODY, Ids, Memory, Moments, Places, Postings, Segment

PLACES, VERSION, DIGEST = "places", "version", "digest"
DIGEST_LENGTH = 24
NO_VERSION = -1

INLINED = 4  # postings in a list, at most, that stands in the term info: most tokens are rare
BLOCK = 4096  # postings; not Whoosh's 128, as lists are read as a whole
FEW = 32  # numbers, at most, that are kept as a tuple
WORTH_COMPRESSING = 512  # bytes of positions; the rest is small already, and quicker to read as it is
_COMPRESSION = 3  # Whoosh's own
_MARK = b"W3Bl"

_DIRECTORY = struct.Struct("!q")  # its place, at the start of the file
_TABLE = struct.Struct("!qi")  # of slots: place, number
_SLOT = struct.Struct("!Iq")  # hash, place of the entry
_ENTRY = struct.Struct("!ii")  # length of the key, length of the term info, which follow
_INFO = struct.Struct("!BfIBBfII")  # inlined?, weight, frequency, lengths, most weight, first and last document
_EXTENT = struct.Struct("!qi")
_LENGTH = struct.Struct("!i")
_TABLES = 256
_FIRST_ENTRY = 13  # behind the header of the hash file
_ARRAYS = {"B": "u1", "H": ">u2", "i": ">i4", "I": ">u4", "q": ">i8"}  # Whoosh's type codes
_PROBES = 4  # slots read at once
_REMEMBERED = 20_000  # term infos in each segment, about 5 MB
_MOSTLY_ENOUGH = 96  # bytes of a term info
_CHUNK = 1 << 16

R = TypeVar("R")


def date_column(name: str) -> str:
    return f"date_{name}"


Weights = npt.NDArray[np.float32]


class PostingArrays(NamedTuple):
    """The documents that hold a token, ascending, its weight in each, and where, if that is kept."""

    ids: Ids
    weights: Weights
    positions: bytes


# --- posting lists -------------------------------------------------------------------------------------------------
# A list is a mark and its blocks. A block is its length (negative: the last one), a pickled header, and the pickled
# content: differences of document numbers, weights, payloads. Whoosh writes tuples and takes any sequence: arrays are
# read ten times as fast.


def encode(ids: Ids, weights: Weights, positions: bytes, place: int) -> tuple[bytes, bytes]:
    """The term info of a token, and the list that will stand at `place`; a short one is part of the info."""
    few = len(ids) <= FEW
    head = _INFO.pack(
        len(ids) <= INLINED,
        sum(weights.tolist()) if few else float(weights.sum(dtype=np.float64)),
        len(ids),
        0,  # the shortest document that holds it is not told, nor the longest: only Whoosh's own shortcuts need it,
        0,  # and so take any for the shortest possible
        max(weights.tolist()) if few else float(weights.max()),
        int(ids[0]),
        int(ids[-1]),
    )
    if len(ids) <= INLINED:
        payloads = (positions,) if positions else ()
        return head + pickle.dumps((tuple(ids.tolist()), tuple(weights.tolist()), payloads), 2), b""
    data = _encode_list(ids, weights, positions)
    return head + _EXTENT.pack(place, len(data)), data


def _encode_list(ids: Ids, weights: Weights, positions: bytes) -> bytes:
    """The positions go with the first block, as lists are read as a whole."""
    starts = range(0, len(ids), BLOCK)
    blocks = [_block(ids[at : at + BLOCK], weights[at : at + BLOCK], b"" if at else positions) for at in starts]
    lengths = [len(block) for block in blocks[:-1]] + [-len(blocks[-1])]
    return _MARK + b"".join(_LENGTH.pack(length) + block for length, block in zip(lengths, blocks, strict=True))


def _block(ids: Ids, weights: Weights, positions: bytes) -> bytes:
    differences = np.diff(ids, prepend=ids.dtype.type(0))
    content = pickle.dumps((_sequence(differences), _kept(weights), (positions,) if positions else None), 4)
    compression = _COMPRESSION if len(positions) >= WORTH_COMPRESSING else 0
    header = pickle.dumps((len(ids), int(ids[-1]), float(weights.max()), compression, 0, 0), 2)
    return header + (zlib.compress(content, compression) if compression else content)


def _kept(weights: Weights) -> Any:
    """None: all are 1. A number: all are that."""
    most = float(weights.max())
    if float(weights.min()) == most:
        return None if most == 1.0 else most
    whole = weights.astype(np.uint32) if most < 1 << 16 else weights
    return _sequence(whole if np.array_equal(whole, weights) else weights)


def _sequence(values: npt.NDArray[Any]) -> Any:
    """A tuple of a few; of more an array of the smallest kind that holds them."""
    if len(values) <= FEW:
        return tuple(values.tolist())
    if values.dtype == np.float32:
        return array("f", values.tobytes())
    most = int(values.max())
    kind = "B" if most < 1 << 8 else "H" if most < 1 << 16 else "I"
    return array(kind, values.astype(kind).tobytes())


def _as_array(kept: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.frombuffer(kept, kept.typecode).astype(kind) if isinstance(kept, array) else np.array(kept, kind)


def decode_list(data: bytes) -> PostingArrays:
    blocks = [_decoded(*content) for content in _contents(data)]
    if len(blocks) == 1:
        return blocks[0]
    ids, weights, positions = zip(*blocks, strict=True)
    return PostingArrays(np.concatenate(ids), np.concatenate(weights), b"".join(positions))


def _decoded(differences: Any, kept: Any, payloads: Sequence[bytes] | None) -> PostingArrays:
    ids = _as_array(differences, np.int32).cumsum(dtype=np.int32)
    if kept is None or isinstance(kept, float):
        weights = np.full(len(ids), 1.0 if kept is None else kept, np.float32)
    else:
        weights = _as_array(kept, np.float32)
    return PostingArrays(ids, weights, b"".join(payloads or ()))


def _contents(data: bytes) -> Iterator[tuple[Any, Any, Any]]:
    if not data.startswith(_MARK):
        raise ValueError("these are no postings")
    at, length = len(_MARK), 0
    while length >= 0:
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        block = BytesIO(data[at : at + abs(length)])
        compression = _unpickled(block)[3]
        yield _unpickled(BytesIO(zlib.decompress(block.read())) if compression else block)
        at += abs(length)


def _unpickled(stream: BytesIO) -> Any:
    """Whoosh keeps pickles; `kb.search.generations` has seen to it that nobody else can have written them."""
    return pickle.load(stream)  # noqa: S301


def frequency_of(info: bytes) -> int:
    return int(_INFO.unpack_from(info)[2])


def _inlined(info: bytes) -> PostingArrays:
    ids, weights, payloads = _unpickled(BytesIO(info[_INFO.size :]))
    return PostingArrays(np.array(ids, np.int32), np.array(weights, np.float32), b"".join(payloads))


_NOTHING = PostingArrays(np.empty(0, np.int32), np.empty(0, np.float32), b"")


# --- segments ------------------------------------------------------------------------------------------------------


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
        (place,) = _DIRECTORY.unpack(self._at(0, _DIRECTORY.size))
        listed = _unpickled(BytesIO(self._at(place, os.fstat(self._file.fileno()).st_size - place)))
        self._parts = {name.removeprefix(self.name): (at["offset"], at["length"]) for name, at in listed.items()}
        self._postings_place, _ = self._parts[".pst"]
        self._tokens_place, length = self._parts[".trm"]
        tail_length = _LENGTH.size + _LENGTH.unpack(self._token_bytes(length - _LENGTH.size, _LENGTH.size))[0]
        tables = length - tail_length - _TABLES * _TABLE.size
        self._tables = list(_TABLE.iter_unpack(self._token_bytes(tables, _TABLES * _TABLE.size)))
        self._entries_end = self._tables[0][0]
        tail = BytesIO(self._token_bytes(length - tail_length, tail_length))
        extras = _unpickled(tail)
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
        return frequency_of(info) if info else 0

    def total_length(self, channel: str) -> float:
        return float(self._total_lengths.get(channel, 0.0))

    @_guarded
    def read_tokens(self, channel: str) -> list[str]:
        return [token for token, _ in self._infos(channel, b"")]

    @_guarded
    def read_beginning_with(self, channel: str, prefix: str, most: int) -> Ids:
        infos = [info for _, info in self._infos(channel, encoded(prefix))]
        lists = [self._list(info).ids for info in nlargest(most, infos, key=frequency_of)]
        return np.unique(np.concatenate(lists)) if lists else NOBODY

    @_guarded
    def read_lengths(self, channel: str) -> npt.NDArray[np.int32]:
        lengths: npt.NDArray[np.int32] = self._length_of_byte[self._numbers(f"_{channel}_len", "u1", 0)]
        return lengths

    @_guarded
    def read_dates(self, name: str) -> Moments:
        return self._numbers(date_column(name), ">i8", NO_DATE).astype(np.int64)

    @_guarded
    def read_keys(self) -> list[str]:
        keys = [""] * self.size
        for key, info in self._infos(KEY, b""):
            for doc in self._list(info).ids.tolist():
                keys[doc] = key
        return keys

    def stored(self, doc: int) -> Stored:
        versions, digests = self._column("stored", "", self._read_stored)
        return Stored(int(versions[doc]), digests[doc].decode())

    @_guarded
    def _read_stored(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return self._numbers(VERSION, ">i8", NO_VERSION), self._numbers(DIGEST, f"S{DIGEST_LENGTH}", b"")

    def lists(self, field: str) -> Iterator[tuple[str, PostingArrays]]:
        """All tokens of a field with their postings: what a merge copies."""
        return ((token, self._list(info)) for token, info in self._infos(field, b""))

    # --- tokens

    def _find(self, field: str, token: str) -> bytes | None:
        """The term info of a token. A suggestion asks for hundreds, mostly the same ones as that before."""
        known = self._known
        if (field, token) in known:
            return known[field, token]
        if len(known) >= _REMEMBERED:
            self._known = {}  # costs less than keeping order; another thread may still have the old one
        found = known[field, token] = self._looked_up(field, encoded(token))
        return found

    def _looked_up(self, field: str, token: bytes) -> bytes | None:
        """Two reads, mostly."""
        if field not in self._fields:
            return None
        key = self._fields[field] + token
        found = (self._info_at(place, key) for place in self._slots(key))
        return next(filter(None, found), None)

    def _slots(self, key: bytes) -> Iterator[int]:
        """Where entries of this key's hash stand: from its own slot on, up to an empty one."""
        wanted = int.from_bytes(md5(key, usedforsecurity=False).digest()[-4:], "big")
        start, count = self._tables[wanted & 255]
        slot, seen = (wanted >> 8) % max(count, 1), 0
        while seen < count:
            few = min(_PROBES, count - slot)
            for hashed, place in _SLOT.iter_unpack(self._token_bytes(start + slot * _SLOT.size, few * _SLOT.size)):
                if not place:
                    return
                if hashed == wanted:
                    yield place
            slot, seen = (slot + few) % count, seen + few

    def _info_at(self, place: int, key: bytes) -> bytes | None:
        """The term info of the entry here, if it is this key's."""
        entry = self._token_bytes(place, _ENTRY.size + len(key) + _MOSTLY_ENOUGH, at_least=_ENTRY.size + len(key))
        key_length, length = _ENTRY.unpack_from(entry)
        start = _ENTRY.size + key_length
        if entry[_ENTRY.size : start] != key:
            return None
        info = entry[start : start + length]
        return info if len(info) == length else self._token_bytes(place + start, length)

    def _infos(self, field: str, prefix: bytes) -> Iterator[tuple[str, bytes]]:
        """The tokens of a field that begin so, in order."""
        if field not in self._fields:
            return
        start = self._fields[field] + prefix
        at = bisect_left(self._places, start, key=self._key_at)
        if at < len(self._places):
            for key, info in self._entries(int(self._places[at])):
                if not key.startswith(start):
                    return
                yield decoded(key[2:]), info

    @cached_property
    def _places(self) -> npt.NDArray[Any]:
        """Where each entry begins, in order."""
        start, kind, count = self._order
        return np.frombuffer(self._token_bytes(start, count * np.dtype(kind).itemsize), kind)

    def _key_at(self, place: int) -> bytes:
        length, _ = _ENTRY.unpack(self._token_bytes(int(place), _ENTRY.size))
        return self._token_bytes(int(place) + _ENTRY.size, length)

    def _entries(self, place: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, term info) from here on, read by the chunk."""
        size = _CHUNK
        while place < self._entries_end:
            chunk, at = self._token_bytes(place, min(size, self._entries_end - place)), 0
            while at + _ENTRY.size <= len(chunk):
                key_length, length = _ENTRY.unpack_from(chunk, at)
                start = at + _ENTRY.size
                if start + key_length + length > len(chunk):
                    break
                yield chunk[start : start + key_length], chunk[start + key_length : start + key_length + length]
                at = start + key_length + length
            place += at
            size = _CHUNK if at else 2 * size  # one entry may be longer than a chunk

    # --- bytes

    def _list(self, info: bytes | None) -> PostingArrays:
        if info is None:
            return _NOTHING
        if info[0]:
            return _inlined(info)
        offset, length = _EXTENT.unpack_from(info, _INFO.size)
        found = decode_list(self._at(self._postings_place + offset, length))
        if found.ids[0] < 0 or found.ids[-1] >= self.size:
            raise ValueError(f"documents {found.ids[0]} to {found.ids[-1]} in a segment of {self.size}")
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
