"""Rows as one reader may see them: everything that hangs on them goes through `visible_to` as well.

Each depth in a fixed number of queries: `fetch` for a result; for a suggestion `fetch_to_weigh`, then `add_help`.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import Prefetch, Value, prefetch_related_objects
from django.utils import timezone

from kb import markdown
from postmortems import sections
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem
from postmortems.search.documents import MODELS, Item

FIRST_LINES = 280


def fetch(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with their texts and fixes."""
    rows = rows_of(keys, user=user)
    postmortems, incidents, _ = _by_kind(rows.values())
    prefetch_related_objects(postmortems, "sections", Prefetch("fixes", Fix.objects.visible_to(user).in_use()))
    prefetch_related_objects(incidents, _what_worked(user))
    return rows


def fetch_to_weigh(keys: Iterable[str], *, user: Any, before: datetime | None = None) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with what they are weighed by: problems, the postmortems
    that tell of an incident, fixes and their records.

    `before`: with the records as they stood at that moment.
    """
    rows = rows_of(keys, user=user)
    postmortems, incidents, _ = _by_kind(rows.values())
    telling = Prefetch("postmortems", Postmortem.objects.visible_to(user).select_related("problem"))
    prefetch_related_objects(incidents, telling)
    # Those of the matches and those of the incidents at once: one query for both.
    fixes = Fix.objects.visible_to(user).in_use().with_track_record(user, before=before)
    prefetch_related_objects([*postmortems, *_told_by(incidents)], Prefetch("fixes", fixes))
    return rows


def add_help(rows: Iterable[Item], *, user: Any) -> None:
    """To the few of these that are shown: their texts, what worked in them, and what was promised and is still open."""
    postmortems, incidents, _ = _by_kind(rows)
    unfinished = Prefetch("action_items", ActionItem.objects.visible_to(user).unfinished())
    prefetch_related_objects(postmortems, "sections", unfinished)
    prefetch_related_objects(incidents, _what_worked(user), unfinished)


def _told_by(incidents: Iterable[Incident]) -> list[Postmortem]:
    return [postmortem for incident in incidents for postmortem in incident.postmortems.all()]


def visible_keys(keys: Iterable[str], *, user: Any) -> frozenset[str]:
    """Those whose rows are there and may be seen by this reader."""
    return frozenset(
        f"{kind}:{pk}"
        for kind, pks in _pks(set(keys)).items()
        for pk in MODELS[kind].objects.visible_to(user).filter(pk__in=pks).values_list("pk", flat=True)
    )


def rows_of(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, and no more than the rows."""
    return {
        row.search_key: row
        for kind, pks in _pks(keys).items()
        for row in _shown(MODELS[kind].objects.visible_to(user).filter(pk__in=pks), user)
    }


def _shown(rows: Any, user: Any) -> Any:
    if rows.model is Fix:
        return rows.with_track_record(user).select_related("problem")
    return rows.select_related("problem") if rows.model is Postmortem else rows


def _what_worked(user: Any) -> Any:
    uses = FixUse.objects.visible_to(user).filter(outcome=FixUse.Outcome.WORKED)
    return Prefetch("fix_uses", uses.select_related("fix"))


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


def services_of(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Search key -> slug -> name of its services, in one query for rows of all kinds."""
    each = [
        MODELS[kind]
        .services.through.objects.filter(**{f"{kind}__in": pks})
        .annotate(kind=Value(kind))
        .values_list("kind", f"{kind}_id", "service__slug", "service__name")
        for kind, pks in _pks(keys).items()
    ]
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for kind, pk, slug, name in each[0].union(*each[1:]) if each else ():
        found[f"{kind}:{pk}"][slug] = name
    return found


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
        yield from (use.fix.steps or use.fix.title for use in row.fix_uses.all())


def occurred_on(row: Item) -> date | None:
    """The day it happened, in the reader's zone; of a fix, the day it was last confirmed."""
    if isinstance(row, Incident):
        return timezone.localdate(row.started_at)
    return row.occurred_on if isinstance(row, Postmortem) else row.last_confirmed


def severity_of(row: Item) -> str:
    return "" if isinstance(row, Fix) else row.severity.upper()


def status_of(row: Item) -> str:
    return row.get_state_display() if isinstance(row, Fix) else row.get_status_display()
