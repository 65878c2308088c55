"""Posting lists and term infos as Whoosh's W3 codec keeps them: arrays -> bytes -> arrays. Does not import whoosh.

A list is a mark and its blocks. A block is its length (negative: the last one), a pickled header, and the pickled
content: differences of document numbers, weights, payloads. Whoosh writes tuples and takes any sequence: arrays are
read ten times as fast.
"""

from __future__ import annotations

import pickle
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kb.search.segments import Ids

INLINED = 4  # postings in a list, at most, that stands in the term info: most tokens are rare
POSITION_SIZE = 4  # bytes
BLOCK = 4096  # postings; not Whoosh's 128, as lists are read as a whole
FEW = 32  # numbers, at most, that are kept as a tuple
WORTH_COMPRESSING = 512  # bytes of positions; the rest is small already, and quicker to read as it is
_COMPRESSION = 3  # Whoosh's own
_MARK = b"W3Bl"
_INFO = struct.Struct("!BfIBBfII")  # inlined?, weight, frequency, lengths, most weight, first and last document
_EXTENT = struct.Struct("!qi")
_LENGTH = struct.Struct("!i")

Weights = npt.NDArray[np.float32]


class PostingArrays(NamedTuple):
    """The documents that hold a token, ascending, its weight in each, and where, if that is kept."""

    ids: Ids
    weights: Weights
    positions: bytes


def encode(ids: Ids, weights: Weights, positions: bytes, place: int) -> tuple[bytes, bytes]:
    """The term info of a token, and the list that will stand at `place`; a short one is part of the info."""
    if len(ids) <= INLINED:
        return inlined_info(ids.tolist(), weights.tolist(), positions), b""
    few = len(ids) <= FEW
    total = sum(weights.tolist()) if few else float(weights.sum(dtype=np.float64))
    most = max(weights.tolist()) if few else float(weights.max())
    data = _encode_list(ids, weights, positions)
    # The shortest document that holds it is not told, nor the longest: only Whoosh's own shortcuts need them, and so
    # take any for the shortest possible.
    head = _INFO.pack(False, total, len(ids), 0, 0, most, int(ids[0]), int(ids[-1]))
    return head + _EXTENT.pack(place, len(data)), data


def inlined_info(ids: Sequence[int], weights: Sequence[float], positions: bytes) -> bytes:
    head = _INFO.pack(True, sum(weights), len(ids), 0, 0, max(weights), ids[0], ids[-1])
    return head + pickled((tuple(ids), tuple(weights), (positions,) if positions else ()))


def _encode_list(ids: Ids, weights: Weights, positions: bytes) -> bytes:
    """The positions go with the first block, as lists are read as a whole."""
    starts = range(0, len(ids), BLOCK)
    blocks = [_block(ids[at : at + BLOCK], weights[at : at + BLOCK], b"" if at else positions) for at in starts]
    lengths = [len(block) for block in blocks[:-1]] + [-len(blocks[-1])]
    return _MARK + b"".join(_LENGTH.pack(length) + block for length, block in zip(lengths, blocks, strict=True))


def _block(ids: Ids, weights: Weights, positions: bytes) -> bytes:
    differences = ids.copy()
    differences[1:] -= ids[:-1]
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
    if isinstance(kept, array):
        return np.frombuffer(kept, kept.typecode).astype(kind)
    if min(kept) < 0:
        raise ValueError("a number that cannot be")
    return np.array(kept, kind)


def decode(data: bytes) -> PostingArrays:
    blocks = [_decoded(*content) for content in _contents(data)]
    if len(blocks) == 1:
        return blocks[0]
    ids, weights, positions = zip(*blocks, strict=True)
    return PostingArrays(np.concatenate(ids), np.concatenate(weights), b"".join(positions))


def _decoded(differences: Any, kept: Any, payloads: Sequence[bytes] | None) -> PostingArrays:
    if isinstance(differences, array):
        ids = np.frombuffer(differences, differences.typecode).cumsum(dtype=np.int32)
    else:
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
        compression = unpickled(block)[3]
        yield unpickled(BytesIO(zlib.decompress(block.read())) if compression else block)
        at += abs(length)


def pickled(content: Any) -> bytes:
    return pickle.dumps(content, 2)


def unpickled(stream: BytesIO) -> Any:
    """Whoosh keeps pickles; `kb.search.generations` has seen to it that nobody else can have written them."""
    return pickle.load(stream)  # noqa: S301


# --- term infos ----------------------------------------------------------------------------------------------------


def frequency_of(info: bytes) -> int:
    return int(_INFO.unpack_from(info)[2])


def extent_of(info: bytes) -> tuple[int, int] | None:
    """Place and length of the list; None: it is part of the info."""
    if info[0]:
        return None
    place, length = _EXTENT.unpack_from(info, _INFO.size)
    return place, length


def joined(infos: Iterable[tuple[bytes, Sequence[int]]]) -> tuple[list[int], list[float], bytes]:
    """Lists that are part of their infos, one after the other, each with the new numbers of its documents; -1: gone.

    Without arrays: most lists that a merge copies are of one posting or two.
    """
    ids: list[int] = []
    weights: list[float] = []
    positions: list[bytes] = []
    for info, numbers in infos:
        found, kept, payloads = unpickled(BytesIO(info[_INFO.size :]))
        places, end = b"".join(payloads), 0
        for doc, weight in zip(found, kept, strict=True):
            start, end = end, end + POSITION_SIZE * int(weight)  # where positions are kept, weights count them
            if (number := numbers[doc]) >= 0:
                ids.append(number)
                weights.append(weight)
                positions.append(places[start:end])
    return ids, weights, b"".join(positions)


def inlined(info: bytes) -> PostingArrays:
    ids, weights, payloads = unpickled(BytesIO(info[_INFO.size :]))
    if list(ids) != sorted(ids):
        raise ValueError("documents that are out of order")
    return PostingArrays(_as_array(ids, np.int32), np.array(weights, np.float32), b"".join(payloads))


NOTHING = PostingArrays(np.empty(0, np.int32), np.empty(0, np.float32), b"")
