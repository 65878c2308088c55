"""What of the domain is findable: SCHEMA, the document of a row, and SOURCE, which the engine reads from."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.models import Prefetch, QuerySet

from kb.search.analysis import fold
from kb.search.base import Document, Schema
from postmortems import sections
from postmortems.models import ActionItem, Fix, Incident, Postmortem, Service, Visibility
from postmortems.search import ranking

Item = Postmortem | Incident | Fix
MODELS: dict[str, Any] = {model.search_kind: model for model in (Postmortem, Incident, Fix)}

# All names that a service, a tag or a team goes by are a field of their own: more may be typed than is counted.
NAMED = ("service", "tag", "team")
KEYWORDS = (
    *("kind", "status", "severity", "service", "tag", "team", "author", "owner", "cause", "year", "is", "has"),
    *(f"{field}_name" for field in NAMED),
)
SCHEMA = Schema(text=ranking.FIELD_BOOSTS, keywords=KEYWORDS, dates=("occurred", "known_since"))

# Access tokens. A row that every signed-in user may see carries OPEN; any other one a token of its own, which only the
# readers whom the database grants the row bring along: so a change of membership needs no reindexing.
OPEN = "open"
ADMINISTRATOR = "all"

BATCH = 200
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def own_token(key: str) -> str:
    return f"only:{key}"


class DomainSource:
    """The domain's side of the engine's contract."""

    schema = SCHEMA

    def documents(self, keys: Collection[str] | None = None) -> Iterator[Document]:
        for kind, model in MODELS.items():
            if keys is None:
                pks: Sequence[int] = list(model.objects.order_by("pk").values_list("pk", flat=True))
            else:
                pks = sorted(int(key.partition(":")[2]) for key in keys if key.startswith(f"{kind}:"))
            for start in range(0, len(pks), BATCH):
                yield from _documents_of(model, pks[start : start + BATCH])


SOURCE = DomainSource()


def _documents_of(model: Any, pks: Sequence[int]) -> Iterator[Document]:
    open_pks = set(model.objects.open_to_all().filter(pk__in=pks).values_list("pk", flat=True))
    for row in with_text(model.objects.filter(pk__in=pks)).order_by("pk"):
        yield _document_for(row, is_open=row.pk in open_pks)


def with_text(rows: QuerySet[Any]) -> QuerySet[Any]:
    """These rows with everything that their documents and results are made of, in a fixed number of queries.

    What hangs on a row and has closed doors of its own is left out: whoever finds the row would learn of it.
    """
    if rows.model is Postmortem:
        return rows.select_related("owner", "team", "problem").prefetch_related(
            *("sections", "services", "tags", "timeline", "incidents__services"),
            Prefetch("action_items", ActionItem.objects.seen_with_its_postmortem()),
            Prefetch("fixes", Fix.objects.filter(visibility=Visibility.OPEN)),
        )
    if rows.model is Incident:
        return rows.select_related("commander", "reported_by").prefetch_related(
            *("services__owner_team", "timeline", "postmortems__incidents"),
            Prefetch("action_items", ActionItem.objects.filter(postmortem=None)),
        )
    return rows.select_related("postmortem", "problem").prefetch_related("services__owner_team")


def _document_for(row: Item, *, is_open: bool) -> Document:
    text, keywords, occurred = _CONTENT[type(row)](row)
    return Document(
        key=row.search_key,
        version=row.search_version,
        text={name: body for name, body in text.items() if body},
        keywords={name: tuple(sorted({fold(value) for value in values if value})) for name, values in keywords.items()},
        # A suggestion may only draw on what was known before the incident; a document without a date counts as old.
        dates={"known_since": occurred or LONG_AGO} | ({"occurred": occurred} if occurred else {}),
        access=frozenset({ADMINISTRATOR, OPEN if is_open else own_token(row.search_key)}),
    )


Content = tuple[dict[str, str], dict[str, list[str]], datetime | None]


def postmortem_text(row: Postmortem) -> dict[str, str]:
    """Field of the schema -> text. Every section feeds the field it names, so that nothing written is unfindable."""
    parts: dict[str, list[str]] = {name: [] for name in SCHEMA.text}
    for text in row.sections.all():
        parts[sections.BY_KEY[text.key].search_field].append(text.body)
    for incident in row.incidents.all():
        parts["symptoms"] += [incident.title, incident.symptoms, incident.error_excerpt]
    for fix in row.fixes.all():
        parts["fix"] += [fix.title, fix.steps, fix.commands]
    parts["body"] += [entry.text for entry in row.timeline.all()]
    parts["body"] += [f"{action.title}\n{action.details}" for action in row.action_items.all()]
    parts["tags"] += [*_names(row.services.all()), *_names(row.tags.all()), row.authors]
    return {
        "title": row.title,
        **{name: "\n\n".join(filter(None, texts)) for name, texts in parts.items() if texts},
    }


def incident_text(row: Incident) -> dict[str, str]:
    return {
        "title": row.title,
        "symptoms": "\n\n".join(filter(None, [row.symptoms, row.error_excerpt])),
        "body": "\n".join(
            [entry.text for entry in row.timeline.all()] + [action.title for action in row.action_items.all()]
        ),
        "tags": "\n".join(_names(row.services.all())),
    }


def fix_text(row: Fix) -> dict[str, str]:
    return {
        "title": row.title,
        "fix": "\n\n".join(filter(None, [row.steps, row.commands])),
        "symptoms": row.preconditions,
        "body": "\n\n".join(filter(None, [row.risk, row.undo])),
        "cause": f"{row.problem.title}\n{row.problem.discriminating_check}" if row.problem else "",
        "tags": "\n".join(_names(row.services.all())),
    }


def text_of(row: Item) -> dict[str, str]:
    """The texts of a row by field, as they are indexed: what snippets and reasons are cut from."""
    if isinstance(row, Postmortem):
        return postmortem_text(row)
    return incident_text(row) if isinstance(row, Incident) else fix_text(row)


def _postmortem(row: Postmortem) -> Content:
    published = row.status == Postmortem.Status.PUBLISHED
    keywords = {
        "kind": ["postmortem"],
        "status": [row.status],
        "severity": [row.severity],
        **_named("service", row.services.all()),
        **_named("tag", row.tags.all()),
        **_named("team", [row.team] if row.team else []),
        "author": [row.owner.username] if row.owner else [],
        "owner": [row.owner.username] if row.owner else [],
        "cause": [row.cause_category],
        "year": [str(row.occurred_on.year)] if row.occurred_on else [],
        "is": [row.status, row.kind, "" if published or row.status == "archived" else "draft"],
        "has": [
            "fix" if row.fixes.all() or row.text_of("what_fixed_it") else "",
            "action" if row.action_items.all() else "",
            "timeline" if row.timeline.all() else "",
            "incident" if row.incidents.all() else "",
        ],
    }
    return postmortem_text(row), keywords, moment_of(row.occurred_on)


def _incident(row: Incident) -> Content:
    keywords = {
        "kind": ["incident"],
        "status": [row.status],
        "severity": [row.severity],
        **_named("service", row.services.all()),
        **_named("team", [service.owner_team for service in row.services.all() if service.owner_team]),
        "author": [row.reported_by.username] if row.reported_by else [],
        "owner": [row.commander.username] if row.commander else [],
        "year": [str(row.started_at.year)],
        "is": [row.status, row.kind, "open" if row.is_in_progress else ""],
        "has": [
            "postmortem" if any(_is_read_with(row, told) for told in row.postmortems.all()) else "",
            "action" if row.action_items.all() else "",
            "timeline" if row.timeline.all() else "",
        ],
    }
    return incident_text(row), keywords, row.started_at


def _fix(row: Fix) -> Content:
    occurred = moment_of(row.postmortem.occurred_on if row.postmortem else row.last_confirmed)
    keywords = {
        "kind": ["fix"],
        "status": [row.state],
        **_named("service", row.services.all()),
        **_named("team", [service.owner_team for service in row.services.all() if service.owner_team]),
        "cause": [row.problem.cause_category] if row.problem else [],
        "year": [str(occurred.year)] if occurred else [],
        "is": [row.state, row.kind],
        "has": ["commands" if row.commands else "", "undo" if row.undo else "", "fix"],
    }
    return fix_text(row), keywords, occurred


def _is_read_with(incident: Incident, postmortem: Postmortem) -> bool:
    """Whoever may see the incident may read this postmortem of it."""
    others = [other for other in postmortem.incidents.all() if other.pk != incident.pk]
    return (
        postmortem.status in Postmortem.READABLE
        and not postmortem.is_restricted
        and not any(other.is_restricted for other in others)
    )


_CONTENT: dict[type, Any] = {Postmortem: _postmortem, Incident: _incident, Fix: _fix}


def _named(field: str, rows: Iterable[Any]) -> dict[str, list[str]]:
    rows = list(rows)
    names = [name for row in rows for name in (row.slug, row.name, *row.aliases)]
    return {field: [row.slug for row in rows], f"{field}_name": names}


def _names(rows: Any) -> list[str]:
    return [name for row in rows for name in ([row.name, *row.aliases] if isinstance(row, Service) else [row.name])]


def moment_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None
