"""Zip archives: read without trust and without touching the disk, and written as a stream with bounded memory."""

import io
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kb.errors import DomainError

CHUNK = 64 * 1024
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes
_ANY_RATIO = 1_000_000  # what is smaller may be as dense as it likes
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class UnsafeArchive(DomainError):
    """Nothing of this archive is read; the message says why."""


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, unpacked. `ratio`: unpacked to packed, of an entry above 1 MB and of the whole."""

    entries: int = 50_000
    entry_bytes: int = 20_000_000
    total_bytes: int = 2_000_000_000
    ratio: int = 200


class Archive:
    """An opened zip whose directory was checked. Entries are read one by one, into memory, up to the limits."""

    def __init__(self, source: Path | BinaryIO, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.left = self.limits.total_bytes
        try:
            self._zip = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UnsafeArchive(f"not a zip archive that can be read: {error}") from error
        try:
            self._entries = self._checked()
        except UnsafeArchive:
            self.close()
            raise

    @property
    def names(self) -> list[str]:
        """Of the files, as they stand in the archive, sorted."""
        return sorted(self._entries)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """One entry. `KeyError`: there is none of that name. `UnsafeArchive`: it is larger than it said, or damaged."""
        entry = self._entries[name]
        most = min(entry.file_size, self.left)
        try:
            with self._zip.open(entry) as file:
                content = file.read(most + 1)
        except Exception as error:  # zlib's, struct's and zipfile's own: whatever a damaged entry sets off
            raise UnsafeArchive(f"{shown(name)}: damaged: {error}") from error
        if len(content) > most:
            raise UnsafeArchive(f"{shown(name)}: larger than the archive says")
        self.left -= len(content)
        return content

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        listed = self._zip.infolist()
        if len(listed) > self.limits.entries:
            raise UnsafeArchive(f"{len(listed)} entries, more than {self.limits.entries}")
        found: dict[str, zipfile.ZipInfo] = {}
        seen: set[str] = set()
        for entry in listed:
            self._check(entry, seen)
            if not entry.is_dir():
                found[entry.filename] = entry
        self._check_sizes(list(found.values()))
        return found

    def _check(self, entry: zipfile.ZipInfo, seen: set[str]) -> None:
        name = entry.orig_filename
        if reason := fault_of(name):
            raise UnsafeArchive(f"{shown(name)}: {reason}")
        same = unicodedata.normalize("NFC", name).casefold().rstrip("/")
        if same in seen:
            raise UnsafeArchive(f"{shown(name)}: this name is there twice")
        seen.add(same)
        if entry.flag_bits & 0x41:
            raise UnsafeArchive(f"{shown(name)}: encrypted")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeArchive(f"{shown(name)}: a link or a device, not a file")
        if entry.compress_type not in _METHODS:
            raise UnsafeArchive(f"{shown(name)}: packed in a way that is not read here")
        if entry.file_size > self.limits.entry_bytes:
            raise UnsafeArchive(f"{shown(name)}: {entry.file_size} bytes, more than {self.limits.entry_bytes}")
        self._check_ratio(shown(name), entry.file_size, entry.compress_size)

    def _check_sizes(self, entries: list[zipfile.ZipInfo]) -> None:
        whole, packed = sum(e.file_size for e in entries), sum(e.compress_size for e in entries)
        if whole > self.limits.total_bytes:
            raise UnsafeArchive(f"{whole} bytes once unpacked, more than {self.limits.total_bytes}")
        if packed > self._size():
            raise UnsafeArchive("entries lie over one another")
        self._check_ratio("the whole", whole, packed)

    def _check_ratio(self, what: str, whole: int, packed: int) -> None:
        if whole > _ANY_RATIO and whole > self.limits.ratio * max(packed, 1):
            raise UnsafeArchive(f"{what}: more than {self.limits.ratio} times as large once unpacked")

    def _size(self) -> int:
        file = self._zip.fp
        return file.seek(0, io.SEEK_END) if file else 0


def fault_of(name: str) -> str:
    """Why a name could lead out of a folder, or be read as another one; "" if it is plain."""
    if not name or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "a name with control characters"
    if "\\" in name:
        return "a name with a backslash"
    if name.startswith("/") or name[1:2] == ":":
        return "an absolute name"
    parts = name.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "a name that leads elsewhere"
    return ""


def shown(name: str) -> str:
    """A name that is safe to print."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)[:200]


class _Outlet(io.RawIOBase):
    """What the zip is written to: it cannot be gone back in, and hands on what came."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


@dataclass(frozen=True)
class Entry:
    """A file to be: its content in pieces. `is_packed`: False for what is packed already, and for what is long and
    could be denser than `Limits` let pass."""

    name: str
    content: Iterable[bytes]
    is_packed: bool = True


def zipped(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The bytes of a zip, as they come about. The same entries give the same bytes."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _STAMP)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED if entry.is_packed else zipfile.ZIP_STORED
            with archive.open(info, "w") as file:
                for piece in entry.content:
                    file.write(piece)
                    if made := outlet.taken():
                        yield made
            if made := outlet.taken():
                yield made
    yield outlet.taken()
