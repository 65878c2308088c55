"""The embedded engine: an index in Whoosh's own format, read and written by whole arrays instead of object by object.

The only file that imports whoosh, and only what whoosh 2.7.4 and whoosh3 3.54 share. Whoosh keeps the files, commits
and deletions; analysis is the application's, scoring is `kb.search.scoring`'s. `kb/search/README.md` lists the traps.
"""

from __future__ import annotations

import errno
import logging
import pickle
import struct
import threading
import time
import weakref
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
from whoosh import columns, fields, formats
from whoosh.codec.whoosh3 import W3Codec
from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.structfile import BufferFile, StructFile
from whoosh.index import TOC, LockError
from whoosh.reading import SegmentReader, TermNotFound
from whoosh.util.numeric import byte_to_length
from whoosh.writing import SegmentWriter

from kb.search import scoring, spelling
from kb.search.analysis import ANALYSIS_VERSION, DocumentTokens, tokens_of
from kb.search.base import (
    CHANNELS,
    SURFACE,
    Corrupt,
    Document,
    Page,
    Query,
    Schema,
    SearchBackend,
    SearchError,
    Stored,
    Term,
    TermStats,
    Unavailable,
)
from kb.search.generations import Generations, flush
from kb.search.inversion import Inversion, PlacesInversion, PostingList, decoded, encoded, places_from
from kb.search.merging import worth_merging
from kb.search.segments import NO_DATE, NOBODY, Ids, Memory, Moments, Places, Postings, Segment, Snapshot

logger = logging.getLogger(__name__)

# Part of what an index is built for: another number here means that older indexes are rebuilt.
LAYOUT_VERSION = 1
INDEX_NAME = "MAIN"
PLACES, VERSION, DIGEST = "places", "version", "digest"
NO_VERSION = -1
DIGEST_LENGTH = 24

BLOCK = 4096  # postings in a block, not Whoosh's 128: lists are read as a whole
WORTH_COMPRESSING = 32  # postings in a block; zlib makes shorter ones longer, and most tokens are rare
MOST_POSTINGS = 6_000_000  # gathered in memory, 12 bytes each, before a segment is written
LOCK_PATIENCE = 10.0  # seconds; the drainer's lock keeps others away, so only a stranger can hold Whoosh's
RETRY_AFTER = (0.01, 0.05, 0.2)  # seconds; a commit removes files that others are about to open

# What the machine refuses at the moment; any other error comes of what stands in the index.
PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}

_LENGTH_OF_BYTE = np.array([byte_to_length(byte) for byte in range(256)], np.int32)

P = ParamSpec("P")
R = TypeVar("R")


class Opened(NamedTuple):
    """One commit of one generation, open for reading."""

    generation: Path
    commit: int
    snapshot: Snapshot


