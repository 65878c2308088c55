"""A worker: takes jobs until it is told to stop. Several may run, on one machine or many."""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone
from django_tasks.utils import normalize_json

from kb import origin
from kb.jobs import queue, schedule
from kb.jobs.models import BEAT, Worker

logger = logging.getLogger(__name__)

# Seconds between looks into an empty queue; also how long a signal may have to wait.
IDLE = 1.0
JOB = origin.Origin("job", None)


class Working:
    """One worker's life. `parent`: the process without which it shall not go on, as a demo's server."""

    def __init__(self, *, parent: int | None = None) -> None:
        self.name = f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.parent = parent
        self.stopping = False
        self.ended = threading.Event()
        self.looked_at = 0.0

    def go_on(self) -> None:
        """Until a signal comes. A database that is away is waited for: nobody has to start the worker again."""
        self.listen()
        logger.info("Worker %s takes jobs", self.name)
        with self.alive():
            while not self.should_stop():
                if not self.step():
                    time.sleep(IDLE)
        logger.info("Worker %s stops", self.name)

    def drain(self) -> int:
        """What is due now, until nothing is left; how many jobs."""
        done = 0
        self.look_around()
        with self.alive():
            while not self.should_stop() and run_next(self.name):
                done += 1
        return done

    def step(self) -> bool:
        """One job, if there is one. Whether there was."""
        close_old_connections()
        try:
            if time.monotonic() - self.looked_at >= BEAT.total_seconds() or not self.looked_at:
                self.look_around()
                self.looked_at = time.monotonic()
            return run_next(self.name)
        except (OperationalError, InterfaceError):
            logger.exception("The database does not answer the worker")
            return False

    def look_around(self) -> None:
        """Between jobs: say that it lives, free what dead workers held, see what is due."""
        now = timezone.now()
        Worker.objects.beat(self.name, at=now)
        if lost := queue.recover(at=now, idle=self.name):
            logger.warning("%s jobs are taken over from workers that are gone", lost)
        schedule.enqueue_due(at=now)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Others can tell, also while a job takes long; and at its end that it is gone."""
        threading.Thread(target=self.beat_on, name="heartbeat", daemon=True).start()
        try:
            yield
        finally:
            self.ended.set()
            self.leave()

    def beat_on(self) -> None:
        """Beside the job, so that a long one is not taken for a dead worker's."""
        while not self.ended.wait(BEAT.total_seconds()):
            try:
                Worker.objects.beat(self.name, at=timezone.now())
            except (OperationalError, InterfaceError):
                logger.warning("The worker could not say that it lives")
            finally:
                connections.close_all()  # this thread's own

    def leave(self) -> None:
        try:
            Worker.objects.filter(name=self.name).delete()
        except (OperationalError, InterfaceError):
            logger.warning("The worker could not say that it stops")

    # --- when to stop ---

    def listen(self) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self.told_to_stop)

    def told_to_stop(self, number: int, frame: FrameType | None) -> None:
        """The job in hand is finished; told again, it is not, and another worker does it anew."""
        self.stopping = True
        signal.signal(number, signal.SIG_DFL)

    def should_stop(self) -> bool:
        return self.stopping or (self.parent is not None and os.getppid() != self.parent)


def run_next(worker: str) -> bool:
    """The next job that is due; whether there was one."""
    row = queue.claim(worker, at=timezone.now())
    if row is None:
        return False
    try:
        with origin.comes_from(JOB):
            value = _do(row)
    except Exception as error:
        logger.warning("Job %s failed, attempt %s", row.task_path, len(row.worker_ids), exc_info=error)
        queue.fail(row, error, at=timezone.now())
    else:
        queue.finish(row, value, at=timezone.now())
    return True


def _do(row: queue.Row) -> Any:
    known = row.args_kwargs
    return normalize_json(row.task.call(*known["args"], **known["kwargs"]))
