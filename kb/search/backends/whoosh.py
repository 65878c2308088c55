"""The embedded engine: an index in Whoosh's own format. Whoosh keeps the table of contents, we read and write segments.

The only file that imports whoosh, and only what whoosh 2.7.4 and whoosh3 3.54 share. Analysis is the application's,
scoring is `kb.search.scoring`'s. `kb/search/README.md` lists the traps.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
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
from whoosh.index import TOC, clean_files
from whoosh.util.filelock import try_for
from whoosh.util.numeric import byte_to_length

from kb.search import entries, merging, scoring, spelling, w3
from kb.search.analysis import ANALYSIS_VERSION, fold
from kb.search.base import (
    CHANNELS,
    SURFACE,
    Alone,
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
from kb.search.building import Drawer, Made, Source, merged, sources_of
from kb.search.entries import Entry
from kb.search.generations import Generations, flush
from kb.search.memory import Memory
from kb.search.parallel import on_all_cores
from kb.search.segments import ACCESS, KEY, NO_DATE, Mask, Segment, Snapshot
from kb.search.w3 import W3Segment

# Part of what an index is built for: another number here means that older indexes are rebuilt.
LAYOUT_VERSION = 1
INDEX_NAME = "MAIN"
SEGMENTS = 2  # of a new index, at most, if nothing is done to it
BATCH = 15_000_000  # characters in a segment of a new index: 6,000 documents of 340 words, built with about 250 MB
LOCK_PATIENCE = 10.0  # seconds; the drainer's lock keeps others away, so only a stranger can hold Whoosh's
MOST_MERGES = 10  # in one go of the job, one after the other
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
        self._columns = w3.columns(schema.dates)
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
                self._commit(opened, [entries.entry_of(document, self.schema) for document in news], doomed)

    def tidy(self, alone: Alone = nullcontext) -> None:
        for _ in range(MOST_MERGES):
            if not self._merge_beside(alone):
                return

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

    def _commit(self, opened: Opened, added: Sequence[Entry], doomed: Iterable[int]) -> None:
        with _translated("written"), _writing(opened.generation, self._fields) as index:
            if index.commit != opened.commit:
                raise Unavailable("somebody else has written the index meanwhile")
            index.delete(doomed)
            if added:
                drawer = Drawer(self._columns, _LENGTH_OF_BYTE)
                for entry in added:
                    drawer.add(entry)
                index.parts.append(_part(drawer.write(_new_path(opened.generation))))
            if chosen := merging.at_once(index.living()):
                index.parts = self._merged_at_once(index.parts, chosen, opened.generation)
            index.publish()

    def _merged_at_once(self, parts: Sequence[Any], chosen: Collection[int], generation: Path) -> list[Any]:
        kept = [part for number, part in enumerate(parts) if number not in chosen]
        full = [parts[number] for number in chosen if parts[number].doc_count()]
        if not full:
            return kept
        segments = [_segment(generation, part, self._memory) for part in full]
        sources = sources_of(segments, [_living(part) for part in full])
        return [*kept, _part(merged(_new_path(generation), sources, self._columns))]

    def _merge_beside(self, alone: Alone) -> bool:
        """Whether there was anything to do. Others write meanwhile: the lock is held only while we switch."""
        with self._reading() as opened, _translated("merged"), _workshop(opened.generation) as workshop:
            snapshot = opened.snapshot
            chosen = merging.beside(snapshot.live_sizes()) if workshop else []
            if workshop and chosen:
                segments = [snapshot.segments[number] for number in chosen]
                living = [snapshot.living_in(number) for number in chosen]
                sources = sources_of([s for s in segments if isinstance(s, W3Segment)], living)
                made = merged(_new_path(workshop), sources, self._columns) if sources[-1].end else None
                with alone():
                    self._switch(opened.generation, sources, made)
            return bool(chosen)

    def _switch(self, generation: Path, sources: Sequence[Source], made: Made | None) -> None:
        """To the merged segment, without what was deleted since. If the old ones are gone, the work was in vain."""
        with _writing(generation, self._fields) as index:
            parts = {part.segment_id(): part for part in index.parts}
            old = [parts.pop(source.segment.name, None) for source in sources]
            if self._generations.current() != generation or None in old:
                return
            index.parts = list(parts.values())
            if made:
                path = made.path.rename(generation / made.path.name)
                index.parts.append(new := _part(made._replace(path=path)))
                for source, before in zip(sources, old, strict=True):
                    for doc in source.numbers[list(before.deleted_docs())].tolist():
                        if doc >= 0:
                            new.delete_document(doc)
            index.publish()

    def _build(self, generation: Path, documents: Iterable[Document]) -> int:
        """Segments are made on all cores, and then made into a few: each of them costs every search the same again."""
        jobs = (_Job(_new_path(generation), self.schema, batch) for batch in entries.batches(documents, BATCH))
        made = [segment for segment in on_all_cores(_build_segment, jobs) if segment.documents]
        if len(made) > SEGMENTS:
            shares = [made[at::SEGMENTS] for at in range(SEGMENTS)]
            merges = [_Merge(_new_path(generation), self.schema, share) for share in shares]
            made = list(on_all_cores(_merge_segments, merges))
        with _translated("written"), _files(generation) as files:
            parts = [_part(segment) for segment in made]
            TOC(self._fields, parts, 0).write(files, INDEX_NAME)
            clean_files(files, INDEX_NAME, 0, parts)
        return sum(segment.documents for segment in made)


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


def _living(part: Any) -> Mask:
    living = np.ones(part.doc_count_all(), np.bool_)
    living[list(part.deleted_docs())] = False
    return living


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


# --- writing -------------------------------------------------------------------------------------------------------


class _Index:
    """The newest commit, and the next one: `parts` are Whoosh's entries for the segments."""

    def __init__(self, files: _Files, schema: fields.Schema) -> None:
        toc = TOC.read(files, INDEX_NAME, schema=schema)
        self.commit: int = toc.generation
        self.parts: list[Any] = toc.segments
        self._files, self._schema = files, schema

    def delete(self, docs: Iterable[int]) -> None:
        """By the numbers of a snapshot of this commit."""
        ends = np.cumsum([part.doc_count_all() for part in self.parts])
        for doc in docs:
            at = int(np.searchsorted(ends, doc, side="right"))
            part = self.parts[at]
            part.delete_document(doc - int(ends[at]) + part.doc_count_all())

    def living(self) -> list[int]:
        return [part.doc_count() for part in self.parts]

    def publish(self) -> None:
        """Whoosh never flushes, and the outbox forgets the change when this returns."""
        TOC(self._schema, self.parts, self.commit + 1).write(self._files, INDEX_NAME)
        clean_files(self._files, INDEX_NAME, self.commit + 1, self.parts)
        flush(Path(self._files.folder))