class WhooshBackend(SearchBackend):
    """A folder of generations (see `kb.search.generations`), each of them a Whoosh index."""

    name = "whoosh"

    def __init__(self, schema: Schema, folder: Path) -> None:
        super().__init__(schema)
        made_for = {"schema": schema.digest, "analysis": ANALYSIS_VERSION, "layout": LAYOUT_VERSION}
        self._generations = Generations(folder, made_for)
        self._fields = _fields_for(schema)
        self._memory = Memory()
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._broken: Path | None = None

    @classmethod
    def from_url(cls, url: str, schema: Schema, *, data_dir: Path) -> Self:
        """`whoosh:` is the folder `index` of the data folder; `whoosh:///another/folder` is another folder."""
        parsed = urlsplit(url)
        if parsed.netloc:
            raise ValueError(f"{url!r}: a folder is written with three slashes, whoosh:///like/this")
        return cls(schema, Path(parsed.path) if parsed.path else data_dir / "index")

    # --- reading

    def search(self, query: Query) -> Page:
        with self._reading() as opened:
            return scoring.answer(opened.snapshot, query)

    def term_stats(self, terms: Iterable[Term]) -> TermStats:
        with self._reading() as opened:
            wanted = {(term.channel, term.token) for term in terms}
            return TermStats(opened.snapshot.documents, {pair: opened.snapshot.frequency(*pair) for pair in wanted})

    def similar_words(self, word: str, *, access: frozenset[str], limit: int = 3) -> list[str]:
        with self._reading() as opened:
            snapshot = opened.snapshot
            permitted = snapshot.live & scoring.any_of(snapshot, scoring.ACCESS, access)
            return spelling.similar_words(
                word,
                {known for segment in snapshot.segments for known in segment.vocabulary(SURFACE)},
                lambda known: int(permitted[snapshot.postings(SURFACE, known).ids].sum()),
                limit,
            )

    def stored(self) -> Mapping[str, Stored]:
        with self._reading() as opened:
            live = opened.snapshot.live.nonzero()[0]
            return dict(zip(opened.snapshot.keys(live), _stored(opened.snapshot, live), strict=True))

    def stats(self) -> Mapping[str, int | str]:
        with self._reading() as opened:
            return {
                "documents": opened.snapshot.documents,
                "generation": opened.generation.name,
                "commit": opened.commit,
                "segments": len(opened.snapshot.segments),
                "bytes": self._generations.size(opened.generation),
            }

    def close(self) -> None:
        with self._lock:
            self._opened = None
            self._memory = Memory()

    @contextmanager
    def _reading(self) -> Iterator[Opened]:
        """The newest commit. What is found to be corrupt stays so for us until another generation is switched to."""
        opened = self._open_latest()
        try:
            yield opened
        except Corrupt:
            self._broken = opened.generation
            raise

    def _open_latest(self) -> Opened:
        """Never Whoosh's `refresh()`: every fork's gives stale and doubled documents."""
        for delay in (*RETRY_AFTER, None):
            try:
                with self._lock:
                    self._opened = self._latest(self._opened)
                    return self._opened
            except FileNotFoundError as error:
                if delay is None:
                    raise Unavailable(f"a file of the index is missing: {error.filename}") from error
                time.sleep(delay)
        raise AssertionError("the last round returns or raises")

    def _latest(self, opened: Opened | None) -> Opened:
        generation = self._generations.current()
        if generation == self._broken:
            raise Corrupt("the index cannot be read, and has not been made anew yet")
        commit = TOC._latest_generation(FileStorage(str(generation)), INDEX_NAME)
        if opened and (generation, commit) == opened[:2]:
            return opened
        self._generations.inspect(generation)
        if commit < 0:
            raise FileNotFoundError(errno.ENOENT, "no table of contents", str(generation))
        known = opened.snapshot.segments if opened else ()
        return Opened(generation, commit, self._snapshot(generation, commit, known))

    def _snapshot(self, generation: Path, commit: int, known: Sequence[Segment]) -> Snapshot:
        """Segments that are open already stay open: they never change, only what is deleted in them does."""
        files = _Files(generation)
        with _translated("opened"), files.closed_on_error():
            contents = TOC.read(files, INDEX_NAME, gen=commit, schema=self._fields)
            ready = {segment.name: segment for segment in known}
            segments = [
                ready.get(part.segment_id()) or WhooshSegment(generation, self._fields, part, self._memory)
                for part in contents.segments
            ]
            return Snapshot(segments, [list(part.deleted_docs()) for part in contents.segments])

    # --- writing

    def apply(self, changed: Sequence[Document], gone: Collection[str] = ()) -> None:
        with self._reading() as opened:
            places = _places_of(opened.snapshot, {*gone, *(document.key for document in changed)})
            news = _news(opened.snapshot, places, changed)
            doomed = [doc for key in (*gone, *(document.key for document in news)) for doc in places[key]]
            if news or doomed:
                analysed = [(document, tokens_of(document, self.schema)) for document in news]
                self._commit(opened, analysed, set(doomed), thoroughly=False)

    def tidy(self) -> None:
        with self._reading() as opened:
            if worth_merging(opened.snapshot.live_sizes(), thoroughly=True):
                self._commit(opened, (), (), thoroughly=True)

    def rebuild(self, documents: Iterable[Document]) -> int:
        with _translated("written", only=OSError):
            generation = self._generations.begin()
        try:
            count = self._build(generation, documents)
            with _translated("written", only=OSError):
                self._generations.switch(generation)
        except BaseException:
            self._generations.discard(generation)
            raise
        return count

    def _commit(
        self,
        opened: Opened,
        added: Sequence[tuple[Document, DocumentTokens]],
        deleted: Collection[int],
        *,
        thoroughly: bool,
    ) -> None:
        def merge(writer: DocumentWriter, parts: list[Any]) -> list[Any]:
            chosen = worth_merging([part.doc_count() for part in parts], thoroughly=thoroughly)
            return writer.absorb(parts, chosen)

        with _translated("written"), _writer(_Files(opened.generation), self._fields) as writer:
            if writer.generation != opened.commit + 1:
                raise Unavailable("somebody else has written the index meanwhile")
            for doc in deleted:
                writer.delete_document(doc)
            for document, tokens in added:
                writer.add(document, tokens)
            writer.commit(mergetype=merge)
            flush(opened.generation)  # Whoosh never does, and the outbox forgets the change when this returns

    def _build(self, generation: Path, documents: Iterable[Document]) -> int:
        """Segment by segment, so that a big index needs no more memory than a middling one."""
        with _translated("written"):
            _Files(generation).create_index(self._fields, INDEX_NAME)
        seen: set[str] = set()
        remaining = iter(documents)
        while added := self._build_segment(generation, remaining, seen):
            seen |= added
        return len(seen)

    def _build_segment(self, generation: Path, documents: Iterator[Document], seen: Collection[str]) -> set[str]:
        added: set[str] = set()
        with _writer(_Files(generation), self._fields) as writer:
            for document in documents:
                if document.key in seen or document.key in added:
                    continue
                if tokens := self._analysed_or_logged(document):
                    with _translated("written"):
                        writer.add(document, tokens)
                    added.add(document.key)
                if writer.postings > MOST_POSTINGS:
                    break
            with _translated("written"):
                writer.commit(merge=False)
        return added

    def _analysed_or_logged(self, document: Document) -> DocumentTokens | None:
        """One document that cannot be analysed must not keep all others from being found."""
        try:
            return tokens_of(document, self.schema)
        except Exception:
            logger.exception("Leaving %s out of the index", document.key)
            return None


