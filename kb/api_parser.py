"""JSON that is safe to work with: what no database keeps and nobody needs is refused where it comes in."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rest_framework import exceptions
from rest_framework.parsers import BaseParser

MOST_BYTES = 2_500_000  # of a body; the longest text that a field takes is 100,000 characters
DEEPEST = 32
BIGGEST = 2**63 - 1  # what a database keeps as a number
UNUSABLE = re.compile("[\0\ud800-\udfff]")


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A body has at most {MOST_BYTES:,} bytes."
    default_code = "too_large"


class JSONParser(BaseParser):
    """JSON, within limits: what is too large, too deep or no text for a database is refused where it comes in."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLarge
        try:
            value = json.loads(body.decode(), parse_constant=_refuse_constant)  # JSON is UTF-8, whatever is claimed
        except ValueError as error:
            raise exceptions.ParseError(f"This is no JSON: {error}") from error
        except RecursionError as error:
            raise exceptions.ParseError("This JSON is nested too deeply.") from error
        _refuse_unusable(value)
        return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _refuse_unusable(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise exceptions.ParseError("This JSON is nested too deeply.")
    if isinstance(value, str):
        refuse_text(value)
    elif isinstance(value, int | float) and not -BIGGEST <= value <= BIGGEST:
        raise exceptions.ParseError("A number in it is too large.")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_text(name)
            _refuse_unusable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unusable(inner, depth + 1)


def refuse_text(text: str) -> None:
    """What no database keeps and no answer can repeat: NUL, and half a character (a lone surrogate)."""
    if UNUSABLE.search(text):
        raise exceptions.ParseError("A text in it has a character that cannot be kept: NUL, or a lone surrogate.")
