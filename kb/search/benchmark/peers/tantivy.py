"""tantivy: an engine in Rust, by its Python binding."""

from collections.abc import Sequence
from importlib import metadata
from typing import Any

import tantivy
from tantivy import FieldType, Occur, Order, Query

from kb.search.base import Document
from kb.search.benchmark.corpus import OPEN
from kb.search.benchmark.peers.base import FACETS, KIND, TITLE_BOOST, TOP, Peer, Place
from kb.search.benchmark.questions import FILTERED, FUZZY, PHRASE, PREFIX, SUGGESTION, Question

FIELDS = ["title", "body"]
BUILDING_BYTES, CHANGING_BYTES = 256_000_000, 32_000_000
FACET_COUNTS = {name: {"terms": {"field": name, "size": 100}} for name in FACETS}


class Tantivy(Peer):
    version = metadata.version("tantivy")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._schema = _schema()
        self._index: Any = None
        self._searcher: Any = None
        self._writer: Any = None

    def build(self, documents: Sequence[Document]) -> None:
        writer = tantivy.Index(self._schema, str(self.place.folder)).writer(heap_size=BUILDING_BYTES)
        for document in documents:
            writer.add_document(_row(document))
        writer.commit()
        writer.wait_merging_threads()

    def open(self) -> None:
        self._index = tantivy.Index.open(str(self.place.folder))
        self._searcher = self._index.searcher()

    def ask(self, question: Question) -> Sequence[str]:
        query = self._query(question)
        if question.operation == FILTERED:
            self._searcher.aggregate(query, FACET_COUNTS)
            hits = self._searcher.search(query, TOP, count=False, order_by_field="occurred", order=Order.Desc).hits
        else:
            hits = self._searcher.search(query, TOP, count=False).hits
        return [self._searcher.doc(address)["key"][0] for _, address in hits]

    def count(self, question: Question) -> int:
        return int(self._searcher.search(self._query(question), 1).count or 0)

    def change(self, document: Document) -> None:
        if not self._writer:
            self._writer = self._index.writer(heap_size=CHANGING_BYTES, num_threads=1)
        self._writer.delete_documents_by_term("key", document.key)
        self._writer.add_document(_row(document))
        self._writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()

    def _query(self, question: Question) -> Any:
        if question.operation == FUZZY:
            words = [Query.fuzzy_term_query(self._schema, name, question.words[0], distance=2) for name in FIELDS]
            return _any(words)
        if question.operation == PREFIX:
            return _any([Query.regex_query(self._schema, name, f"{question.words[0]}.*") for name in FIELDS])
        text = " ".join(question.words)
        parsed = self._index.parse_query(
            f'"{text}"' if question.operation == PHRASE else text,
            FIELDS,
            field_boosts={"title": TITLE_BOOST},
            conjunction_by_default=question.operation != SUGGESTION,
        )
        return self._narrowed(parsed, question) if question.operation == FILTERED else parsed

    def _narrowed(self, query: Any, question: Question) -> Any:
        when = Query.range_query(
            self._schema, "occurred", FieldType.Date, question.since, question.until, include_upper=False
        )
        exact = [Query.term_query(self._schema, name, value) for name, value in (("kind", KIND), ("access", OPEN))]
        return Query.boolean_query([(Occur.Must, part) for part in (query, when, *exact)])


def _any(queries: Sequence[Any]) -> Any:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="en_stem")
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("kind", "access", *FACETS):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_date_field("occurred", indexed=True, fast=True)
    return builder.build()


def _row(document: Document) -> Any:
    return tantivy.Document(
        key=document.key,
        access=OPEN if OPEN in document.access else "closed",
        occurred=document.dates["occurred"],
        **{name: document.text[name] for name in FIELDS},
        **{name: document.keywords[name][0] for name in ("kind", *FACETS)},
    )
