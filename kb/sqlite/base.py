"""SQLite with a write-ahead log: a file that has none gets it from whoever connects first."""

import sqlite3
import time
from typing import Any

from django.db.backends.sqlite3 import base

PAUSE = 0.01  # seconds


class DatabaseWrapper(base.DatabaseWrapper):
    """Sets ``journal_mode=WAL``, which readers and a writer need to work beside each other.

    A file out of ``VACUUM INTO``, as our backups are, has no log. To change that SQLite wants the file for itself and
    fails at once with SQLITE_BUSY, whatever ``timeout`` says, when several workers do so; hence the waiting is here.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """As Django's; raises OperationalError when others keep the file for longer than ``timeout`` seconds."""
        file = super().get_new_connection(conn_params)
        give_up = time.monotonic() + conn_params.get("timeout", 5)
        while not _has_log(file):
            if time.monotonic() > give_up:
                file.close()
                raise sqlite3.OperationalError("database is locked: it could not be given its write-ahead log")
            time.sleep(PAUSE)
        return file


def _has_log(file: sqlite3.Connection) -> bool:
    try:
        file.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
