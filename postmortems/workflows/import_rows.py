"""The rows of one imported postmortem: written, written anew, and their fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from kb import markdown
from postmortems.importing.base import ParsedAction, ParsedFix, ParsedPostmortem
from postmortems.importing.loading import Loaded
from postmortems.models import (
    ActionItem,
    Fix,
    ImportedFile,
    Postmortem,
    SectionText,
    Service,
    Tag,
    Team,
    TimelineEntry,
    User,
    Visibility,
)
from postmortems.models.catalogue import NAME_LENGTH
from postmortems.models.postmortem import NotReady

# What people can edit, by which an edit is noticed.
FIELDS = (
    *("title", "authors", "kind", "severity", "environment", "cause_category", "source_url", "team_id"),
    *("occurred_on", "started_at", "ended_at"),
)
ACTION_FIELDS = (
    *("title", "details", "done_when", "owner_id", "owner_text", "due_on", "kind", "priority", "state", "reason"),
    "external_url",
)
MAX_IDENTITY = 500
MAX_PATH = 1000


def identity_of(loaded: Loaded) -> str:
    """What makes the source the same file again."""
    if loaded.parsed.uuid:
        return f"uuid:{loaded.parsed.uuid.lower()}"
    identity = f"path:{loaded.found.label}"
    if len(identity) <= MAX_IDENTITY:
        return identity
    return f"path-sha256:{hashlib.sha256(identity.encode()).hexdigest()}"


@dataclass(frozen=True)
class Prepared:
    """A loaded file with its HTML, which takes too long to be made while the database waits.

    A text that cannot be formatted is kept all the same, and shown as it is.
    """

    loaded: Loaded
    html: Mapping[str, str]
    steps_html: tuple[str, ...]

    @classmethod
    def of(cls, loaded: Loaded) -> "Prepared":
        html = {key: markdown.render_or_plain(body) for key, body in loaded.parsed.sections.items()}
        return cls(loaded, html, tuple(markdown.render_or_plain(fix.steps) for fix in loaded.parsed.fixes))


class RowWriter:
    """Writes what was parsed. Names of tags, services and people are looked up once a run, not once a file."""

    def __init__(self, at: datetime, owner: User | None, status: str) -> None:
        self.at = at
        self.owner = owner
        self.status = status
        self.touched: list[Postmortem] = []
        self.gone: list[str] = []
        self.forget()

    def forget(self) -> None:
        """After a file was rolled back: rows that were made for it are gone."""
        self.tags = _Names(Tag)
        self.services = _Names(Service)
        self.teams = _Names(Team)
        self.people = _people()

    def take_touched(self) -> list[Postmortem]:
        touched, self.touched = self.touched, []
        return touched

    def take_gone(self) -> list[str]:
        gone, self.gone = self.gone, []
        return gone

    # --- postmortems ---

    def create(self, prepared: Prepared) -> Postmortem:
        loaded = prepared.loaded
        parsed = loaded.parsed
        visibility = parsed.visibility or (Visibility.RESTRICTED if parsed.kind == "security" else Visibility.OPEN)
        postmortem = Postmortem.objects.create(owner=self.owner, visibility=visibility, **self._fields(parsed))
        self._fill(postmortem, prepared, keep_other_fixes=True)
        if (parsed.status or self.status) != Postmortem.Status.DRAFT:
            self._publish(postmortem, parsed)
        ImportedFile.objects.create(postmortem=postmortem, **self._file(loaded, postmortem))
        self.touched.append(postmortem)
        return postmortem

    def update(self, known: ImportedFile, prepared: Prepared, *, keep_other_fixes: bool) -> None:
        """As the file says now. What people decide here stays: owner, members, status, the state of a fix; and what is
        restricted is not opened by a file."""
        postmortem, parsed = known.postmortem, prepared.loaded.parsed
        restricted = {"visibility": Visibility.RESTRICTED} if parsed.visibility == Visibility.RESTRICTED else {}
        fields = self._fields(parsed)
        Postmortem.objects.filter(pk=postmortem.pk).update(**fields, **restricted, updated_at=self.at)
        for rows in (postmortem.sections, postmortem.timeline, postmortem.action_items):
            rows.all().delete()
        self._fill(postmortem, prepared, keep_other_fixes=keep_other_fixes)
        if parsed.status == Postmortem.Status.PUBLISHED and postmortem.status == Postmortem.Status.DRAFT:
            self._publish(postmortem, parsed)
        ImportedFile.objects.filter(pk=known.pk).update(
            **self._file(prepared.loaded, Postmortem.objects.get(pk=postmortem.pk)), imported_at=self.at
        )
        self.touched.append(postmortem)

    def remember_place(self, known: ImportedFile, loaded: Loaded, *, dry_run: bool) -> None:
        """A file that moved and has not changed: from now on it is known at its new place."""
        identity = identity_of(loaded)
        if known.identity != identity and not dry_run:
            ImportedFile.objects.filter(pk=known.pk).update(identity=identity, path=loaded.found.label[:MAX_PATH])

    def _fields(self, parsed: ParsedPostmortem) -> dict[str, Any]:
        return {
            "title": parsed.title,
            "team": self.teams.called(parsed.team) if parsed.team else None,
            "authors": parsed.authors,
            "kind": parsed.kind or "service",
            "severity": parsed.severity,
            "environment": parsed.environment,
            "cause_category": parsed.cause_category,
            "occurred_on": parsed.occurred_on,
            "started_at": parsed.started_at,
            "ended_at": parsed.ended_at,
            "source_url": parsed.source_url,
        }

    def _file(self, loaded: Loaded, postmortem: Postmortem) -> dict[str, Any]:
        return {
            "identity": identity_of(loaded),
            "path": loaded.found.label[:MAX_PATH],
            "content_hash": loaded.source.content_hash,
            "fingerprint": fingerprint_of(postmortem),
            "text": loaded.source.text,
        }

    def _publish(self, postmortem: Postmortem, parsed: ParsedPostmortem) -> None:
        """On the day it was published elsewhere, or happened. One without any text stays a draft."""
        day = datetime.combine(parsed.occurred_on, time(), UTC) if parsed.occurred_on else self.at
        try:
            postmortem.publish(at=min(parsed.published_at or day, self.at))
        except NotReady:
            return

    # --- what hangs on them ---

    def _fill(self, postmortem: Postmortem, prepared: Prepared, *, keep_other_fixes: bool) -> None:
        parsed = prepared.loaded.parsed
        services = [self.services.called(name) for name in parsed.services]
        postmortem.services.set(services)
        postmortem.tags.set([self.tags.called(name) for name in parsed.tags])
        SectionText.objects.bulk_create(
            SectionText(postmortem=postmortem, key=key, body=body, html=prepared.html[key])
            for key, body in parsed.sections.items()
        )
        TimelineEntry.objects.bulk_create(
            TimelineEntry(postmortem=postmortem, at=row.at, kind=row.kind, text=row.text, evidence_url=row.evidence_url)
            for row in parsed.timeline
        )
        ActionItem.objects.bulk_create(self._action(postmortem, action) for action in parsed.actions)
        self._fixes(postmortem, prepared, services, keep_others=keep_other_fixes)

    def _action(self, postmortem: Postmortem, action: ParsedAction) -> ActionItem:
        owner = self.people.get(action.owner.casefold())
        return ActionItem(
            postmortem=postmortem,
            kind=action.kind,
            title=action.title,
            details=action.details,
            owner=owner,
            owner_text="" if owner else action.owner,
            due_on=action.due_on,
            priority=action.priority,
            state=action.state,
            reason=action.reason,
            evidence="Verified where it was imported from." if action.state == "verified" else "",
            external_url=action.external_url,
        )

    def _fixes(self, postmortem: Postmortem, prepared: Prepared, services: list[Service], *, keep_others: bool) -> None:
        """A fix is the same by its title: its track record stays with it."""
        there = {fix.title: fix for fix in postmortem.fixes.all()}
        written: set[str] = set()
        for fix, html in zip(prepared.loaded.parsed.fixes, prepared.steps_html, strict=True):
            title = _unused(fix.title, written)
            row = there.get(title) or Fix.objects.bulk_create([Fix(postmortem=postmortem, title=title)])[0]
            self._rewrite(row, fix, html)
            row.services.set(services)
        if not keep_others:
            self._drop(fix for title, fix in there.items() if title not in written)

    def _rewrite(self, row: Fix, fix: ParsedFix, html: str) -> None:
        """New steps have not been verified by anyone."""
        is_unproven = row.state == Fix.State.VERIFIED and row.steps != fix.steps
        state = {"state": Fix.State.DRAFT} if is_unproven else {}
        Fix.objects.filter(pk=row.pk).update(
            steps=fix.steps, steps_html=html, kind=fix.kind, commands=fix.commands, **state
        )

    def _drop(self, fixes: Iterable[Fix]) -> None:
        """Those the file tells no more of; never one that someone has tried."""
        for fix in fixes:
            if fix.state == Fix.State.DRAFT and not fix.uses.exists():
                self.gone.append(fix.search_key)
                fix.delete()


def _unused(title: str, written: set[str]) -> str:
    """Two fixes of one document may begin with the same words."""
    name, number = title, 2
    while name in written:
        name, number = f"{title} ({number})", number + 1
    written.add(name)
    return name


class _Names:
    """The rows of one catalogue by name, slug and alias, read once."""

    def __init__(self, model: type[Tag] | type[Service] | type[Team]) -> None:
        self.model: Any = model
        self.rows: dict[str, Any] = {}
        for row in self.model.objects.all():
            for name in (*row.aliases, row.slug, row.name):
                self.rows[name.casefold()] = row

    def called(self, name: str) -> Any:
        name = " ".join(name.split())[:NAME_LENGTH].strip()
        key = name.casefold()
        if key not in self.rows:
            slug = self.model.objects.unused_slug(name)
            self.rows[key] = self.model.objects.create(name=name, slug=slug)
        return self.rows[key]


def _people() -> dict[str, User]:
    """By user name, e-mail address and full name; a full name that two have names neither."""
    users = list(User.objects.filter(is_active=True))
    full_names: dict[str, list[User]] = {}
    for user in users:
        full_names.setdefault(user.get_full_name().casefold(), []).append(user)
    found = {name: who[0] for name, who in full_names.items() if len(who) == 1}
    found |= {user.email.casefold(): user for user in users}
    found |= {user.username.casefold(): user for user in users}
    found.pop("", None)
    return found


def fingerprint_of(postmortem: Postmortem) -> str:
    """Of what people can edit: fields, texts, rows. Not of what happens to it: status, members, the record of a fix."""
    content = {
        "fields": [_written(getattr(postmortem, name)) for name in FIELDS],
        "names": [sorted(rows.values_list("pk", flat=True)) for rows in (postmortem.tags, postmortem.services)],
        "sections": sorted(postmortem.sections.values_list("key", "body")),
        "timeline": [(_written(row.at), row.kind, row.text, row.evidence_url) for row in postmortem.timeline.all()],
        "actions": [
            [_written(getattr(row, name)) for name in ACTION_FIELDS] for row in postmortem.action_items.order_by("pk")
        ],
        "fixes": sorted(
            postmortem.fixes.values_list("title", "kind", "steps", "commands", "preconditions", "risk", "undo")
        ),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _written(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
