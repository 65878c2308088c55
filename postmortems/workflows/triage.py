"""An incident: declared, edited, its states, what came of fixes. Who works on it and what they say: responding."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import (
    Environment,
    Fix,
    FixUse,
    Incident,
    Kind,
    Participant,
    Service,
    Severity,
    Team,
    TimelineEntry,
    Visibility,
    WebhookEvent,
)
from postmortems.workflows import auditing, closing, suggesting, telling, webhooks


class NotYetStarted(DomainError):
    """An incident cannot start in the future."""


@transaction.atomic
def open_incident(
    *,
    title: str,
    symptoms: str,
    by: Any,
    at: datetime,
    error_excerpt: str = "",
    severity: str = Severity.SEV3,
    kind: str = Kind.SERVICE,
    environment: str = Environment.PRODUCTION,
    detection_source: str = "",
    started_at: datetime | None = None,
    detected_at: datetime | None = None,
    services: Iterable[Service] = (),
    visibility: str = "",
    shared_with: Iterable[Team] = (),
    **known: str,
) -> Incident:
    """Declare an incident. A security incident starts restricted: to the person who declares it and administrators.

    `known`: source, dedup_key and external_url of one that a program opens.
    """
    roles.require(by, "declare")
    if started_at and started_at > at:
        raise NotYetStarted("The start lies in the future. When did the first symptom show?")
    affected = list(services)
    incident = Incident(
        title=title,
        symptoms=symptoms,
        error_excerpt=error_excerpt,
        severity=severity,
        kind=kind,
        environment=environment,
        detection_source=detection_source,
        started_at=started_at or at,
        detected_at=detected_at or at,
        reported_by=by,
        visibility=visibility or (Visibility.RESTRICTED if kind == Kind.SECURITY else Visibility.OPEN),
        **known,
    )
    incident.declare(services=affected, members=[by] if by else [])
    incident.shared_with.add(*shared_with)
    if by:
        suggesting.claim_runs(incident, by=by, at=at)
    auditing.record("incident.declare", on=incident, by=by, at=at)
    webhooks.announce(incident, WebhookEvent.OPENED, WebhookEvent.SUGGESTED, at=at)
    search.changed(incident)
    return incident


@transaction.atomic
def edit_incident(incident: Incident, *, services: Iterable[Service], by: Any, at: datetime, **fields: Any) -> None:
    """What is known now. The text as first saved stays in `first_report`."""
    roles.require(by, "respond")
    before = {name: _plain(getattr(incident, name)) for name in fields}
    incident.describe(**fields)
    incident.services.set(services)
    changes = auditing.differences(before, {name: _plain(value) for name, value in fields.items()})
    auditing.record("incident.edit", on=incident, by=by, at=at, changes=changes)
    if "severity" in changes:
        _say_severity(incident, *changes["severity"], by=by, at=at)
    search.changed(incident)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _say_severity(incident: Incident, before: str, after: str, *, by: Any, at: datetime) -> None:
    # SEV1 is the worst: a smaller word is a bigger incident.
    way = "raised" if after < before else "lowered"
    text = f"Severity {way} from {before.upper()} to {after.upper()}."
    note(incident, text, by=by, at=at)
    if way == "raised":
        tell_crew(incident, "incident.raise", f"{incident.ref}: {text}", by=by, at=at)


def acknowledge(incident: Incident, *, by: Any, at: datetime) -> None:
    """ "I am looking": somebody works on it."""
    with transaction.atomic():
        _step(incident, lambda: incident.acknowledge(at=at), "acknowledge", by=by, at=at, says="Investigating.")
        if by:
            Participant.objects.join(incident=incident, user=by, at=at)


def mitigate(incident: Incident, *, by: Any, at: datetime) -> None:
    """The harm has stopped."""
    _step(incident, lambda: incident.mitigate(at=at), "mitigate", by=by, at=at, says="Mitigated.")


@transaction.atomic
def resolve(incident: Incident, *, by: Any, at: datetime, ended_at: datetime | None = None) -> None:
    """It is over; since `ended_at`, if that was known only later."""
    _step(incident, lambda: incident.resolve(at=ended_at or at), "resolve", by=by, at=at, says="Resolved.")
    tell_crew(incident, "incident.resolve", f"{incident.ref} is resolved.", by=by, at=at)
    webhooks.announce(incident, WebhookEvent.RESOLVED, at=at)


@transaction.atomic
def reopen(incident: Incident, *, reason: str, by: Any, at: datetime) -> None:
    """It is back, or was never over."""
    says = f"Reopened: {reason}"
    _step(incident, lambda: incident.reopen(reason=reason), "reopen", by=by, at=at, says=says, reason=reason)
    tell_crew(incident, "incident.reopen", f"{incident.ref} is open again: {reason}", by=by, at=at)


def cancel(incident: Incident, *, reason: str, by: Any, at: datetime) -> None:
    """It was no incident."""
    step = partial(incident.cancel, reason=reason, at=at)
    _step(incident, step, "cancel", by=by, at=at, says=f"Cancelled: {reason}", reason=reason)


@transaction.atomic
def close(incident: Incident, *, by: Any, at: datetime, reason: str = "") -> None:
    """Nothing is left to do; or, with a reason and the ability to override, in spite of what is."""
    missing = [blocker for blocker in closing.blockers_of(incident) if blocker.stops]
    if missing and incident.status == Incident.Status.RESOLVED:
        closing.insist_on_override(missing, reason=reason, by=by)
    why = reason.strip() if missing else ""
    says = f"Closed in spite of what was missing: {why}" if why else "Closed."
    _step(incident, lambda: incident.close(at=at, reason=why), "close", by=by, at=at, says=says, reason=why)


@transaction.atomic
def _step(
    incident: Incident, step: Callable[[], None], verb: str, *, by: Any, at: datetime, says: str, reason: str = ""
) -> None:
    roles.require(by, "respond")
    before = incident.status
    step()
    note(incident, says, by=by, at=at)
    changes = {"status": (before, incident.status)}
    auditing.record(f"incident.{verb}", on=incident, by=by, at=at, reason=reason, changes=changes)
    search.changed(incident)


def note(
    incident: Incident,
    text: str,
    *,
    by: Any,
    at: datetime,
    kind: str = TimelineEntry.Kind.ACTION,
    evidence_url: str = "",
) -> TimelineEntry:
    """On its timeline, as of now."""
    return TimelineEntry.objects.create(
        incident=incident, at=at, kind=kind, text=text, by=by, evidence_url=evidence_url
    )


def tell_crew(incident: Incident, action: str, text: str, *, by: Any, at: datetime) -> None:
    """Whoever works on it, leads it, reported it or watches it."""
    crew = [row.user for row in incident.participants.active().select_related("user")]
    telling.tell_watchers(
        [*crew, incident.commander, incident.reported_by], action=action, text=text, about=incident, by=by, at=at
    )


@transaction.atomic
def record_outcome(
    incident: Incident,
    fix: Fix,
    *,
    outcome: str,
    by: Any,
    at: datetime,
    minutes_to_effect: int | None = None,
    note: str = "",
) -> FixUse:
    """What came of a fix; said again, the newer answer counts. A success confirms that its steps are still right."""
    roles.require(by, "respond")
    use = FixUse.objects.record(
        fix=fix,
        incident=incident,
        outcome=outcome,
        by=by,
        at=at,
        minutes_to_effect=minutes_to_effect,
        note=note,
    )
    if outcome == FixUse.Outcome.WORKED:
        fix.confirm(on=at.date(), by=by)
    auditing.record("fix.try", on=fix, by=by, at=at, changes={incident.ref: ("", outcome)})
    search.changed(fix)
    return use
