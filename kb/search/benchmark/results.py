"""What was measured, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Milliseconds. `runs` is smaller than `wanted` where the time for the operation was used up."""

    p50: float
    p95: float
    runs: int
    wanted: int

    @classmethod
    def of(cls, seconds: Sequence[float], wanted: int) -> "Timing":
        ordered = sorted(seconds)
        return cls(_quantile(ordered, 0.50) * 1000, _quantile(ordered, 0.95) * 1000, len(ordered), wanted)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def short(value: float) -> str:
    """Two digits that count: more would change with the next run."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


@dataclass(frozen=True)
class Build:
    version: str
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Answers:
    """`first`: milliseconds from opening to the first answer. `memory`: bytes resident after all questions, and before
    the index was opened. `matches`: operation -> how many documents its first questions found.
    """

    first: float
    memory: int
    memory_before: int
    timings: Mapping[str, Timing]
    matches: Mapping[str, tuple[int, ...]]
    change: Timing | None = None


@dataclass(frozen=True)
class Outcome:
    """One engine among so many documents."""

    engine: str
    documents: int
    build: Build
    answers: Answers


@dataclass(frozen=True)
class Absent:
    """One that could not be measured, and why."""

    engine: str
    documents: int
    reason: str


@dataclass(frozen=True)
class Results:
    """`questions`: how many were asked of each operation, where time allowed."""

    outcomes: tuple[Outcome, ...]
    absent: tuple[Absent, ...]
    questions: int
    seed: int
    machine: str

    @property
    def sizes(self) -> list[int]:
        return sorted({outcome.documents for outcome in self.outcomes})

    @property
    def engines(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(outcome.engine for outcome in self.outcomes))

    def of(self, engine: str, documents: int) -> Outcome | None:
        found = (outcome for outcome in self.outcomes if (outcome.engine, outcome.documents) == (engine, documents))
        return next(found, None)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
