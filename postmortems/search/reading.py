"""Rows as one reader may see them: everything that hangs on them goes through `visible_to` as well."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from kb import markdown
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem
from postmortems.search.documents import MODELS, Item

FIRST_LINES = 280


def fetch(keys: Iterable[str], *, user: Any) -> dict[str, Item]:
    """The rows of these search keys that this reader may see, with all that a result or a suggestion shows of them."""
    pks: dict[str, list[int]] = defaultdict(list)
    for key in keys:
        kind, _, pk = key.partition(":")
        pks[kind].append(int(pk))
    return {
        row.search_key: row
        for kind, wanted in pks.items()
        for row in _for_reader[kind](MODELS[kind].objects.visible_to(user).filter(pk__in=wanted), user)
    }


def _postmortems(rows: Any, user: Any) -> Any:
    fixes = Fix.objects.visible_to(user).in_use().with_track_record(user)
    return rows.select_related("owner", "team", "problem").prefetch_related(
        "sections",
        "services",
        "tags",
        "timeline",
        Prefetch("action_items", ActionItem.objects.visible_to(user)),
        Prefetch("fixes", fixes),
        Prefetch("incidents", Incident.objects.visible_to(user)),
    )


def _incidents(rows: Any, user: Any) -> Any:
    uses = FixUse.objects.visible_to(user).select_related("fix")
    return rows.select_related("commander").prefetch_related(
        "services",
        "timeline",
        Prefetch("action_items", ActionItem.objects.visible_to(user)),
        Prefetch("postmortems", _postmortems(Postmortem.objects.visible_to(user), user)),
        Prefetch("fix_uses", uses),
    )


def _fixes(rows: Any, user: Any) -> Any:
    return rows.with_track_record(user).select_related("postmortem", "problem").prefetch_related("services")


_for_reader: dict[str, Any] = {"postmortem": _postmortems, "incident": _incidents, "fix": _fixes}


def what_fixed_it(row: Item) -> str:
    """The first lines of the resolution, as plain text; empty if nobody wrote it down. Takes a row from `fetch`."""
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
        yield from (
            use.fix.steps or use.fix.title for use in row.fix_uses.all() if use.outcome == FixUse.Outcome.WORKED
        )
        for postmortem in row.postmortems.all():
            yield from _resolutions(postmortem)


def occurred_on(row: Item) -> date | None:
    """The day it happened, in the reader's zone; of a fix, the day it was last confirmed."""
    if isinstance(row, Incident):
        return timezone.localdate(row.started_at)
    return row.occurred_on if isinstance(row, Postmortem) else row.last_confirmed


def severity_of(row: Item) -> str:
    return "" if isinstance(row, Fix) else row.severity.upper()


def status_of(row: Item) -> str:
    return row.get_state_display() if isinstance(row, Fix) else row.get_status_display()
