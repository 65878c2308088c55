"""The tools for assistants. They read, as the token's user may; what they answer is marked as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from kb import markdown
from postmortems import search, suggestions
from postmortems.api.mcp_arguments import Schema
from postmortems.models import ActionItem, Fix, Incident, Postmortem, Service, User
from postmortems.suggestions import Report

SECTION_LENGTH = 6_000  # characters of one section; the rest is read on the page
TEXT_LENGTH = 40_000  # of all of them
Answer = dict[str, Any]


class NotThere(Exception):
    """What is hidden and what does not exist: the same words."""


def _text(says: str, *, most: int = 512, **more: Any) -> Schema:
    return {"type": "string", "description": says, "maxLength": most, **more}


def _limit(usual: int, most: int = 20) -> Schema:
    return {"type": "integer", "description": "How many at most.", "minimum": 1, "maximum": most, "default": usual}


def _takes(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _gives(*required: str, **properties: str) -> Schema:
    shown = {name: {"type": kind} for name, kind in properties.items()}
    return {"type": "object", "properties": shown, "required": list(required or properties)}


@dataclass(frozen=True)
class Tool:
    """`call(user, arguments)` answers with what fits `gives`."""

    name: str
    title: str
    says: str
    takes: Schema
    gives: Schema
    call: Callable[[User, Mapping[str, Any]], Answer]

    def listed(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "description": self.says,
            "inputSchema": self.takes,
            "outputSchema": self.gives,
            "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
        }


def search_postmortems(user: User, given: Mapping[str, Any]) -> Answer:
    found = search.find(given["query"], user=user, filters={"kind": ["postmortem"]}, per_page=given["limit"])
    rows = [{**hit.as_json(), "snippet": markdown.to_text(str(hit.snippet))} for hit in found.results]
    return {"total": found.total, "degraded": found.degraded or None, "results": rows}


def get_postmortem(user: User, given: Mapping[str, Any]) -> Answer:
    pk = Postmortem.pk_of_ref(given["ref"])
    rows = Postmortem.objects.visible_to(user).prefetch_related("sections", "services", "tags")
    row = rows.filter(pk=pk).first() if pk is not None else None
    if row is None:
        raise NotThere(f"There is no postmortem {given['ref']} that you may see.")
    fixes = Fix.objects.visible_to(user).filter(postmortem=row).order_by("pk")
    return {
        "ref": row.ref,
        "title": row.title,
        "url": settings.SITE_URL + row.get_absolute_url(),
        "status": row.status,
        "severity": row.severity or None,
        "occurred_on": row.occurred_on and row.occurred_on.isoformat(),
        "services": sorted(service.name for service in row.services.all()),
        "tags": sorted(tag.name for tag in row.tags.all()),
        "incidents": [each.ref for each in Incident.objects.visible_to(user).filter(postmortems=row).order_by("pk")],
        "fixes": [_fix(fix) for fix in fixes[:10]],
        **_sections(row),
    }


def _fix(fix: Fix) -> Answer:
    steps, commands = fix.steps[:SECTION_LENGTH], fix.commands[:SECTION_LENGTH]
    known = {"ref": fix.ref, "title": fix.title, "kind": fix.kind, "state": fix.state}
    return {**known, "steps": steps, "commands": commands, "undo": fix.undo[:SECTION_LENGTH]}


def _sections(row: Postmortem) -> Answer:
    """Each section and all together are cut; that they are is said."""
    left, texts, cut = TEXT_LENGTH, {}, False
    for section in row.sections_in_order():
        shown = section.body[: min(SECTION_LENGTH, left)]
        cut |= len(shown) < len(section.body)
        left -= len(shown)
        if shown:
            texts[section.key] = shown
    return {"sections": texts, "is_cut": cut}


def suggest_resolutions(user: User, given: Mapping[str, Any]) -> Answer:
    service = Service.objects.listed().named(given["service"]) if given["service"] else None
    report = Report(
        title=given["title"] or "",
        symptoms=given["text"],
        services=(service.slug,) if service else (),
    )
    return suggestions.suggest(report, user=user, limit=given["limit"]).as_json(report)


def list_action_items(user: User, given: Mapping[str, Any]) -> Answer:
    today = timezone.localdate()
    rows = ActionItem.objects.visible_to(user).select_related("postmortem", "incident")
    states = {"unfinished": rows.unfinished(), "overdue": rows.overdue(on=today), "all": rows}
    if given["service"]:
        service = Service.objects.listed().named(given["service"])
        if service is None:  # "none are late" would be believed
            raise NotThere(f"There is no service {given['service'][:60]}.")
        states = {name: each.of_service(service) for name, each in states.items()}
    chosen = states[given["state"]]
    shown = chosen.soonest_first()[: given["limit"]]
    return {"total": chosen.count(), "action_items": [_action_item(item) for item in shown]}


def _action_item(item: ActionItem) -> Answer:
    return {
        "ref": item.ref,
        "title": item.title,
        "url": settings.SITE_URL + item.get_absolute_url(),
        "kind": item.kind,
        "state": item.state,
        "priority": item.priority,
        "due_on": item.due_on and item.due_on.isoformat(),
        "done_when": item.done_when[:SECTION_LENGTH],
        "follows_from": item.home_ref,
    }


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "search_postmortems",
            "Search postmortems",
            "Find postmortems by words, error messages or identifiers; what fixed it stands with each.",
            _takes("query", query=_text("What to look for.", minLength=1), limit=_limit(5)),
            _gives("total", "results", total="integer", results="array"),
            search_postmortems,
        ),
        Tool(
            "get_postmortem",
            "Read a postmortem",
            "One postmortem with its sections and fixes, by its ref.",
            _takes("ref", ref=_text("For example PM-12.", most=20, minLength=1)),
            _gives("ref", "title", "sections", ref="string", title="string", sections="object"),
            get_postmortem,
        ),
        Tool(
            "suggest_resolutions",
            "What fixed this before",
            "For what is seen now (symptoms, an error, log lines): earlier incidents that look like it, why they match,"
            " what fixed them and how often that has worked. It may answer that nothing is similar.",
            _takes(
                "text",
                text=_text("What is seen: symptoms, error message, log lines.", most=20_000, minLength=1),
                title=_text("In one line, if there is one.", most=300),
                service=_text("The affected service, by name.", most=100),
                limit=_limit(3, 10),
            ),
            _gives("abstained", "results", abstained="boolean", results="array"),
            suggest_resolutions,
        ),
        Tool(
            "list_action_items",
            "Action items",
            "What was promised after incidents, the soonest due first.",
            _takes(
                state=_text("Which ones.", enum=["unfinished", "overdue", "all"], default="unfinished"),
                service=_text("Only of this service, by name.", most=100),
                limit=_limit(10, 50),
            ),
            _gives(total="integer", action_items="array"),
            list_action_items,
        ),
    )
}
