"""The counts beside the results, in the reader's words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Value

from postmortems.models import Fix, Incident, Postmortem, Service, Severity, Tag

FACETS = {
    "kind": "Kind",
    "service": "Service",
    "severity": "Severity",
    "year": "Year",
    "tag": "Tag",
    "status": "Status",
}
SHOWN = 12
NAMING: Mapping[str, Sequence[Any]] = {"service": (Incident, Postmortem, Fix), "tag": (Postmortem,)}
KIND_LABELS = {"postmortem": "Postmortem", "incident": "Incident", "fix": "Fix"}


@dataclass(frozen=True)
class FacetValue:
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Facet:
    field: str
    label: str
    values: tuple[FacetValue, ...]


def facets_of(counts: Mapping[str, Mapping[str, int]], chosen: Mapping[str, Sequence[str]]) -> tuple[Facet, ...]:
    """Facets with something to choose from: the commonest values, and those that are chosen, whatever their count."""
    shown = {field: _shown(field, counts.get(field, {}), chosen.get(field, ())) for field in FACETS}
    labels = _labels({field: [value for value, _ in values] for field, values in shown.items()})
    return tuple(
        Facet(
            field,
            label,
            tuple(
                FacetValue(value, labels[field].get(value, value), count, value in chosen.get(field, ()))
                for value, count in shown[field]
            ),
        )
        for field, label in FACETS.items()
        if shown[field]
    )


def unknown_values(chosen: Mapping[str, Sequence[str]], *, user: Any) -> dict[str, str]:
    """The first value of each facet that there is not. A service that only hidden documents name is none."""
    statuses = {*Postmortem.Status.values, *Incident.Status.values, *Fix.State.values}
    fixed: dict[str, Collection[str]] = {"kind": KIND_LABELS, "severity": Severity.values, "status": statuses}
    found = {}
    for field, values in chosen.items():
        given = [value for value in values if value]
        known = fixed.get(field) or _known(field, given, user)
        if wrong := [value for value in given if value not in known]:
            found[field] = wrong[0]
    return found


def _known(field: str, values: Sequence[str], user: Any) -> set[str]:
    if field == "year":
        return {value for value in values if value.isascii() and value.isdecimal()}
    rows: Any = Service.objects.listed() if field == "service" else Tag.objects.listed()
    known = set(rows.filter(slug__in=values).values_list("slug", flat=True)) if values else set()
    for model in NAMING[field]:
        if rest := set(values) - known:
            named = f"{field}s__slug"
            found = model.objects.visible_to(user).filter(**{f"{named}__in": rest}).values_list(named, flat=True)
            known |= set(found) & rest
    return known


def _shown(field: str, counts: Mapping[str, int], chosen: Sequence[str]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
    missing = [(value, counts.get(value, 0)) for value in chosen if value not in dict(ordered)]
    if field in {"year", "severity"}:
        return sorted(ordered + missing, reverse=field == "year")
    return ordered + missing


def _labels(values: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    services = Service.objects.filter(slug__in=values["service"]).annotate(field=Value("service"))
    tags = Tag.objects.filter(slug__in=values["tag"]).annotate(field=Value("tag"))
    names: dict[str, dict[str, str]] = {"service": {}, "tag": {}}
    for field, slug, name in _names(services).union(_names(tags)):
        names[field][slug] = name
    statuses = [*Postmortem.Status.choices, *Incident.Status.choices, *Fix.State.choices]
    return {
        **names,
        "kind": KIND_LABELS,
        "severity": dict(Severity.choices),
        "year": {},
        "status": {value: str(label) for value, label in statuses},
    }


def _names(rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    return rows.order_by().values_list("field", "slug", "name")