def _places_of(snapshot: Snapshot, keys: Collection[str]) -> dict[str, list[int]]:
    """Where these keys are stored: nowhere, or in one document."""
    found = {key: snapshot.postings(scoring.KEY, key).ids for key in keys}
    return {key: ids[snapshot.live[ids]].tolist() for key, ids in found.items()}


def _news(snapshot: Snapshot, places: Mapping[str, list[int]], changed: Sequence[Document]) -> list[Document]:
    """The newest version of each document, where the index does not have it yet."""
    newest: dict[str, Document] = {}
    for document in changed:
        if document.key not in newest or document.version >= newest[document.key].version:
            newest[document.key] = document
    held = {key: _stored(snapshot, docs) for key, docs in places.items()}
    return [
        document
        for key, document in newest.items()
        if not any(
            old.version > document.version or old == Stored(document.version, document.digest) for old in held[key]
        )
    ]


def _stored(snapshot: Snapshot, docs: Iterable[int]) -> list[Stored]:
    return [segment.stored(doc) for segment, doc in map(snapshot.locate, docs) if isinstance(segment, WhooshSegment)]


# --- fields and files ----------------------------------------------------------------------------------------------


def _fields_for(schema: Schema) -> fields.Schema:
    """Only Whoosh's own field types: what is pickled into an index must not hang on the names of our classes."""
    return fields.Schema(
        **{channel: fields.FieldType(formats.Existence(), None, scorable=True) for channel in CHANNELS},
        **{scoring.keyword_field(name): fields.FieldType(formats.Existence(), None) for name in schema.keywords},
        **{_date_field(name): fields.COLUMN(columns.NumericColumn("q", NO_DATE)) for name in schema.dates},
        **{
            scoring.ACCESS: fields.FieldType(formats.Existence(), None),
            scoring.KEY: fields.FieldType(formats.Existence(), None, sortable=columns.VarBytesColumn()),
            PLACES: fields.FieldType(formats.Format(), None),
            VERSION: fields.COLUMN(columns.NumericColumn("q", NO_VERSION)),
            DIGEST: fields.COLUMN(columns.FixedBytesColumn(DIGEST_LENGTH)),
        },
    )


