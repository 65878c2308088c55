"""The folders of an index on disk: numbered generations side by side, and a pointer to the one in use.

    index/current              the name of the generation in use, replaced by an atomic rename
    index/gen-000007-5c1d/     what readers read; meta.json says what it was built for
    index/gen-000006-a03f/     the one before, for readers that still have it open

No name is ever used again: an index that was deleted by hand starts anew at 1, and readers remember names.
A generation is built beside the one in use and switched to when it is complete, so readers are never disturbed.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kb.search.base import Corrupt, Unavailable

_NAME = re.compile(r"gen-(\d{6,})-[0-9a-f]+")
_WRITABLE_BY_OTHERS = 0o022


class Generations:
    """`made_for`: what stands in a generation's meta.json; one that was made for something else is of no use."""

    def __init__(self, folder: Path, made_for: Mapping[str, Any]) -> None:
        self.folder = folder
        self._made_for = dict(made_for)
        self._pointer = folder / "current"

    def current(self) -> Path:
        """The generation in use, seen to be safe to open: whoever can write an index can run code in who reads it."""
        try:
            name = self._pointer.read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            raise Unavailable("there is no index yet") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Corrupt(f"{self._pointer} cannot be read: {error}") from error
        if not _NAME.fullmatch(name):
            raise Corrupt(f"{self._pointer} names no generation")
        return self.folder / name

    def inspect(self, generation: Path) -> None:
        """Before anything in it is un-pickled: is it ours alone, and was it built for what we look for?"""
        for folder in (self.folder, generation):
            status = folder.stat()
            if status.st_mode & _WRITABLE_BY_OTHERS or status.st_uid not in (os.geteuid(), 0):
                raise Corrupt(f"{folder} can be written by others: it is not opened, it could run their code")
        try:
            made_for = json.loads((generation / "meta.json").read_text())
        except (OSError, ValueError) as error:
            raise Corrupt(f"{generation} does not say what it was built for: {error}") from error
        if made_for != self._made_for:
            raise Corrupt("the index was built by another version")

    def begin(self) -> Path:
        """A new, empty generation that nobody reads yet."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        generation = self.folder / f"gen-{max(self._all(), default=0) + 1:06}-{secrets.token_hex(4)}"
        generation.mkdir(mode=0o700)
        return generation

    def switch(self, generation: Path) -> None:
        """From now on readers open this one. All but the one before it are removed."""
        before = self._pointer.read_bytes().decode(errors="replace").strip() if self._pointer.is_file() else ""
        (generation / "meta.json").write_text(json.dumps(self._made_for))
        flush(generation)
        draft = self.folder / "current.new"
        draft.write_text(f"{generation.name}\n")
        flush_file(draft)
        draft.replace(self._pointer)
        flush_file(self.folder)
        for path in self._all().values():
            if path.name not in (generation.name, before):
                shutil.rmtree(path, ignore_errors=True)

    def discard(self, generation: Path) -> None:
        """A generation that was not completed."""
        shutil.rmtree(generation, ignore_errors=True)

    def size(self, generation: Path) -> int:
        return sum(path.stat().st_size for path in generation.iterdir() if path.is_file())

    def _all(self) -> dict[int, Path]:
        """Number -> folder, of complete and abandoned generations alike."""
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return {int(match[1]): path for match, path in found if match}


def flush(folder: Path) -> None:
    """See to it that the folder and the files in it survive a power cut."""
    for path in (*folder.iterdir(), folder):
        if path.is_file() or path == folder:
            flush_file(path)


def flush_file(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
