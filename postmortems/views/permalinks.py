"""From the ref in an address to the row. What is hidden and what does not exist are the same 404."""

from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from postmortems.models import ActionItem, Fix, Incident, Postmortem, Problem
from postmortems.models.prepared import PreparedForReaders

Row = TypeVar("Row", Incident, Postmortem, Fix, Problem, ActionItem)


def by_ref(rows: QuerySet[Row], ref: str) -> Row:
    """The row of `INC-7` (whatever its case) among those the reader may see."""
    pk = rows.model.pk_of_ref(ref)
    if pk is None:
        raise Http404(f"No {rows.model.ref_prefix} of that number.")
    return get_object_or_404(rows, pk=pk)


def prepared_by_ref(model: type[Row], rows: PreparedForReaders, ref: str, user: Any) -> Row:
    """The same, by a query of a reader and a key that is compiled once."""
    pk = model.pk_of_ref(ref)
    found: list[Row] = rows.rows(user, pk) if pk is not None else []
    if not found:
        raise Http404(f"No {model.ref_prefix} of that number.")
    return found[0]


def any_by_ref(ref: str, user: Any) -> Incident | Postmortem | Fix:
    """The row of a ref of any kind that this reader may see."""
    if Incident.pk_of_ref(ref) is not None:
        return by_ref(Incident.objects.visible_to(user), ref)
    if Postmortem.pk_of_ref(ref) is not None:
        return by_ref(Postmortem.objects.visible_to(user), ref)
    return by_ref(Fix.objects.visible_to(user), ref)
