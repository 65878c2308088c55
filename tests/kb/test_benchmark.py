"""The benchmark: documents and questions that can be made again, engines that do comparable work, an honest table."""

import io
import json
import statistics
import sys
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from kb.search import analysis
from kb.search.benchmark import chart, measuring, questions, report
from kb.search.benchmark.corpus import Corpus, sentences
from kb.search.benchmark.measuring import Plan
from kb.search.benchmark.peers import FTS5, OURS, PEERS, POSTGRESQL, WHOOSH, Place
from kb.search.benchmark.questions import BOTH, COUNTED, FUZZY, LABELS, OPERATIONS, PHRASE, SUGGESTION, WORD
from kb.search.benchmark.results import Absent, Answers, Build, Outcome, Results, Timing
from kb.search.benchmark.targets import verdicts

# No stemmer takes two of these for one word, and none is too common for any engine: all must find the same documents.
VOCABULARY = [f"{''.join(syllables)}k" for syllables in product(("ba", "fe", "lo", "mu"), repeat=5)]


def made_up(seed: int = 1, **options: float) -> Corpus:
    lots = Random(seed)
    texts = [[f"{' '.join(lots.choices(VOCABULARY, k=9))}." for _ in range(60)] for _ in range(8)]
    return Corpus(tuple(map(tuple, texts)), seed, **options)


def outcome(engine: str = OURS, documents: int = 10_000, suggestion: float = 5.0, memory: int = 90_000_000) -> Outcome:
    timings = {operation: Timing(1.0, 2.0, 100, 100) for operation in OPERATIONS if operation != FUZZY}
    timings[SUGGESTION] = Timing(suggestion, 2 * suggestion, 50, 100)
    answers = Answers(30.0, memory, 40_000_000, timings, {WORD: (3, 5)}, Timing(20.0, 90.0, 20, 20))
    return Outcome(engine, documents, Build("1.0", 12.0, 20_000_000), answers)


def results(*outcomes: Outcome, absent: tuple[Absent, ...] = ()) -> Results:
    return Results(outcomes, absent, questions=100, seed=1, machine="2 cores")


# --- documents and questions ---


def test_the_same_seed_gives_the_same_documents() -> None:
    assert list(made_up().documents(20)) == list(made_up().documents(20))
    assert list(made_up().documents(20)) == list(made_up().documents(40))[:20]


def test_another_seed_gives_other_documents() -> None:
    assert list(made_up().documents(5)) != list(replace(made_up(), seed=2).documents(5))


def test_half_of_the_documents_have_more_than_340_words() -> None:
    lengths = [sum(len(text.split()) for text in document.text.values()) for document in made_up().documents(400)]

    assert 310 < statistics.median(lengths) < 370
    assert max(lengths) > 2 * min(lengths)


def test_the_vocabulary_grows_with_the_documents() -> None:
    def distinct(count: int) -> int:
        return len({word for document in made_up().documents(count) for word in analysis.words(document.text["body"])})

    assert distinct(400) > 1.5 * distinct(100)


def test_one_document_in_ten_is_not_open_to_all() -> None:
    closed = [document for document in made_up().documents(400) if "open" not in document.access]

    assert 20 < len(closed) < 70
    assert all("all" in document.access for document in closed)


def test_a_corpus_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="sentences"):
        Corpus(((), ()))


def test_sentences_are_cut_from_paragraphs_lists_and_code() -> None:
    text = (
        "It was a long\nday for all. Nobody knew that yet.\n\n- First of four words.\n- short\n\n"
        "```\nFATAL: no room left\nok\n```"
    )

    assert sentences(text) == [
        "It was a long day for all.",
        "Nobody knew that yet.",
        "First of four words.",
        "FATAL: no room left",
    ]


def test_the_same_seed_gives_the_same_questions_of_every_kind() -> None:
    asked = questions.draw(made_up(), 50, 6)

    assert {operation: len(each) for operation, each in asked.items()} == dict.fromkeys(OPERATIONS, 6)
    assert asked == questions.draw(made_up(), 50, 6)


def test_a_question_is_made_of_words_that_some_document_holds() -> None:
    bodies = [document.text["body"] for document in made_up().documents(50)]
    asked = questions.draw(made_up(), 50, 6)

    assert all(any(question.words[0] in body.split() for body in bodies) for question in asked[WORD])
    assert all(any(" ".join(question.words) in body for body in bodies) for question in asked[PHRASE])
    assert all(any(set(question.words) <= set(analysis.surface(body)) for body in bodies) for question in asked[BOTH])


def test_a_suggestion_is_asked_for_an_unseen_text_of_200_words_with_its_key_words() -> None:
    asked = questions.draw(made_up(), 50, 6)[SUGGESTION]
    texts = {document.text["body"] for document in made_up().documents(50)}

    assert all(len(f"{question.title} {question.text}".split()) in range(185, 201) for question in asked)
    assert all(question.text not in texts and 10 < len(question.words) <= 30 for question in asked)


# --- measuring ---


