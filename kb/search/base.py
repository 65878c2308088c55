"""The contract: what an engine is given, what it answers, and what it raises. Engines live in `backends/`.

The application analyses (`analysis.py` turns text into tokens, `query.py` turns what was typed into the nodes below),
engines count: they store tokens and answer with the documents that match. So match sets, counts and facets are the same
on every engine. Scores are BM25F (Robertson, Zaragoza & Taylor 2004, "Simple BM25 extension to multiple weighted
fields") over the `words` channel and BM25 over the others.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

# The channels a document's tokens are stored in; each has its own lengths and frequencies.
WORDS = "words"  # stems of all text fields; the weight of a token is the sum of boost x occurrences over the fields
PARTS = "parts"  # stems of the pieces of compound names: `conn` and `pool` of `ConnPool`
IDENTIFIERS = "identifiers"  # whole names, codes, paths and addresses, case folded: `a.b.c:8080`, `ora-01555`
SIGNATURES = "signatures"  # hashes of log lines with their variable parts masked
SURFACE = "surface"  # words as written, case and accents folded, not stemmed: for prefixes and spelling
CHANNELS = (WORDS, PARTS, IDENTIFIERS, SIGNATURES, SURFACE)


class SearchError(Exception):
    """The search could not be carried out. Never shown as "no results"."""


class Unavailable(SearchError):
    """Not now: a lock was not had in time, there is no index yet. Trying again helps; the database answers so long."""


class Corrupt(SearchError):
    """The index cannot be read. A rebuild helps; the database answers meanwhile."""


@dataclass(frozen=True)
class Schema:
    """What documents consist of: text fields with their boosts, keyword fields (exact, countable), dates."""

    text: Mapping[str, float]
    keywords: tuple[str, ...]
    dates: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes when an index built for another schema is of no use any more."""
        return _digest([dict(self.text), self.keywords, self.dates])


@dataclass(frozen=True)
class Document:
    """One findable thing. `version` grows with every change: an older one never overwrites a newer one.

    `access` holds the tokens of which a reader needs at least one; never empty.
    """

    key: str
    version: int
    text: Mapping[str, str]
    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, datetime] = field(default_factory=dict)
    access: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.access:
            raise ValueError(f"{self.key}: a document without an access token would be seen by nobody, or by all")

    @property
    def digest(self) -> str:
        """Of the content: two documents with the same digest are found by the same queries."""
        dates = {name: moment.isoformat() for name, moment in self.dates.items()}
        keywords = {name: sorted(values) for name, values in self.keywords.items()}
        return _digest([dict(self.text), keywords, dates, sorted(self.access)])


def _digest(content: object) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()


class Source(Protocol):
    """Where documents come from: the domain's side of the contract, named by `settings.SEARCH_SOURCE`."""

    schema: Schema

    def documents(self, keys: Collection[str] | None = None) -> Iterator[Document]:
        """All documents, or those of these keys; a key that was asked for and not yielded is gone."""
        ...


# --- queries -------------------------------------------------------------------------------------------------------


class Term(NamedTuple):
    """Documents with this token in this channel. It adds `weight` x BM25 to their score."""

    # Not a dataclass as its neighbours are: hundreds are made for a suggestion, in a third of the time.

    token: str
    channel: str = WORDS
    weight: float = 1.0


@dataclass(frozen=True)
class Phrase:
    """Documents with these stems side by side in one text field. Adds the BM25 of each stem."""

    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Prefix:
    """Documents with a word (`surface`) or identifier that begins so. Adds a constant 1."""

    start: str


