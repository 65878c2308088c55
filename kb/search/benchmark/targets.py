"""What we want to reach, and whether a run reached it. Never asserted by a test: it depends on the machine."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kb.search.benchmark.peers import FTS5, OURS, POSTGRESQL, WHOOSH
from kb.search.benchmark.questions import SUGGESTION, WORD
from kb.search.benchmark.results import Outcome, Results

MEGABYTE = 1_000_000
TIMES = "\N{MULTIPLICATION SIGN}"


class Target(NamedTuple):
    """`value`: None where the run does not tell. It is reached if it is at most `limit`, or at least."""

    documents: int
    words: str
    limit: float
    unit: str
    value: Callable[[Results, int], float | None]
    at_least: bool = False


class Verdict(NamedTuple):
    target: Target
    value: float
    reached: bool


def verdicts(results: Results) -> Iterator[Verdict]:
    """Of the targets that this run says something about."""
    for target in TARGETS:
        value = target.value(results, target.documents)
        if value is not None:
            yield Verdict(target, value, value >= target.limit if target.at_least else value <= target.limit)


def _ours(measure: Callable[[Outcome], float]) -> Callable[[Results, int], float | None]:
    def value(results: Results, documents: int) -> float | None:
        outcome = results.of(OURS, documents)
        return measure(outcome) if outcome else None

    return value


def _p95(operation: str) -> Callable[[Results, int], float | None]:
    return _ours(lambda outcome: outcome.answers.timings[operation].p95)


def _times_faster(other: str) -> Callable[[Results, int], float | None]:
    """At the median, in suggestions."""

    def value(results: Results, documents: int) -> float | None:
        ours, theirs = results.of(OURS, documents), results.of(other, documents)
        if not ours or not theirs:
            return None
        return theirs.answers.timings[SUGGESTION].p50 / ours.answers.timings[SUGGESTION].p50

    return value


def _change(outcome: Outcome) -> float:
    return outcome.answers.change.p95 if outcome.answers.change else 0.0


TARGETS = (
    Target(10_000, "one word, p95", 5, "ms", _p95(WORD)),
    Target(10_000, "suggestion, p95", 10, "ms", _p95(SUGGESTION)),
    Target(10_000, "suggestion, times faster than Whoosh as it comes", 30, TIMES, _times_faster(WHOOSH), at_least=True),
    Target(10_000, "suggestion, times faster than SQLite FTS5", 1, TIMES, _times_faster(FTS5), at_least=True),
    Target(10_000, "suggestion, times faster than PostgreSQL", 1, TIMES, _times_faster(POSTGRESQL), at_least=True),
    Target(10_000, "index built", 20, "s", _ours(lambda outcome: outcome.build.seconds)),
    Target(10_000, "a change is found, p95", 1000, "ms", _ours(_change)),
    Target(100_000, "suggestion, p95", 40, "ms", _p95(SUGGESTION)),
    Target(100_000, "memory", 200, "MB", _ours(lambda outcome: outcome.answers.memory / MEGABYTE)),
)
