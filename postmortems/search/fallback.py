"""The search without an index: plain database look-ups, so that a broken index is never a "no results"."""

from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q

from kb.search.base import Query
from kb.search.query import Parsed
from postmortems.models import Fix, Incident, Postmortem
from postmortems.search.documents import MODELS, Item
from postmortems.search.reading import fetch

TEXT = {
    Postmortem: ("title", "sections__body", "services__name", "tags__name"),
    Incident: ("title", "symptoms", "error_excerpt", "services__name"),
    Fix: ("title", "steps", "commands", "services__name"),
}
FILTERS: dict[type, dict[str, str]] = {
    Postmortem: {
        "service": "services__slug",
        "severity": "severity",
        "tag": "tags__slug",
        "status": "status",
    },
    Incident: {"service": "services__slug", "severity": "severity", "status": "status"},
    Fix: {"service": "services__slug", "status": "state"},
}
MOST = 200


def find(parsed: Parsed, wanted: Query, *, user: Any) -> tuple[list[Item], int]:
    """One page of rows this reader may see that hold every typed word (else any of them), newest first; how many."""
    keys = _keys(parsed, wanted, user, and_) or _keys(parsed, wanted, user, or_)
    page = keys[wanted.offset : wanted.offset + wanted.limit]
    rows = fetch(page, user=user)
    return [rows[key] for key in page if key in rows], len(keys)


def _keys(parsed: Parsed, wanted: Query, user: Any, combine: Any) -> list[str]:
    keys: list[str] = []
    for kind, model in MODELS.items():
        if kind not in wanted.filters.get("kind", (kind,)):
            continue
        rows = model.objects.visible_to(user).filter(_matches(model, parsed.words, combine))
        for name, values in wanted.filters.items():
            if name != "kind":
                lookup = FILTERS[model].get(name)
                rows = rows.filter(**{f"{lookup}__in": values}) if lookup else rows.none()
        keys += [f"{kind}:{pk}" for pk in rows.order_by("-pk").values_list("pk", flat=True).distinct()[:MOST]]
    return keys


def _matches(model: Any, words: tuple[str, ...], combine: Any) -> Q:
    if not words:
        return Q()
    return reduce(combine, [reduce(or_, [Q(**{f"{name}__icontains": word}) for name in TEXT[model]]) for word in words])
