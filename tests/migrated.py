"""The tables of the tests, kept in a file: migrating takes longer than most files of tests, and each worker does it."""

import fcntl
import hashlib
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "migrated"
MEMORY = "file:memorydb_default?mode=memory&cache=shared"  # what Django's SQLite calls the database of tests
IMPORTED = re.compile(rb"^(?:from|import) ((?:kb|postmortems)\.[\w.]+)", re.MULTILINE)


class Tables:
    """As an earlier run or another worker kept them, in the memory where Django then looks for its database.

    `migrate` runs all the same: it adds what is new, and finds nothing to do if nothing is. Of several workers the
    first one does the work, and the others wait for what it keeps.
    """

    def __init__(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.path = FOLDER / f"{made_by()}.sqlite3"
        self.lock = (FOLDER / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.memory = sqlite3.connect(MEMORY, uri=True)  # it lasts as long as somebody has it open
        self.are_kept = self.path.exists()
        if self.are_kept:
            with closing(sqlite3.connect(self.path)) as file:
                file.backup(self.memory)
            self.lock.close()

    def migrated(self) -> None:
        """Keeps them, in place of what was kept before, if they are new."""
        if not self.are_kept:
            for old in FOLDER.glob("*.sqlite3*"):
                old.unlink()
            draft = self.path.with_suffix(f".sqlite3-{os.getpid()}")
            with closing(sqlite3.connect(draft)) as file:
                self.memory.backup(file)
            draft.rename(self.path)
            self.lock.close()
        self.memory.close()


def made_by() -> str:
    """A hash of what makes the tables: the migrations, and what of ours they import."""
    files = [path for app in ("kb", "postmortems") for path in sorted((ROOT / app).glob("**/migrations/*.py"))]
    texts = [path.read_bytes() for path in files]
    modules = sorted({name.decode().replace(".", "/") for text in texts for name in IMPORTED.findall(text)})
    texts += [path.read_bytes() for name in modules if (path := ROOT / f"{name}.py").exists()]
    return hashlib.sha256(b"\0".join([django.__version__.encode(), *texts])).hexdigest()[:16]
