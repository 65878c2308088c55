"""What the benchmark of engines needs of the domain: real sentences to recombine, and the product's own suggestion."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kb.search.base import SearchBackend
from kb.search.benchmark import chart, measuring, report
from kb.search.benchmark.corpus import Corpus, sentences
from kb.search.benchmark.peers import PEERS, Place
from kb.search.benchmark.results import Results
from postmortems.sample_data import files
from postmortems.search.documents import ADMINISTRATOR
from postmortems.search.likeness import similar

ENGINES = tuple(PEERS)
LIMIT = 20  # of the engine's best, as many as suggestions look at
POSTGRES = "KB_BENCHMARK_POSTGRES"


class Measured(NamedTuple):
    """`json`: plain values. `growth`: an SVG picture; empty if no engine could be measured."""

    json: object
    markdown: str
    growth: str


def measure(
    *, sizes: Sequence[int], engines: Sequence[str], queries: int, budget: float, seed: int, say: Callable[[str], None]
) -> Measured:
    """Our engine and others, side by side on the same documents. `say` is told what is going on; takes minutes."""
    plan = measuring.Plan(
        corpus=Corpus(tuple(tuple(text) for text in _texts()), seed),
        place=Place(suggest=f"{__name__}.suggest", postgresql=os.environ.get(POSTGRES, "")),
        sizes=sizes,
        engines=engines,
        queries=queries,
        budget=budget,
    )
    return _measured(measuring.run(plan, say))


def suggest(backend: SearchBackend, title: str, text: str) -> list[str]:
    """As the page asks for it: key terms, synonyms, only what is over, and how many there are in all."""
    found = similar(title, text, access=frozenset({ADMINISTRATOR}), limit=LIMIT, backend=backend)
    return [match.key for match in found.matches]


def _measured(results: Results) -> Measured:
    return Measured(results.as_json(), report.markdown(results), chart.svg(results) if results.outcomes else "")


def _texts() -> Iterator[list[str]]:
    """Of each postmortem and incident of the sample data its sentences."""
    for postmortem in files.postmortems().values():
        fixes = [text for fix in postmortem.fixes for text in (fix.steps, _code(fix.commands), fix.risk, fix.undo)]
        moments = [moment.text for moment in postmortem.timeline]
        yield _sentences([postmortem.title, *postmortem.sections.values(), *fixes, *moments])
    for incident in files.incidents():
        moments = [moment.text for moment in incident.timeline]
        yield _sentences([incident.title, incident.symptoms, _code(incident.error_excerpt), *moments])


def _code(text: str) -> str:
    return f"```\n{text}\n```"


def _sentences(texts: Sequence[str]) -> list[str]:
    return [sentence for text in texts for sentence in sentences(text)]
