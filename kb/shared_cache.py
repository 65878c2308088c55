"""Django's cache in files, for several workers: what only one may do at a time, only one does."""

import fcntl
from pathlib import Path
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache


class SharedFileCache(FileBasedCache):
    """Adds a key for one caller only. Django's own looks first and writes then, and two may look at once: attempts at
    signing in would not be counted, and a code would count twice."""

    _dir: str

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        Path(self._dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        with Path(self._dir, "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return bool(super().add(key, value, timeout, version))
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough: a forked child may have the file open too
