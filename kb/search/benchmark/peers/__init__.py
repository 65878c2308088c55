"""The engines that are compared. Each is a module of its own, loaded only where what it needs is installed."""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from kb.search.benchmark.peers.base import Missing, Peer, Place

__all__ = ["FTS5", "OURS", "PEERS", "POSTGRESQL", "WHOOSH", "Missing", "Peer", "Place", "check", "make"]

OURS, WHOOSH, FTS5, POSTGRESQL = "ours", "whoosh", "fts5", "postgresql"


class Entry(NamedTuple):
    """`needs`: the package without which it cannot be measured; `extra`: what of ours installs it."""

    title: str
    kind: str
    needs: str = ""
    extra: str = ""


_HERE = __name__
PEERS = {
    OURS: Entry("this engine", f"{_HERE}.ours.Ours"),
    WHOOSH: Entry("Whoosh as it comes", f"{_HERE}.whoosh_as_it_comes.WhooshAsItComes"),
    FTS5: Entry("SQLite FTS5", f"{_HERE}.fts5.Fts5"),
    POSTGRESQL: Entry("PostgreSQL", f"{_HERE}.postgresql.PostgreSQL", "psycopg", "postgres"),
    "bm25s": Entry("bm25s", f"{_HERE}.bm25s.Bm25s", "bm25s", "benchmark"),
    "tantivy": Entry("tantivy", f"{_HERE}.tantivy.Tantivy", "tantivy", "benchmark"),
}


def check(name: str) -> None:
    """Raises Missing if what this engine needs is not installed."""
    entry = PEERS[name]
    if entry.needs and not find_spec(entry.needs):
        raise Missing(f"{entry.needs} is not installed: pip install -e '.[{entry.extra}]'")


def make(name: str, place: Place) -> Peer:
    """The engine of this name, with its files in this place."""
    module, _, kind = PEERS[name].kind.rpartition(".")
    peer: Peer = getattr(import_module(module), kind)(place)
    return peer
