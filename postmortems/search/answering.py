"""Whether a question has an answer that everybody may see: asked again when there is new knowledge."""

import logging
from collections.abc import Mapping

from kb.search import engine, query
from kb.search.base import Query, SearchError
from postmortems.search.documents import MODELS, OPEN
from postmortems.search.fields import FIELDS

logger = logging.getLogger(__name__)

LOOKED_AT = 20  # hits: the index may not know yet that one of them was closed


def answered_for_everybody(questions: Mapping[int, tuple[str, str]]) -> list[int]:
    """Of questions (number -> text, key of the row that does not count) the numbers of those with an answer.

    An answer has all the words. When the index cannot say, nothing is answered.
    """
    found: dict[int, set[str]] = {}
    try:
        for number, (text, own_key) in questions.items():
            found[number] = _hits(text) - {own_key}
    except SearchError:
        logger.exception("Asking again what found nothing")
    is_open = _open_to_all({key for keys in found.values() for key in keys})
    return [number for number, keys in found.items() if keys & is_open]


def _hits(text: str) -> set[str]:
    parsed = query.parse(text, FIELDS)
    wanted = Query(
        access=frozenset({OPEN}),
        node=parsed.node,
        filters=parsed.filters,
        without=parsed.without,
        dates=parsed.dates,
        limit=LOOKED_AT,
    )
    return {hit.key for hit in engine.backend().search(wanted).hits}


def _open_to_all(keys: set[str]) -> set[str]:
    """The database disposes."""
    is_open: set[str] = set()
    for kind, model in MODELS.items():
        if pks := [int(key.partition(":")[2]) for key in keys if key.startswith(f"{kind}:")]:
            rows = model.objects.open_to_all().filter(pk__in=pks).values_list("pk", flat=True)
            is_open |= {f"{kind}:{pk}" for pk in rows}
    return is_open
