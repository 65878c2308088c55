"""Looking after the index: make it anew, compare it with the database, mend what differs, say how it is."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections

from kb.search import engine, outbox
from kb.search.base import Document, SearchError, Stored, Unavailable
from kb.search.models import IndexChange
from kb.search.outbox import PATIENCE

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Differences:
    """Keys that the index lacks, that it holds in another state, and that it holds though they are gone."""

    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.missing, *self.stale, *self.orphaned)


def rebuild(progress: Callable[[int], None] | None = None, *, wait: float = PATIENCE) -> int:
    """Make the index anew beside the old one and switch to it. `progress` is told how many documents are done."""
    with outbox.drainer_lock(wait) as held:
        _insist(held)
        count = _rebuild(progress)
    outbox.drain(wait=wait)
    return count


def ensure(*, wait: float = PATIENCE) -> bool:
    """See to it that there is an index that can be used; returns whether it had to be made."""
    if is_usable():
        return False
    with outbox.drainer_lock(wait) as held:
        _insist(held)
        if is_usable():  # another process was faster
            return False
        _rebuild()
    outbox.drain(wait=wait)
    return True


def sync(*, wait: float = PATIENCE) -> int:
    """Learn what is pending, in a new index if there is none, and tidy up; returns how many changes were learned."""
    ensure(wait=wait)
    done = outbox.drain(wait=wait)
    engine.backend().tidy(_alone)
    return done


@contextmanager
def _alone() -> Iterator[None]:
    with outbox.drainer_lock(PATIENCE) as held:
        _insist(held)
        yield
    outbox.drain()  # who saved meanwhile found the lock taken and left


def verify(*, repair: bool = False) -> Differences:
    """Compare every document of the index with the database; `repair` learns anew what differs, and only that."""
    if repair:
        ensure()
    suspects = _differences()
    # What was saved while we were comparing is no difference: a second look at those few tells.
    found = _differences(suspects.keys) if suspects.keys else suspects
    if repair and found.keys:
        _repair(found)
    return found


def stats() -> Mapping[str, int | str]:
    """How the index is, for the operator. Never raises for the index's sake: its trouble is what is asked for."""
    left_aside = outbox.left_aside().count()
    rows: dict[str, int | str] = {"pending": IndexChange.objects.count() - left_aside, "left_aside": left_aside}
    rows |= {f"error {row.key}": row.error for row in IndexChange.objects.exclude(error="")[:10]}
    try:
        return {"state": "ready", **engine.backend().stats(), **rows}
    except SearchError as error:
        return {"state": f"{type(error).__name__}: {error}", **rows}


def is_usable() -> bool:
    try:
        engine.backend().stats()
    except SearchError:
        return False
    return True


_rebuilding = threading.Lock()


def rebuild_in_background() -> bool:
    """Make a usable index while the database answers. One thread a process; says whether it was started now."""
    if not _rebuilding.acquire(blocking=False):
        return False
    threading.Thread(target=_ensure_or_log, name="index-rebuild", daemon=True).start()
    return True


def _ensure_or_log() -> None:
    try:
        ensure(wait=0)
    except Unavailable as error:
        logger.info("The index is not made anew here: %s", error)
    except Exception:
        logger.exception("Making the index anew in the background")
    finally:
        connections.close_all()  # this thread's own: nobody else would
        _rebuilding.release()


def _insist(held: bool) -> None:
    if not held:
        raise Unavailable("another process is changing the index; try again when it is done")


def _rebuild(progress: Callable[[int], None] | None = None) -> int:
    """Under the drainer's lock. Rows that are here before the documents are read are learned with them."""
    learned = list(IndexChange.objects.values_list("pk", flat=True))
    seen: list[str] = []
    backend = engine.backend()
    count = backend.rebuild(_watched(engine.source().documents(), seen, progress))
    for start in range(0, len(learned), outbox.BATCH):
        IndexChange.objects.filter(pk__in=learned[start : start + outbox.BATCH]).delete()
    if count < len(seen):  # documents that could not be analysed: the outbox tries again, and keeps the error
        outbox.record(set(seen).difference(backend.stored()))
    return count


def _watched(
    documents: Iterable[Document], seen: list[str], progress: Callable[[int], None] | None
) -> Iterator[Document]:
    for document in documents:
        yield document
        seen.append(document.key)
        if progress:
            progress(len(seen))


def _repair(found: Differences) -> None:
    """An older version never overwrites a newer one; but after a restored backup the older one is the truth."""
    backend = engine.backend()
    with outbox.drainer_lock(PATIENCE) as held:
        _insist(held)
        outbox.record(found.keys)  # before anything is forgotten, so that nothing is lost if we are killed
        stored = backend.stored()
        documents = engine.source().documents(found.stale)
        ahead = [doc.key for doc in documents if doc.key in stored and stored[doc.key].version > doc.version]
        backend.apply((), gone=ahead)
    outbox.drain(wait=PATIENCE)


def _differences(keys: Collection[str] | None = None) -> Differences:
    stored = engine.backend().stored()
    held = stored if keys is None else {key: stored[key] for key in keys if key in stored}
    documents = engine.source().documents(keys)
    wanted = {document.key: Stored(document.version, document.digest) for document in documents}
    return Differences(
        missing=tuple(key for key in wanted if key not in held),
        stale=tuple(key for key, state in wanted.items() if key in held and held[key] != state),
        orphaned=tuple(key for key in held if key not in wanted),
    )
