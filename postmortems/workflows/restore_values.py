"""What stands in a record -> what the model takes: texts, numbers, moments, what may be empty. Asks no database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models

from kb.errors import DomainError
from postmortems.models import Fix, Incident, Postmortem, SuggestionVerdict

MOST_LISTED = 100_000
YEARS = range(2, 9999)  # a moment of the first or the last year has none in every time zone
# The values of JSON fields: "" is a text, [x] a list of x, {"": x} names with an x each, {"a": x} has an `a` at least.
_MOMENT = {"at": datetime.min, "kind": "", "text": "", "evidence_url": ""}
_FACTS = ("title", "kind", "severity", "environment", "cause_category", "source_url", "owner")
_DATES = ("occurred_on", "started_at", "ended_at")
STRUCTURES: Mapping[str, Any] = {
    "aliases": [""],
    "checklist": {"": ""},
    "first_report": {},
    "content": {
        **dict.fromkeys((*_FACTS, *_DATES), ""),
        **{"sections": {"": ""}, "services": [""], "tags": [""], "timeline": [_MOMENT]},
    },
}
REPORTED = {"title": "", "symptoms": "", "error_excerpt": "", "services": [""]}


class NotRestored(DomainError):
    """This record is left out. `place`: what leads to the value that is wrong: ("timeline", 2, "at")."""

    def __init__(self, reason: str, *place: str | int) -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place

    def __str__(self) -> str:
        steps = (f" {step}" if isinstance(step, int) else f", {step}" for step in self.place)
        place = "".join(steps).removeprefix(", ")
        return f"{place}: {self.reason}" if place else self.reason

    def within(self, *place: str | int) -> Self:
        return type(self)(self.reason, *place, *self.place)


@contextmanager
def within(*place: str | int) -> Iterator[None]:
    """What is refused in here is refused at this place of the record."""
    try:
        yield
    except NotRestored as refusal:
        raise refusal.within(*place) from refusal


def value_of(target: Any, raw: Any) -> Any:
    """Of a field that is no relation, by the rules of the model. Raises `NotRestored`."""
    if isinstance(target, models.JSONField):
        return _structured(target, raw)
    text: Any = text_of(raw)
    if target.model is SuggestionVerdict and target.name == "key":
        return _key_of(text)
    if not text and not isinstance(target, models.CharField | models.TextField):
        return _nothing(target)
    if isinstance(target, models.DateTimeField):
        return moment_of(text)
    if raw is None:
        text = None if target.null else target.get_default()
    try:
        value = target.clean(text, None)
    except ValidationError as error:
        raise NotRestored(" ".join(error.messages)[:300]) from error
    if isinstance(value, date) and value.year not in YEARS:
        raise NotRestored(f"{text[:60]!r} lies too far away")
    return value


def _nothing(target: Any) -> Any:
    if target.null:
        return None
    if not target.has_default():
        raise NotRestored("is missing")
    return target.get_default()


def text_of(raw: Any) -> str:
    """Numbers as texts: YAML written by hand does not tell them apart."""
    if isinstance(raw, Mapping | list):
        raise NotRestored("one value is expected, not several")
    return "" if raw is None else str(raw)


def list_of(raw: Any) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > MOST_LISTED:
        raise NotRestored("a list is expected")
    return raw


def moment_of(raw: Any) -> datetime:
    """In UTC, which it is taken for if it says no time zone."""
    text = str(raw)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise NotRestored(f"{text[:60]!r} is no moment. For example 2026-01-31T09:30:00+00:00") from error
    if moment.year not in YEARS:
        raise NotRestored(f"{text[:60]!r} lies too far away")
    return moment


def _key_of(ref: str) -> str:
    """`postmortem:7` for `PM-7`."""
    for model in (Postmortem, Incident, Fix):
        if (pk := model.pk_of_ref(ref)) is not None:
            return f"{model.search_kind}:{pk}"
    raise NotRestored(f"{ref[:60]!r} is no ref of something suggested")


def _structured(target: Any, raw: Any) -> Any:
    if raw is None:
        return _nothing(target)
    structure = STRUCTURES[target.name]
    if target.name == "first_report" and raw:  # empty before it was kept
        structure = REPORTED
    _compare(raw, structure)
    return raw


def _compare(value: Any, structure: Any) -> None:
    """Raises `NotRestored` where they differ."""
    if isinstance(structure, datetime):
        moment_of(value)
    elif isinstance(structure, list):
        for number, each in enumerate(list_of(value), start=1):
            with within(number):
                _compare(each, structure[0])
    elif isinstance(structure, dict):
        _compare_named(value, structure)
    elif not isinstance(value, type(structure)):
        raise NotRestored("a text is expected")


def _compare_named(value: Any, structure: Mapping[str, Any]) -> None:
    if not isinstance(value, dict):
        raise NotRestored("names with values are expected")
    for name in structure if "" not in structure else value:
        with within(name):
            if name not in value:
                raise NotRestored("is missing")
            _compare(value[name], structure.get(name, structure.get("")))
