"""The evaluation: its measures are right, its files are checked, and it can fail."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

CORPUS = [
    {"id": "a", "title": "Disk full", "text": "The volume of the database was full, writes failed."},
    {"id": "b", "title": "Certificate expired", "text": "Clients refused the expired certificate."},
    {"id": "c", "title": "Leap second", "text": "Hosts span at full load after the leap second."},
    {"id": "d", "title": "Regex", "text": "Backtracking expression took all processors."},
]
QUERIES = [
    {"id": "q1", "title": "Expired certificate", "text": "x509 certificate refused"},
    {"id": "q2", "title": "Leap second", "text": "kernel"},
    {"id": "q3", "title": "Backtracking expression", "text": ""},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "set"
    place.mkdir()
    with gzip.open(place / "corpus.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in CORPUS)
    (place / "queries.dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUERIES))
    (place / "qrels.dev.tsv").write_text("q1\tb\t1\nq2\tc\t1\nq3\ta\t1\n")
    return place


def evaluate(folder: Path, **options: Any) -> dict[str, float]:
    out = io.StringIO()
    call_command("evaluate", str(folder), split="dev", json=True, stdout=out, **options)
    return dict(json.loads(out.getvalue()))


def test_two_right_answers_of_three_give_a_recall_of_two_thirds(folder: Path) -> None:
    scores = evaluate(folder)

    assert scores["recall@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["mrr@10"] >= 2 / 3 - 1e-4
    assert (scores["documents"], scores["queries"]) == (4, 3)


def test_wrong_labels_score_nothing(folder: Path) -> None:
    (folder / "qrels.dev.tsv").write_text("q1\tc\t1\nq2\tb\t1\n")

    assert evaluate(folder)["recall@1"] == 0


def test_the_run_file_holds_query_document_and_score_best_first(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.tsv"

    evaluate(folder, run=run)

    rows = [line.split("\t") for line in run.read_text().splitlines()]
    assert rows[0][:2] == ["q1", "b"]
    scores = [float(score) for query, _, score in rows if query == "q1"]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("qrels.dev.tsv", "q1 b 1\n", "qrels.dev.tsv:1"),
        ("queries.dev.jsonl", "{}\n", "queries.dev.jsonl:1"),
        ("queries.dev.jsonl", '{"id": "q1"}\nnot json\n', "queries.dev.jsonl:2"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(folder: Path, name: str, content: str, said: str) -> None:
    (folder / name).write_text(content)

    with pytest.raises(CommandError, match=said):
        evaluate(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "corpus.jsonl.gz").unlink()

    with pytest.raises(CommandError, match=r"corpus\.jsonl"):
        evaluate(folder)
