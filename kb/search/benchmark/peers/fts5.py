"""SQLite's full-text table, with its Porter stemmer, beside an ordinary table for what is filtered by."""

import sqlite3
from collections.abc import Sequence

from kb.search.base import Document
from kb.search.benchmark.corpus import OPEN
from kb.search.benchmark.peers.base import KIND, TITLE_BOOST, TOP, Missing, Peer, Place
from kb.search.benchmark.questions import FILTERED, FUZZY, PHRASE, PREFIX, SUGGESTION, Question

TABLES = (
    "CREATE VIRTUAL TABLE texts USING fts5(title, body, tokenize = 'porter unicode61')",
    "CREATE TABLE facts (id INTEGER PRIMARY KEY, key TEXT UNIQUE, kind TEXT, service TEXT, severity TEXT, "
    "open INTEGER, occurred REAL)",
)
BEST = (
    "SELECT key FROM texts JOIN facts ON facts.id = texts.rowid WHERE texts MATCH ? "
    "ORDER BY bm25(texts, ?, 1.0) LIMIT ?"
)
COUNT = "SELECT count(*) FROM texts WHERE texts MATCH ?"
_NARROWED = (
    "FROM texts JOIN facts ON facts.id = texts.rowid "
    "WHERE texts MATCH ? AND kind = ? AND open AND occurred >= ? AND occurred < ?"
)
NEWEST = f"SELECT key {_NARROWED} ORDER BY occurred DESC LIMIT ?"
NARROWED_COUNT = f"SELECT count(*) {_NARROWED}"
FACET_COUNTS = (
    f"SELECT service, count(*) {_NARROWED} GROUP BY service",
    f"SELECT severity, count(*) {_NARROWED} GROUP BY severity",
)


class Fts5(Peer):
    version = sqlite3.sqlite_version
    cannot = frozenset({FUZZY})

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._database = sqlite3.connect(place.folder / "fts5.sqlite3")

    def build(self, documents: Sequence[Document]) -> None:
        try:
            for table in TABLES:
                self._database.execute(table)
        except sqlite3.OperationalError as error:
            raise Missing(f"this SQLite has no FTS5: {error}") from error
        for number, document in enumerate(documents, 1):
            self._insert(number, document)
        self._database.commit()

    def ask(self, question: Question) -> Sequence[str]:
        if question.operation == FILTERED:
            for counts in FACET_COUNTS:
                dict(self._database.execute(counts, _narrowed(question)))
            found = self._database.execute(NEWEST, (*_narrowed(question), TOP))
        else:
            found = self._database.execute(BEST, (_match(question), TITLE_BOOST, TOP))
        return [key for (key,) in found]

    def count(self, question: Question) -> int:
        if question.operation == FILTERED:
            found = self._database.execute(NARROWED_COUNT, _narrowed(question))
        else:
            found = self._database.execute(COUNT, (_match(question),))
        return int(found.fetchone()[0])

    def change(self, document: Document) -> None:
        ((number,),) = self._database.execute("SELECT id FROM facts WHERE key = ?", (document.key,))
        self._database.execute("DELETE FROM texts WHERE rowid = ?", (number,))
        self._database.execute("DELETE FROM facts WHERE id = ?", (number,))
        self._insert(number, document)
        self._database.commit()

    def _insert(self, number: int, document: Document) -> None:
        self._database.execute(
            "INSERT INTO texts (rowid, title, body) VALUES (?, ?, ?)",
            (number, document.text["title"], document.text["body"]),
        )
        facts = (document.keywords[name][0] for name in ("kind", "service", "severity"))
        occurred = document.dates["occurred"].timestamp()
        self._database.execute(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, document.key, *facts, OPEN in document.access, occurred),
        )


def _match(question: Question) -> str:
    if question.operation == PHRASE:
        return f'"{" ".join(question.words)}"'
    if question.operation == PREFIX:
        return f'"{question.words[0]}"*'
    return (" OR " if question.operation == SUGGESTION else " ").join(f'"{word}"' for word in question.words)


def _narrowed(question: Question) -> tuple[str, str, float, float]:
    return _match(question), KIND, question.since.timestamp(), question.until.timestamp()
