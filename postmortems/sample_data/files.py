"""The YAML files of this folder as typed records, read strictly: unknown keys are errors. Knows no model."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml

FOLDER = Path(__file__).parent
# libyaml where it is there: ten times faster, and `make demo` reads these files at every start.
YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Record = TypeVar("Record")


class SampleDataError(ValueError):
    """A file of the sample data says something that cannot be; the message names the file and the key."""


@dataclass(frozen=True)
class Person:
    username: str
    first_name: str
    last_name: str
    time_zone: str
    signs_in: bool = False
    administrator: bool = False


@dataclass(frozen=True)
class TeamRecord:
    name: str
    slug: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class ServiceRecord:
    name: str
    slug: str
    team: str
    tier: int
    aliases: tuple[str, ...]
    description: str
    retired_days_ago: int | None = None


@dataclass(frozen=True)
class ProblemRecord:
    key: str
    title: str
    cause_category: str
    discriminating_check: str
    state: str


@dataclass(frozen=True)
class TrackerRecord:
    name: str
    shape: str
    url_template: str
    prefix: str = ""


@dataclass(frozen=True)
class Organisation:
    people: tuple[Person, ...]
    teams: tuple[TeamRecord, ...]
    services: tuple[ServiceRecord, ...]
    problems: tuple[ProblemRecord, ...]
    trackers: tuple[TrackerRecord, ...] = ()


@dataclass(frozen=True)
class Moment:
    """`at` for what happened on a known day; `minutes` after the start for what happens relative to today."""

    text: str
    kind: str = "note"
    at: datetime | None = None
    minutes: int | None = None


@dataclass(frozen=True)
class FixRecord:
    """`key` is what the incidents refer to; `services` are those of the postmortem where none are named."""

    title: str
    kind: str
    state: str
    steps: str
    key: str = ""
    commands: str = ""
    preconditions: str = ""
    risk: str = ""
    undo: str = ""
    services: tuple[str, ...] | None = None
    confirmed_days_ago: int | None = None


@dataclass(frozen=True)
class ActionRecord:
    title: str
    kind: str
    state: str
    priority: str = "medium"
    done_when: str = ""
    details: str = ""
    owner: str = ""
    owner_text: str = ""
    due_in_days: int | None = None
    reason: str = ""
    evidence: str = ""
    ticket: str = ""
    done_days_ago: int | None = None
    verified_days_ago: int | None = None
    verified_by: str = ""
    declined_days_ago: int | None = None
    approved_by: str = ""


@dataclass(frozen=True)
class PostmortemRecord:
    """`public`: of an incident the world knows. Ours have `incidents` instead of a date."""

    title: str
    services: tuple[str, ...]
    team: str
    owner: str
    tags: tuple[str, ...]
    sections: Mapping[str, str]
    fixes: tuple[FixRecord, ...]
    action_items: tuple[ActionRecord, ...]
    timeline: tuple[Moment, ...]
    cause_category: str
    severity: str
    public: bool = False
    incidents: tuple[str, ...] = ()
    occurred_on: date | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    kind: str = "service"
    environment: str = "production"
    status: str = "published"
    published_after_days: int = 5
    problem: str = ""
    source_url: str = ""
    visibility: str = "open"
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class FixUseRecord:
    fix: str
    outcome: str
    by: str
    minutes_to_effect: int | None = None
    note: str = ""


@dataclass(frozen=True)
class SuggestedRecord:
    """What `by` was shown so many minutes after the start, best first: postmortems, each named by a key of its fixes.

    Nothing similar, if none. `opened` a minute later, and judged a minute after that.
    """

    by: str
    minutes: int
    shown: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GapRecord:
    """What `by` searched for so many minutes after the start, and nothing was found."""

    text: str
    by: str
    minutes: int


@dataclass(frozen=True)
class ParticipantRecord:
    """Minutes after the start: when they joined, and when they were released with what they found in order."""

    user: str
    joined: int
    released: int | None = None
    note: str = ""


@dataclass(frozen=True)
class IncidentRecord:
    """Began `days_ago` at `clock` (UTC), or `minutes_ago`; the other times are minutes after its start."""

    key: str
    title: str
    symptoms: str
    severity: str
    services: tuple[str, ...]
    status: str
    detection_source: str
    reported_by: str
    error_excerpt: str = ""
    kind: str = "service"
    environment: str = "production"
    commander: str = ""
    days_ago: int = 0
    clock: str = ""
    minutes_ago: int = 0
    detected: int | None = None
    mitigated: int | None = None
    resolved: int | None = None
    closed: int | None = None
    cancel_reason: str = ""
    visibility: str = "open"
    members: tuple[str, ...] = ()
    participants: tuple[ParticipantRecord, ...] = ()
    timeline: tuple[Moment, ...] = ()
    action_items: tuple[ActionRecord, ...] = ()
    fix_uses: tuple[FixUseRecord, ...] = ()
    suggested: SuggestedRecord | None = None
    searched_in_vain: tuple[GapRecord, ...] = ()


@dataclass(frozen=True)
class Incidents:
    incidents: tuple[IncidentRecord, ...]


def organisation(folder: Path = FOLDER) -> Organisation:
    return _file(Organisation, folder / "organisation.yaml")


def incidents(folder: Path = FOLDER) -> tuple[IncidentRecord, ...]:
    return _file(Incidents, folder / "incidents_now.yaml").incidents


def postmortems(folder: Path = FOLDER) -> dict[str, PostmortemRecord]:
    """By file name, in its order."""
    paths = sorted((folder / "postmortems").glob("*.yaml"))
    return {f"postmortems/{path.name}": _file(PostmortemRecord, path) for path in paths}


def _file(record: type[Record], path: Path) -> Record:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, ValueError) as error:
        raise SampleDataError(f"{path.name}: {error}") from error
    return build(record, content, path.name)


def build(record: type[Record], content: Any, place: str) -> Record:
    """The record of this mapping; what is unknown, missing or of another type is said with its place."""
    if not isinstance(content, dict):
        raise SampleDataError(f"{place}: keys and values are wanted here, not {content!r:.60}.")
    known = {each.name: each for each in fields(cast(Any, record))}
    if unknown := [key for key in content if key not in known]:
        raise SampleDataError(f"{place}: unknown key {unknown[0]!r}. Known: {', '.join(known)}.")
    required = [name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in required if name not in content]:
        raise SampleDataError(f"{place}: key {missing[0]!r} is missing.")
    hints = get_type_hints(record)
    return record(**{key: _value(hints[key], value, f"{place}: {key}") for key, value in content.items()})


def _value(wanted: Any, value: Any, place: str) -> Any:
    if isinstance(wanted, types.UnionType):
        return None if value is None else _value(get_args(wanted)[0], value, place)
    if get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise SampleDataError(f"{place}: a list is wanted, not {value!r:.60}.")
        return tuple(_value(get_args(wanted)[0], item, f"{place}[{n}]") for n, item in enumerate(value))
    if get_origin(wanted) is Mapping:
        if not isinstance(value, dict):
            raise SampleDataError(f"{place}: keys and texts are wanted, not {value!r:.60}.")
        return {_value(str, key, place): _value(str, text, f"{place}.{key}") for key, text in value.items()}
    if is_dataclass(wanted):
        return build(cast(Any, wanted), value, place)
    # The very type: True is also an int, and a datetime is also a date.
    if type(value) is not wanted:
        raise SampleDataError(f"{place}: {wanted.__name__} is wanted, not {value!r:.60}.")
    return value.strip() if wanted is str else value
