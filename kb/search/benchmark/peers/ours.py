"""Our engine as the product uses it: parsed queries, access checked, exact totals, suggestions with their reasons."""

from collections.abc import Callable, Sequence

import django
from django.utils.module_loading import import_string

from kb.search import query
from kb.search.backends.whoosh import WhooshBackend
from kb.search.base import SURFACE, AnyOf, Document, Query, SearchBackend, Term
from kb.search.benchmark.corpus import EVERYTHING, OPEN, SCHEMA
from kb.search.benchmark.peers.base import FACETS, KIND, TOP, Peer, Place
from kb.search.benchmark.questions import FILTERED, FUZZY, PHRASE, PREFIX, SUGGESTION, Question

ALL = frozenset({EVERYTHING})
Suggest = Callable[[SearchBackend, str, str], Sequence[str]]


class Ours(Peer):
    version = "on Whoosh 2.7.4's files"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        django.setup()  # the suggestion is the domain's
        self._suggest: Suggest = import_string(place.suggest)
        self._backend = WhooshBackend(SCHEMA, place.folder / "index")

    def build(self, documents: Sequence[Document]) -> None:
        self._backend.rebuild(documents)

    def ask(self, question: Question) -> Sequence[str]:
        if question.operation == SUGGESTION:
            return self._suggest(self._backend, question.title, question.text)
        return [hit.key for hit in self._backend.search(self._query(question)).hits]

    def count(self, question: Question) -> int:
        return self._backend.search(self._query(question)).total

    def change(self, document: Document) -> None:
        self._backend.apply([document])

    def _query(self, question: Question) -> Query:
        if question.operation == FUZZY:
            words = self._backend.similar_words(question.words[0], access=ALL)
            return Query(ALL, AnyOf(tuple(Term(word, SURFACE) for word in words)), limit=TOP)
        node = query.parse(_typed(question), {}).node
        if question.operation != FILTERED:
            return Query(ALL, node, limit=TOP)
        return Query(
            access=frozenset({OPEN}),
            node=node,
            filters={"kind": (KIND,)},
            dates={"occurred": (question.since, question.until)},
            sort="newest",
            sort_date="occurred",
            limit=TOP,
            facets=FACETS,
        )


def _typed(question: Question) -> str:
    """The question as a reader would type it."""
    text = " ".join(question.words)
    return {PHRASE: f'"{text}"', PREFIX: f"{text}*"}.get(question.operation, text)