def test_every_engine_finds_as_many_documents_as_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests' own settings make a folder, which children leave behind.
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "kb.settings")
    place = Place(suggest="postmortems.search.measuring.suggest")

    measured = measuring.run(Plan(made_up(named=0), place, sizes=[100], queries=5, budget=60), print)

    assert {OURS, WHOOSH, FTS5} <= set(measured.engines), measured.absent
    assert {absent.engine for absent in measured.absent} <= {POSTGRESQL, "bm25s", "tantivy"}
    for operation in COUNTED:
        # bm25s ranks all documents and cannot tell how many match.
        matches = {one.engine: one.answers.matches[operation] for one in measured.outcomes if one.engine != "bm25s"}
        assert len(set(matches.values())) == 1, (operation, matches)
        assert sum(matches[OURS]) > 0
    ours = measured.of(OURS, 100)
    assert ours and set(ours.answers.timings) == set(OPERATIONS)
    assert ours.build.bytes > 100_000
    assert ours.answers.memory > ours.answers.memory_before > 10_000_000
    assert ours.answers.change and ours.answers.change.runs == 20  # all, as there is time for it


def test_an_engine_that_is_not_installed_or_fails_is_named_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "kb.settings")
    monkeypatch.setitem(sys.modules, "bm25s", None)
    plan = Plan(made_up(), Place(suggest="kb.nothing"), sizes=[20], engines=["bm25s", OURS, FTS5], queries=2, budget=0)

    measured = measuring.run(plan, print)

    assert measured.engines == [FTS5]
    assert [absent.engine for absent in measured.absent] == ["bm25s", OURS]
    assert "pip install -e '.[benchmark]'" in measured.absent[0].reason
    assert "ImportError" in measured.absent[1].reason
    timing = measured.outcomes[0].answers.timings[WORD]
    assert (timing.runs, timing.wanted) == (1, 2)  # no time at all is enough for one


# --- what is said of it ---


def test_the_table_has_a_row_for_everything_and_a_column_for_each_engine() -> None:
    table = report.markdown(results(outcome(), outcome("fts5")))

    assert "| this engine | SQLite FTS5 |" in table
    rows = dict(line.strip("| ").split(" | ", 1) for line in table.splitlines() if line.startswith("| "))
    for operation in OPERATIONS:
        assert LABELS[operation] in rows
    for row in ("a change is found", "built, documents a second", "memory, MB", "on disk, MB"):
        assert row in rows
    assert rows["memory, MB"] == "90 (40) | 90 (40)"


def test_fewer_runs_are_marked_and_what_an_engine_cannot_do_is_a_dash() -> None:
    table = report.markdown(results(outcome()))

    assert f"| {LABELS[SUGGESTION]} | 5.0 / 10* |" in table
    assert f"| {LABELS[FUZZY]} | \N{EN DASH} |" in table


def test_the_report_names_engines_that_are_missing() -> None:
    table = report.markdown(results(outcome(), absent=(Absent("tantivy", 10_000, "tantivy is not installed"),)))

    assert "Not measured: tantivy (10,000 documents): tantivy is not installed" in table


def test_targets_are_compared_with_what_was_measured() -> None:
    fast = results(outcome(suggestion=4), outcome(WHOOSH, suggestion=200), outcome(OURS, 100_000, memory=300_000_000))

    said = {(verdict.target.documents, verdict.target.words): verdict.reached for verdict in verdicts(fast)}

    assert said[10_000, "suggestion, p95"]
    assert said[10_000, "suggestion, times faster than Whoosh as it comes"]
    assert not said[100_000, "memory"]
    assert (10_000, "suggestion, times faster than PostgreSQL") not in said
    assert "| 300.0 MB | **not reached** |" in report.markdown(fast)


def test_the_picture_names_every_engine_and_needs_nothing_from_elsewhere() -> None:
    growth = results(outcome(documents=1000), outcome(documents=10_000, suggestion=50), outcome(WHOOSH, 1000, 51))

    picture = chart.svg(growth)

    root = ElementTree.fromstring(picture)
    assert root.findtext("{*}title")
    assert "this engine: 5.0 ms at 1,000, 50 ms at 10,000." in (root.findtext("{*}desc") or "")
    names = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(any(PEERS[engine].title in name for name in names) for engine in growth.engines)
    assert "prefers-color-scheme: dark" in picture
    assert picture.replace("http://www.w3.org/2000/svg", "").count("http") == 0


def test_names_in_the_picture_do_not_cover_each_other() -> None:
    picture = chart.svg(results(*(outcome(engine) for engine in PEERS)))

    groups = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}g")
    heights = sorted(float(text.get("y", 0)) for group in groups for text in group.iter() if text.tag.endswith("text"))
    assert len(heights) == len(PEERS)
    assert all(second - first >= chart.LINE - 0.2 for first, second in pairwise(heights))


# --- the command ---


def test_the_command_prints_all_figures_and_writes_the_table_and_the_picture(tmp_path: Path) -> None:
    table, picture, out = tmp_path / "table.md", tmp_path / "growth.svg", io.StringIO()
    options = ["--sizes=40", "--engines=fts5", "--queries=2", "--json", f"--markdown={table}", f"--svg={picture}"]

    call_command("benchmark", *options, stdout=out, stderr=io.StringIO())

    (measured,) = json.loads(out.getvalue())["outcomes"]
    assert (measured["engine"], measured["documents"]) == ("fts5", 40)
    assert set(measured["answers"]["timings"]) == set(OPERATIONS) - {FUZZY}
    assert table.read_text().startswith("**40 documents**")
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize("option", ["--engines=lucene", "--sizes=0", "--sizes=many", "--queries=-1"])
def test_the_command_refuses_what_it_cannot_measure(option: str) -> None:
    with pytest.raises(CommandError):
        call_command("benchmark", option)
