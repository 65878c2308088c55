"""The file of a new segment, written from front to back in the format of Whoosh's W3 codec. Does not import whoosh.

`w3.py` says what its parts are, and reads them. Whoosh's own writers take five times as long: an object for each
posting, a call for each slot of the hash table.
"""

from __future__ import annotations

import shutil
import struct
import time
from array import array
from collections.abc import Iterable, Mapping
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from kb.search import lists
from kb.search.inversion import PostingList
from kb.search.w3 import DIRECTORY, ENTRY, LENGTH, TABLE, TABLES

_HEADER = b"HSH3" + bytes(9)  # of the tokens: a hash table by md5, nothing special
_SLOT = np.dtype([("hash", ">u4"), ("place", ">i8")])
_LONG_COLUMN = 1 << 15  # rows; a longer column of stored fields has a second part
_MEGABYTE = 1 << 20

Numbers = npt.NDArray[Any]


class SegmentFile:
    """Fields come in any order; the tokens of a field, and the documents of a token, ascend.

    Tokens and their infos wait in a file without a name, which is gone if the process is killed.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.stem
        self._file = path.open("wb", buffering=_MEGABYTE)
        self._file.write(bytes(DIRECTORY.size))
        self._lists_length = 0
        self._terms: IO[bytes] = TemporaryFile(dir=path.parent, buffering=_MEGABYTE)  # noqa: SIM115  (closed by finish)
        self._terms.write(_HEADER)
        self._at = len(_HEADER)
        self._places = array("q")
        self._hashes = array("I")
        self._fields: dict[str, int] = {}
        self._prefix = b""

    def start_field(self, name: str) -> None:
        number = self._fields[name] = len(self._fields)
        self._prefix = struct.pack("!H", number)

    def add(self, postings: PostingList) -> None:
        info, data = lists.encode(postings.ids, postings.weights, postings.positions, self._lists_length)
        if data:
            self._file.write(data)
            self._lists_length += len(data)
        self.add_info(postings.token, info)

    def add_info(self, token: bytes, info: bytes) -> None:
        """A token whose list, if it is not part of the info, stands there already."""
        key = self._prefix + token
        self._places.append(self._at)
        self._hashes.append(int.from_bytes(md5(key, usedforsecurity=False).digest()[-4:], "big"))
        self._terms.write(ENTRY.pack(len(key), len(info)) + key + info)
        self._at += ENTRY.size + len(key) + len(info)

    def finish(self, columns: Mapping[str, Numbers], documents: int) -> None:
        """`columns`: in the types of the file; a value for each of so many documents."""
        parts = {".pst": (DIRECTORY.size, self._lists_length)}
        parts[".trm"] = self._append(self._term_parts())
        stored = bytes(documents) + b"B" + (bytes(documents) + b"BX" if documents > _LONG_COLUMN else b"")
        for name, data in {"_stored": stored, **{name: column.tobytes() for name, column in columns.items()}}.items():
            parts[f".{name}.col"] = self._append([data])
        self._write_directory(parts)
        self.close()

    def close(self) -> None:
        self._terms.close()
        self._file.close()

    def _append(self, content: Iterable[bytes]) -> tuple[int, int]:
        """(place, length) of what was appended."""
        start = self._file.tell()
        for data in content:
            self._file.write(data)
        return start, self._file.tell() - start

    def _term_parts(self) -> Iterable[bytes]:
        self._terms.seek(0)
        shutil.copyfileobj(self._terms, self._file, _MEGABYTE)
        places, hashes = np.asarray(self._places, np.int64), np.asarray(self._hashes, np.uint32)
        slots, counts = hash_tables(hashes, places)
        yield slots.tobytes()
        starts = self._at + _SLOT.itemsize * (np.cumsum(counts) - counts)
        yield b"".join(TABLE.pack(*table) for table in zip(starts.tolist(), counts.tolist(), strict=True))
        kind = "q" if self._at >> 31 else "i"
        extras = {"fieldmap": self._fields, "indextype": kind, "indexlen": len(places)}
        tail = lists.pickled(extras) + places.astype(f">{kind}").tobytes()
        yield tail + LENGTH.pack(len(tail))

    def _write_directory(self, parts: Mapping[str, tuple[int, int]]) -> None:
        listed = {
            f"{self._name}{name}": {"offset": place, "length": length, "modified": time.time()}
            for name, (place, length) in parts.items()
        }
        place, length = self._append([lists.pickled(listed), lists.pickled({})])
        self._file.seek(0)
        self._file.write(DIRECTORY.pack(place, length))


def hash_tables(hashes: npt.NDArray[np.uint32], places: npt.NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """All slots, table after table, and how many each table has: twice as many as entries.

    An entry stands in its own slot, or in the next empty one after it, from the end on at the beginning. All at once:
    in the order of their own slots each takes that, or the one after the last taken.
    """
    tables = (hashes & np.uint32(TABLES - 1)).astype(np.int64)
    counts = 2 * np.bincount(tables, minlength=TABLES)
    own = (hashes >> np.uint32(8)).astype(np.int64) % np.maximum(counts[tables], 1)
    apart = own + tables * (counts.max(initial=0) + len(hashes))  # so that no table runs over into the next
    order = np.argsort(apart, kind="stable")
    each = np.arange(len(order))
    taken = np.maximum.accumulate(apart[order] - each) + each - (apart - own)[order]
    starts = (np.cumsum(counts) - counts)[tables[order]]
    slots = np.zeros(int(counts.sum()), _SLOT)
    fits = taken < counts[tables[order]]
    slots["hash"][(starts + taken)[fits]] = hashes[order][fits]
    slots["place"][(starts + taken)[fits]] = places[order][fits]
    for start, number in zip(starts[~fits].tolist(), order[~fits].tolist(), strict=True):
        while slots["place"][start]:
            start += 1
        slots[start] = (hashes[number], places[number])
    return slots, counts