@contextmanager
def _writing(folder: Path, schema: fields.Schema) -> Iterator[_Index]:
    """Under Whoosh's lock; whatever happens, it and all files are let go."""
    with _files(folder) as files:
        lock = files.lock(f"{INDEX_NAME}_WRITELOCK")
        if not try_for(lock.acquire, timeout=LOCK_PATIENCE, delay=0.1):
            raise Unavailable("another process is writing the index")
        try:
            yield _Index(files, schema)
        finally:
            lock.release()


@contextmanager
def _workshop(generation: Path) -> Iterator[Path | None]:
    """A folder for what is being merged, for one process at a time. What a killed one left there goes."""
    folder = generation / "merging"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not _locked(handle):
            yield None
            return
        for path in folder.iterdir():
            path.unlink()
        yield folder
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- building ------------------------------------------------------------------------------------------------------


class _Job(NamedTuple):
    path: Path
    schema: Schema
    documents: Sequence[Document]


def _build_segment(job: _Job) -> Made:
    """Runs in another process; can be run again where that was killed."""
    drawer = Drawer(w3.columns(job.schema.dates), _LENGTH_OF_BYTE)
    for document in job.documents:
        if entry := entries.entry_or_none(document, job.schema):
            drawer.add(entry)
    with _translated("written", only=OSError):
        return drawer.write(job.path)


class _Merge(NamedTuple):
    path: Path
    schema: Schema
    made: Sequence[Made]


def _merge_segments(job: _Merge) -> Made:
    """Likewise."""
    with _translated("written"):
        segments = [_segment(one.path.parent, _part(one), Memory()) for one in job.made]
        living = [np.ones(segment.size, np.bool_) for segment in segments]
        return merged(job.path, sources_of(segments, living), w3.columns(job.schema.dates))


def _new_path(folder: Path) -> Path:
    """Whoosh names segments by `random`, which anybody may have seeded: a second of a name overwrites the first."""
    return folder / f"{INDEX_NAME}_{secrets.token_hex(8)}{SegmentEntry.COMPOUND_EXT}"


def _part(made: Made) -> Any:
    """How Whoosh remembers a segment in its table of contents."""
    part = SegmentEntry(W3Codec(), INDEX_NAME, made.documents, made.path.stem.removeprefix(f"{INDEX_NAME}_"))
    part.compound = True
    part._fieldlengths = defaultdict(int, made.lengths)
    return part
