"""Where a request came from, for whoever writes it down: kept beside the call, not passed through every function."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Origin(NamedTuple):
    """`channel`: web, api or command. `address`: the client's IP address; None on the command line."""

    channel: str
    address: str | None


COMMAND = Origin("command", None)
_current: ContextVar[Origin] = ContextVar("origin", default=COMMAND)


def current() -> Origin:
    return _current.get()


@contextmanager
def comes_from(origin: Origin) -> Iterator[None]:
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)