def _date_field(name: str) -> str:
    return f"date_{name}"


class _Files(FileStorage):  # type: ignore[misc]
    """A folder whose files are not mapped: Whoosh would copy all of them, and reading past a cut-off one would kill us.

    Remembers what is open, for Whoosh forgets it when it fails in the middle.
    """

    def __init__(self, folder: Path, opened: WeakSet[StructFile] | None = None) -> None:
        super().__init__(str(folder), supports_mmap=False)
        self._opened: WeakSet[StructFile] = WeakSet() if opened is None else opened

    def create_file(self, *args: Any, **options: Any) -> StructFile:
        return self._remembered(super().create_file(*args, **options))

    def open_file(self, *args: Any, **options: Any) -> StructFile:
        return self._remembered(super().open_file(*args, **options))

    def temp_storage(self, name: str | None = None) -> Any:
        return _Files(Path(self.folder) / (name or "unnamed.tmp"), self._opened).create()

    def _remembered(self, file: StructFile) -> StructFile:
        self._opened.add(file)
        return file

    def close_all(self) -> None:
        for file in list(self._opened):
            if not file.is_closed:
                file.close()

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close_all()
            raise


@contextmanager
def _translated(done: str, only: type[Exception] = Exception) -> Iterator[None]:
    """Whatever goes wrong with files has one of two names, but for a missing file that a second look may find."""
    try:
        yield
    except (SearchError, FileNotFoundError):
        raise
    except only as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise Unavailable(f"the index could not be {done}: {error}") from error
        raise Corrupt(f"the index could not be {done}: {type(error).__name__}: {error}") from error


Read = Callable[Concatenate["WhooshSegment", P], R]


def _guarded(read: Read[P, R]) -> Read[P, R]:
    """One reader at a time, since Whoosh's files have one position; and errors get their names."""

    @wraps(read)
    def guarded(segment: WhooshSegment, /, *args: P.args, **options: P.kwargs) -> R:
        with _translated("read"), segment.lock:
            return read(segment, *args, **options)

    return guarded


# --- reading a segment ---------------------------------------------------------------------------------------------


