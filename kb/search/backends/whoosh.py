"""The embedded engine: an index in Whoosh's own format. Whoosh writes, commits and merges; `kb.search.w3` reads.

The only file that imports whoosh, and only what whoosh 2.7.4 and whoosh3 3.54 share. Analysis is the application's,
scoring is `kb.search.scoring`'s. `kb/search/README.md` lists the traps.
"""

from __future__ import annotations

import errno
import logging
import secrets
import shutil
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit
from weakref import WeakSet

import numpy as np
from whoosh import columns, fields, formats
from whoosh.codec.whoosh3 import W3Codec
from whoosh.codec.whoosh3 import W3Segment as SegmentEntry
from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.structfile import StructFile
from whoosh.index import TOC, LockError
from whoosh.util.numeric import byte_to_length
from whoosh.writing import SegmentWriter

from kb.search import entries, lists, scoring, spelling, w3
from kb.search.analysis import ANALYSIS_VERSION, fold
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
from kb.search.entries import Entry
from kb.search.generations import Generations, flush
from kb.search.inversion import POSITION, Inversion, PlacesInversion, PostingList
from kb.search.merging import worth_merging
from kb.search.parallel import on_all_cores
from kb.search.segments import ACCESS, KEY, NO_DATE, Memory, Segment, Snapshot
from kb.search.w3 import W3Segment

logger = logging.getLogger(__name__)

# Part of what an index is built for: another number here means that older indexes are rebuilt.
LAYOUT_VERSION = 1
INDEX_NAME = "MAIN"
BATCH = 15_000_000  # characters in a segment of a new index: 6,000 documents of 340 words, built with about 250 MB
LOCK_PATIENCE = 10.0  # seconds; the drainer's lock keeps others away, so only a stranger can hold Whoosh's
RETRY_AFTER = (0.01, 0.05, 0.2)  # seconds; a commit removes files that others are about to open

# What the machine refuses at the moment; any other error comes of what stands in the index.
_REFUSED = "EMFILE ENFILE ENOMEM ENOSPC EDQUOT EACCES EPERM EROFS ENOENT"
PASSING = {getattr(errno, name) for name in _REFUSED.split()}

_LENGTH_OF_BYTE = np.array([byte_to_length(byte) for byte in range(256)], np.int32)


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
            raise ValueError(f"{url!r} names no folder: it is written with three slashes, whoosh:///like/this")
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
            permitted = snapshot.live & scoring.any_of(snapshot, ACCESS, access)
            return spelling.similar_words(
                fold(word),
                [segment.vocabulary(SURFACE) for segment in snapshot.segments],
                lambda known: int(permitted[snapshot.postings(SURFACE, known).ids].sum()),
                limit,
            )

    def stored(self) -> Mapping[str, Stored]:
        with self._reading() as opened:
            live = opened.snapshot.live.nonzero()[0]
            return dict(zip(opened.snapshot.keys(live), map(opened.snapshot.stored, live.tolist()), strict=True))

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
        """Never by Whoosh's `refresh()`: that of every fork gives stale and doubled documents."""
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
        with _translated("opened", but=FileNotFoundError):  # a second look may find it
            return Opened(generation, commit, self._snapshot(generation, commit, opened))

    def _snapshot(self, generation: Path, commit: int, before: Opened | None) -> Snapshot:
        """Segments that are open already stay open: they never change, only what is deleted in them does."""
        known: dict[str, Segment] = {part.name: part for part in before.snapshot.segments} if before else {}
        with _files(generation) as files:
            parts = TOC.read(files, INDEX_NAME, gen=commit, schema=self._fields).segments
        segments = [known.get(part.segment_id()) or _segment(generation, part, self._memory) for part in parts]
        return Snapshot(segments, [list(part.deleted_docs()) for part in parts], self._memory)

    # --- writing

    def apply(self, changed: Sequence[Document], gone: Collection[str] = ()) -> None:
        with self._reading() as opened:
            news = entries.news([document for document in changed if document.key not in gone], opened.snapshot)
            doomed = opened.snapshot.docs_of([*gone, *(document.key for document in news)])
            if news or doomed:
                added = [entries.entry_of(document, self.schema) for document in news]
                self._commit(opened, added, doomed, thoroughly=False)

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

    def _commit(self, opened: Opened, added: Sequence[Entry], deleted: Iterable[int], *, thoroughly: bool) -> None:
        def merge(writer: DocumentWriter, parts: list[Any]) -> list[Any]:
            chosen = worth_merging([part.doc_count() for part in parts], thoroughly=thoroughly)
            return writer.absorb(parts, chosen)

        with _translated("written"), _writer(opened.generation, self._fields) as writer:
            if writer.generation != opened.commit + 1:
                raise Unavailable("somebody else has written the index meanwhile")
            for doc in deleted:
                writer.delete_document(doc)
            for document in added:
                writer.add(document)
            writer.commit(mergetype=merge)
            flush(opened.generation)  # Whoosh never does, and the outbox forgets the change when this returns

    def _build(self, generation: Path, documents: Iterable[Document]) -> int:
        jobs = (
            _Job(generation / f"part-{number}", self.schema, batch)
            for number, batch in enumerate(entries.batches(documents, BATCH))
        )
        built = list(on_all_cores(_build_part, jobs))
        with _translated("written"), _files(generation) as files:
            segments = [segment for part in built for segment in _moved(part.folder, generation, self._fields)]
            TOC(self._fields, segments, 0).write(files, INDEX_NAME)
        return sum(part.documents for part in built)


