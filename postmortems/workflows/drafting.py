"""From an incident that is over to the draft of its postmortem, and drafts from nothing."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django.db import transaction

from kb.clock import site_day
from kb.errors import DomainError
from postmortems import search, sections
from postmortems.models import (
    Fix,
    FixUse,
    Incident,
    Kind,
    Postmortem,
    PostmortemPolicy,
    PostmortemTemplate,
    Revision,
    Service,
    Team,
    TimelineEntry,
    Visibility,
)
from postmortems.roles import require
from postmortems.workflows import auditing

TRIED = (
    (FixUse.Outcome.WORKED, "What worked:"),
    (FixUse.Outcome.PARTLY, "What helped in part:"),
    (FixUse.Outcome.NO_EFFECT, "What was tried and had no effect:"),
    (FixUse.Outcome.MADE_WORSE, "What made it worse:"),
)


class NotOver(DomainError):
    """There is nothing to look back at yet."""


@transaction.atomic
def draft_from(incident: Incident, *, by: Any, at: datetime) -> Postmortem:
    """The incident's postmortem: what is known is carried over, for one person to write. If there is one, that one."""
    require(by, "write")
    Incident.objects.select_for_update().get(pk=incident.pk)  # of two who press at once, one leads to the other's draft
    incident.refresh_from_db()
    if there := written_about(incident, by):
        return there[0]
    if not incident.is_over:
        over = "was cancelled" if incident.status == Incident.Status.CANCELLED else "is not over yet: resolve it first"
        raise NotOver(f"{incident.ref} {over}. A postmortem looks back at what happened.")
    postmortem = _carry_over(incident, by)
    template = PostmortemTemplate.objects.closest_to(kind=incident.kind, severity=incident.severity)
    _begin_with(postmortem, template, known=_texts(incident, by))
    _finish(postmortem, by=by, at=at, note=f"Drafted from {incident.ref}.")
    return postmortem


@transaction.atomic
def begin(
    *,
    title: str,
    kind: str,
    severity: str,
    services: Iterable[Service],
    occurred_on: date | None,
    by: Any,
    at: datetime,
) -> Postmortem:
    """A postmortem of something that was never declared here. About security: restricted, like such an incident."""
    require(by, "write")
    known = list(services)
    postmortem = Postmortem.objects.create(
        title=title,
        kind=kind,
        severity=severity,
        occurred_on=occurred_on,
        owner=by,
        team=_team_of(known),
        visibility=Visibility.RESTRICTED if kind == Kind.SECURITY else Visibility.OPEN,
    )
    postmortem.services.set(known)
    _begin_with(postmortem, PostmortemTemplate.objects.closest_to(kind=kind, severity=severity), known={})
    _finish(postmortem, by=by, at=at, note="Begun.")
    return postmortem


def written_about(incident: Incident, user: Any) -> list[Postmortem]:
    """The postmortems of an incident that this person may see, oldest first; `None`, the program, sees all."""
    rows = Postmortem.objects.all() if user is None else Postmortem.objects.visible_to(user)
    return list(rows.filter(incidents=incident).order_by("pk"))


def _carry_over(incident: Incident, by: Any) -> Postmortem:
    services = list(incident.services.select_related("owner_team"))
    policy = PostmortemPolicy.objects.for_incident(incident)
    postmortem = Postmortem.objects.create(
        title=incident.title,
        kind=incident.kind,
        severity=incident.severity,
        environment=incident.environment,
        occurred_on=site_day(incident.started_at),
        started_at=incident.started_at,
        ended_at=incident.resolved_at,
        owner=by,
        team=_team_of(services),
        due_on=policy.due_on(incident) if policy else None,
    )
    postmortem.incidents.add(incident)
    postmortem.services.set(services)
    postmortem.admit_like(incident)
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            postmortem=postmortem,
            at=entry.at,
            kind=entry.kind,
            text=entry.text,
            evidence_url=entry.evidence_url,
            by_id=entry.by_id,
        )
        for entry in incident.timeline.all()
    )
    return postmortem


def _team_of(services: Iterable[Service]) -> Team | None:
    return next((service.owner_team for service in services if service.owner_team), None)


def _begin_with(postmortem: Postmortem, template: PostmortemTemplate | None, *, known: dict[str, str]) -> None:
    """What is known, and below it what the template starts with, word for word."""
    starters = {row.key: row.starter for row in template.sections.all()} if template else {}
    for key in sections.KEYS:
        if body := "\n\n".join(filter(str.strip, (known.get(key, ""), starters.get(key, "")))):
            postmortem.write(key, body)


def _finish(postmortem: Postmortem, *, by: Any, at: datetime, note: str) -> None:
    if by is not None:
        postmortem.members.add(by)
    Revision.objects.first_of(postmortem, by=by, at=at, note=note)
    auditing.record("postmortem.draft", on=postmortem, by=by, at=at, reason=note)
    search.changed(postmortem)


# --- what the incident tells ---


def _texts(incident: Incident, by: Any) -> dict[str, str]:
    impact = [incident.symptoms, fenced(incident.error_excerpt) if incident.error_excerpt.strip() else ""]
    return {
        "summary": _summary(incident),
        "impact": "\n\n".join(filter(str.strip, impact)),
        "detection": _detection(incident),
        "what_fixed_it": _tried(incident, by),
    }


def _summary(incident: Incident) -> str:
    if incident.resolved_at is None:
        return ""
    minutes = int((incident.resolved_at - incident.started_at).total_seconds() // 60)
    lasted = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"It lasted {lasted}, from {_utc(incident.started_at)} to {_utc(incident.resolved_at)}."


def _detection(incident: Incident) -> str:
    if incident.detected_at is None:
        return ""
    minutes = int((incident.detected_at - incident.started_at).total_seconds() // 60)
    after = f", {minutes} min after it began" if minutes > 0 else ""
    how = incident.get_detection_source_display()
    return f"Detected at {_utc(incident.detected_at)}{after}{f': {how[0].lower()}{how[1:]}' if how else ''}."


def _tried(incident: Incident, by: Any) -> str:
    """The fixes that were tried, by what came of them: those that worked first."""
    uses = incident.fix_uses.select_related("fix").order_by("at", "pk")
    seen = list(uses if by is None else uses.filter(fix__in=Fix.objects.visible_to(by).values("pk")))
    # The text outlives who may see the fix: of one that is not open to all it names only the number.
    open_to_all = set(Fix.objects.open_to_all().filter(uses__incident=incident).values_list("pk", flat=True))
    parts = []
    for outcome, heading in TRIED:
        if lines := [_try(use, named=use.fix_id in open_to_all) for use in seen if use.outcome == outcome]:
            parts.append("\n".join([heading, "", *lines]))
    return "\n\n".join(parts)


def _try(use: FixUse, *, named: bool) -> str:
    what = f"- {use.fix.ref} {use.fix.title}" if named else f"- {use.fix.ref}"
    took = f", after {use.minutes_to_effect} min" if use.minutes_to_effect is not None else ""
    note = f": {' '.join(use.note.split())}" if use.note.strip() else ""
    return f"{what}{took}{note}"


def fenced(text: str) -> str:
    """As a block of code, whatever backquotes are in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.strip(chr(10))}\n{fence}"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
