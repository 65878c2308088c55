"""Reading JSON that nobody here wrote: what is missing or of the wrong kind is said with its path."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from postmortems.intake.base import LABEL_LENGTH, LABELS, MAX_ALERTS, MAX_BYTES, TEXT_LENGTH, Malformed

MAX_DEPTH = 30
WEB = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_json(body: bytes) -> "Given":
    """The object that a body holds. `Malformed`: too long, no JSON, no object, or nested too deeply."""
    if len(body) > MAX_BYTES:
        raise Malformed(f"The body has {len(body):,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise Malformed("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise Malformed(f"The body is no JSON: {str(error)[:200]}") from error
    _refuse_depth(value)
    if not isinstance(value, dict):
        raise Malformed("The body is to be a JSON object.")
    return Given(value)


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is no JSON.")


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]
        if not level:
            return
    raise Malformed(f"The JSON is nested more than {MAX_DEPTH} deep.")


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def cleaned(text: str, length: int = TEXT_LENGTH) -> str:
    """Without what no database takes (NUL, lone surrogates) and no reader sees; not longer than this."""
    whole = CONTROLS.sub(" ", text[: 2 * length]).encode(errors="replace").decode().strip()
    return whole if len(whole) <= length else f"{whole[: length - 1]}…"


def web_address(text: str) -> str:
    """Itself if it is a plain http or https address of a usual length, else nothing."""
    return text if len(text) <= 500 and WEB.fullmatch(text) else ""


@dataclass(frozen=True)
class Given:
    """A JSON object with the way to it. What is absent and what is null are the same."""

    values: Mapping[str, Any]
    path: str = ""

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def _need(self, name: str) -> Any:
        if (value := self.values.get(name)) is None:
            raise Malformed(f"{self.at(name)} is missing.")
        return value

    def object(self, name: str) -> "Given":
        value = self._need(name)
        if not isinstance(value, dict):
            raise Malformed(f"{self.at(name)} is to be an object.")
        return Given(value, self.at(name))

    def maybe(self, name: str) -> "Given":
        """The object, or an empty one."""
        return self.object(name) if self.has(name) else Given({}, self.at(name))

    def objects(self, name: str) -> list["Given"]:
        value = self._need(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise Malformed(f"{self.at(name)} is to be a list of objects.")
        if len(value) > MAX_ALERTS:
            raise Malformed(f"{self.at(name)} has {len(value):,} entries; at most {MAX_ALERTS:,} are read.")
        return [Given(each, f"{self.at(name)}[{n}]") for n, each in enumerate(value)]

    def text(self, name: str, default: str | None = "", *, length: int = TEXT_LENGTH) -> str:
        """A text or number as a clean text. Without a default it has to be there and say something."""
        value = self.values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            raise Malformed(f"{self.at(name)} is to be a text.")
        said = cleaned(str(value), length) if value is not None else ""
        if not said and default is None:
            raise Malformed(f"{self.at(name)} is missing." if value is None else f"{self.at(name)} is empty.")
        return said or default or ""

    def one_of(self, name: str, *known: str) -> str:
        said = self.text(name, None)
        if said not in known:
            raise Malformed(f"{self.at(name)} is {said[:40]!r}; known are {', '.join(known)}.")
        return said

    def words(self, name: str) -> dict[str, str]:
        """An object of texts, such as labels: the first sixty, each cut."""
        given = self.maybe(name)
        shown = [key for key, value in given.values.items() if isinstance(value, str | int | float)]
        return {cleaned(key, 100): given.text(key, length=LABEL_LENGTH) for key in shown[:LABELS]}

    def texts(self, name: str) -> list[str]:
        """A list of texts; a single text is a list of one."""
        value = self.values.get(name, [])
        listed = [value] if isinstance(value, str) else value or []
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise Malformed(f"{self.at(name)} is to be a list of texts.")
        return [said for each in listed[:LABELS] if (said := cleaned(each, LABEL_LENGTH))]

    def url(self, *names: str) -> str:
        return next((said for name in names if (said := web_address(self.text(name)))), "")

    def time(self, name: str) -> datetime | None:
        """In UTC; the zero of Go's clock, `0001-01-01T00:00:00Z`, is none."""
        said = self.text(name, length=100)
        if not said or said.startswith("0001-01-01"):
            return None
        try:
            moment = datetime.fromisoformat(said)
        except ValueError as error:
            raise Malformed(f"{self.at(name)} is no time. For example 2026-03-01T12:00:00Z") from error
        if moment.tzinfo is None:
            raise Malformed(f"{self.at(name)} has no time zone. For example 2026-03-01T12:00:00Z")
        return self._usual(name, moment)

    def needed_time(self, name: str) -> datetime:
        if (moment := self.time(name)) is None:
            raise Malformed(f"{self.at(name)} is missing.")
        return moment

    def epoch(self, name: str, *, per_second: int) -> datetime | None:
        """Of milliseconds (1,000 per second) or nanoseconds since 1970."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 4_102_444_800 * per_second:
            raise Malformed(f"{self.at(name)} is to be a number of 1/{per_second} seconds since 1970.")
        return datetime.fromtimestamp(value // per_second, UTC)

    def _usual(self, name: str, moment: datetime) -> datetime:
        if not 1970 < moment.year < 2100:
            raise Malformed(f"{self.at(name)} lies too far away: {moment.year}.")
        return moment.astimezone(UTC)
