"""An incident: declared, tried to be fixed, over."""

from collections.abc import Callable, Iterable
from datetime import datetime
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
    Service,
    Severity,
    TimelineEntry,
    Visibility,
)
from postmortems.workflows import suggesting


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
    services: Iterable[Service] = (),
) -> Incident:
    """Declare an incident. A security incident starts restricted: to the person who declares it and administrators."""
    roles.require(by, "declare")
    if started_at and started_at > at:
        raise NotYetStarted("The start lies in the future. When did the first symptom show?")
    restricted = kind == Kind.SECURITY
    incident = Incident.objects.create(
        title=title,
        symptoms=symptoms,
        error_excerpt=error_excerpt,
        severity=severity,
        kind=kind,
        environment=environment,
        detection_source=detection_source,
        started_at=started_at or at,
        detected_at=at,
        reported_by=by,
        visibility=Visibility.RESTRICTED if restricted else Visibility.OPEN,
    )
    incident.members.add(by)
    incident.services.set(services)
    incident.keep_first_report()
    suggesting.claim_runs(incident, by=by, at=at)
    search.changed(incident)
    return incident


@transaction.atomic
def edit_incident(incident: Incident, *, services: Iterable[Service], by: Any, **fields: Any) -> None:
    """What is known now. The text as first saved stays in `first_report`."""
    roles.require(by, "respond")
    incident.describe(**fields)
    incident.services.set(services)
    search.changed(incident)


def mitigate(incident: Incident, *, by: Any, at: datetime) -> None:
    """The harm has stopped."""
    _step(incident, lambda: incident.mitigate(at=at), by=by, at=at, note=f"Mitigated, says {by}.")


def resolve(incident: Incident, *, by: Any, at: datetime) -> None:
    """It is over."""
    _step(incident, lambda: incident.resolve(at=at), by=by, at=at, note=f"Resolved, says {by}.")


def reopen(incident: Incident, *, by: Any, at: datetime) -> None:
    """It is back, or was never over."""
    _step(incident, incident.reopen, by=by, at=at, note=f"Reopened by {by}.")


@transaction.atomic
def _step(incident: Incident, step: Callable[[], None], *, by: Any, at: datetime, note: str) -> None:
    roles.require(by, "respond")
    step()
    TimelineEntry.objects.create(incident=incident, at=at, kind=TimelineEntry.Kind.ACTION, text=note)
    search.changed(incident)


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
        fix.confirm(on=at.date())
    search.changed(fix)
    return use
