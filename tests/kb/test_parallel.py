"""Jobs in other processes: all done, in order, whatever becomes of a child."""

import os
import signal

import pytest

from kb.search.parallel import on_all_cores


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def fatal_elsewhere(arguments: tuple[int, int]) -> int:
    number, parent = arguments
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def impossible(number: int) -> int:
    raise ValueError(f"{number} cannot be done")


def test_a_single_job_is_done_here() -> None:
    assert list(on_all_cores(process_of, [1])) == [(1, os.getpid())]


def test_no_job_is_no_work() -> None:
    assert list(on_all_cores(process_of, [])) == []


def test_several_jobs_are_done_elsewhere_and_come_in_order() -> None:
    done = list(on_all_cores(process_of, range(5)))

    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    assert os.cpu_count() == 1 or os.getpid() not in {process for _, process in done}


def test_the_job_of_a_killed_child_is_done_here() -> None:
    assert list(on_all_cores(fatal_elsewhere, [(n, os.getpid()) for n in range(3)])) == [0, 1, 2]


def test_an_error_is_raised_here() -> None:
    with pytest.raises(ValueError, match="0 cannot be done"):
        list(on_all_cores(impossible, range(3)))
