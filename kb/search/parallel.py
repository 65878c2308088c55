"""Heavy work on all cores: each job in a Python of its own. Run as a module, this is the child's side.

Not `multiprocessing`: a fork copies the locks that other threads hold, and a spawned child runs the main script again.
"""

import logging
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")

logger = logging.getLogger(__name__)


def on_all_cores(work: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
    """What `work` makes of each job, in order; jobs are asked for a few at a time. A single job is done here.

    A child that cannot be had, or is killed, loses nothing: its job is done here, and its error is raised here.
    `work` is a function of a module; it, the jobs and the results can be pickled.
    """
    waiting, cores = iter(jobs), os.cpu_count() or 1
    first = list(islice(waiting, 2))
    if len(first) < 2 or cores < 2:
        yield from map(work, chain(first, waiting))
        return
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(cores, thread_name_prefix="watching-a-child") as threads:
        for job in chain(first, waiting):
            begun.append(threads.submit(_in_a_child, work, job))
            if len(begun) > cores:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def _in_a_child(work: Callable[[J], R], job: J) -> R:
    try:
        done = subprocess.run(  # noqa: S603  (our own module)
            [sys.executable, "-m", __name__],
            input=pickle.dumps((work, job)),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
        result: R = pickle.loads(done.stdout)  # noqa: S301  (our child's)
        return result
    except Exception:
        logger.warning("A child process failed; its work is done here", exc_info=True)
        return work(job)


def _be_the_child() -> None:
    work, job = pickle.load(sys.stdin.buffer)  # noqa: S301  (our parent's)
    sys.stdout.buffer.write(pickle.dumps(work(job)))


if __name__ == "__main__":
    _be_the_child()
