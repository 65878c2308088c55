"""Sample data: a small organisation, its incidents and well-known public ones, loaded once and never overwritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction

from postmortems import search, sections
from postmortems.models import (
    ActionItem,
    Fix,
    FixUse,
    Incident,
    KnowledgeGap,
    Participant,
    Postmortem,
    PostmortemPolicy,
    Problem,
    Reading,
    SectionText,
    Service,
    SuggestionOpening,
    SuggestionRun,
    SuggestionVerdict,
    Tag,
    Team,
    TimelineEntry,
    Tracker,
    User,
)
from postmortems.roles import Role
from postmortems.sample_data import files
from postmortems.sample_data.files import SampleDataError
from postmortems.search import Item

SOURCE = "sample-data"
ROLES = (Role.AUTHOR, Role.REVIEWER)
PUBLIC_AUTHORS = "Written from the public report"

Row = TypeVar("Row", bound=models.Model)
Known = TypeVar("Known")


@dataclass(frozen=True)
class SampleReport:
    """How many rows of each kind were made now, and which accounts can sign in with the password given."""

    created: Mapping[str, int]
    signs_in: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.created)


@dataclass
class Loading:
    """What is known so far, by the names the files use, and what was made."""

    at: datetime
    people: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    fixes: dict[str, Fix | None] = field(default_factory=dict)  # None: there once, deleted since
    created: Counter[str] = field(default_factory=Counter)
    items: list[Item] = field(default_factory=list)
    signs_in: list[str] = field(default_factory=list)

    def create(self, model: type[Row], place: str, **values: Any) -> Row:
        """A new row of plain values the model accepts: an unknown choice or a text too long is said with its place."""
        relations = {each.name for each in model._meta.concrete_fields if each.is_relation}
        left_out = {each.name for each in model._meta.concrete_fields} - (values.keys() - relations)
        try:
            model(**values).clean_fields(exclude=left_out)
        except ValidationError as error:
            raise SampleDataError(f"{place}: {error.message_dict}") from error
        row = model._default_manager.create(**values)
        self.created[str(model._meta.verbose_name_plural)] += 1
        if isinstance(row, Postmortem | Incident | Fix):
            self.items.append(row)
        return row


@transaction.atomic
def load_sample_data(*, at: datetime, password: str, folder: Path = files.FOLDER) -> SampleReport:
    """Load what is not there yet. Rows that are there, and their accounts' passwords, stay as they are."""
    loading = Loading(at=at)
    _load_organisation(loading, files.organisation(folder), password=password)
    incidents = files.incidents(folder)
    fresh = [record for record in incidents if _load_incident(loading, record)]
    for place, record in files.postmortems(folder).items():
        _load_postmortem(loading, record, place)
    for incident in fresh:
        _load_fix_uses(loading, incident)
        _load_gaps(loading, incident)
        if incident.suggested:
            _load_suggested(loading, incident.suggested, loading.incidents[incident.key])
    if loading.items:
        search.changed(*loading.items)
    return SampleReport(dict(loading.created), tuple(loading.signs_in))


def _load_organisation(loading: Loading, records: files.Organisation, *, password: str) -> None:
    for person in records.people:
        loading.people[person.username] = _person(loading, person, password)
    for record in records.teams:
        loading.teams[record.slug] = _team(loading, record)
    for service in records.services:
        loading.services[service.slug] = _service(loading, service)
    for problem in records.problems:
        loading.problems[problem.key] = _problem(loading, problem)
    for tracker in records.trackers:
        if not Tracker.objects.filter(name=tracker.name).exists():
            known = _same(tracker, "name", "shape", "prefix", "url_template")
            loading.create(Tracker, f"tracker {tracker.name}", **known)


def _person(loading: Loading, record: files.Person, password: str) -> User:
    if found := User.objects.filter(username=record.username).first():
        return found
    if record.signs_in:
        loading.signs_in.append(record.username)
    loading.created["users"] += 1
    person = User.objects.create_user(
        record.username,
        password=password if record.signs_in else None,
        first_name=record.first_name,
        last_name=record.last_name,
        time_zone=record.time_zone,
        is_staff=record.administrator,
        is_superuser=record.administrator,
    )
    person.give_roles(*ROLES)
    return person


