"""Regular work: the workers themselves put in the queue what is due. No timer of the machine is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django_tasks.base import Task

from kb.jobs import queue
from kb.jobs.models import RegularWork

MIDNIGHT = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday: beats are counted from here


@dataclass(frozen=True)
class Regular:
    """`task`, without arguments, every `every`: at full hours, quarters or days of UTC."""

    task: "Task[..., Any]"
    every: timedelta

    @property
    def name(self) -> str:
        return self.task.name

    def next_after(self, at: datetime) -> datetime:
        return MIDNIGHT + ((at - MIDNIGHT) // self.every + 1) * self.every


def timetable() -> Sequence[Regular]:
    """What the domain wants done; named in settings, since the ground knows no domain."""
    found: Sequence[Regular] = import_string(settings.REGULAR_WORK)
    return found


def enqueue_due(*, at: datetime, table: Sequence[Regular] | None = None) -> list[str]:
    """Put in the queue what is due, each once however many workers ask; returns its names.

    What was missed while no worker ran is done once, not as often as it was missed. One that still waits, or is being
    done, is not put in a second time.
    """
    table = timetable() if table is None else table
    known = {row.name: row.next_at for row in RegularWork.objects.all()}
    for work in table:
        if work.name not in known:
            known[work.name] = RegularWork.objects.get_or_create(name=work.name, defaults={"next_at": at})[0].next_at
    return [work.name for work in table if known[work.name] <= at and _enqueue(work, known[work.name], at)]


@transaction.atomic
def _enqueue(work: Regular, due: datetime, at: datetime) -> bool:
    mine = RegularWork.objects.filter(name=work.name, next_at=due).update(next_at=work.next_after(at))
    unfinished = queue.rows().filter(task_path=work.task.module_path, status__in=[queue.READY, queue.RUNNING])
    if not mine or unfinished.exists():
        return False
    work.task.enqueue()
    return True
