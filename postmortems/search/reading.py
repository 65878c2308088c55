"""Rows as one reader may see them: everything that hangs on them goes through `visible_to` as well.

Each depth in a fixed number of queries: `fetch` for a result; for a suggestion `fetch_to_weigh`, then `add_help`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, Q, prefetch_related_objects
from django.utils import timezone

from kb import markdown
from kb.listing import ListOf
from postmortems import sections
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem, Service, SuggestionVerdict
from postmortems.models.prepared import PreparedForReaders
from postmortems.search.documents import MODELS, Item

FIRST_LINES = 280


def fetch(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with their texts and fixes."""
    rows = rows_of(keys, user=user)
    postmortems, incidents, _ = _by_kind(rows.values())
    prefetch_related_objects(postmortems, "sections", Prefetch("fixes", Fix.objects.visible_to(user).in_use()))
    prefetch_related_objects(incidents, _tried(user))
    return rows


def to_ask(incidents: Any) -> Any:
    """These incidents with what a question about them begins with, in their own query."""
    told = Postmortem.incidents.through.objects.filter(incident=OuterRef("pk"))
    verdicts = SuggestionVerdict.objects.filter(incident=OuterRef("pk"))
    return _with_services(incidents).annotate(
        listed_postmortems=ListOf(told, pk="postmortem_id"),
        listed_verdicts=ListOf(verdicts, key="key", verdict="verdict"),
    )


@PreparedForReaders
def _incidents_to_weigh(user: Any, pks: list[int]) -> Any:
    return to_ask(Incident.objects.visible_to(user).filter(pk__in=pks))


def fetch_to_weigh(
    keys: Iterable[str], *, user: Any, own: Incident | None = None, before: datetime | None = None
) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with what they are weighed by: problems, the postmortems
    that tell of an incident (`told_by`), fixes and their records. `own` asks: it gets its `told_by` too.

    `before`: with the records as they stood at that moment.
    """
    pks = _pks(keys)
    wanted = pks.pop(Incident.search_kind, [])
    incidents = _incidents_to_weigh.rows(user, wanted)
    telling = [*incidents, *([own] if own else ())]
    pks[Postmortem.search_kind] += [told["pk"] for incident in telling for told in incident.listed_postmortems]
    rows = _rows_of(pks, user)
    for incident in telling:
        told = (f"{Postmortem.search_kind}:{each['pk']}" for each in incident.listed_postmortems)
        incident.told_by = [rows[key] for key in sorted(told) if key in rows]
    fixes = (
        Fix.objects.visible_to(user)
        .in_use()
        .with_track_record(user, before=before)
        .with_freshness(timezone.localdate())
    )
    prefetch_related_objects(_by_kind(rows.values())[0], Prefetch("fixes", fixes))
    return {**{incident.search_key: incident for incident in incidents}, **rows}


def add_help(rows: Iterable[Item], *, user: Any, own: Incident | None = None) -> dict[str, list[ActionItem]]:
    """To the few of these that are shown, and to the incident that asks: their texts, and what was tried in them.

    Returns what was promised, by search key, also of the postmortems that tell of an incident (`promised_in`).
    """
    postmortems, incidents, _ = _by_kind([*rows, *([own] if own else ())])
    prefetch_related_objects(postmortems, "sections")
    prefetch_related_objects(incidents, _tried(user))
    promised: dict[str, list[ActionItem]] = defaultdict(list)
    told = [postmortem for incident in incidents if incident is not own for postmortem in incident.told_by]
    where = Q(incident__in=incidents) | Q(postmortem__in=[*postmortems, *told])
    for item in ActionItem.objects.visible_to(user).filter(where).select_related("owner"):
        for key in _homes(item):
            promised[key].append(item)
    if own:
        own.promises = promised[own.search_key]
    return promised


def _homes(item: ActionItem) -> list[str]:
    homes = {"incident": item.incident_id, "postmortem": item.postmortem_id}
    return [f"{kind}:{pk}" for kind, pk in homes.items() if pk]


def promised_in(row: Item, promised: Mapping[str, list[ActionItem]]) -> list[ActionItem]:
    """What was promised there and, of an incident, in the postmortems that tell of it: each item once."""
    told = row.told_by if isinstance(row, Incident) else ()
    keys = (row.search_key, *(postmortem.search_key for postmortem in told))
    return list({item.pk: item for key in keys for item in promised.get(key, ())}.values())


def complete(own: Incident, *, user: Any) -> None:
    """An incident from `to_ask` with all that its page shows, if no question was asked that fetched it on the way."""
    if not hasattr(own, "promises"):
        fetch_to_weigh([], user=user, own=own)
        add_help([], user=user, own=own)


def visible_keys(keys: Iterable[str], *, user: Any) -> frozenset[str]:
    """Those whose rows are there and may be seen by this reader."""
    return frozenset(
        f"{kind}:{pk}"
        for kind, pks in _pks(set(keys)).items()
        for pk in MODELS[kind].objects.visible_to(user).filter(pk__in=pks).values_list("pk", flat=True)
    )


def rows_of(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, and no more than the rows."""
    return _rows_of(_pks(keys), user)


