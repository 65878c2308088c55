"""What happened when: entries added, put right, taken away. A postmortem's timeline is part of its revisions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from postmortems import search
from postmortems.models import Incident, Postmortem, TimelineEntry
from postmortems.models.revision import moment_of
from postmortems.roles import require
from postmortems.workflows import auditing, reviewing, writing

Moment = dict[str, str]


def add(home: Incident | Postmortem, *, by: Any, now: datetime, **fields: Any) -> TimelineEntry:
    """`fields`: at, kind, text, evidence_url."""
    if isinstance(home, Postmortem):
        _rewrite(home, lambda moments: [*moments, _moment(fields)], by=by, now=now, note="Timeline: one entry more.")
        return _written(home, fields)
    require(by, "respond")
    with transaction.atomic():
        entry = TimelineEntry.objects.create(incident=home, by=by, **fields)
        _changed(home, "timeline.add", ("", fields["text"]), by=by, now=now)
        return entry


def _written(home: Postmortem, fields: Any) -> TimelineEntry:
    """The row of a moment: a new revision makes new rows of what it changes."""
    return home.timeline.filter(at=fields["at"], kind=fields["kind"], text=fields["text"]).order_by("-pk")[0]


def change(entry: TimelineEntry, *, by: Any, now: datetime, **fields: Any) -> TimelineEntry:
    if entry.postmortem:
        before = moment_of(entry)
        _rewrite(
            entry.postmortem,
            lambda moments: [_moment(fields) if moment == before else moment for moment in moments],
            by=by,
            now=now,
            note="Timeline: an entry put right.",
        )
        return _written(entry.postmortem, fields)
    require(by, "respond")
    with transaction.atomic():
        said = entry.text
        entry.put_right(**fields)
        _changed(_incident_of(entry), "timeline.change", (said, entry.text), by=by, now=now)
        return entry


def remove(entry: TimelineEntry, *, by: Any, now: datetime) -> None:
    if entry.postmortem:
        gone = moment_of(entry)
        _rewrite(
            entry.postmortem,
            lambda moments: [moment for moment in moments if moment != gone],
            by=by,
            now=now,
            note="Timeline: an entry taken away.",
        )
        return
    require(by, "respond")
    with transaction.atomic():
        incident, said = _incident_of(entry), entry.text
        entry.delete()
        _changed(incident, "timeline.remove", (said, ""), by=by, now=now)


def _rewrite(
    postmortem: Postmortem, step: Callable[[list[Moment]], list[Moment]], *, by: Any, now: datetime, note: str
) -> None:
    reviewing.require_editor(postmortem, by)
    moments = step([moment_of(entry) for entry in postmortem.timeline.all()])
    in_order = sorted(moments, key=lambda moment: moment["at"])
    writing.save_revision(
        postmortem, changes={"timeline": in_order}, base=postmortem.revision, by=by, at=now, note=note
    )


def _moment(fields: Any) -> Moment:
    at = fields["at"].astimezone(UTC).isoformat()
    return {"at": at, "kind": fields["kind"], "text": fields["text"], "evidence_url": fields["evidence_url"]}


def _incident_of(entry: TimelineEntry) -> Incident:
    if entry.incident is None:
        raise ValueError("An entry is of an incident or of a postmortem.")
    return entry.incident


def _changed(incident: Incident, action: str, text: tuple[str, str], *, by: Any, now: datetime) -> None:
    auditing.record(action, on=incident, by=by, at=now, changes={"text": text})
    search.changed(incident)
