"""An incident: declared, tried to be fixed, over."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from postmortems.models import Fix, FixUse, Incident, Service


def open_incident(
    *,
    title: str,
    symptoms: str,
    by: Any,
    at: datetime,
    error_excerpt: str = "",
    severity: str = "sev3",
    kind: str = "service",
    environment: str = "production",
    detection_source: str = "",
    started_at: datetime | None = None,
    services: Iterable[Service] = (),
) -> Incident:
    """Declare an incident; security incidents start restricted to the person who declares them."""
    raise NotImplementedError


def mitigate(incident: Incident, *, by: Any, at: datetime) -> None:
    raise NotImplementedError


def resolve(incident: Incident, *, by: Any, at: datetime) -> None:
    raise NotImplementedError


def reopen(incident: Incident, *, by: Any, at: datetime) -> None:
    raise NotImplementedError


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
    """What came of a fix; said again, the newer answer counts. A success confirms the fix."""
    raise NotImplementedError
