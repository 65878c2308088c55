"""Heavy work on all cores, in processes of their own."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")

logger = logging.getLogger(__name__)


def on_all_cores(work: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
    """What `work` makes of each job, in order; jobs are asked for a few at a time. A single job is done here.

    A child that cannot be had, or is killed, loses nothing: its job is done here, and so an error is raised here.
    """
    waiting = iter(jobs)
    first = list(islice(waiting, 2))
    if len(first) < 2 or (cores := os.cpu_count() or 1) < 2:
        yield from map(work, chain(first, waiting))
        return
    with _pool(cores) as pool:
        begun: deque[tuple[J, Future[R] | None]] = deque()
        for job in chain(first, waiting):
            begun.append((job, _begin(pool, work, job)))
            if len(begun) > cores:
                yield _result(work, *begun.popleft())
        while begun:
            yield _result(work, *begun.popleft())


@contextmanager
def _pool(cores: int) -> Iterator[ProcessPoolExecutor]:
    """Not forked: this process may have threads, and they may hold locks."""
    pool = ProcessPoolExecutor(cores, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(pool: ProcessPoolExecutor, work: Callable[[J], R], job: J) -> Future[R] | None:
    try:
        return pool.submit(work, job)
    except Exception:  # no memory for a child, or the pool is broken
        return None


def _result(work: Callable[[J], R], job: J, future: Future[R] | None) -> R:
    if future:
        try:
            return future.result()
        except Exception:
            logger.warning("A child process failed, its work is done here", exc_info=True)
    return work(job)
