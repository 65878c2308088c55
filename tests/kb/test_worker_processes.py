"""Workers as processes, some of them killed: no job is lost, and none is done twice but what was cut off."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    run(folder, "prepare")
    return folder


@pytest.fixture
def data(migrated: Path, tmp_path: Path) -> Path:
    folder: Path = shutil.copytree(migrated, tmp_path / "data")
    return folder


def start(data: Path, *command: str) -> subprocess.Popen[str]:
    own = {"KB_DATA_DIR": str(data), "KB_DATABASE_URL": f"sqlite:///{data}/db.sqlite3"}
    django = {"DJANGO_SETTINGS_MODULE": "kb.settings", "KB_SECRET_KEY": "only-for-tests-" + "x" * 50}
    environment = {**os.environ, **own, **django, "PYTHONPATH": os.pathsep.join(sys.path)}
    python = [sys.executable, "-m", "tests.kb.worker_process", *command]
    return subprocess.Popen(python, env=environment, stdout=subprocess.PIPE, text=True)


def run(data: Path, *command: str) -> str:
    with start(data, *command) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    return said


def ask(data: Path, sql: str) -> list[Any]:
    with sqlite3.connect(data / "db.sqlite3", timeout=20) as database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


def until(holds: Callable[[], object]) -> None:
    while not holds():  # pytest's own time limit ends it
        time.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


STATES = "SELECT status, json_array_length(worker_ids) FROM django_tasks_database_dbtaskresult"


@pytest.fixture
def held(data: Path, tmp_path: Path) -> Path:
    """A job that goes on until the file beside it is gone; where it writes."""
    path = tmp_path / "words"
    path.with_name("words.hold").touch()
    run(data, "put_in", "write_slowly", str(path), "1")
    return path


def test_a_job_of_a_killed_worker_is_done_by_the_next(data: Path, held: Path) -> None:
    with start(data, "work") as worker:
        until(lambda: lines(held) == ["job-0 begins"])
        worker.kill()
    held.with_name("words.hold").unlink()

    assert run(data, "drain") == "0 jobs done\n"  # it may still live
    ask(data, "UPDATE jobs_worker SET seen_at = '2026-01-01'")  # time passes
    assert run(data, "drain") == "1 jobs done\n"

    assert lines(held) == ["job-0 begins", "job-0 begins", "job-0 done"]
    assert ask(data, STATES) == [("SUCCESSFUL", 2)]


def test_told_to_stop_a_worker_finishes_its_job_and_leaves(data: Path, held: Path) -> None:
    with start(data, "work") as worker:
        until(lambda: lines(held) == ["job-0 begins"])
        worker.send_signal(signal.SIGTERM)
        held.with_name("words.hold").unlink()
        worker.communicate()

    assert worker.returncode == 0
    assert lines(held) == ["job-0 begins", "job-0 done"]
    assert ask(data, STATES) == [("SUCCESSFUL", 1)]
    assert ask(data, "SELECT name FROM jobs_worker") == []


def test_a_worker_says_that_it_lives_while_its_job_takes_long(data: Path, held: Path) -> None:
    with start(data, "work") as worker:
        until(lambda: lines(held) == ["job-0 begins"])
        before = ask(data, "SELECT seen_at FROM jobs_worker")

        until(lambda: ask(data, "SELECT seen_at FROM jobs_worker") > before)

        worker.kill()


def test_several_workers_do_each_job_once(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "words"
    run(data, "put_in", "write", str(path), "40")

    workers = [start(data, "drain") for _ in range(2)]
    for worker in workers:
        with worker:
            worker.communicate()
        assert worker.returncode == 0

    assert sorted(lines(path)) == sorted(f"job-{n}" for n in range(40))
    assert set(ask(data, STATES)) == {("SUCCESSFUL", 1)}


def test_a_worker_ends_when_its_parent_is_gone(data: Path) -> None:
    run(data, "leave_behind")  # ends when the worker, too, has let go of the pipe

    assert ask(data, "SELECT name FROM jobs_worker") == []
