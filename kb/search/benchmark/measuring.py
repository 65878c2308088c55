"""One engine after the other, each built in a process of its own and asked in another, so that memory is its own."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple, TypeVar

from kb.search.base import Document
from kb.search.benchmark import cluster, peers, questions
from kb.search.benchmark.corpus import Corpus
from kb.search.benchmark.peers import Missing, Peer, Place
from kb.search.benchmark.questions import COUNTED, OPERATIONS, WORD, Question, Questions
from kb.search.benchmark.results import Absent, Answers, Build, Outcome, Results, Timing

A = TypeVar("A")
R = TypeVar("R")

WARM_UP = 40  # questions of each operation before those that are timed, and others: a server that has been up a while
COUNTED_QUESTIONS = 10
CHANGES = 20


@dataclass(frozen=True)
class Plan:
    """`budget`: seconds for one operation of one engine; what is not asked by then is left out, and said.

    `place`: without a URL of a PostgreSQL server one is started, if its programs are there.
    """

    corpus: Corpus
    place: Place
    sizes: Sequence[int] = (1000, 10_000)
    engines: Sequence[str] = tuple(peers.PEERS)
    queries: int = 100
    budget: float = 10.0


class Task(NamedTuple):
    """What the processes are told."""

    engine: str
    place: Place
    corpus: Corpus
    documents: int
    questions: Questions
    changes: Sequence[Document]
    budget: float


def run(plan: Plan, say: Callable[[str], None]) -> Results:
    """Everything, one thing at a time; `say` is told what is going on."""
    load_before = os.getloadavg()[0]
    outcomes: list[Outcome | Absent] = []
    for documents in plan.sizes:
        say(f"drawing questions about {documents:,} documents")
        asked = questions.draw(plan.corpus, documents, plan.queries + WARM_UP)
        changes = _changes(plan.corpus, documents)
        for engine in plan.engines:
            say(f"{peers.PEERS[engine].title}, {documents:,} documents")
            task = Task(engine, plan.place, plan.corpus, documents, asked, changes, plan.budget)
            outcomes.append(outcome := _measured(task))
            if isinstance(outcome, Absent):
                say(f"... not measured: {outcome.reason}")
    return Results(
        outcomes=tuple(outcome for outcome in outcomes if isinstance(outcome, Outcome)),
        absent=tuple(outcome for outcome in outcomes if isinstance(outcome, Absent)),
        questions=plan.queries,
        seed=plan.corpus.seed,
        machine=_machine(load_before),
    )


def _machine(load_before: float) -> str:
    """With how busy it was: what others do makes all figures worse. The benchmark itself is a load of 1 to 2."""
    load = f"load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after"
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {load}"


def _changes(corpus: Corpus, documents: int) -> list[Document]:
    """New versions of some documents, each with a word that stands nowhere else."""
    return [
        replace(document, version=2, text={**document.text, "body": f"{document.text['body']}\n{_new_word(number)}"})
        for number, document in enumerate(corpus.documents(min(documents, CHANGES)))
    ]


def _new_word(number: int) -> str:
    """Letters only, and no ending of English: one token, everywhere."""
    return f"xq{ascii_lowercase[number % 26]}zuk"


def _measured(task: Task) -> Outcome | Absent:
    try:
        with _ready(task) as ready:
            build, answers = _in_a_process(_build, ready), _in_a_process(_answer, ready)
            return Outcome(task.engine, task.documents, build, answers)
    except Missing as reason:
        return Absent(task.engine, task.documents, str(reason))
    except Exception as error:  # one engine that fails must not cost the figures of the others
        return Absent(task.engine, task.documents, " ".join(f"{type(error).__name__}: {error}".split()))


@contextmanager
def _ready(task: Task) -> Iterator[Task]:
    """With an empty folder, and a server of its own if the engine is one and none was named."""
    peers.check(task.engine)
    with tempfile.TemporaryDirectory(prefix="kb_benchmark_") as folder:
        place = replace(task.place, folder=Path(folder))
        if task.engine != peers.POSTGRESQL or place.postgresql:
            yield task._replace(place=place)
            return
        with cluster.private() as server:
            yield task._replace(place=replace(place, postgresql=server.url, server=server.process))


def _in_a_process(work: Callable[[Task], R], task: Task) -> R:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, task).result()


# --- in those processes --------------------------------------------------------------------------------------------


def _build(task: Task) -> Build:
    """The documents are made beforehand: only the engine's work is timed."""
    peer = peers.make(task.engine, task.place)
    documents = list(task.corpus.documents(task.documents))
    try:
        start = time.perf_counter()
        peer.build(documents)
        return Build(peer.version, time.perf_counter() - start, peer.size())
    except BaseException:
        peer.discard()
        raise


def _answer(task: Task) -> Answers:
    peer = peers.make(task.engine, task.place)
    try:
        return _answers(peer, task)
    finally:
        peer.discard()


def _answers(peer: Peer, task: Task) -> Answers:
    memory_before = peer.memory()
    start = time.perf_counter()
    peer.open()
    peer.ask(task.questions[WORD][0])
    first = (time.perf_counter() - start) * 1000
    can = [operation for operation in OPERATIONS if operation not in peer.cannot]
    timings = {operation: _timed(peer, task.questions[operation], task.budget) for operation in can}
    memory = peer.memory()
    matches = {operation: found for operation in can if (found := _counted(peer, task, operation))}
    change = _changed(peer, task) if peer.changes else None
    return Answers(first, memory, memory_before, timings, matches, change)


def _timed(peer: Peer, asked: Sequence[Question], budget: float) -> Timing:
    """Warmed up by questions that are not asked again."""
    _each(peer.ask, asked[:WARM_UP], budget / 2)
    return Timing.of([seconds for seconds, _ in _each(peer.ask, asked[WARM_UP:], budget)], len(asked) - WARM_UP)


def _counted(peer: Peer, task: Task, operation: str) -> tuple[int, ...]:
    asked = task.questions[operation][:COUNTED_QUESTIONS] if operation in COUNTED else ()
    return tuple(count for _, count in _each(peer.count, asked, task.budget) if count is not None)


def _changed(peer: Peer, task: Task) -> Timing:
    """From the call to the moment when a search finds it."""

    def change(document: Document) -> None:
        peer.change(document)
        new_word = document.text["body"].split()[-1]
        if document.key not in peer.ask(Question(WORD, (new_word,))):
            raise AssertionError(f"{document.key} was changed, and is not found by its new word")

    return Timing.of([seconds for seconds, _ in _each(change, task.changes, task.budget)], len(task.changes))


def _each(work: Callable[[A], R], inputs: Sequence[A], budget: float) -> list[tuple[float, R]]:
    """Seconds and result for each input: at least one, and then no more when the budget is used up."""
    done: list[tuple[float, R]] = []
    for item in inputs:
        if done and sum(seconds for seconds, _ in done) > budget:
            break
        start = time.perf_counter()
        result = work(item)
        done.append((time.perf_counter() - start, result))
    return done
