"""Whoosh without us: its fields, its analysis, its parser and its searcher, as its documentation shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import whoosh
from whoosh import index, query
from whoosh.analysis import StemmingAnalyzer
from whoosh.fields import DATETIME, ID, TEXT, Schema
from whoosh.qparser import MultifieldParser, OrGroup

from kb.search.base import Document
from kb.search.benchmark.corpus import OPEN
from kb.search.benchmark.peers.base import FACETS, KIND, TITLE_BOOST, TOP, Peer, Place
from kb.search.benchmark.questions import FILTERED, FUZZY, PHRASE, PREFIX, SUGGESTION, Question

FIELDS = ("title", "body")
MEMORY_MB = 256  # for building; the 128 of its default are a little slower


class WhooshAsItComes(Peer):
    version = ".".join(map(str, whoosh.__version__))

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._index: Any = None
        self._searcher: Any = None

    def build(self, documents: Sequence[Document]) -> None:
        writer = index.create_in(str(self.place.folder), _schema()).writer(limitmb=MEMORY_MB)
        for document in documents:
            writer.add_document(**_row(document))
        writer.commit()

    def open(self) -> None:
        self._index = index.open_dir(str(self.place.folder))
        self._searcher = self._index.searcher()

    def ask(self, question: Question) -> Sequence[str]:
        results = self._searcher.search(self._query(question), limit=TOP, **_options(question))
        for name in FACETS if question.operation == FILTERED else ():
            {value: len(found) for value, found in results.groups(name).items()}
        return [hit["key"] for hit in results]

    def count(self, question: Question) -> int:
        options = {"filter": narrowed} if (narrowed := _options(question).get("filter")) else {}
        return len(self._searcher.search(self._query(question), limit=None, **options))

    def change(self, document: Document) -> None:
        writer = self._index.writer()
        writer.update_document(**_row(document))
        writer.commit()
        # A new one: `refresh()` leaves deleted documents visible.
        self._searcher.close()
        self._searcher = self._index.searcher()

    def _query(self, question: Question) -> Any:
        (word, *_) = question.words
        if question.operation == FUZZY:
            return query.Or([query.FuzzyTerm(field, word, maxdist=2) for field in FIELDS])
        if question.operation == PREFIX:
            return query.Or([query.Prefix(field, word) for field in FIELDS])
        text = " ".join(question.words)
        group = {"group": OrGroup} if question.operation == SUGGESTION else {}
        parser = MultifieldParser(FIELDS, self._index.schema, fieldboosts={"title": TITLE_BOOST}, **group)
        return parser.parse(f'"{text}"' if question.operation == PHRASE else text)


def _schema() -> Any:
    """What is sorted or grouped by is `sortable`: kept in a column, which is many times faster."""
    text = {name: TEXT(analyzer=StemmingAnalyzer()) for name in FIELDS}
    facets = {name: ID(sortable=True) for name in FACETS}
    return Schema(
        key=ID(stored=True, unique=True), kind=ID(), access=ID(), occurred=DATETIME(sortable=True), **text, **facets
    )


def _row(document: Document) -> dict[str, Any]:
    return {
        "key": document.key,
        "kind": document.keywords["kind"][0],
        "access": OPEN if OPEN in document.access else "closed",
        "occurred": _naive(document.dates["occurred"]),
        **{name: document.text[name] for name in FIELDS},
        **{name: document.keywords[name][0] for name in FACETS},
    }


def _options(question: Question) -> dict[str, Any]:
    if question.operation != FILTERED:
        return {}
    narrowed = query.And(
        [
            query.Term("kind", KIND),
            query.Term("access", OPEN),
            query.DateRange("occurred", _naive(question.since), _naive(question.until), endexcl=True),
        ]
    )
    return {"filter": narrowed, "groupedby": list(FACETS), "sortedby": "occurred", "reverse": True}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