class WhooshSegment(Segment):
    """One Whoosh segment, as arrays."""

    def __init__(self, generation: Path, schema: fields.Schema, part: Any, memory: Memory) -> None:
        super().__init__(part.segment_id(), part.doc_count_all(), memory)
        self.lock = threading.Lock()
        self._part = part
        self._schema = schema
        files = _Files(generation)
        with files.closed_on_error():
            self.reader = SegmentReader(files, schema, part)
            self._inner = self.reader.storage()
            self._blocks = self._inner.open_file(part.make_filename(W3Codec.POSTS_EXT))
        weakref.finalize(self, files.close_all)

    @_guarded
    def read_postings(self, channel: str, token: str) -> Postings:
        ids, weights, _ = self._lists(channel, token)
        return Postings(ids, weights)

    @_guarded
    def read_places(self, stem: str) -> Places:
        ids, _, payloads = self._lists(PLACES, stem)
        return places_from(ids, payloads)

    @_guarded
    def read_lengths(self, channel: str) -> npt.NDArray[np.int32]:
        lengths: npt.NDArray[np.int32] = _LENGTH_OF_BYTE[self._numbers(f"_{channel}_len", "u1", 0)]
        return lengths

    @_guarded
    def read_dates(self, name: str) -> Moments:
        return self._numbers(_date_field(name), ">i8", NO_DATE).astype(np.int64)

    @_guarded
    def read_keys(self) -> list[str]:
        data = self._file(scoring.KEY)
        return [decoded(key) for key in columns.VarBytesColumn().reader(BufferFile(data), 0, len(data), self.size)]

    @_guarded
    def frequency(self, channel: str, token: str) -> int:
        return int(self.reader.doc_frequency(channel, encoded(token))) if channel in self._schema else 0

    @_guarded
    def total_length(self, channel: str) -> float:
        return float(self.reader.field_length(channel))

    @_guarded
    def tokens(self, channel: str, prefix: str = "") -> list[tuple[str, int]]:
        found = []
        for (name, token), info in self.reader.iter_from(channel, encoded(prefix)):
            if name != channel or not token.startswith(encoded(prefix)):
                break
            found.append((decoded(token), info.doc_frequency()))
        return found

    def stored(self, doc: int) -> Stored:
        versions, digests = self._column("stored", "", self._read_stored)
        return Stored(int(versions[doc]), digests[doc].decode())

    def all_lists(self) -> Iterator[tuple[str, bytes, Ids, npt.NDArray[np.float32], list[bytes]]]:
        """For one that has the segment for itself."""
        for (field, token), info in self.reader:
            yield field, token, *self._lists_at(info)

    def _lists(self, field: str, token: str) -> tuple[Ids, npt.NDArray[np.float32], list[bytes]]:
        try:
            info = self.reader.term_info(field, encoded(token))
        except TermNotFound:
            return NOBODY, np.empty(0, np.float32), []
        return self._lists_at(info)

    def _lists_at(self, info: Any) -> tuple[Ids, npt.NDArray[np.float32], list[bytes]]:
        """The documents, the weights and the payloads of a posting list."""
        offset, (length,) = info.extent()  # a tuple by oversight, in every fork
        blocks = list(_blocks_in(self._blocks.get(offset, length)))
        ids = np.concatenate([np.cumsum(deltas, dtype=np.int32) for deltas, _, _ in blocks])
        weights = np.concatenate([np.broadcast_to(np.asarray(w, np.float32), len(d)) for d, w, _ in blocks])
        if ids[0] < 0 or ids[-1] >= self.size:
            raise ValueError(f"documents {ids[0]} to {ids[-1]} in a segment of {self.size}")
        return ids, weights, [payload for _, _, payloads in blocks for payload in payloads or ()]

    @_guarded
    def _read_stored(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return self._numbers(VERSION, ">i8", NO_VERSION), self._numbers(DIGEST, f"S{DIGEST_LENGTH}", b"")

    def _numbers(self, column: str, kind: str, missing: int | bytes) -> npt.NDArray[Any]:
        """A column of fixed width. Whoosh leaves out the file, or rows at its end, where all is missing."""
        values = np.full(self.size, missing, kind)
        written = np.frombuffer(self._file(column), kind)
        values[: len(written)] = written
        return values

    def _file(self, column: str) -> bytes:
        name = W3Codec.column_filename(self._part, column)
        if not self._inner.file_exists(name):
            return b""
        data = bytes(self._inner.open_file(name).read())
        if len(data) != self._inner.file_length(name):
            raise EOFError(f"{name} is cut off")
        return data


def _blocks_in(data: bytes) -> Iterator[tuple[Sequence[int], Sequence[float] | float, Sequence[bytes] | None]]:
    """(differences of ids, weights or the one weight, payloads) of each block, as W3Codec's posting writer wrote them.

    A block is its length (negative: the last one), a pickled header with the compression, and the pickled lists.
    """
    if data[:4] != b"W3Bl":
        raise ValueError("these are no postings")
    at, length = 4, 0
    while length >= 0:
        (length,) = struct.unpack_from("!i", data, at)
        block = BytesIO(data[at + 4 : at + 4 + abs(length)])
        _count, _last, _weight, compression, _shortest, _longest = pickle.load(block)  # noqa: S301  (Whoosh's format)
        content = block.read()
        ids, weights, payloads = pickle.loads(zlib.decompress(content) if compression else content)  # noqa: S301
        yield ids, 1.0 if weights is None else weights, payloads
        at += 4 + abs(length)


# --- writing a segment ---------------------------------------------------------------------------------------------


@contextmanager
def _writer(files: _Files, schema: fields.Schema) -> Iterator[DocumentWriter]:
    """A writer; whatever happens, its lock and its files are let go."""
    try:
        with files.closed_on_error():
            writer = DocumentWriter(files.open_index(INDEX_NAME, schema), timeout=LOCK_PATIENCE)
    except LockError as error:
        raise Unavailable("another process is writing the index") from error
    try:
        yield writer
    except BaseException:
        with suppress(Exception):
            writer.cancel()
        with suppress(Exception):
            writer.writelock.release()
        files.close_all()
        raise


class DocumentWriter(SegmentWriter):  # type: ignore[misc]
    """Whoosh's writer, which takes analysed documents and writes whole posting lists.

    Whoosh's way through a tuple per posting, a sort of all of them and four assertions each takes five times as long.
    The files come out the same: only the buffers of Whoosh's posting writer are filled in another way.
    """

    def __init__(self, index: Any, **options: Any) -> None:
        super().__init__(index, **options)
        self._inversions: defaultdict[str, Inversion] = defaultdict(Inversion, {PLACES: PlacesInversion()})

    @property
    def postings(self) -> int:
        return sum(map(len, self._inversions.values()))

    def add(self, document: Document, tokens: DocumentTokens) -> None:
        self.perdocwriter.start_doc(self.docnum)
        for channel, weights in tokens.channels.items():
            self._inversions[channel].add(self.docnum, weights, weights.values())
            self.perdocwriter.add_field(channel, self.schema[channel], None, sum(weights.values()))
        for name, values in _exact_values(document):
            self._inversions[name].add(self.docnum, values, repeat(1.0, len(values)))
        self._inversions[PLACES].add_fields(self.docnum, tokens.fields)  # type: ignore[attr-defined]
        for name, value in _column_values(document):
            self.perdocwriter.add_column_value(name, self.schema[name].column_type, value)
        self.perdocwriter.finish_doc()
        self.docnum += 1
        self._added = True

    def absorb(self, parts: Sequence[Any], chosen: Collection[int]) -> list[Any]:
        """Copy the living documents of these segments into the new one; returns the other segments."""
        for number in chosen:
            if parts[number].doc_count():
                self._copy(WhooshSegment(Path(self.storage.folder), self.schema, parts[number], Memory()))
        return [part for number, part in enumerate(parts) if number not in chosen]

    def _copy(self, segment: WhooshSegment) -> None:
        start = self.docnum
        moved = self.write_per_doc(set(self.schema.names()), segment.reader)  # None: no document is left out
        numbers = np.arange(start, start + segment.size, dtype=np.int32)
        if moved is not None:
            numbers[:] = -1
            numbers[list(moved)] = list(moved.values())
        for field, token, ids, weights, payloads in segment.all_lists():
            if payloads:
                places = places_from(ids, payloads)
                ids, weights = (places >> np.uint64(32)).astype(np.int32), places.astype(np.uint32)
            kept = numbers[ids] >= 0
            self._inversions[field].extend(decoded(token), numbers[ids][kept], weights[kept])
        self._added = True

    def _flush_segment(self) -> None:
        self.perdocwriter.close()
        for name in sorted(self._inversions):
            inversion = self._inversions.pop(name)
            if len(inversion):
                self.fieldwriter.start_field(name, self.schema[name])
                for postings in inversion.lists():
                    self._write(postings)
                self.fieldwriter.finish_field()
        self.fieldwriter.close()

    def _write(self, postings: PostingList) -> None:
        """Lengths are not told to the blocks: Whoosh's own search then takes any document for the shortest possible."""
        self.fieldwriter.start_term(postings.token)
        blocks = self.fieldwriter._postwriter
        for start in range(0, len(postings.ids), BLOCK):
            if start:
                blocks._write_block()
            block = slice(start, start + BLOCK)
            blocks._ids, blocks._weights = postings.ids[block], postings.weights[block]
            blocks._values = postings.places[block]
            blocks._maxweight = max(blocks._weights)
            blocks._compression = 3 if len(blocks._ids) >= WORTH_COMPRESSING else 0
        self.fieldwriter.finish_term()


def _exact_values(document: Document) -> Iterator[tuple[str, Collection[str]]]:
    yield scoring.KEY, (document.key,)
    yield scoring.ACCESS, document.access
    for name, values in document.keywords.items():
        yield scoring.keyword_field(name), dict.fromkeys(values)


def _column_values(document: Document) -> Iterator[tuple[str, Any]]:
    yield scoring.KEY, encoded(document.key)
    yield VERSION, document.version
    yield DIGEST, document.digest.encode()
    for name, moment in document.dates.items():
        yield _date_field(name), scoring.microseconds(moment)
