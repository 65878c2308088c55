"""Documents for tests of the engine, in a table that is there anyway: a session row is a document, its data the text.

Needs nothing of the domain, and other processes see it, too. A text that begins with "poison" cannot be made.
"""

import json
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from django.contrib.sessions.models import Session
from django.db import transaction

from kb.search import engine, outbox
from kb.search.base import Document, Query, Schema, Term

ANYBODY = frozenset({"open"})
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class SessionSource:
    schema = Schema(text={"text": 1.0}, keywords=(), dates=())
    # What happens while documents are read: a test's way to come between.
    meanwhile: Callable[[], None] | None = None

    def documents(self, keys: Collection[str] | None = None) -> Iterator[Document]:
        rows = Session.objects.order_by("pk")
        for row in rows if keys is None else rows.filter(pk__in=keys):
            if self.meanwhile:
                act, self.meanwhile = self.meanwhile, None
                act()
            yield _document(row)


SOURCE = SessionSource()


def _document(row: Session) -> Document:
    version, text = json.loads(row.session_data)
    if text.startswith("poison"):
        raise ValueError(f"{row.pk} cannot be made")
    return Document(row.pk, version, {"text": text}, access=ANYBODY)


@transaction.atomic
def save(key: str, text: str, *, version: int = 1) -> None:
    """A document, and the note that it changed."""
    write(key, text, version=version)
    outbox.record([key])


def write(key: str, text: str, *, version: int = 1) -> None:
    """Behind the index's back."""
    Session.objects.update_or_create(
        pk=key, defaults={"session_data": json.dumps([version, text]), "expire_date": NEVER}
    )


@transaction.atomic
def delete(key: str) -> None:
    Session.objects.filter(pk=key).delete()
    outbox.record([key])


def found(word: str) -> set[str]:
    """Keys of the documents in the index that have this word (a stem)."""
    return {hit.key for hit in engine.backend().search(Query(ANYBODY, Term(word), limit=10_000)).hits}
