"""PostgreSQL's full-text search: an English tsvector per document, a GIN index, ts_rank. In a schema of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from kb.search.base import Document
from kb.search.benchmark.corpus import OPEN
from kb.search.benchmark.peers.base import KIND, TOP, Peer, Place, resident
from kb.search.benchmark.questions import FILTERED, FUZZY, PHRASE, PREFIX, SUGGESTION, Question

TABLE = """
CREATE TABLE documents (
    key text PRIMARY KEY, title text, body text, kind text, service text, severity text, open boolean,
    occurred timestamptz,
    tokens tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A') || to_tsvector('english', body)
    ) STORED
)"""
INDEXES = (
    "CREATE INDEX ON documents USING gin (tokens)",
    "CREATE INDEX ON documents (occurred)",
)
COPY = "COPY documents (key, title, body, kind, service, severity, open, occurred) FROM STDIN"
CHANGE = """
UPDATE documents SET title = %s, body = %s, kind = %s, service = %s, severity = %s, open = %s, occurred = %s
WHERE key = %s"""

# The weights of ts_rank are those of D, C, B and A.
BEST = """
SELECT key FROM documents, {wanted} AS wanted WHERE tokens @@ wanted
ORDER BY ts_rank('{{0.25, 0.25, 0.25, 1}}', tokens, wanted) DESC LIMIT %(top)s"""
COUNT = "SELECT count(*) FROM documents, {wanted} AS wanted WHERE tokens @@ wanted"
NARROWED = """
FROM documents, {wanted} AS wanted
WHERE tokens @@ wanted AND kind = %(kind)s AND open AND occurred >= %(since)s AND occurred < %(until)s """
NEWEST = f"SELECT key {NARROWED} ORDER BY occurred DESC LIMIT %(top)s"
NARROWED_COUNT = f"SELECT count(*) {NARROWED}"
FACET_COUNTS = (
    f"SELECT service, count(*) {NARROWED} GROUP BY service",
    f"SELECT severity, count(*) {NARROWED} GROUP BY severity",
)
WANTED = {
    PHRASE: "phraseto_tsquery('english', %(words)s)",
    PREFIX: "to_tsquery('simple', %(words)s)",
    SUGGESTION: "to_tsquery('english', %(words)s)",
}
ALL_WANTED = "plainto_tsquery('english', %(words)s)"


class PostgreSQL(Peer):
    cannot = frozenset({FUZZY})

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._connection = psycopg.connect(place.postgresql, autocommit=True)
        # The folder's name is new in every run: nothing of somebody else's is ever in the way, or dropped.
        self._schema = Identifier(place.folder.name)
        self._connection.execute(SQL("SET search_path TO {}").format(self._schema))

    @property
    def version(self) -> str:
        return (self._connection.info.parameter_status("server_version") or "").split(" ")[0]

    def build(self, documents: Sequence[Document]) -> None:
        self._connection.execute(SQL("CREATE SCHEMA {}").format(self._schema))
        self._connection.execute(TABLE)
        with self._connection.cursor().copy(COPY) as copy:
            for document in documents:
                copy.write_row((document.key, *_row(document)))
        for index in INDEXES:
            self._connection.execute(index)
        self._connection.execute("VACUUM ANALYZE documents")

    def ask(self, question: Question) -> Sequence[str]:
        if question.operation != FILTERED:
            return [key for (key,) in self._rows(BEST, question)]
        for counts in FACET_COUNTS:
            dict(self._rows(counts, question))
        return [key for (key,) in self._rows(NEWEST, question)]

    def count(self, question: Question) -> int:
        ((count,),) = self._rows(NARROWED_COUNT if question.operation == FILTERED else COUNT, question)
        return int(count)

    def change(self, document: Document) -> None:
        self._connection.execute(CHANGE, (*_row(document), document.key))

    def memory(self) -> int:
        """This client, and the server's processes if the server is ours alone."""
        return super().memory() + _server_memory(self.place.server)

    def size(self) -> int:
        ((size,),) = self._connection.execute("SELECT pg_total_relation_size('documents')")
        return int(size)

    def discard(self) -> None:
        self._connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(self._schema))

    def _rows(self, statement: LiteralString, question: Question) -> list[Any]:
        wanted = SQL(statement).format(wanted=SQL(WANTED.get(question.operation, ALL_WANTED)))
        return self._connection.execute(wanted, _values(question)).fetchall()


def _row(document: Document) -> tuple[object, ...]:
    facts = (document.keywords[name][0] for name in ("kind", "service", "severity"))
    text = (document.text["title"], document.text["body"])
    return *text, *facts, OPEN in document.access, document.dates["occurred"]


def _values(question: Question) -> Mapping[str, object]:
    words = (" | " if question.operation == SUGGESTION else " ").join(question.words)
    return {
        "words": f"{words}:*" if question.operation == PREFIX else words,
        "top": TOP,
        "kind": KIND,
        "since": question.since,
        "until": question.until,
    }


def _server_memory(server: int) -> int:
    """Of the postmaster and its children; of memory that they share each counts its part."""
    if not server:
        return 0
    family = [server, *(int(child) for child in Path(f"/proc/{server}/task/{server}/children").read_text().split())]
    return sum(_proportional(process) for process in family)


def _proportional(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return resident(process)
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
