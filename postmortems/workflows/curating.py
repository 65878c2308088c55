"""The library of fixes: written, verified, confirmed, retired. What came of one in an incident: triage."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from kb.clock import site_day
from postmortems import roles, search
from postmortems.models import Fix, Incident, Postmortem, Problem, Service
from postmortems.workflows import auditing, triage


@transaction.atomic
def create_fix(
    *,
    services: Iterable[Service],
    problem: Problem | None,
    by: Any,
    at: datetime,
    incident: Incident | None = None,
    postmortem: Postmortem | None = None,
    **fields: Any,
) -> Fix:
    """A new one: alone, of a postmortem, or as what fixed an incident. It is as restricted as where it comes from."""
    roles.require(by, "curate")
    fix = Fix.objects.create(problem=problem, postmortem=postmortem, created_by=by, **fields)
    fix.services.set(services)
    if incident and incident.is_restricted:
        fix.admit_like(incident)
    auditing.record("fix.create", on=fix, by=by, at=at, changes={"text": ("", _plain(fix.content()))})
    if incident:
        triage.record_outcome(incident, fix, outcome="worked", by=by, at=at)
    search.changed(fix)
    return fix


@transaction.atomic
def edit_fix(
    fix: Fix, *, seen: str, services: Iterable[Service], problem: Problem | None, by: Any, at: datetime, **fields: Any
) -> None:
    """`seen`: its fingerprint when it was read. The audit log keeps what stood there before."""
    roles.require(by, "curate")
    before = {**fix.content(), "state": fix.state}
    fix.rewrite(seen=seen, services=services, problem=problem, by=by, **fields)
    after = {**Fix.objects.get(pk=fix.pk).content(), "state": fix.state}
    auditing.record_edit("fix.edit", on=fix, by=by, at=at, before=before, after=after)
    search.changed(fix)


@transaction.atomic
def confirm_fix(fix: Fix, *, by: Any, at: datetime) -> None:
    """ "Still valid", in one click."""
    roles.require(by, "curate")
    before = fix.last_confirmed
    fix.confirm(on=site_day(at), by=by)
    dates = (before and before.isoformat(), fix.last_confirmed and fix.last_confirmed.isoformat())
    _done(fix, "confirm", {"last_confirmed": dates}, by=by, at=at)


@transaction.atomic
def verify_fix(fix: Fix, *, by: Any, at: datetime) -> None:
    """Tried, or checked step by step."""
    roles.require(by, "verify")
    before = fix.state
    fix.verify(by=by, on=site_day(at))
    _done(fix, "verify", {"state": (before, fix.state)}, by=by, at=at)


@transaction.atomic
def retire_fix(fix: Fix, *, reason: str, by: Any, at: datetime) -> None:
    """Suggested to nobody from now on."""
    roles.require(by, "verify")
    before = fix.state
    fix.retire(reason=reason)
    _done(fix, "retire", {"state": (before, fix.state)}, by=by, at=at, reason=reason)


@transaction.atomic
def take_back_fix(fix: Fix, *, by: Any, at: datetime) -> None:
    """A draft again."""
    roles.require(by, "verify")
    before = fix.state
    fix.take_back()
    _done(fix, "take_back", {"state": (before, fix.state)}, by=by, at=at)


def _done(
    fix: Fix, verb: str, changes: Mapping[str, tuple[Any, Any]], *, by: Any, at: datetime, reason: str = ""
) -> None:
    auditing.record(f"fix.{verb}", on=fix, by=by, at=at, reason=reason, changes=changes)
    search.changed(fix)


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value}