# --- fields and files ----------------------------------------------------------------------------------------------


def _fields_for(schema: Schema) -> fields.Schema:
    """Only Whoosh's own field types: what is pickled into an index must not hang on the names of our classes."""
    exact = [ACCESS, KEY, *map(scoring.keyword_field, schema.keywords)]
    return fields.Schema(
        **{channel: fields.FieldType(formats.Existence(), None, scorable=True) for channel in CHANNELS},
        **{name: fields.FieldType(formats.Existence(), None) for name in exact},
        **{w3.date_column(name): fields.COLUMN(columns.NumericColumn("q", NO_DATE)) for name in schema.dates},
        **{
            w3.PLACES: fields.FieldType(formats.Format(), None),
            w3.VERSION: fields.COLUMN(columns.NumericColumn("q", w3.NO_VERSION)),
            w3.DIGEST: fields.COLUMN(columns.FixedBytesColumn(w3.DIGEST_LENGTH)),
        },
    )


def _segment(generation: Path, part: Any, memory: Memory) -> W3Segment:
    path = generation / part.make_filename(part.COMPOUND_EXT)
    return W3Segment(path, part.doc_count_all(), part._fieldlengths, _LENGTH_OF_BYTE, memory)


class _Files(FileStorage):  # type: ignore[misc]
    """A folder that knows which of its files are open: Whoosh forgets them when it fails in the middle."""

    def __init__(self, folder: Path, opened: WeakSet[StructFile]) -> None:
        super().__init__(str(folder), supports_mmap=False)
        self._opened = opened

    def create_file(self, *args: Any, **options: Any) -> StructFile:
        return self._remembered(super().create_file(*args, **options))

    def open_file(self, *args: Any, **options: Any) -> StructFile:
        return self._remembered(super().open_file(*args, **options))

    def temp_storage(self, name: str | None = None) -> Any:
        return _Files(Path(self.folder) / (name or "unnamed.tmp"), self._opened).create()

    def _remembered(self, file: StructFile) -> StructFile:
        self._opened.add(file)
        return file


@contextmanager
def _files(folder: Path) -> Iterator[_Files]:
    opened: WeakSet[StructFile] = WeakSet()
    try:
        yield _Files(folder, opened)
    finally:
        for file in list(opened):
            if not file.is_closed:
                file.close()


@contextmanager
def _translated(done: str, only: type[Exception] = Exception, *, but: type[Exception] = SearchError) -> Iterator[None]:
    """Whatever goes wrong with files has one of two names."""
    try:
        yield
    except (SearchError, but):
        raise
    except only as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise Unavailable(f"the index cannot be {done}: {error}") from error
        raise Corrupt(f"the index cannot be {done}: {type(error).__name__}: {error}") from error


# --- building ------------------------------------------------------------------------------------------------------


class _Job(NamedTuple):
    folder: Path
    schema: Schema
    documents: Sequence[Document]


class _Part(NamedTuple):
    folder: Path
    documents: int


def _build_part(job: _Job) -> _Part:
    """An index of its own, of one segment. Runs in another process; can be run again where that was killed."""
    added = 0
    with _translated("written", only=OSError):
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir(mode=0o700)
        schema = _fields_for(job.schema)
        with _files(job.folder) as files:
            files.create_index(schema, INDEX_NAME)
        with _writer(job.folder, schema) as writer:
            for document in job.documents:
                if entry := entries.entry_or_none(document, job.schema):
                    writer.add(entry)
                    added += 1
            writer.commit(merge=False)
    return _Part(job.folder, added)


