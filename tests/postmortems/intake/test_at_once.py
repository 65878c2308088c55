"""The same alerts delivered by several processes at once make one incident each, on either database."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from postmortems.models import User
from tests.postmortems.intake.delivering import ALERTS

PROCESSES = 3


def shared_with_processes(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that is to use the database of this test."""
    known = {"KB_DATA_DIR": str(tmp_path), "KB_SECRET_KEY": settings.SECRET_KEY}
    if connection.vendor == "sqlite":  # ours is in memory: they get a copy
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(tmp_path / "db.sqlite3")])
        return known
    url, _, _ = os.environ["KB_DATABASE_URL"].rpartition("/")
    return {**known, "KB_DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}"}


@pytest.mark.django_db(transaction=True)
def test_deliveries_at_once_make_one_incident_each(account: User, tmp_path: Path) -> None:
    env = {**os.environ, **shared_with_processes(tmp_path), "DJANGO_SETTINGS_MODULE": "kb.settings"}
    command = [sys.executable, "-m", "tests.postmortems.intake.delivering", account.username]
    senders = [
        subprocess.Popen([*command, str(seed)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(PROCESSES)
    ]
    for sender in senders:
        assert sender.stdout and sender.stdout.readline() == "ready\n"
    ended = [sender.communicate("go\n", timeout=100) and sender.returncode for sender in senders]

    assert ended == [0] * PROCESSES
    incidents = asked("SELECT status, count(*) FROM postmortems_incident GROUP BY status", tmp_path)
    alerts = asked("SELECT deliveries, count(*) FROM postmortems_alert GROUP BY deliveries", tmp_path)
    assert incidents == [("resolved", ALERTS)]
    assert alerts == [(PROCESSES * 4, ALERTS)]


def asked(sql: str, tmp_path: Path) -> list[tuple[Any, ...]]:
    """Rows of the database that the processes had."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as theirs:
            return theirs.execute(sql).fetchall()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
