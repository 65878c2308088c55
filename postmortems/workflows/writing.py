"""Writing a postmortem: each save is a revision, two people's edits are merged, and no text is ever lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from kb import markdown
from kb.errors import DomainError
from postmortems import search
from postmortems.models import Postmortem, Revision, WorkingCopy
from postmortems.models.postmortem import NotNewest
from postmortems.models.revision import RevisionQuerySet, content_of
from postmortems.workflows import auditing, reviewing, snapshots, telling
from postmortems.workflows.snapshots import Content, Merged

BEFORE = "As it was before revisions were kept."
ELSEWHERE = "Changed outside the editor."


class Conflict(DomainError):
    """Two people changed the same lines. `merged` has both texts, `newest` is the revision it was merged with."""

    def __init__(self, merged: Merged, newest: int, others: str) -> None:
        parts = ", ".join(collision.label for collision in merged.collisions)
        super().__init__(f"{others} changed the same lines meanwhile: {parts}. Nothing is lost; both are below.")
        self.merged = merged
        self.newest = newest
        self.others = others


@dataclass(frozen=True)
class Saved:
    """What came of a save; no revision where nothing was changed."""

    revision: Revision | None
    message: str


def save_revision(
    postmortem: Postmortem,
    *,
    changes: Mapping[str, Any],
    base: int,
    by: Any,
    at: datetime,
    note: str = "",
    exact: bool = False,
) -> Saved:
    """A new revision with these changes to revision `base`. What somebody else saved since is merged in.

    `changes`: parts of a content (see `snapshots`), of `sections` those that were edited. Refuses with a `Conflict`;
    `exact`: with a `NotNewest`, where `base` is not the newest any more.
    """
    reviewing.require_editor(postmortem, by)
    # Formatting may take seconds: not while everybody else's saves wait.
    html = {body: markdown.render(body) for body in changes.get("sections", {}).values()}
    saved = _save(postmortem, changes, base, html, by=by, at=at, note=note, exact=exact)
    if isinstance(saved, DomainError):
        raise saved
    return saved


@transaction.atomic
def _save(
    postmortem: Postmortem,
    changes: Mapping[str, Any],
    base: int,
    html: Mapping[str, str],
    *,
    by: Any,
    at: datetime,
    note: str,
    exact: bool,
) -> Saved | Conflict | NotNewest:
    # A conflict is returned, not raised: what was there has become a revision, for the next try to start from.
    now = _lock(postmortem, at=at)
    if exact and postmortem.revision != max(base, 1):
        return NotNewest(f"{postmortem.ref} is at revision {postmortem.revision} by now. Look at it first.")
    started_from = _content_of_revision(postmortem, base)
    merged = snapshots.merge(started_from, _with(started_from, changes), now)
    others = _others(postmortem, base, by) if merged.theirs else ""
    if merged.collisions:
        return Conflict(merged, postmortem.revision, others)
    if merged.content == now:
        return Saved(None, "Nothing was changed.")
    revision = _write(postmortem, merged.content, now, html, by=by, at=at, note=note)
    meanwhile = f" {others} changed {', '.join(merged.theirs)} meanwhile: both are kept." if merged.theirs else ""
    missed = _tell_named(postmortem, merged.content["sections"], now["sections"], by=by, at=at)
    return Saved(revision, f"Saved as revision {revision.number}.{meanwhile}{missed}")


def _tell_named(
    postmortem: Postmortem, texts: Mapping[str, str], before: Mapping[str, str], *, by: Any, at: datetime
) -> str:
    """Tells whom the text newly names. Returns what its writer should know: which names reached nobody."""
    said_before, said_now = ("\n\n".join(texts.values()) for texts in (before, texts))
    missed = telling.tell_mentioned(said_now, before=said_before, about=postmortem, by=by, at=at)
    names = ", ".join(f"@{name}" for name in missed)
    return f" Not told, for they are not known here or may not see it: {names}." if missed else ""


def restore(revision: Revision, *, newest: int, by: Any, at: datetime) -> Revision:
    """The text of an old revision, as a new one. Who owns it now stays its owner.

    `newest`: the revision that was the newest for whoever decided this.
    """
    postmortem = revision.postmortem
    reviewing.require_editor(postmortem, by)
    html = {body: markdown.render(body) for body in revision.content["sections"].values()}
    return _restore(revision, newest, html, by=by, at=at)


@transaction.atomic
def _restore(revision: Revision, newest: int, html: Mapping[str, str], *, by: Any, at: datetime) -> Revision:
    postmortem = revision.postmortem
    now = _lock(postmortem, at=at)
    if postmortem.revision != newest:
        raise NotNewest(f"{postmortem.ref} is at revision {postmortem.revision} by now. Look at it first.")
    content = {**now, **revision.content, "owner": now["owner"]}
    if content == now:
        raise NotNewest(f"The text already is that of revision {revision.number}.")
    note = f"Restored revision {revision.number}."
    return _write(postmortem, content, now, html, by=by, at=at, note=note)


def keep_working_copy(
    postmortem: Postmortem, *, content: Mapping[str, Any], base: int, known: str, by: Any, at: datetime
) -> WorkingCopy:
    """What somebody has typed and not saved: for them alone, until they save or discard it."""
    values = {"content": dict(content), "base_revision": base, "saved_at": at}
    with transaction.atomic():
        return WorkingCopy.objects.keep(known=known, postmortem=postmortem, user=by, **values)


def discard_working_copy(postmortem: Postmortem, *, by: Any, known: str = "") -> None:
    """`known`: only if it is still this one (its `mark`); empty: whatever there is."""
    copy = WorkingCopy.objects.of(postmortem, by)
    if copy and known in {"", copy.mark}:
        copy.delete()


def _lock(postmortem: Postmortem, *, at: datetime) -> Content:
    """One writer at a time from here to the commit. What the rows say now, as a revision too.

    Rows may be older than revisions, and imports and the admin change them without one: it can then be gone back to.
    """
    postmortem.refresh_from_db(from_queryset=Postmortem.objects.select_for_update())
    now = content_of(postmortem)
    newest = _revisions(postmortem).numbered(postmortem.revision)
    if newest is None:
        Revision.objects.first_of(postmortem, by=None, at=at, note=BEFORE)
    elif newest.content != now:
        _append(postmortem, now, by=None, at=at, note=ELSEWHERE)
    return now


def _revisions(postmortem: Postmortem) -> RevisionQuerySet:
    return Revision.objects.filter(postmortem=postmortem)


def _content_of_revision(postmortem: Postmortem, number: int) -> Content:
    """0: the page was opened before there were revisions, so what it showed has become the first."""
    revision = _revisions(postmortem).numbered(number or 1)
    if revision is None:
        raise NotNewest(f"{postmortem.ref} has no revision {number}: open it again and paste your text.")
    content: Content = revision.content
    return content


def _with(started_from: Content, changes: Mapping[str, Any]) -> Content:
    texts = {**started_from["sections"], **changes.get("sections", {})}
    written = {key: body for key, body in texts.items() if body}
    return {**started_from, **changes, "sections": written}


def _write(
    postmortem: Postmortem,
    content: Content,
    now: Content,
    html: Mapping[str, str],
    *,
    by: Any,
    at: datetime,
    note: str,
) -> Revision:
    snapshots.write(postmortem, content, instead_of=now, html=html)
    written = content_of(postmortem)  # a tag goes by the name it is known by, a service may be gone
    revision = _append(postmortem, written, by=by, at=at, note=note)
    reviewing.text_changed(postmortem, by=by, at=at)
    parts = ", ".join(snapshots.changed_labels(now, written))
    changes = {"revision": (revision.number - 1, revision.number), "changed": ("", parts)}
    auditing.record("postmortem.edit", on=postmortem, by=by, at=at, reason=note, changes=changes)
    search.changed(postmortem)
    return revision


def _append(postmortem: Postmortem, content: Content, *, by: Any, at: datetime, note: str) -> Revision:
    number = postmortem.revision + 1
    postmortem.take_number(number)
    return Revision.objects.create(postmortem=postmortem, number=number, content=content, by=by, at=at, note=note)


def _others(postmortem: Postmortem, base: int, by: Any) -> str:
    """`Bob`, `Bob and Carol`: who saved since `base`."""
    since = _revisions(postmortem).after(base or 1).select_related("by").order_by("number")
    people = dict.fromkeys(revision.by for revision in since if revision.by)
    names = ["you, in another window" if person == by else str(person) for person in people]
    said = " and ".join(names) or "somebody"
    return f"{said[0].upper()}{said[1:]}"