def _team(loading: Loading, record: files.TeamRecord) -> Team:
    if found := Team.objects.named(record.name):
        return found
    team = loading.create(Team, f"team {record.slug}", name=record.name, slug=record.slug)
    team.members.set(_known(loading.people, record.members, f"team {record.slug}: members"))
    return team


def _service(loading: Loading, record: files.ServiceRecord) -> Service:
    if found := Service.objects.named(record.name):
        return found
    place = f"service {record.slug}"
    return loading.create(
        Service,
        place,
        **_same(record, "name", "slug", "tier", "description"),
        aliases=list(record.aliases),
        owner_team=_one(loading.teams, record.team, f"{place}: team"),
        retired_at=_days_before(loading, record.retired_days_ago),
    )


def _problem(loading: Loading, record: files.ProblemRecord) -> Problem:
    return Problem.objects.filter(title=record.title).first() or loading.create(
        Problem,
        f"problem {record.key}",
        **_same(record, "title", "cause_category", "discriminating_check", "state"),
    )


def _load_incident(loading: Loading, record: files.IncidentRecord) -> bool:
    """Whether it is new."""
    found = Incident.objects.filter(source=SOURCE, dedup_key=record.key).first()
    loading.incidents[record.key] = found or _incident(loading, record)
    return found is None


def _incident(loading: Loading, record: files.IncidentRecord) -> Incident:
    place, start = f"incident {record.key}", _start_of(loading, record)
    # Rows of the past are written as they ended: their steps were taken before this database was there.
    incident = loading.create(
        Incident,
        place,
        **_same(record, "kind", "title", "symptoms", "error_excerpt", "severity", "environment"),
        **_same(record, "detection_source", "status", "visibility", "cancel_reason"),
        started_at=start,
        detected_at=_after(start, record.detected),
        mitigated_at=_after(start, record.mitigated),
        resolved_at=_after(start, record.resolved),
        closed_at=_after(start, record.closed),
        reported_by=_one(loading.people, record.reported_by, f"{place}: reported_by"),
        commander=_maybe(loading.people, record.commander, f"{place}: commander"),
        source=SOURCE,
        dedup_key=record.key,
    )
    incident.services.set(_known(loading.services, record.services, f"{place}: services"))
    incident.members.set(_known(loading.people, record.members, f"{place}: members"))
    incident.keep_first_report()
    _add_participants(loading, record.participants, start, place, incident)
    _add_moments(loading, record.timeline, start, place, incident=incident)
    _add_action_items(loading, record.action_items, start, place, incident=incident)
    return incident


def _add_participants(
    loading: Loading, records: Iterable[files.ParticipantRecord], start: datetime, place: str, incident: Incident
) -> None:
    for record in records:
        loading.create(
            Participant,
            f"{place}: participants",
            incident=incident,
            user=_one(loading.people, record.user, f"{place}: participants"),
            joined_at=_after(start, record.joined),
            released_at=_after(start, record.released),
            note=record.note,
        )


def _load_postmortem(loading: Loading, record: files.PostmortemRecord, place: str) -> None:
    found = Postmortem.objects.filter(title=record.title).first()
    postmortem = found or _postmortem(loading, record, place)
    for fix in record.fixes:
        known = postmortem.fixes.filter(title=fix.title).first() if found else _fix(loading, fix, postmortem, place)
        if fix.key:
            loading.fixes[fix.key] = known


