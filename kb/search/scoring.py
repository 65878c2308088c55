"""Answering a query on arrays: which documents match, what each scores, the best of them, and counts.

`scorer.py` says which documents match a node, and what each scores; this is all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from heapq import nsmallest

import numpy as np

from kb.search.base import (
    Hit,
    Page,
    Query,
)
from kb.search.scorer import Scorer
from kb.search.segments import ACCESS, KEY, NO_DATE, Floats, Ids, Mask, Moments, Snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def answer(snapshot: Snapshot, query: Query) -> Page:
    """The page that a query asks for."""
    scorer = Scorer(snapshot)
    mask, scores = scorer.matches(query.node)
    mask &= _permitted(snapshot, query)
    chosen = {name: _with_value(snapshot, name, values) for name, values in query.filters.items()}
    matching = _all(mask, chosen.values())
    best = _best(snapshot, query, matching, scores)
    parts = scorer.parts(query.node, best) if query.explain else [()] * len(best)
    return Page(
        hits=tuple(
            Hit(key, float(scores[doc]), shares)
            for doc, key, shares in zip(best, snapshot.keys(best), parts, strict=True)
        ),
        total=int(matching.sum()),
        facets={
            name: snapshot.counts(keyword_field(name), _all(mask, (m for n, m in chosen.items() if n != name)))
            for name in query.facets
        },
    )


def keyword_field(name: str) -> str:
    """Keyword fields must not be mistaken for channels."""
    return f"keyword_{name}"


def any_of(snapshot: Snapshot, channel: str, tokens: Iterable[str]) -> Mask:
    """Documents that have one of these tokens."""
    mask = np.zeros(snapshot.size, np.bool_)
    for token in tokens:
        mask[snapshot.postings(channel, token).ids] = True
    return mask


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly; a time without a zone is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _permitted(snapshot: Snapshot, query: Query) -> Mask:
    """Documents that are there, open to the reader, and not ruled out by anything but the filters."""
    mask = snapshot.mask((query.access, *sorted(query.without.items())), lambda: _open_to(snapshot, query))
    for name, (start, end) in query.dates.items():
        mask = mask & _within(snapshot.dates(name), start, end)
    if query.exclude:
        mask = mask & ~any_of(snapshot, KEY, query.exclude)
    return mask


def _with_value(snapshot: Snapshot, name: str, values: tuple[str, ...]) -> Mask:
    return snapshot.mask((name, values), lambda: any_of(snapshot, keyword_field(name), values))


def _open_to(snapshot: Snapshot, query: Query) -> Mask:
    mask = snapshot.live & any_of(snapshot, ACCESS, query.access)
    for name, values in query.without.items():
        mask &= ~any_of(snapshot, keyword_field(name), values)
    return mask


def _within(moments: Moments, start: datetime | None, end: datetime | None) -> Mask:
    mask: Mask = moments != NO_DATE
    if start:
        mask &= moments >= microseconds(start)
    if end:
        mask &= moments < microseconds(end)
    return mask


def _all(mask: Mask, others: Iterable[Mask]) -> Mask:
    for other in others:
        mask = mask & other
    return mask


# --- the best ------------------------------------------------------------------------------------------------------


def _best(snapshot: Snapshot, query: Query, matching: Mask, scores: Floats) -> list[int]:
    """The documents of the page: highest value first, then by key, so that the order is total."""
    depth = query.offset + query.limit
    ids = matching.nonzero()[0].astype(np.int32)
    if not query.limit or not len(ids):
        return []
    values = _sort_values(snapshot, query, scores)[ids]
    if len(ids) <= depth:
        return _ranked(snapshot, ids, values)[query.offset :]
    border = np.partition(values, -depth)[-depth]
    above = _ranked(snapshot, ids[values > border], values[values > border])
    equal = ids[values == border]
    last = nsmallest(depth - len(above), zip(snapshot.keys(equal), equal.tolist(), strict=True))
    return [*above, *(doc for _, doc in last)][query.offset :]


def _ranked(snapshot: Snapshot, ids: Ids, values: Floats | Moments) -> list[int]:
    ranked = sorted(zip((-value for value in values.tolist()), snapshot.keys(ids), ids.tolist(), strict=True))
    return [doc for _, _, doc in ranked]


def _sort_values(snapshot: Snapshot, query: Query, scores: Floats) -> Floats | Moments:
    if query.sort == "relevance":
        return scores
    moments = snapshot.dates(query.sort_date)
    if query.sort == "newest":
        return moments  # NO_DATE is the smallest of all: last
    return np.where(moments == NO_DATE, NO_DATE, -moments)
