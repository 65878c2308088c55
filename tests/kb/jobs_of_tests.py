"""Jobs that the tests put in the queue."""

import time
from datetime import timedelta
from pathlib import Path

from kb.jobs.retrying import Retry, job
from kb.jobs.schedule import Regular


class Failing(Exception):
    """What a job that fails says."""


@job()
def add(first: int, second: int) -> int:
    return first + second


@job(retry=Retry(attempts=3, first=timedelta(minutes=1), factor=3))
def fail(said: str = "no route") -> None:
    raise Failing(said)


@job()
def quote_much() -> None:
    """Fails with the words of somebody who means harm."""
    raise Failing("begins" + "x" * 30_000 + "\0 ends")


@job()
def unspeakable() -> object:
    return object()


@job()
def write(path: str, word: str) -> None:
    """Leaves a line, so that it shows how often it was done."""
    with Path(path).open("a") as file:
        file.write(f"{word}\n")


@job()
def write_slowly(path: str, word: str) -> None:
    """Says that it began, and goes on for as long as a file says so."""
    with Path(path).open("a") as file:
        file.write(f"{word} begins\n")
    while Path(f"{path}.hold").exists():
        time.sleep(0.02)
    with Path(path).open("a") as file:
        file.write(f"{word} done\n")


TIMETABLE = (Regular(add, every=timedelta(hours=1)), Regular(fail, every=timedelta(days=1)))
