"""Bytes -> text: encodings and limits. Line endings are kept as they are; `lines_of` knows all three of them."""

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kb.archives import UnsafeArchive
from postmortems.importing.base import Unreadable
from postmortems.importing.folders import Found

MAX_BYTES = 2_000_000  # the longest postmortem we know of has 60 KB; more is a log or an export of something else
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Source:
    """A file as it was read. `note` says what a person should know about how it was read."""

    text: str
    content_hash: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    text: str  # without its ending
    raw: str
    number: int

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


def lines_of(text: str, first: int = 1) -> Iterator[Line]:
    """Ends at LF, CR LF and CR only: `str.splitlines` would also cut at U+2028, form feeds and others."""
    for number, match in enumerate(_LINE.finditer(text), start=first):
        raw = match.group()
        yield Line(raw.rstrip("\r\n"), raw, number)


def content_of(found: Found, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file, on disk or in an archive. Raises `Unreadable` with the reason."""
    try:
        if not found.archive and found.path.stat().st_size > most:
            raise Unreadable(f"larger than {most // 1_000_000} MB: not a postmortem")
        content = found.archive.read(found.member) if found.archive else found.path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    except UnsafeArchive as error:
        raise Unreadable(str(error)) from error
    if len(content) > most:
        raise Unreadable(f"larger than {most // 1_000_000} MB: not a postmortem")
    return content


def source_of(content: bytes) -> Source:
    """Its text. Raises `Unreadable`."""
    text, note = decode(content)
    return Source(text, hashlib.sha256(content).hexdigest(), note)


def decode(content: bytes) -> tuple[str, str]:
    """The text, and a note if the encoding had to be guessed."""
    if content.startswith(_UTF16):
        return _strict(content, "utf-16"), ""
    if (nul := content.find(b"\0")) >= 0:
        raise Unreadable("a binary file: it holds a NUL byte", content.count(b"\n", 0, nul) + 1)
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    return _strict(content, "cp1252", line), f"not UTF-8 (line {line}): read as Windows-1252"


def _strict(content: bytes, encoding: str, line: int | None = None) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        known = "UTF-16" if encoding == "utf-16" else "UTF-8 or Windows-1252"
        raise Unreadable(f"the bytes are not {known} text", line) from error
    if "\0" in text:
        raise Unreadable("a binary file: it holds a NUL character")
    return text
