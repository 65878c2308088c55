"""An incident: declared, edited, its states, what came of fixes. Who works on it and what they say: responding."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction

from kb import markdown
from kb.clock import site_day
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
    User,
    Visibility,
    WebhookEvent,
)
from postmortems.workflows import auditing, closing, recurring, suggesting, telling, watching, webhooks


class NotYetStarted(DomainError):
    """An incident cannot start in the future."""


@dataclass(frozen=True)
class Declared:
    """An incident that is to be written, and what it hangs on."""

    incident: Incident
    services: Sequence[Service]
    shared_with: Sequence[Team] = ()


def open_incident(*, by: Any, at: datetime, **said: Any) -> Incident:
    """Declare an incident. `said`: what `declared` takes."""
    roles.require(by, "declare")
    return open_all([declared(at=at, **said)], by=by, at=at)[0]


def declared(
    *,
    title: str,
    symptoms: str,
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
) -> Declared:
    """A security incident starts restricted: to the person who declares it and administrators.

    `known`: source, dedup_key and external_url of one that a program opens.
    """
    if started_at and started_at > at:
        raise NotYetStarted("The start lies in the future. When did the first symptom show?")
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
        visibility=visibility or (Visibility.RESTRICTED if kind == Kind.SECURITY else Visibility.OPEN),
        **known,
    )
    return Declared(incident, list(dict.fromkeys(services)), list(shared_with))


@transaction.atomic
def open_all(said: Sequence[Declared], *, by: Any, at: datetime) -> list[Incident]:
    """They begin, all of them or none. Whoever declares one is a member of it."""
    roles.require(by, "declare")
    incidents = [each.incident for each in said]
    for incident in incidents:
        incident.reported_by = by
    # Whoever writes is told what cannot be formatted; what a program says is then shown as it is.
    render = markdown.render if by else markdown.render_or_plain
    Incident.objects.declare_all([(each.incident, each.services) for each in said], render=render)
    for each in said:
        if each.shared_with:
            each.incident.shared_with.add(*each.shared_with)
        if by:
            each.incident.members.add(by)
            suggesting.claim_runs(each.incident, by=by, at=at)
    auditing.record_all("incident.declare", map(auditing.Entry, incidents), by=by, at=at)
    webhooks.announce_all(incidents, WebhookEvent.OPENED, WebhookEvent.SUGGESTED, at=at)
    search.changed(*incidents)
    return incidents


@transaction.atomic
def edit_incident(incident: Incident, *, services: Iterable[Service], by: Any, at: datetime, **fields: Any) -> None:
    """What is known now. The text as first saved stays in `first_report`."""
    roles.require(by, "respond")
    before = _said(incident, fields)
    incident.describe(**fields)
    incident.services.set(services)
    after = _said(incident, fields)
    changes = auditing.record_edit("incident.edit", on=incident, by=by, at=at, before=before, after=after)
    if "severity" in changes:
        _say_severity(incident, *changes["severity"], by=by, at=at)
    search.changed(incident)


def _said(incident: Incident, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(incident, name) for name in names}
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    return {**plain, "services": sorted(incident.services.values_list("name", flat=True))}


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
    resolve_all([(incident, ended_at or at)], by=by, at=at)


@transaction.atomic
def resolve_all(ends: Sequence[tuple[Incident, datetime]], *, by: Any, at: datetime) -> None:
    """They are over, each since its own moment."""
    incidents = [incident for incident, _ in ends]
    said = [_Said(incident, "Resolved.") for incident in incidents]
    _steps(said, lambda: Incident.objects.resolve_all(ends), "resolve", by=by, at=at)
    news = [(incident, f"{incident.ref} is resolved.") for incident in incidents]
    tell_crews(news, "incident.resolve", by=by, at=at)
    webhooks.announce_all(incidents, WebhookEvent.RESOLVED, at=at)


@transaction.atomic
def reopen(incident: Incident, *, reason: str, by: Any, at: datetime) -> None:
    """It is back, or was never over."""
    was_cancelled = incident.status == Incident.Status.CANCELLED
    reopen_all([(incident, reason)], by=by, at=at)
    if was_cancelled:
        recurring.follow_outcomes(incident, at=at)


@transaction.atomic
def reopen_all(back: Sequence[tuple[Incident, str]], *, by: Any, at: datetime) -> None:
    """Each with its reason."""
    said = [_Said(incident, f"Reopened: {reason}", reason) for incident, reason in back]
    _steps(said, lambda: Incident.objects.reopen_all(back), "reopen", by=by, at=at)
    news = [(incident, f"{incident.ref} is open again: {reason}") for incident, reason in back]
    tell_crews(news, "incident.reopen", by=by, at=at)


@transaction.atomic
def cancel(incident: Incident, *, reason: str, by: Any, at: datetime) -> None:
    """It was no incident, and so no problem came back with it."""
    step = partial(incident.cancel, reason=reason, at=at)
    _step(incident, step, "cancel", by=by, at=at, says=f"Cancelled: {reason}", reason=reason)
    recurring.follow_outcomes(incident, at=at)


@transaction.atomic
def close(incident: Incident, *, by: Any, at: datetime, reason: str = "") -> None:
    """Nothing is left to do; or, with a reason and the ability to override, in spite of what is."""
    missing = [blocker for blocker in closing.blockers_of(incident) if blocker.stops]
    if missing and incident.status == Incident.Status.RESOLVED:
        closing.insist_on_override(missing, reason=reason, by=by)
    why = reason.strip() if missing else ""
    says = f"Closed in spite of what was missing: {why}" if why else "Closed."
    _step(incident, lambda: incident.close(at=at, reason=why), "close", by=by, at=at, says=says, reason=why)


class _Said(NamedTuple):
    """What the timeline and the log of an incident say of a step."""

    incident: Incident
    says: str
    reason: str = ""


def _step(
    incident: Incident, step: Callable[[], None], verb: str, *, by: Any, at: datetime, says: str, reason: str = ""
) -> None:
    _steps([_Said(incident, says, reason)], step, verb, by=by, at=at)


@transaction.atomic
def _steps(said: Sequence[_Said], step: Callable[[], None], verb: str, *, by: Any, at: datetime) -> None:
    """One step, taken by all of these incidents."""
    roles.require(by, "respond")
    before = [each.incident.status for each in said]
    step()
    note_all([entry_of(each.incident, each.says, by=by, at=at) for each in said])
    entries = [
        auditing.Entry(each.incident, each.reason, {"status": (was, each.incident.status)})
        for each, was in zip(said, before, strict=True)
    ]
    auditing.record_all(f"incident.{verb}", entries, by=by, at=at)
    search.changed(*(each.incident for each in said))


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
    return note_all([entry_of(incident, text, by=by, at=at, kind=kind, evidence_url=evidence_url)])[0]


def entry_of(
    incident: Incident, text: str, *, by: Any, at: datetime, kind: str = TimelineEntry.Kind.ACTION, **known: str
) -> TimelineEntry:
    """For `note_all`."""
    return TimelineEntry(incident=incident, at=at, kind=kind, text=text, by=by, **known)


def note_all(entries: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    return TimelineEntry.objects.bulk_create(entries)


def tell_crew(incident: Incident, action: str, text: str, *, by: Any, at: datetime) -> None:
    """Whoever works on it, leads it, reported it or watches it."""
    tell_crews([(incident, text)], action, by=by, at=at)


def tell_crews(news: Sequence[tuple[Incident, str]], action: str, *, by: Any, at: datetime) -> None:
    """The crew of each."""
    incidents = [incident for incident, _ in news]
    working: dict[int, list[User]] = defaultdict(list)
    for row in Participant.objects.filter(incident__in=incidents).active().select_related("user"):
        working[row.incident_id].append(row.user)
    watching_it = watching.watchers_of_each(incidents)
    told = [
        telling.News(
            incident,
            text,
            [*working[incident.pk], *watching_it.get(incident.pk, ()), incident.commander, incident.reported_by],
        )
        for incident, text in news
    ]
    telling.tell_all(told, action=action, by=by, at=at)


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
    """What came of a fix; said again, the newer answer counts. A success confirms that its steps are still right.

    That it helped says that its problem is back: what was promised against that is open again (`recurring`).
    """
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
        fix.confirm(on=site_day(at), by=by)
    auditing.record("fix.try", on=fix, by=by, at=at, changes={incident.ref: ("", outcome)})
    search.changed(fix)
    recurring.follow_outcomes(incident, at=at)
    return use