def _rows_of(pks: Mapping[str, list[int]], user: Any) -> dict[str, Item]:
    return {row.search_key: row for kind, wanted in pks.items() for row in _shown_of(kind, wanted, user)}


def _shown_of(kind: str, pks: list[int], user: Any) -> list[Any]:
    if kind == Postmortem.search_kind:
        return _shown_postmortems.rows(user, pks)
    return list(_shown(MODELS[kind].objects.visible_to(user).filter(pk__in=pks), user)) if pks else []


def _shown(rows: Any, user: Any) -> Any:
    rows = _with_services(rows)
    if rows.model is Fix:
        return rows.with_track_record(user).with_freshness(timezone.localdate()).select_related("problem")
    return rows.select_related("problem") if rows.model is Postmortem else rows


@PreparedForReaders
def _shown_postmortems(user: Any, pks: list[int]) -> Any:
    return _shown(Postmortem.objects.visible_to(user).filter(pk__in=pks), user)


def _with_services(rows: Any) -> Any:
    back = rows.model.services.field.related_query_name()
    return rows.annotate(
        listed_services=ListOf(Service.objects.filter(**{back: OuterRef("pk")}), slug="slug", name="name")
    )


def _tried(user: Any) -> Any:
    return Prefetch("fix_uses", FixUse.objects.visible_to(user).select_related("fix", "recorded_by"))


def _by_kind(rows: Iterable[Item]) -> tuple[list[Postmortem], list[Incident], list[Fix]]:
    listed = list(rows)
    return (
        [row for row in listed if isinstance(row, Postmortem)],
        [row for row in listed if isinstance(row, Incident)],
        [row for row in listed if isinstance(row, Fix)],
    )


def _pks(keys: Iterable[str]) -> dict[str, list[int]]:
    pks: dict[str, list[int]] = defaultdict(list)
    for key in keys:
        kind, _, pk = key.partition(":")
        pks[kind].append(int(pk))
    return pks


def services_of(row: Item) -> dict[str, str]:
    """Slug -> name of its services. Takes a row from this module."""
    return {service["slug"]: service["name"] for service in row.listed_services}


def texts_of(row: Item) -> dict[str, str]:
    """What a reader is shown of a row, by search field: for snippets and reasons. Takes a row from this module."""
    if isinstance(row, Incident):
        return {"title": row.title, "symptoms": f"{row.symptoms}\n\n{row.error_excerpt}".strip()}
    if isinstance(row, Fix):
        return {"title": row.title, "fix": f"{row.steps}\n\n{row.commands}".strip(), "symptoms": row.preconditions}
    texts: dict[str, list[str]] = defaultdict(list)
    for text in row.sections_in_order():
        texts[sections.BY_KEY[text.key].search_field].append(text.body)
    texts["fix"] += [f"{fix.title}\n{fix.steps}\n{fix.commands}" for fix in row.fixes.all()]
    return {"title": row.title, **{name: "\n\n".join(bodies) for name, bodies in texts.items() if bodies}}


def what_fixed_it(row: Item) -> str:
    """The first lines of the resolution, as plain text; empty if nobody wrote it down. Takes a row from this module."""
    for text in _resolutions(row):
        if plain := markdown.to_text(text):
            return plain if len(plain) <= FIRST_LINES else plain[:FIRST_LINES].rsplit(" ", 1)[0] + " …"
    return ""


def _resolutions(row: Item) -> Iterable[str]:
    if isinstance(row, Fix):
        yield from (row.steps, row.commands, row.title)
    elif isinstance(row, Postmortem):
        yield row.text_of("what_fixed_it")
        for fix in row.fixes.all():
            yield from (fix.steps, fix.title)
    else:
        worked = (use.fix for use in row.fix_uses.all() if use.outcome == FixUse.Outcome.WORKED)
        yield from (fix.steps or fix.title for fix in worked)


def occurred_on(row: Item) -> date | None:
    """The day it happened, in the reader's zone; of a fix, the day it was last confirmed."""
    if isinstance(row, Incident):
        return timezone.localdate(row.started_at)
    return row.occurred_on if isinstance(row, Postmortem) else row.last_confirmed


def severity_of(row: Item) -> str:
    return "" if isinstance(row, Fix) else row.severity.upper()


def status_of(row: Item) -> str:
    return row.get_state_display() if isinstance(row, Fix) else row.get_status_display()
