"""The content of a postmortem as one plain value: written back to its rows, merged, and put into words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from kb import three_way
from postmortems import sections
from postmortems.models import (
    CauseCategory,
    Environment,
    Kind,
    Postmortem,
    Service,
    Severity,
    Tag,
    TimelineEntry,
    User,
)
from postmortems.models.revision import moment_of

Content = dict[str, Any]
FACTS = {
    "kind": "Kind",
    "severity": "Severity",
    "environment": "Environment",
    "cause_category": "Cause",
    "occurred_on": "Occurred on",
    "started_at": "Started",
    "ended_at": "Ended",
    "source_url": "Source",
    "owner": "Owner",
}
MOMENTS = ("started_at", "ended_at")
NAMES = {"services": "Services", "tags": "Tags"}
WORDS = {
    "kind": dict(Kind.choices),
    "severity": dict(Severity.choices),
    "environment": dict(Environment.choices),
    "cause_category": dict(CauseCategory.choices),
}


def write(
    postmortem: Postmortem, content: Content, *, instead_of: Content, html: Mapping[str, str] | None = None
) -> None:
    """Bring the rows from one content to another. What is the same in both is not touched.

    `html`: of texts that were formatted before.
    """
    changed = {name for name in content if content[name] != instead_of.get(name)}
    if facts := {name: _value(name, content[name]) for name in changed & {"title", *FACTS}}:
        postmortem.describe(**facts)
    if "services" in changed:
        postmortem.services.set(Service.objects.filter(slug__in=content["services"]))
    if "tags" in changed:
        postmortem.tags.set([Tag.objects.called(name) for name in content["tags"]])
    before = instead_of["sections"]
    for key in {*content["sections"], *before}:
        if (body := content["sections"].get(key, "")) != before.get(key, ""):
            postmortem.write(key, body, html=(html or {}).get(body))
    if "timeline" in changed:
        _write_timeline(postmortem, content["timeline"])


def _value(name: str, value: str) -> Any:
    if name == "owner":
        return User.objects.filter(username=value).first()
    if name == "occurred_on":
        return date.fromisoformat(value) if value else None
    if name in MOMENTS:
        return parse_datetime(value) if value else None
    return value


def _write_timeline(postmortem: Postmortem, wanted: Iterable[Mapping[str, str]]) -> None:
    missing = list(wanted)
    for entry in postmortem.timeline.all():
        if (moment := moment_of(entry)) in missing:
            missing.remove(moment)
        else:
            entry.delete()
    TimelineEntry.objects.bulk_create(
        TimelineEntry(postmortem=postmortem, **{**moment, "at": parse_datetime(moment["at"])}) for moment in missing
    )


# --- merging ---


@dataclass(frozen=True)
class Collision:
    """One part that both changed, differently. `proposal` holds both."""

    name: str  # `title`, `severity`, `section_impact`: the field of the editor
    label: str
    base: str
    mine: str
    theirs: str
    proposal: str


@dataclass(frozen=True)
class Merged:
    """`theirs`: labels of the parts that only the other changed; they are kept."""

    content: Content
    collisions: tuple[Collision, ...]
    theirs: tuple[str, ...]


def merge(base: Content, mine: Content, theirs: Content) -> Merged:
    content = dict(theirs)
    collisions: list[Collision] = []
    for name in ("title", *FACTS):
        content[name] = _merged_fact(name, base.get(name, ""), mine.get(name, ""), theirs[name], collisions)
    for name in NAMES:
        content[name] = _merged_names(base.get(name, []), mine[name], theirs[name])
    content["timeline"] = _merged_moments(base.get("timeline", []), mine["timeline"], theirs["timeline"])
    content["sections"] = _merged_sections(base["sections"], mine["sections"], theirs["sections"], collisions)
    return Merged(content, tuple(collisions), tuple(changed_labels(base, theirs)))


def _merged_fact(name: str, base: str, mine: str, theirs: str, collisions: list[Collision]) -> str:
    if mine == theirs or theirs == base:
        return mine
    if mine != base:
        old, my, their = (_in_words(name, value) for value in (base, mine, theirs))
        collisions.append(Collision(name, FACTS.get(name, "Title"), old, my, their, proposal=mine))
        return mine
    return theirs


def _merged_names(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    """What either added is in, what either took out is out."""
    return sorted((set(theirs) | (set(mine) - set(base))) - (set(base) - set(mine)))


def _merged_moments(base: list[Any], mine: list[Any], theirs: list[Any]) -> list[Any]:
    """The same for moments: one that both reworded stands there twice, in both wordings."""
    kept = [moment for moment in theirs if moment in mine or moment not in base]
    return sorted([*kept, *(m for m in mine if m not in base and m not in kept)], key=lambda moment: str(moment["at"]))


def _merged_sections(
    base: dict[str, str], mine: dict[str, str], theirs: dict[str, str], collisions: list[Collision]
) -> dict[str, str]:
    merged: dict[str, str] = {}
    for key in sorted({*base, *mine, *theirs}):
        old, my, their = base.get(key, ""), mine.get(key, ""), theirs.get(key, "")
        merging = three_way.merge(old, my, their)
        if merging.collides:
            label = sections.BY_KEY[key].title
            collisions.append(Collision(f"section_{key}", label, old, my, their, proposal=merging.text))
        if merging.text:
            merged[key] = merging.text
    return merged


# --- in words ---


def changed_labels(before: Content, after: Content) -> list[str]:
    """`Title`, `Severity`, `Impact`: the parts that differ, as the page calls them."""
    return [label for label, old, new in in_pairs(before, after) if old != new]


def in_pairs(before: Content, after: Content) -> list[tuple[str, str, str]]:
    """(label, text before, text after) of every part that one of them has."""
    old, new = dict(_parts(before)), dict(_parts(after))
    return [(label, old[label], new[label]) for label in old if old[label] or new[label]]


def _parts(content: Content) -> list[tuple[str, str]]:
    texts = content.get("sections", {})
    return [
        ("Title", content.get("title", "")),
        *((label, _in_words(name, content.get(name, ""))) for name, label in FACTS.items()),
        *((label, ", ".join(content.get(name, []))) for name, label in NAMES.items()),
        *((section.title, texts.get(section.key, "")) for section in sections.SECTIONS),
        ("Timeline", "\n".join(_line(moment) for moment in content.get("timeline", []))),
    ]


def _in_words(name: str, value: str) -> str:
    return _moment(value) if value and name in MOMENTS else str(WORDS.get(name, {}).get(value, value))


def _moment(value: str) -> str:
    return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _line(moment: Mapping[str, str]) -> str:
    return " ".join(filter(None, [_moment(moment["at"]), moment["text"], moment["evidence_url"]]))