def _postmortem(loading: Loading, record: files.PostmortemRecord, place: str) -> Postmortem:
    incidents = _known(loading.incidents, record.incidents, f"{place}: incidents")
    start, end = _span_of(record, incidents, place)
    is_published = record.status == Postmortem.Status.PUBLISHED
    postmortem = loading.create(
        Postmortem,
        place,
        **_same(record, "title", "kind", "severity", "environment", "cause_category", "visibility", "source_url"),
        status=Postmortem.Status.DRAFT if is_published else record.status,
        authors=PUBLIC_AUTHORS if record.public else "",
        occurred_on=record.occurred_on or start.date(),
        started_at=record.started_at if record.public else start,
        ended_at=record.ended_at if record.public else end,
        team=_one(loading.teams, record.team, f"{place}: team"),
        owner=_one(loading.people, record.owner, f"{place}: owner"),
        problem=_maybe(loading.problems, record.problem, f"{place}: problem"),
        due_on=_due_on(incidents),
    )
    postmortem.incidents.set(incidents)
    postmortem.services.set(_known(loading.services, record.services, f"{place}: services"))
    postmortem.members.set(_known(loading.people, record.members, f"{place}: members"))
    postmortem.tags.set([_tag(loading, name) for name in record.tags])
    _write_sections(postmortem, record, place)
    _add_moments(loading, record.timeline, start, place, postmortem=postmortem)
    _add_action_items(loading, record.action_items, end, place, postmortem=postmortem)
    if is_published:
        postmortem.publish(at=min(loading.at, end + timedelta(days=record.published_after_days)))
    return postmortem


def _due_on(incidents: list[Incident]) -> date | None:
    """By the policy for the first of its incidents."""
    policy = PostmortemPolicy.objects.for_incident(incidents[0]) if incidents else None
    return policy.due_on(incidents[0]) if policy else None


def _tag(loading: Loading, name: str) -> Tag:
    if name not in loading.tags:
        loading.tags[name] = Tag.objects.called(name)
    return loading.tags[name]


def _write_sections(postmortem: Postmortem, record: files.PostmortemRecord, place: str) -> None:
    for key, body in record.sections.items():
        if key not in sections.BY_KEY:
            raise SampleDataError(f"{place}: sections: unknown key {key!r}. Known: {', '.join(sections.KEYS)}.")
        SectionText.objects.create(postmortem=postmortem, key=key, body=body)


def _fix(loading: Loading, record: files.FixRecord, postmortem: Postmortem, place: str) -> Fix:
    place = f"{place}: fix {record.title!r}"
    confirmed = _days_before(loading, record.confirmed_days_ago)
    fix = loading.create(
        Fix,
        place,
        **_same(record, "title", "kind", "steps", "commands", "preconditions", "risk", "undo", "state"),
        last_confirmed=confirmed.date() if confirmed else None,
        problem=postmortem.problem,
        postmortem=postmortem,
        visibility=postmortem.visibility,
    )
    of_postmortem = postmortem.services.all()
    named = record.services
    fix.services.set(of_postmortem if named is None else _known(loading.services, named, f"{place}: services"))
    fix.members.set(postmortem.members.all())
    return fix


def _load_fix_uses(loading: Loading, record: files.IncidentRecord) -> None:
    incident, place = loading.incidents[record.key], f"incident {record.key}: fix_uses"
    for use in record.fix_uses:
        fix = _one(loading.fixes, use.fix, place)
        if fix is None:
            continue
        at = incident.resolved_at or incident.mitigated_at or loading.at
        by = _one(loading.people, use.by, f"{place}: by")
        told = _same(use, "outcome", "minutes_to_effect", "note")
        loading.create(FixUse, place, fix=fix, incident=incident, recorded_by=by, at=at, **told)
        if use.outcome == FixUse.Outcome.WORKED:
            fix.confirm(on=at.date())


def _load_suggested(loading: Loading, record: files.SuggestedRecord, incident: Incident) -> None:
    """What was shown then is told, not worked out again: another engine may have ranked."""
    place = f"incident {incident.dedup_key}: suggested"
    fixes = {key: fix for key in record.shown if (fix := _one(loading.fixes, key, place))}
    keys = {key: fix.postmortem.search_key for key, fix in fixes.items() if fix.postmortem}
    by, at = _one(loading.people, record.by, f"{place}: by"), incident.started_at + timedelta(minutes=record.minutes)
    run = loading.create(
        SuggestionRun,
        place,
        user=by,
        incident=incident,
        at=at,
        engine="sample data",
        took_ms=0.0,
        candidates=Postmortem.objects.filter(occurred_on__lt=incident.started_at.date()).count(),
        abstained=not keys,
        shown=[{"key": key, "score": 0.0, "confidence": "possible", "parts": {}} for key in keys.values()],
    )
    for key in record.opened:
        opened = {"run": run, "key": _one(keys, key, f"{place}: opened"), "at": at + timedelta(minutes=1)}
        loading.create(SuggestionOpening, place, **opened)
        read = fixes[key].postmortem
        if read and read.owner != by:
            Reading.objects.record(postmortem=read, reader=by, on=at.date())
    for key, verdict in record.verdicts.items():
        judged = {"key": _one(keys, key, f"{place}: verdicts"), "verdict": verdict, "at": at + timedelta(minutes=2)}
        loading.create(SuggestionVerdict, place, incident=incident, by=by, **judged)


