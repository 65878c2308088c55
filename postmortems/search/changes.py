"""What changed must be learned by the index: versions are bumped and the outbox is filled in the same transaction."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from kb.search import outbox
from postmortems.models import Fix, Incident, Postmortem, Problem, Service, Tag, Team, User

Cause = Postmortem | Incident | Fix | Service | Tag | Team | Problem | User
CAUSES = (Postmortem, Incident, Fix, Service, Tag, Team, Problem, User)
BATCH = 500


@transaction.atomic
def changed(*causes: Cause) -> None:
    """Call it after any change to these rows, to what hangs on them, or to a name that appears in documents.

    Follows what depends on them: an incident's postmortems and their fixes carry its restriction and symptoms, and a
    service's name stands in the documents of everything it is attached to.
    """
    pks = _affected(causes)
    for model, affected in pks.items():
        ordered = sorted(affected)
        for start in range(0, len(ordered), BATCH):
            chunk = ordered[start : start + BATCH]
            model.objects.filter(pk__in=chunk).update(search_version=F("search_version") + 1)
    outbox.record(f"{model.search_kind}:{pk}" for model, affected in pks.items() for pk in affected)


@transaction.atomic
def gone(*keys: str) -> None:
    """These search keys' rows were deleted. Take the keys before deleting: afterwards the rows have no id."""
    outbox.record(keys)


def _affected(causes: Iterable[Cause]) -> dict[Any, set[int]]:
    pks: dict[Any, set[int]] = defaultdict(set)
    for cause in causes:
        for model, lookup in _DEPENDENTS.get(type(cause), {}).items():
            pks[model].update(model.objects.filter(lookup(cause.pk)).values_list("pk", flat=True))
        if type(cause) in (Postmortem, Incident, Fix):
            pks[type(cause)].add(cause.pk)
    _follow(pks, Fix, Postmortem, "fixes__in")  # a fix's words stand in its postmortem's document
    _follow(pks, Incident, Postmortem, "incidents__in")  # so do an incident's, and its restriction carries over
    _follow(pks, Postmortem, Fix, "postmortem__in")  # and further to the fixes
    _follow(pks, Postmortem, Incident, "postmortems__in")  # which says has:postmortem
    return pks


def _follow(pks: dict[Any, set[int]], source: Any, target: Any, lookup: str) -> None:
    ordered = sorted(pks.get(source, ()))
    for start in range(0, len(ordered), BATCH):
        found = target.objects.filter(**{lookup: ordered[start : start + BATCH]}).values_list("pk", flat=True)
        pks[target].update(found)


_DEPENDENTS: dict[type, dict[Any, Any]] = {
    Service: {model: (lambda pk: Q(services=pk)) for model in (Postmortem, Incident, Fix)},
    Tag: {Postmortem: lambda pk: Q(tags=pk)},
    Team: {
        Postmortem: lambda pk: Q(team=pk),
        Incident: lambda pk: Q(services__owner_team=pk),
        Fix: lambda pk: Q(services__owner_team=pk),
    },
    Problem: {Fix: lambda pk: Q(problem=pk)},
    User: {
        Postmortem: lambda pk: Q(owner=pk),
        Incident: lambda pk: Q(commander=pk) | Q(reported_by=pk),
    },
}
