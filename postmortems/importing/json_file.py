"""JSON of any tool: one value, or several one after the other, as programs write that fetch page after page."""

import json
from collections.abc import Iterator
from typing import Any

from postmortems.importing.base import Unreadable

_DECODER = json.JSONDecoder()


def values_of(text: str) -> Iterator[tuple[Any, int]]:
    """(value, the line it begins at). Raises `Unreadable` with the line where it is none."""
    at, line, end = 0, 1, len(text)
    while True:
        begin = at
        while at < end and text[at] in " \t\r\n":
            at += 1
        line += text.count("\n", begin, at)
        if at == end:
            return
        try:
            value, after = _DECODER.raw_decode(text, at)
        except RecursionError as error:
            raise Unreadable("nested too deep") from error
        except ValueError as error:
            raise Unreadable(f"no JSON: {error}", getattr(error, "lineno", None)) from error
        yield value, line
        line += text.count("\n", at, after)
        at = after


def listed(value: Any, *below: str) -> list[Any] | None:
    """The list that a value is, or that stands in it below these names, one in another; a list of lists as one."""
    for _ in range(8):
        if isinstance(value, list):
            return [each for one in value for each in (one if isinstance(one, list) else [one])]
        name = next((name for name in below if isinstance(value, dict) and name in value), None)
        if name is None:
            return None
        value = value[name]
    return None