@dataclass(frozen=True)
class AllOf:
    """Documents that match every node; of no nodes: every document. Adds what they add, and nothing if one fails."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """Documents that match at least one node; of no nodes: none. Adds what those that match add."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """Documents that do not match the node. Adds nothing to a score."""

    node: Node


Node = Term | Phrase | Prefix | AllOf | AnyOf | Not
EVERYTHING = AllOf(())

Sort = Literal["relevance", "newest", "oldest"]


@dataclass(frozen=True)
class Query:
    """What to find, for whom.

    `access`: tokens of the reader, any of which opens a document; never empty (an empty filter must never mean "all").
    `filters`: keyword field -> values, any of which will do; all fields must hold. `without`: likewise, none may hold.
    `dates`: date field -> half-open range [from, until), either end None. A document without that date is outside.
    `exclude`: keys that are left out of hits, totals and counts alike.
    `facets`: keyword fields to count. A field's counts ignore the filter on that same field, so that each number says
    what choosing that value would give.
    """

    access: frozenset[str]
    node: Node = EVERYTHING
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    sort: Sort = "relevance"
    sort_date: str = ""  # the date field that "newest" and "oldest" go by; documents without it come last
    offset: int = 0
    limit: int = 10
    facets: tuple[str, ...] = ()
    explain: bool = False

    def __post_init__(self) -> None:
        if not self.access:
            raise ValueError("a query without an access token: nobody would be allowed to see its answer")


@dataclass(frozen=True)
class Hit:
    """A document that matches. With `explain`, `parts` are what each term added: they sum up to the score."""

    key: str
    score: float
    parts: tuple[tuple[Term, float], ...] = ()


@dataclass(frozen=True)
class Page:
    """One page of hits, best first: by score (or date), then by key, so that the order is total."""

    hits: tuple[Hit, ...]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class TermStats:
    """How many documents there are, and how many hold each term: what the choice of key terms needs.

    Counted over the whole index. They are used as weights only and never shown.
    """

    documents: int
    frequency: Mapping[tuple[str, str], int]  # (channel, token) -> documents that hold it


@dataclass(frozen=True)
class Stored:
    """What the index holds of a document, for comparing it with the database."""

    version: int
    digest: str


Alone = Callable[[], AbstractContextManager[object]]


class SearchBackend(ABC):
    """An engine. All methods may raise `Unavailable` or `Corrupt`, and nothing else that comes of the index's state.

    One instance serves a whole process: safe to call from several threads.
    """

    name: str

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @classmethod
    def from_url(cls, url: str, schema: Schema, *, data_dir: Path) -> Self:
        """The engine that a `KB_SEARCH_URL` names. Its files, if any, are in `data_dir` unless the URL says where."""
        return cls(schema)

    @abstractmethod
    def apply(self, changed: Sequence[Document], gone: Collection[str] = ()) -> None:
        """Add or replace documents and remove keys: all of it or nothing, durable and visible when this returns.

        A document whose key is stored with a higher version is left as it is. Applying the same twice changes nothing.
        The caller holds the drainer's lock: there is one writer.
        """

    @abstractmethod
    def rebuild(self, documents: Iterable[Document]) -> int:
        """Replace everything by these; readers see the old index until the new one is complete. Returns how many."""

    @abstractmethod
    def search(self, query: Query) -> Page:
        """The page of hits, the exact total, and the facet counts, all within the reader's access."""

    @abstractmethod
    def term_stats(self, terms: Iterable[Term]) -> TermStats: ...

    @abstractmethod
    def similar_words(self, word: str, *, access: frozenset[str], limit: int = 3) -> list[str]:
        """Words like this one (two edits at most) in documents open to `access`, likeliest first; never itself."""

    @abstractmethod
    def stored(self) -> Mapping[str, Stored]:
        """Every key in the index."""

    @abstractmethod
    def stats(self) -> Mapping[str, int | str]:
        """For the operator: documents, generation, bytes on disk, segments."""

    def tidy(self, alone: Alone = nullcontext) -> None:  # noqa: B027  (an engine may have nothing to do)
        """Clear away what many small changes left behind. A job, not part of a request: it may take minutes.

        Changes are applied meanwhile. `alone` holds the drainer's lock for the moments in which nobody else may write.
        """

    def close(self) -> None:  # noqa: B027  (an engine without open files has nothing to do)
        """Release files and connections."""
