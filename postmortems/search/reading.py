"""Rows as one reader may see them: everything that hangs on them goes through `visible_to` as well.

Two depths, each in a fixed number of queries: `fetch` for a result, `fetch_with_help` for a suggestion.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import Prefetch, Value
from django.utils import timezone

from kb import markdown
from postmortems import sections
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem
from postmortems.search.documents import MODELS, Item

FIRST_LINES = 280


def fetch(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with their texts and fixes."""
    return _fetch(keys, user, {"postmortem": _postmortems, "incident": _incidents, "fix": _fixes})


def fetch_with_help(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The same, with the track record of the fixes, open actions, and the incidents that a postmortem tells of."""
    return _fetch(keys, user, {"postmortem": _telling_postmortems, "incident": _telling_incidents, "fix": _fixes})


def _fetch(keys: Iterable[str], user: Any, of_kind: dict[str, Any]) -> dict[str, Item]:
    pks = _pks(keys)
    return {
        row.search_key: row
        for kind, wanted in pks.items()
        for row in of_kind[kind](MODELS[kind].objects.visible_to(user).filter(pk__in=wanted), user)
    }


def _pks(keys: Iterable[str]) -> dict[str, list[int]]:
    pks: dict[str, list[int]] = defaultdict(list)
    for key in keys:
        kind, _, pk = key.partition(":")
        pks[kind].append(int(pk))
    return pks


def _postmortems(rows: Any, user: Any) -> Any:
    return rows.prefetch_related("sections", Prefetch("fixes", Fix.objects.visible_to(user).in_use()))


def _telling_postmortems(rows: Any, user: Any) -> Any:
    return rows.select_related("problem").prefetch_related(
        "sections",
        Prefetch("fixes", Fix.objects.visible_to(user).in_use().with_track_record(user)),
        Prefetch("action_items", ActionItem.objects.visible_to(user).unfinished()),
        Prefetch("incidents", Incident.objects.visible_to(user).only("pk")),
    )


def _incidents(rows: Any, user: Any) -> Any:
    uses = FixUse.objects.visible_to(user).filter(outcome=FixUse.Outcome.WORKED).select_related("fix")
    return rows.prefetch_related(Prefetch("fix_uses", uses))


def _telling_incidents(rows: Any, user: Any) -> Any:
    return _incidents(rows, user).prefetch_related(
        Prefetch("action_items", ActionItem.objects.visible_to(user).unfinished()),
        Prefetch("postmortems", _telling_postmortems(Postmortem.objects.visible_to(user), user)),
    )


def _fixes(rows: Any, user: Any) -> Any:
    return rows.with_track_record(user).select_related("problem")


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
