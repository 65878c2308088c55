"""What is stored of a document, ready to be written; which documents are news to an index; documents by the batch."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kb.search import scoring, w3
from kb.search.analysis import tokens_of
from kb.search.base import Document, Schema, Stored
from kb.search.segments import ACCESS, KEY, Snapshot

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A document's tokens and values. What can be wrong with one shows before anything is written."""

    channels: Mapping[str, Mapping[str, float]]
    fields: Sequence[Sequence[str]]  # the stems of each text field
    exact: Mapping[str, Collection[str]]  # field -> values
    row: Mapping[str, Any]  # column -> value


def entry_of(document: Document, schema: Schema) -> Entry:
    if not 0 <= document.version < 1 << 63:
        raise ValueError(f"{document.key}: {document.version} cannot be stored as a version")
    if unknown := {*document.keywords, *document.dates} - {*schema.keywords, *schema.dates}:
        raise KeyError(f"{document.key}: the schema has no {', '.join(sorted(unknown))}")
    tokens = tokens_of(document, schema)
    keywords = {scoring.keyword_field(name): dict.fromkeys(values) for name, values in document.keywords.items()}
    dates = {w3.date_column(name): scoring.microseconds(moment) for name, moment in document.dates.items()}
    return Entry(
        tokens.channels,
        tokens.fields,
        {KEY: (document.key,), ACCESS: document.access, **keywords},
        {w3.VERSION: document.version, w3.DIGEST: document.digest.encode(), **dates},
    )


def entry_or_none(document: Document, schema: Schema) -> Entry | None:
    """One document that cannot be indexed must not keep all others from being found."""
    try:
        return entry_of(document, schema)
    except Exception:
        logger.exception("Leaving %s out of the index", document.key)
        return None


def news(documents: Sequence[Document], snapshot: Snapshot) -> list[Document]:
    """The newest version of each document, where the index does not have it yet."""
    newest: dict[str, Document] = {}
    for document in documents:
        if document.key not in newest or document.version >= newest[document.key].version:
            newest[document.key] = document
    return [document for document in newest.values() if _is_news(document, snapshot)]


def _is_news(document: Document, snapshot: Snapshot) -> bool:
    held = [snapshot.stored(doc) for doc in snapshot.docs_of([document.key])]
    offered = Stored(document.version, document.digest)
    return not any(old == offered or old.version > offered.version for old in held)


def batches(documents: Iterable[Document], characters: int) -> Iterator[list[Document]]:
    """Batches of at least so many characters. Of documents with one key the first counts."""
    seen: set[str] = set()
    batch: list[Document] = []
    size = 0
    for document in documents:
        if document.key in seen:
            continue
        seen.add(document.key)
        batch.append(document)
        size += sum(map(len, document.text.values()))
        if size > characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
