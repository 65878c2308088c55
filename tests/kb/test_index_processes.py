"""Several processes, some of them killed: nothing is lost, nothing is there twice, the index always answers."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 5


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database and an empty index."""
    folder = tmp_path_factory.mktemp("migrated")
    run(folder, "prepare")
    return folder


@pytest.fixture
def data(migrated: Path, tmp_path: Path) -> Path:
    folder: Path = shutil.copytree(migrated, tmp_path / "data")
    return folder


def environment(data: Path) -> dict[str, str]:
    """Production's settings, for that folder."""
    own = {"KB_DATA_DIR": str(data), "KB_DATABASE_URL": f"sqlite:///{data}/db.sqlite3", "KB_SEARCH_URL": "whoosh:"}
    django = {"DJANGO_SETTINGS_MODULE": "kb.settings", "KB_SECRET_KEY": "only-for-tests-" + "x" * 50}
    return {**os.environ, **own, **django, "PYTHONPATH": os.pathsep.join(sys.path)}


def start(data: Path, *command: str) -> subprocess.Popen[str]:
    python = [sys.executable, "-m", "tests.kb.engine_process", *command]
    return subprocess.Popen(python, env=environment(data), stdout=subprocess.PIPE, text=True)


def run(data: Path, *command: str) -> list[Any]:
    """What the process said."""
    with start(data, *command) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


def report(data: Path) -> dict[str, Any]:
    (said,) = run(data, "report")
    found: dict[str, Any] = said
    return found


def said_until_killed(process: subprocess.Popen[str], chance: random.Random) -> list[Any]:
    """Kill -9, somewhere in the middle."""
    with process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(chance.randint(1, 12))]
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -9
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_killed_while_indexing_nothing_is_lost(data: Path) -> None:
    committed: set[str] = set()

    for number in range(ROUNDS):
        process = start(data, "save", f"round-{number}", "10000")
        committed.update(said_until_killed(process, random.Random(number)))

    after = report(data)
    assert after["differences"] == after["pending"] == []
    assert committed <= set(after["found"])
    assert after["documents"] == len(after["found"]) >= ROUNDS


def test_killed_while_merging_beside_a_saver_nothing_is_lost(data: Path) -> None:
    saver = start(data, "save", "saver", "60")

    for number in range(ROUNDS):
        said_until_killed(start(data, "tidy", "10000"), random.Random(number))

    with saver:
        saver.communicate()
    assert saver.returncode == 0
    run(data, "tidy", "1")
    after = report(data)
    assert after["differences"] == after["pending"] == []
    assert after["documents"] == len(after["found"]) == 60


def test_killed_while_rebuilding_the_old_index_answers(data: Path) -> None:
    run(data, "fill", "doc", "300")
    everything = report(data)["found"]

    for number in range(3):
        said = said_until_killed(start(data, "rebuild", "10000"), random.Random(number))

        assert said[0] == everything
    assert len(everything) == 300
    assert report(data)["differences"] == []


@pytest.mark.parametrize("count", [2, 4])
def test_several_drainers_lose_nothing_and_double_nothing(data: Path, count: int) -> None:
    run(data, "fill", "doc", "700")
    drainers = [start(data, "drain") for _ in range(count)]
    savers = [start(data, "save", f"saver-{number}", "15") for number in range(2)]

    for process in drainers + savers:
        with process:
            process.communicate()
        assert process.returncode == 0

    after = report(data)
    assert after["differences"] == after["pending"] == []
    assert after["documents"] == len(after["found"]) == len(set(after["found"])) == 730
