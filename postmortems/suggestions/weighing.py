"""What is added to a text's score: same service, same environment, how long ago, and the record of the fix.

Pure. Each feature is a share of the text's own score, chosen so that it reorders neighbours and never lifts the unlike
over the like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from postmortems import search
from postmortems.suggestions.answer import Part

SAME_SERVICE = 0.15
SAME_ENVIRONMENT = 0.03
RECENT, RECENT_DAYS = 0.05, 365  # the whole share on the same day, none after a year
FIX_RECORD = 0.20  # times -0.5 to 0.5
UNTRIED = 0.5
MADE_WORSE = 0.45  # what made an incident worse stands below what nobody has tried, however often it worked


@dataclass(frozen=True)
class Record:
    """What came of a fix."""

    worked: int = 0
    partly: int = 0
    no_effect: int = 0
    made_worse: int = 0

    @property
    def tried(self) -> int:
        return self.worked + self.partly + self.no_effect + self.made_worse

    @property
    def standing(self) -> float:
        """(worked + partly / 2 + 1) / (tried + 2), Laplace's rule of succession; capped once it made things worse."""
        rate = (self.worked + 0.5 * self.partly + 1) / (self.tried + 2)
        return min(rate, MADE_WORSE) if self.made_worse else rate


def record_of(fix: Any) -> Record:
    """Takes a fix that `with_track_record` annotated."""
    return Record(fix.worked, fix.partly, fix.no_effect, fix.made_worse)


@dataclass(frozen=True)
class Features:
    """What a document has in common with the report beside its text."""

    same_service: bool = False
    same_environment: bool = False
    days_ago: int | None = None
    records: tuple[Record, ...] = ()


def parts_of(text: Mapping[str, float], features: Features) -> tuple[Part, ...]:
    """The parts of a score, which is their sum. `text`: what each channel of the text gave, by its name."""
    total = sum(text.values())
    shares = {
        "Same service": SAME_SERVICE * features.same_service,
        "Same environment": SAME_ENVIRONMENT * features.same_environment,
        "Recent": RECENT * _recency(features.days_ago),
        "Record of the fix": FIX_RECORD * _record(features.records),
    }
    parts = {**text, **{name: share * total for name, share in shares.items()}}
    return tuple(Part(name, value) for name, value in parts.items() if value)


def _recency(days: int | None) -> float:
    """1 on the day itself, 0 after a year or when nobody knows."""
    return 0.0 if days is None else min(max(1 - days / RECENT_DAYS, 0.0), 1.0)


def _record(records: Iterable[Record]) -> float:
    """-0.5 to 0.5, from the best of the fixes. One that nobody has tried yet stands between good and bad."""
    return max((record.standing for record in records), default=UNTRIED) - UNTRIED


def engine_version() -> str:
    """Which engine ranks, and by which numbers."""
    return search.version(SAME_SERVICE, SAME_ENVIRONMENT, RECENT, RECENT_DAYS, FIX_RECORD, UNTRIED, MADE_WORSE)
