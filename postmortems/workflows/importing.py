"""Files become postmortems: created once, brought up to date, and never over an edit that was made here.

A file is the same again by the uuid in its front matter, else by its path from the folder that was named, else by its
bytes. What the import leaves behind has a fingerprint: if it differs later, someone has edited the postmortem here.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction

from kb.errors import DomainError
from postmortems import search
from postmortems.importing.base import Unreadable
from postmortems.importing.folders import Found, LeftOut, files_in
from postmortems.importing.loading import Loaded, load
from postmortems.models import ImportedFile, Postmortem
from postmortems.workflows.import_rows import Prepared, RowWriter, fingerprint_of, identity_of

# Written in one transaction, each file in a savepoint of its own: the index learns them together, which takes it
# little longer than one, and other writers wait for two seconds at most.
BATCH = 25

CREATED = "created"
UPDATED = "updated"
UNCHANGED = "unchanged"
CONFLICT = "conflict"  # changed here and in the file
SKIPPED = "skipped"  # something is wrong with it
IGNORED = "ignored"  # no postmortem

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `reason` and `line` say why nothing did; `note` what to know about it all the same."""

    file: str
    state: str
    ref: str = ""
    title: str = ""
    reason: str = ""
    line: int | None = None
    note: str = ""


@dataclass
class Report:
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, *states: str) -> int:
        return sum(outcome.state in states for outcome in self.outcomes)

    def of(self, *states: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state in states]

    @property
    def is_clean(self) -> bool:
        return not self.count(SKIPPED, CONFLICT)

    def as_json(self) -> dict[str, Any]:
        def chosen(outcome: Outcome, *names: str) -> dict[str, Any]:
            return {name: value for name, value in asdict(outcome).items() if name in names}

        skipped = [chosen(outcome, "file", "line", "reason", "ref") for outcome in self.of(SKIPPED, CONFLICT)]
        done = self.of(CREATED, UPDATED, UNCHANGED)
        return {
            **{state: self.count(state) for state in (CREATED, UPDATED, UNCHANGED)},
            "conflicts": self.count(CONFLICT),
            "skipped": skipped,
            "ignored": [chosen(outcome, "file", "reason") for outcome in self.of(IGNORED)],
            "postmortems": [chosen(outcome, "file", "ref", "title", "state", "note") for outcome in done],
        }


@dataclass(frozen=True)
class Options:
    """`status`: of documents that do not say: published or draft. `force`: the file wins over edits made here."""

    at: datetime
    owner: Any = None
    status: str = Postmortem.Status.PUBLISHED
    force: bool = False
    dry_run: bool = False


def import_files(
    paths: Sequence[Path], options: Options, on_progress: Callable[[int, int, Outcome], None] = lambda *_: None
) -> Report:
    """Import these files and folders. A file that cannot be read is reported and skipped; the others go on."""
    entries = list(files_in(paths))
    run = _Run(options, frozenset(entry.label for entry in entries))
    report = Report()
    for batch in _batches(entries, BATCH):
        for outcome in run.batch(batch):
            report.outcomes.append(outcome)
            on_progress(len(report.outcomes), len(entries), outcome)
    for path in paths:
        if path.is_dir() and not any(_is_below(entry, path) for entry in entries if isinstance(entry, Found)):
            report.outcomes.append(Outcome(str(path), SKIPPED, reason="no file in this folder can be imported"))
    return report


def _is_below(entry: Found, folder: Path) -> bool:
    return folder.resolve() in entry.path.parents


def _batches(entries: Sequence[Found | LeftOut], size: int) -> Iterator[Sequence[Found | LeftOut]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


@dataclass(frozen=True)
class _Taken:
    label: str
    content_hash: str


class _Run:
    def __init__(self, options: Options, labels: frozenset[str]) -> None:
        self.options = options
        self.labels = labels
        self.writer = RowWriter(options.at, options.owner, options.status)
        self.taken: dict[str, _Taken] = {}
