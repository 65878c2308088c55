"""What an engine must do to be measured. It analyses text by its own rules, as it would anywhere else."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kb.search.base import Document
from kb.search.benchmark.questions import Question

TOP = 10
TITLE_BOOST = 4.0  # the same weight for a word of the title everywhere
FACETS = ("service", "severity")
KIND = "postmortem"  # what the filtered questions ask for, besides a time and what is open to all


class Missing(Exception):
    """The engine cannot be measured here; says why."""


@dataclass(frozen=True)
class Place:
    """`suggest`: our suggestion by its dotted name; (backend, title, text) -> keys, best first.

    `folder`: for files. `postgresql`: the URL of a server, and `server` its process id if it is there for us alone.
    """

    suggest: str
    postgresql: str = ""
    server: int = 0
    folder: Path = Path()


class Peer(ABC):
    """One engine. It is built in one process and opened and asked in another."""

    cannot: frozenset[str] = frozenset()  # operations it does not have
    changes = True  # whether a document can be replaced without building everything anew

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def build(self, documents: Sequence[Document]) -> None:
        """Index these documents, of which none is there yet."""

    def open(self) -> None:  # noqa: B027  (an engine may be ready as it is)
        """Make ready for questions."""

    @abstractmethod
    def ask(self, question: Question) -> Sequence[str]:
        """The keys of the ten best documents; facets are counted as well if the question is one with filters."""

    def count(self, question: Question) -> int | None:
        """How many documents match, to see that engines do comparable work. Not part of what is timed."""
        return None

    def change(self, document: Document) -> None:
        """Replace the document of this key: durably, and found by the next question."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes resident in the process that was asked."""
        return resident(os.getpid())

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.place.folder.rglob("*") if path.is_file())

    def discard(self) -> None:  # noqa: B027
        """Leave nothing behind but what is in the folder."""


def resident(process: int) -> int:
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0  # no such file on this system: memory is shown as unknown
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
