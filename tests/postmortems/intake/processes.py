"""Processes of their own that share the database of a test: in a copy on disk where the test's is in memory."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

PATIENCE = 120.0  # seconds until something has to have happened


def until(what: Callable[[], Any]) -> Any:
    """What it returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "Nothing came of it in time."
        time.sleep(0.05)
    return found


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


class Shared:
    """The database as it is now; `env` for processes that are to use it. Made outside a transaction."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "db.sqlite3"
        known = {"KB_DATA_DIR": str(folder), "KB_SECRET_KEY": settings.SECRET_KEY}
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(self.file)])
        else:
            url, _, _ = os.environ["KB_DATABASE_URL"].rpartition("/")
            known["KB_DATABASE_URL"] = f"{url}/{connection.settings_dict['NAME']}"
        self.env = {**os.environ, **known, "DJANGO_SETTINGS_MODULE": "kb.settings"}

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows as the processes see them."""
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(self.file, timeout=20)) as theirs:
                return theirs.execute(sql).fetchall()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], env=self.env, check=True, capture_output=True, timeout=100)

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, *arguments], env=self.env, text=True, **more)
