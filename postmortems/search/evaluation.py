"""How good the suggestions are: known answers, the product's own ranking, a throw-away index.

Measures are the usual ones of retrieval with binary relevance (Manning, Raghavan & Schuetze 2008, chapter 8): recall at
k, reciprocal rank and nDCG at 10, as means over the queries that have an answer.
"""

import gzip
import json
import math
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kb.search import engine
from kb.search.base import Document, SearchBackend
from postmortems.search.documents import ADMINISTRATOR, LONG_AGO, SCHEMA
from postmortems.search.likeness import similar

DEPTH = 100
READ_AT = (1, 5, 10)


class Unreadable(Exception):
    """A file of the evaluation set is missing or malformed; says which, and where in it."""


@dataclass(frozen=True)
class Text:
    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Scores:
    """Means over the judged queries; latencies in milliseconds for one suggestion, in process."""

    documents: int
    queries: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr_at_10: float
    ndcg_at_10: float
    p50_ms: float
    p95_ms: float

    def as_json(self) -> dict[str, float]:
        return {name.replace("_at_", "@"): round(value, 4) for name, value in asdict(self).items()}


Ranking = list[tuple[str, float]]


def evaluate(folder: Path, *, split: str = "") -> tuple[Scores, dict[str, Ranking]]:
    """The scores, and for each query its ranking: (corpus id, score), best first, 100 at most."""
    suffix = f".{split}" if split else ""
    answers = _answers(folder / f"qrels{suffix}.tsv")
    queries = [query for query in _texts(folder, f"queries{suffix}") if query.id in answers]
    with tempfile.TemporaryDirectory(prefix="kb-evaluate-") as place:
        backend = engine.make_backend(f"whoosh://{place}", SCHEMA)
        try:
            documents = backend.rebuild(map(_document, _texts(folder, "corpus")))
            return _run(backend, queries, answers, documents)
        finally:
            backend.close()


def _run(
    backend: SearchBackend, queries: Sequence[Text], answers: Mapping[str, set[str]], documents: int
) -> tuple[Scores, dict[str, Ranking]]:
    run: dict[str, Ranking] = {}
    took: list[float] = []
    for query in queries:
        start = time.perf_counter()
        found = similar(query.title, query.text, access=frozenset({ADMINISTRATOR}), limit=DEPTH, backend=backend)
        took.append((time.perf_counter() - start) * 1000)
        run[query.id] = [(match.key, match.score) for match in found.matches if match.key != query.id]
    return scores_of(run, answers, documents, sorted(took)), run


def scores_of(
    run: Mapping[str, Ranking], answers: Mapping[str, set[str]], documents: int, took: Sequence[float]
) -> Scores:
    """Of rankings, each with at least one known answer. `took`: milliseconds, in order."""
    hits = [([key in answers[query] for key, _ in run[query][:10]], len(answers[query])) for query in run]
    recall = {k: _mean(sum(found[:k]) / relevant for found, relevant in hits) for k in READ_AT}
    return Scores(
        documents=documents,
        queries=len(hits),
        recall_at_1=recall[1],
        recall_at_5=recall[5],
        recall_at_10=recall[10],
        mrr_at_10=_mean(next((1 / (n + 1) for n, hit in enumerate(found) if hit), 0.0) for found, _ in hits),
        ndcg_at_10=_mean(_dcg(found) / _dcg([True] * min(relevant, 10)) for found, relevant in hits),
        p50_ms=_quantile(took, 0.50),
        p95_ms=_quantile(took, 0.95),
    )


def _dcg(found: Sequence[bool]) -> float:
    return sum(1 / math.log2(n + 2) for n, hit in enumerate(found) if hit)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _document(text: Text) -> Document:
    return Document(
        key=text.id,
        version=1,
        text={"title": text.title, "body": text.text},
        keywords={"kind": ("postmortem",)},
        dates={"known_since": LONG_AGO},
        access=frozenset({ADMINISTRATOR}),
    )


def _texts(folder: Path, name: str) -> Iterator[Text]:
    for place, line in _lines(_existing(folder, name)):
        try:
            row: Any = json.loads(line)
            yield Text(str(row["id"]), str(row.get("title") or ""), str(row.get("text") or ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"{place}: not a JSON object with an id ({error})") from error


def _existing(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl"):
        if path.is_file():
            return path
    raise Unreadable(f"{folder}: neither {name}.jsonl.gz nor {name}.jsonl is there")


def _answers(path: Path) -> dict[str, set[str]]:
    answers: dict[str, set[str]] = {}
    for place, line in _lines(path):
        try:
            query, document, relevance = line.split("\t")
            if float(relevance) > 0:
                answers.setdefault(query, set()).add(document)
        except ValueError as error:
            raise Unreadable(f"{place}: wanted query-id TAB corpus-id TAB number") from error
    return answers


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(file:line, text) of each line that is not blank."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}:{number}", line.rstrip("\n")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise Unreadable(f"{path}: {error}") from error
