"""The outbox: changes wait here until the index has learned them. Killed at any point, the next drain goes on."""

import fcntl
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from kb.jobs.models import Worker
from kb.jobs.retrying import Retry, job
from kb.search import engine
from kb.search.base import SearchError
from kb.search.models import IndexChange

BATCH = 500
MAX_ATTEMPTS = 5
# More changes than this are left to whoever drains next: the person who saved should not wait for them.
AT_ONCE = 2000
# Seconds after which a saver does no more of what others save meanwhile, if there is a worker to go on.
FAIR_SHARE = 1.0
# Seconds that a command or a worker waits for another drainer: longer than a rebuild of 10,000 documents.
PATIENCE = 60.0
# Not the document's fault: the rows wait until the index or the database is well again.
NOT_ITS_FAULT = (SearchError, OperationalError, InterfaceError)

logger = logging.getLogger(__name__)


def record(keys: Iterable[str]) -> None:
    """Note that these documents changed, in the caller's transaction; once it is committed, the index learns them."""
    changes = [IndexChange(key=key) for key in dict.fromkeys(keys)]
    if not changes:
        return
    IndexChange.objects.bulk_create(changes, batch_size=BATCH)
    if len(changes) <= AT_ONCE and not _will_drain():
        transaction.on_commit(_drain_or_log)


def drain(*, wait: float = 0.0, has_enough: Callable[[], bool] = lambda: False) -> int:
    """Teach the index what changed; returns how many rows are done. One drainer at a time, on the whole machine.

    `wait`: seconds to wait for another drainer. Without it this returns at once, for the other one sees our rows too:
    after letting go of the lock it looks again. `has_enough`: asked while rows are left; who says so sees to it that
    another goes on. Raises Unavailable or Corrupt; the rows stay.
    """
    done, failed = 0, set[int]()
    while True:
        with drainer_lock(wait) as held:
            if not held:
                return done
            while rows := list(_waiting(failed)[:BATCH]):
                done += _drain_batch(rows, failed)
                if _waiting(failed).exists() and has_enough():
                    return done
        if not _waiting(failed).exists():
            return done


@job(retry=Retry(attempts=1))
def drain_left() -> int:
    """By a worker: what a saver left. What fails is in the rows; the next save and the regular work try them again."""
    return drain(wait=PATIENCE)


def pending(limit: int = 1000) -> list[str]:
    """Keys that the index has not learned yet, oldest first."""
    return list(dict.fromkeys(waiting(limit).values_list("key", flat=True)))


def waiting(limit: int = 1000) -> QuerySet[IndexChange]:
    """The rows of what the index has not learned yet, oldest first."""
    return IndexChange.objects.all()[:limit]


def left_aside() -> QuerySet[IndexChange]:
    """Changes given up after too many attempts, until the document changes again or the index is rebuilt."""
    return IndexChange.objects.filter(attempts__gte=MAX_ATTEMPTS)


@contextmanager
def drainer_lock(wait: float = 0.0) -> Iterator[bool]:
    """Whether this caller is the machine's one drainer while the block runs. The kernel frees it if we are killed."""
    with (settings.DATA_DIR / "index.lock").open("a") as file:
        held = _lock(file.fileno(), until=time.monotonic() + wait)
        try:
            yield held
        finally:
            if held:
                fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: a forked child may have the file open too


def _lock(file: int, *, until: float) -> bool:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)


def _will_drain() -> bool:
    """Once a transaction is enough, and a document that fails is tried once. A rolled back savepoint takes it back."""
    return any(hook is _drain_or_log for _, hook, *_ in transaction.get_connection().run_on_commit)


def _drain_or_log() -> None:
    """What is saved is saved: the saver is not bothered with an index that cannot learn now.

    In a storm of saves the one who drains would go on for all of them, and its own answer would come last.
    """
    tired_at = time.monotonic() + FAIR_SHARE
    try:
        drain(has_enough=lambda: time.monotonic() >= tired_at and _leave_to_a_worker())
    except SearchError as error:
        logger.warning("The index cannot learn changes now, they wait in the outbox: %s", error)
    except Exception:
        logger.exception("Draining the outbox after a commit")


def _leave_to_a_worker() -> bool:
    """Whether one lives, who then knows."""
    if not Worker.objects.living(at=timezone.now()).exists():
        return False
    drain_left.enqueue()
    return True


def _waiting(failed: Collection[int]) -> QuerySet[IndexChange]:
    """Rows to be done, without those that failed in this drain: one attempt each."""
    return IndexChange.objects.filter(attempts__lt=MAX_ATTEMPTS).exclude(pk__in=failed)


def _drain_batch(rows: Sequence[IndexChange], failed: set[int]) -> int:
    faults = _teach_what_can_be(list(dict.fromkeys(row.key for row in rows)))
    learned = [row for row in rows if row.key not in faults]
    IndexChange.objects.filter(pk__in=[row.pk for row in learned]).delete()
    left_aside().filter(key__in={row.key for row in learned}).delete()
    for key, fault in faults.items():
        pks = [row.pk for row in rows if row.key == key]
        IndexChange.objects.filter(pk__in=pks).update(
            attempts=F("attempts") + 1, error=f"{type(fault).__name__}: {fault}"
        )
        failed.update(pks)
    return len(learned)


def _teach_what_can_be(keys: Sequence[str]) -> dict[str, Exception]:
    """One commit for all keys. If a document cannot be made or analysed, halve until it stands alone: key -> fault."""
    try:
        _teach(keys)
    except NOT_ITS_FAULT:
        raise
    except Exception as fault:
        if len(keys) == 1:
            logger.exception("Teaching the index the document %s", keys[0])
            return {keys[0]: fault}
        middle = len(keys) // 2
        return _teach_what_can_be(keys[:middle]) | _teach_what_can_be(keys[middle:])
    return {}


def _teach(keys: Sequence[str]) -> None:
    documents = list(engine.source().documents(keys))
    found = {document.key for document in documents}
    engine.backend().apply(documents, [key for key in keys if key not in found])
