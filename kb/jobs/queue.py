"""The queue's states: ready -> running -> done; or ready again, later; or a dead letter, which a person can put back.

The list of a row's workers is the list of its attempts, and the fence: whoever writes what came of a job names the list
as it was when they took it, so that a worker which was taken for dead, and is not, changes nothing any more.
"""

import logging
from datetime import datetime, timedelta
from traceback import format_exception
from typing import Any

from django.db.models import Q, QuerySet
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from kb.jobs.models import LEASE, Worker
from kb.jobs.retrying import policy_of

logger = logging.getLogger(__name__)

READY, RUNNING = TaskResultStatus.READY, TaskResultStatus.RUNNING
DONE, DEAD = TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED

Row = DBTaskResult[Any, Any]
# What was done is kept for a look back; dead letters until somebody has had time to see them.
KEEP_DONE, KEEP_DEAD = timedelta(days=7), timedelta(days=90)
LONGEST_TRACEBACK = 20_000  # characters


class WorkerLost(Exception):
    """The worker was gone in the middle of the job."""


def rows() -> QuerySet[Row]:
    return DBTaskResult.objects.all()


def ready(*, at: datetime) -> QuerySet[Row]:
    """What waits and is due; without a time of its own it is due at once."""
    return rows().filter(Q(run_after=get_date_max()) | Q(run_after__lte=at), status=READY)


def dead() -> QuerySet[Row]:
    return rows().filter(status=DEAD).order_by("-finished_at", "pk")


def claim(worker: str, *, at: datetime) -> Row | None:
    """The next job, ours alone: of several workers the database lets one through."""
    while (row := ready(at=at).first()) is not None:
        attempts = [*row.worker_ids, worker]
        if _move(row, READY, status=RUNNING, started_at=at, worker_ids=attempts):
            row.refresh_from_db()
            return row
    return None


def finish(row: Row, value: Any, *, at: datetime) -> None:
    fields = {"return_value": value, "finished_at": at, "exception_class_path": "", "traceback": ""}
    if not _move(row, RUNNING, status=DONE, **fields):
        logger.warning("Job %s was given to another worker meanwhile", row.task_path)


def fail(row: Row, error: BaseException, *, at: datetime) -> None:
    """Again later, or, after as many attempts as it has, a dead letter."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    said = {"exception_class_path": name, "traceback": _kept("".join(format_exception(error)))}
    attempt, policy = len(row.worker_ids), policy_of(row.task_path)
    if attempt >= policy.attempts:
        if _move(row, RUNNING, status=DEAD, finished_at=at, **said):
            logger.error("Job %s is given up after %s attempts", row.task_path, attempt)
    else:
        wait = timedelta(0) if isinstance(error, WorkerLost) else policy.wait_after(attempt)
        _move(row, RUNNING, status=READY, run_after=at + wait, **said)


def _kept(traceback: str) -> str:
    """Its end, where the error stands: that may quote what somebody sent, however long, and PostgreSQL keeps no NUL."""
    return traceback[-LONGEST_TRACEBACK:].replace("\0", "\ufffd")


def recover(*, at: datetime, idle: str = "") -> int:
    """Jobs whose worker is gone are free again; how many. `idle`: who asks, and has no job in hand just now."""
    living = set(Worker.objects.living(at=at).values_list("name", flat=True)) - {idle}
    lost = [row for row in rows().filter(status=RUNNING) if not row.worker_ids or row.worker_ids[-1] not in living]
    for row in lost:
        fail(row, WorkerLost(f"{row.worker_ids[-1:]} was gone in the middle of it"), at=at)
    return len(lost)


def put_back(pk: Any, *, at: datetime) -> bool:
    """A dead letter is tried again, with all its attempts anew. False: it is none (any more)."""
    fields = {"status": READY, "run_after": at, "worker_ids": [], "finished_at": None}
    return bool(dead().filter(pk=pk).update(**fields))


def prune(*, at: datetime) -> int:
    """Old results, and workers that have been gone for long; how many rows."""
    old = Q(status=DONE, finished_at__lt=at - KEEP_DONE) | Q(status=DEAD, finished_at__lt=at - KEEP_DEAD)
    gone, _ = rows().filter(old).delete()
    Worker.objects.filter(seen_at__lt=at - 10 * LEASE).delete()
    return gone


def waits_in_vain(*, at: datetime) -> int:
    """How many jobs are due while no worker lives."""
    return 0 if Worker.objects.living(at=at).exists() else ready(at=at).count()


def _move(row: Row, start: TaskResultStatus, **fields: Any) -> int:
    return rows().filter(pk=row.pk, status=start, worker_ids=row.worker_ids).update(**fields)
