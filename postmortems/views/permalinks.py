"""From the ref in an address to the row. What is hidden and what does not exist are the same 404."""

from typing import TypeVar

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from postmortems.models import Fix, Incident, Postmortem

Row = TypeVar("Row", Incident, Postmortem, Fix)


def by_ref(rows: QuerySet[Row], ref: str) -> Row:
    """The row of `INC-7` (whatever its case) among those the reader may see."""
    pk = rows.model.pk_of_ref(ref)
    if pk is None:
        raise Http404(f"No {rows.model.ref_prefix} of that number.")
    return get_object_or_404(rows, pk=pk)
