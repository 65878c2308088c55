"""The commands others rely on: their answers, their JSON, their refusals."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from kb.search import engine
from postmortems.models import Postmortem
from tests import factory
from tests.postmortems.conftest import Learn

POOL = {"impact": "FATAL: connection slots are reserved", "what_fixed_it": "Restart the pool."}


def run(*args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def pool(learn: Learn) -> Postmortem:
    for n in range(20):
        factory.postmortem(f"Quiet day {n}")
    row = factory.postmortem("Connection pool exhausted", services=("Checkout",), sections=POOL)
    learn(*Postmortem.objects.all())
    return row


def test_search_prints_what_fixed_it(pool: Postmortem) -> None:
    said = run("search", "connection", "slots")

    assert pool.ref in said
    assert "Restart the pool." in said
    assert "1 found" in said


def test_search_as_json_has_the_shape_of_the_api(pool: Postmortem) -> None:
    answer = json.loads(run("search", "pool", json=True))

    assert [result["ref"] for result in answer["results"]] == [pool.ref]
    assert answer["facets"]["service"] == {"checkout": 1}


def test_suggest_takes_text_a_file_or_standard_input(
    pool: Postmortem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Checkout: FATAL connection slots reserved"
    file = tmp_path / "error.log"
    file.write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    answers = [run("suggest", text, json=True), run("suggest", file=file, json=True), run("suggest", json=True)]

    assert [json.loads(answer)["results"][0]["ref"] for answer in answers] == [pool.ref] * 3


def test_suggest_names_a_service_that_does_not_exist(pool: Postmortem) -> None:
    with pytest.raises(CommandError, match="no service 'flux capacitor'"):
        run("suggest", "slow", service=["flux capacitor"])


def test_suggest_names_a_file_that_does_not_exist(pool: Postmortem, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"missing\.log"):
        run("suggest", file=tmp_path / "missing.log")


def test_suggest_says_when_nothing_is_similar(pool: Postmortem) -> None:
    said = run("suggest", "Egg whites lose their volume when sugar is folded in")

    assert "Nothing similar among 21" in said


def test_verify_finds_what_is_missing_stale_and_orphaned_and_repair_mends_just_that(pool: Postmortem) -> None:
    documents = {document.key: document for document in engine.source().documents()}
    stale, missing = pool.search_key, next(key for key in documents if key != pool.search_key)
    Postmortem.objects.filter(pk=pool.pk).update(title="Renamed past every workflow")
    ghost = type(documents[stale])(key="postmortem:999", version=1, text={"title": "Ghost"}, access=frozenset({"open"}))
    engine.backend().apply([ghost], [missing])

    with pytest.raises(CommandError, match="3 differences"):
        run("index", "verify")
    repaired = json.loads(run("index", "verify", "--repair", "--json"))

    assert repaired == {"missing": [missing], "stale": [stale], "orphaned": ["postmortem:999"]}
    assert "No difference" in run("index", "verify")


def test_rebuild_and_stats_count_documents(pool: Postmortem) -> None:
    assert "21 documents" in run("index", "rebuild")
    assert json.loads(run("index", "stats", "--json"))["documents"] == 21


def test_a_deleted_index_is_built_again_by_the_next_command(pool: Postmortem, data_dir: Path) -> None:
    for file in (data_dir / "index").rglob("*"):
        if file.is_file():
            file.unlink()

    assert pool.ref in run("search", "connection slots")