def _load_gaps(loading: Loading, record: files.IncidentRecord) -> None:
    incident, place = loading.incidents[record.key], f"incident {record.key}: searched_in_vain"
    for gap in record.searched_in_vain:
        at = incident.started_at + timedelta(minutes=gap.minutes)
        known = {"text": gap.text, "asked": gap.text.casefold(), "by": _one(loading.people, gap.by, f"{place}: by")}
        loading.create(KnowledgeGap, place, incident=incident, at=at, **known)


def _add_moments(
    loading: Loading, records: tuple[files.Moment, ...], start: datetime, place: str, **home: models.Model
) -> None:
    for moment in records:
        at = moment.at or _after(start, moment.minutes)
        if at is None:
            raise SampleDataError(f"{place}: timeline: at or minutes is missing: {moment.text:.60}")
        loading.create(TimelineEntry, f"{place}: timeline", at=at, kind=moment.kind, text=moment.text, **home)


def _add_action_items(
    loading: Loading, records: tuple[files.ActionRecord, ...], promised: datetime, place: str, **home: models.Model
) -> None:
    for record in records:
        due = None if record.due_in_days is None else loading.at.date() + timedelta(days=record.due_in_days)
        is_verified = record.state == ActionItem.State.VERIFIED
        people = {name: getattr(record, name) for name in ("owner", "verified_by", "approved_by")}
        loading.create(
            ActionItem,
            f"{place}: action_items",
            **_same(
                record, "title", "kind", "state", "priority", "done_when", "details", "reason", "owner_text", "ticket"
            ),
            **{name: _maybe(loading.people, key, f"{place}: action_items: {name}") for name, key in people.items()},
            due_on=due,
            evidence=record.evidence or ("Its owner's team checked it." if is_verified else ""),
            created_at=min(promised, loading.at),
            done_at=_days_before(loading, record.done_days_ago),
            verified_at=_days_before(loading, record.verified_days_ago),
            declined_at=_days_before(loading, record.declined_days_ago),
            **home,
        )


def _start_of(loading: Loading, record: files.IncidentRecord) -> datetime:
    if record.minutes_ago:
        return loading.at - timedelta(minutes=record.minutes_ago)
    day = (loading.at - timedelta(days=record.days_ago)).astimezone(UTC).date()
    return datetime.combine(day, time.fromisoformat(record.clock or "09:00"), UTC)


def _span_of(record: files.PostmortemRecord, incidents: list[Incident], place: str) -> tuple[datetime, datetime]:
    """When it began and ended; of several incidents the first counts."""
    if incidents:
        first = incidents[0]
        return first.started_at, first.resolved_at or first.started_at
    if record.occurred_on is None:
        raise SampleDataError(f"{place}: occurred_on or incidents is missing.")
    start = record.started_at or datetime.combine(record.occurred_on, time(12), UTC)
    return start, record.ended_at or start


def _after(start: datetime, minutes: int | None) -> datetime | None:
    return None if minutes is None else start + timedelta(minutes=minutes)


def _days_before(loading: Loading, days: int | None) -> datetime | None:
    return None if days is None else loading.at - timedelta(days=days)


def _same(record: object, *names: str) -> dict[str, Any]:
    """What the record and the model call by the same name."""
    return {name: getattr(record, name) for name in names}


def _one(known: Mapping[str, Known], key: str, place: str) -> Known:
    if key not in known:
        raise SampleDataError(f"{place}: nothing is called {key!r}. Known: {', '.join(known)}.")
    return known[key]


def _maybe(known: Mapping[str, Known], key: str, place: str) -> Known | None:
    return _one(known, key, place) if key else None


def _known(known: Mapping[str, Known], keys: tuple[str, ...], place: str) -> list[Known]:
    return [_one(known, key, place) for key in keys]
