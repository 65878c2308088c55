"""bm25s: BM25 in numpy, scores computed when the index is built. It ranks bags of words and does nothing else."""

from collections.abc import Sequence
from typing import Any

import bm25s
import Stemmer

from kb.search.base import Document
from kb.search.benchmark.peers.base import TOP, Peer, Place
from kb.search.benchmark.questions import BOTH, FILTERED, FUZZY, PHRASE, PREFIX, Question


class Bm25s(Peer):
    version = bm25s.__version__
    cannot = frozenset({BOTH, PHRASE, FILTERED, PREFIX, FUZZY})
    changes = False

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._stemmer = Stemmer.Stemmer("english")
        self._index: Any = None
        self._keys: list[str] = []

    def build(self, documents: Sequence[Document]) -> None:
        engine = bm25s.BM25()
        engine.index(self._tokens([f"{document.text['title']}\n{document.text['body']}" for document in documents]))
        engine.save(self.place.folder / "index")
        (self.place.folder / "keys").write_text("\n".join(document.key for document in documents))

    def open(self) -> None:
        self._index = bm25s.BM25.load(self.place.folder / "index", show_progress=False)
        self._keys = (self.place.folder / "keys").read_text().split("\n")

    def ask(self, question: Question) -> Sequence[str]:
        tokens = self._tokens([" ".join(question.words)], return_ids=False)
        found, _ = self._index.retrieve(tokens, k=min(TOP, len(self._keys)), show_progress=False)
        return [self._keys[number] for number in found[0]]

    def _tokens(self, texts: list[str], **options: Any) -> Any:
        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, show_progress=False, **options)
