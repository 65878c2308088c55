"""A file of SQLite that was restored from a backup, and several who open it at once."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections

from kb.settings import SQLITE_OPTIONS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite3"
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE notes (text)")
    file.close()
    return path


@pytest.fixture
def writer(restored: Path) -> Iterator[sqlite3.Connection]:
    """Another worker, in the middle of something."""
    other = sqlite3.connect(restored, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def opened(path: Path, **options: Any) -> Any:
    mine = connections.create_connection("default")
    mine.settings_dict = {**mine.settings_dict, "NAME": str(path), "OPTIONS": {**SQLITE_OPTIONS, **options}}
    return mine


def mode(mine: Any) -> str:
    with mine.cursor() as cursor:
        return str(cursor.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_restored_file_gets_its_log_from_who_connects_first(restored: Path) -> None:
    mine = opened(restored)

    assert mode(mine) == "wal"
    mine.close()


def test_who_connects_while_another_writes_waits(restored: Path, writer: sqlite3.Connection) -> None:
    ends = threading.Timer(0.2, writer.rollback)
    ends.start()
    mine = opened(restored)

    assert mode(mine) == "wal"
    ends.join()
    mine.close()


def test_who_has_waited_long_enough_is_told(restored: Path, writer: sqlite3.Connection) -> None:
    with pytest.raises(OperationalError, match="locked"):
        opened(restored, timeout=0.1).cursor()


def test_a_file_that_nobody_may_write_is_told_at_once(restored: Path) -> None:
    mine = opened(restored)
    mine.settings_dict["NAME"] = f"file:{restored}?mode=ro"

    with pytest.raises(OperationalError, match="readonly"):
        mine.cursor()
