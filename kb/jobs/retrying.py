"""What a job is, and what becomes of one that fails: tried again, later and later, then left to people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar

from django_tasks import task
from django_tasks.base import Task

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """`attempts` in all; the wait after the n-th is `first` times `factor` to the n-1, at most `longest`."""

    attempts: int = 8  # with these waits the last one comes after about five hours: a mail server is back by then
    first: timedelta = timedelta(minutes=1)
    factor: int = 3
    longest: timedelta = timedelta(hours=2)

    def wait_after(self, attempt: int) -> timedelta:
        return min(self.first * int(self.factor ** min(attempt - 1, 15)), self.longest)


USUAL = Retry()
_policies: dict[str, Retry] = {}


def job(*, retry: Retry = USUAL) -> Callable[[Callable[P, T]], "Task[P, T]"]:
    """Makes a job of a function in a module. Arguments and what it returns are what JSON can say."""

    def wrap(function: Callable[P, T]) -> "Task[P, T]":
        made = task(function)
        _policies[made.module_path] = retry
        return made

    return wrap


def policy_of(path: str) -> Retry:
    """Of a job whose function is gone or not imported yet: the usual one."""
    return _policies.get(path, USUAL)
