"""What every format is parsed into, and the refusal of a file that cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

# Where the text of a piece went, if not into the section of that key.
FIELD = "field"  # a field of the postmortem, a tag, a service, a team
TIMELINE = "timeline"
ACTIONS = "actions"
STRUCTURE = "structure"  # headings the sections are named by, head rows of tables, notes on time zones, blank lines


class Unreadable(Exception):
    """A file, or a part of it, that cannot be imported. `line` counts from 1; None: the file as a whole."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class Piece:
    """A cut of the source, as it is, and where its text went. All pieces in order are the source."""

    raw: str
    place: str


@dataclass(frozen=True)
class ParsedTimelineEntry:
    at: datetime  # with its time zone
    text: str
    kind: str = "note"
    evidence_url: str = ""


@dataclass(frozen=True)
class ParsedAction:
    title: str
    details: str = ""
    owner: str = ""
    due_on: date | None = None
    kind: str = "prevent"
    priority: str = "medium"
    state: str = "open"
    reason: str = ""
    external_url: str = ""


@dataclass(frozen=True)
class ParsedFix:
    title: str
    steps: str
    kind: str = "mitigation"
    commands: str = ""


@dataclass(frozen=True)
class ParsedPostmortem:
    """One document. Empty strings and None: it does not say. `sections` has only section keys of the domain."""

    title: str
    sections: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[ParsedTimelineEntry, ...] = ()
    actions: tuple[ParsedAction, ...] = ()
    fixes: tuple[ParsedFix, ...] = ()
    tags: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    uuid: str = ""
    source_url: str = ""
    authors: str = ""
    team: str = ""
    severity: str = ""
    status: str = ""  # draft, published or ""
    visibility: str = ""  # open, restricted or ""
    kind: str = ""
    environment: str = ""
    cause_category: str = ""
    occurred_on: date | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    published_at: datetime | None = None
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Document:
    """One postmortem out of a file of another format, told in Markdown. `name`: within the file; "": it is the file.
    `line`: at which it begins there, if that is known."""

    text: str
    name: str = ""
    note: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Left:
    """One entry of such a file that becomes nothing, and why. `is_fault`: something is wrong with it."""

    reason: str
    name: str = ""
    line: int | None = None
    is_fault: bool = False


@dataclass(frozen=True)
class FoundRecord:
    """A record of our own export: see `record_file.py`. `lines`: of its fields, and of what is listed there from 1 on,
    where each has lines of its own."""

    kind: str
    record: dict[str, Any]
    line: int | None = None
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
