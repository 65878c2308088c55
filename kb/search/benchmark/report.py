"""The results as Markdown: one table for each size, then what was aimed at."""

from collections.abc import Callable, Iterator, Sequence

from kb.search.benchmark.peers import PEERS
from kb.search.benchmark.questions import COUNTED, LABELS, OPERATIONS
from kb.search.benchmark.results import Outcome, Results, Timing, short
from kb.search.benchmark.targets import MEGABYTE, verdicts

NOTHING = "\N{EN DASH}"
Cell = Callable[[Outcome], str]


def markdown(results: Results) -> str:
    return "\n\n".join([*_tables(results), _notes(results), *_absent(results), *_targets(results)]) + "\n"


def _tables(results: Results) -> Iterator[str]:
    for documents in results.sizes:
        outcomes = [found for engine in results.engines if (found := results.of(engine, documents))]
        titles = [PEERS[outcome.engine].title for outcome in outcomes]
        rows = [(label, *map(cell, outcomes)) for label, cell in ROWS.items()]
        yield f"**{documents:,} documents**\n\n" + _table([("", *titles), *rows])


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---|" + "---:|" * (len(rows[0]) - 1), *body])


def _notes(results: Results) -> str:
    versions = dict.fromkeys(f"{PEERS[outcome.engine].title} {outcome.build.version}" for outcome in results.outcomes)
    return " ".join(
        [
            "Milliseconds, p50 / p95, in process, ten best documents;",
            f"{results.questions} different questions each, after forty others; * fewer: the time for them was up.",
            "Every engine analyses text by its own rules, so that its matches differ a little.",
            "Ours alone checks access, counts all matches, and chooses and explains the terms of a suggestion;",
            "the others are given thirty key words. A change is timed until a search finds it.",
            "Memory is that of a process that only asks (in brackets: before it opens the index); ours has Django",
            "in it, PostgreSQL's is with its server's. FTS5 and PostgreSQL store the texts as well.",
            f"{results.machine}, seed {results.seed}; {', '.join(versions)}.",
        ]
    )


def _absent(results: Results) -> Iterator[str]:
    for reason, titles in _by_reason(results).items():
        yield f"Not measured: {', '.join(titles)}: {reason}"


def _by_reason(results: Results) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for absent in results.absent:
        found.setdefault(absent.reason, []).append(f"{PEERS[absent.engine].title} ({absent.documents:,} documents)")
    return found


def _targets(results: Results) -> Iterator[str]:
    rows = [
        (
            f"{target.words}, {target.documents:,} documents",
            f"{'at least' if target.at_least else 'at most'} {target.limit:g} {target.unit}",
            f"{value:,.1f} {target.unit}",
            "reached" if reached else "**not reached**",
        )
        for target, value, reached in verdicts(results)
    ]
    if rows:
        yield _table([("this engine", "target", "measured", ""), *rows])


# --- cells ---------------------------------------------------------------------------------------------------------


def _timing(timing: Timing | None) -> str:
    if not timing:
        return NOTHING
    return f"{short(timing.p50)} / {short(timing.p95)}{'*' if timing.runs < timing.wanted else ''}"


def _operation(operation: str) -> Cell:
    return lambda outcome: _timing(outcome.answers.timings.get(operation))


def _matches(operation: str) -> Cell:
    def cell(outcome: Outcome) -> str:
        counts = outcome.answers.matches.get(operation)
        return f"{sum(counts) / len(counts):,.0f}" if counts else NOTHING

    return cell


def _memory(outcome: Outcome) -> str:
    if not outcome.answers.memory:
        return NOTHING
    return f"{outcome.answers.memory / MEGABYTE:,.0f} ({outcome.answers.memory_before / MEGABYTE:,.0f})"


ROWS: dict[str, Cell] = {
    **{LABELS[operation]: _operation(operation) for operation in OPERATIONS},
    "opened and first answer": lambda outcome: short(outcome.answers.first),
    "a change is found": lambda outcome: _timing(outcome.answers.change),
    "built, seconds": lambda outcome: short(outcome.build.seconds),
    "built, documents a second": lambda outcome: f"{outcome.documents / outcome.build.seconds:,.0f}",
    "memory, MB": _memory,
    "on disk, MB": lambda outcome: f"{outcome.build.bytes / MEGABYTE:,.0f}",
    **{f"matches of {LABELS[operation]}": _matches(operation) for operation in COUNTED},
}