def _moved(part: Path, generation: Path, schema: fields.Schema) -> list[Any]:
    """The segments of a part, now files of the generation."""
    with _files(part) as files:
        segments: list[Any] = TOC.read(files, INDEX_NAME, schema=schema).segments
    for segment in segments:
        name = segment.make_filename(segment.COMPOUND_EXT)
        (part / name).rename(generation / name)
    shutil.rmtree(part)
    return segments


@contextmanager
def _writer(folder: Path, schema: fields.Schema) -> Iterator[DocumentWriter]:
    """A writer; whatever happens, its lock and its files are let go."""
    with _files(folder) as files:
        try:
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
            raise


class _Codec(W3Codec):  # type: ignore[misc]
    """Whoosh names segments by `random`, which anybody may have seeded: a second one of a name overwrites the first."""

    def new_segment(self, storage: Any, indexname: str) -> Any:
        return SegmentEntry(W3Codec(), indexname, segid=secrets.token_hex(8))


class DocumentWriter(SegmentWriter):  # type: ignore[misc]
    """Whoosh's writer, which takes analysed documents and writes whole posting lists.

    Whoosh's own way, a tuple per posting, a sort of all of them, and four assertions each, takes five times as long.
    """

    def __init__(self, index: Any, **options: Any) -> None:
        super().__init__(index, codec=_Codec(), **options)
        self._places = PlacesInversion()
        self._inversions: defaultdict[str, Inversion] = defaultdict(Inversion, {w3.PLACES: self._places})

    def add(self, entry: Entry) -> None:
        for channel, weights in entry.channels.items():
            self._inversions[channel].add(self.docnum, weights, weights.values())
        for name, values in entry.exact.items():
            self._inversions[name].add(self.docnum, values, repeat(1.0, len(values)))
        self._places.add_fields(self.docnum, entry.fields)
        lengths = {channel: sum(weights.values()) for channel, weights in entry.channels.items()}
        self._add_row(lengths, entry.row)

    def absorb(self, parts: Sequence[Any], chosen: Collection[int]) -> list[Any]:
        """Copy the living documents of these segments into the new one; returns the other segments."""
        for number in chosen:
            if parts[number].doc_count():
                self._copy(parts[number], _segment(Path(self.storage.folder), parts[number], Memory()))
        return [part for number, part in enumerate(parts) if number not in chosen]

    def _copy(self, part: Any, segment: W3Segment) -> None:
        living = [doc for doc in range(segment.size) if not part.is_deleted(doc)]
        numbers = np.full(segment.size, -1, np.int32)
        numbers[living] = np.arange(self.docnum, self.docnum + len(living))
        for doc in living:
            self._add_row(*self._row(segment, doc))
        for field in self.schema.names():
            for token, (ids, weights, positions) in segment.lists(field):
                if field == w3.PLACES:
                    ids, weights = np.repeat(ids, weights.astype(np.int64)), np.frombuffer(positions, POSITION)
                kept = numbers[ids] >= 0
                self._inversions[field].extend(token, numbers[ids][kept], weights[kept])

    def _row(self, segment: W3Segment, doc: int) -> tuple[dict[str, float], dict[str, Any]]:
        stored = segment.stored(doc)
        dates = [name for name in self.schema.names() if name.startswith(w3.date_column(""))]
        values = {name: int(segment.dates(name.removeprefix(w3.date_column("")))[doc]) for name in dates}
        lengths = {channel: float(segment.lengths(channel)[doc]) for channel in CHANNELS}
        return lengths, {w3.VERSION: stored.version, w3.DIGEST: stored.digest.encode(), **values}

    def _add_row(self, lengths: Mapping[str, float], values: Mapping[str, Any]) -> None:
        self.perdocwriter.start_doc(self.docnum)
        for channel, length in lengths.items():
            self.perdocwriter.add_field(channel, self.schema[channel], None, length)
        for name, value in values.items():
            self.perdocwriter.add_column_value(name, self.schema[name].column_type, value)
        self.perdocwriter.finish_doc()
        self.docnum += 1
        self._added = True

    def _flush_segment(self) -> None:
        """Instead of Whoosh's, which takes the postings from its sorting pool."""
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
        file = self.fieldwriter._postfile
        info, data = lists.encode(postings.ids, postings.weights, postings.positions, file.tell())
        file.write(data)
        self.fieldwriter._tindex.add(struct.pack("!H", self.fieldwriter._fieldid) + postings.token, info)
