"""What is looked at: days in the reader's zone, one team or all, one service or all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from django.utils import timezone

from postmortems.models import Incident, Kind, Postmortem, Service, Team
from postmortems.models.incident import IncidentQuerySet
from postmortems.models.postmortem import PostmortemQuerySet

WEEKLY_UP_TO = 92  # days: longer periods are counted by month

Rows = TypeVar("Rows", bound="QuerySet[Any]")


@dataclass(frozen=True)
class Scope:
    """From `first` to `last`, both included."""

    first: date
    last: date
    team: Team | None = None
    service: Service | None = None

    @property
    def begin(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return midnight(self.last + timedelta(days=1))

    @property
    def is_weekly(self) -> bool:
        return (self.last - self.first).days < WEEKLY_UP_TO

    @property
    def query(self) -> dict[str, str]:
        """Its part of an address."""
        known = {"since": self.first.isoformat(), "until": self.last.isoformat()}
        named = {"team": self.team and self.team.slug, "service": self.service and self.service.slug}
        return known | {name: slug for name, slug in named.items() if slug}

    def buckets(self) -> Iterator[date]:
        """The first day of each week or month that it touches; of the first one it may begin within."""
        day = self.bucket_of(self.first)
        while day <= self.last:
            yield day
            day = self.after(day)

    def bucket_of(self, day: date) -> date:
        return day - timedelta(days=day.weekday()) if self.is_weekly else day.replace(day=1)

    def after(self, bucket: date) -> date:
        """The first day of the next one."""
        if self.is_weekly:
            return bucket + timedelta(days=7)
        return (bucket + timedelta(days=31)).replace(day=1)

    def of_services(self, rows: Rows) -> Rows:
        """Of rows that name services: those of this service, and of a service of this team."""
        through: Any = rows.model.services.through
        wanted = Q()
        if self.service:
            wanted &= Q(service=self.service)
        if self.team:
            wanted &= Q(service__owner_team=self.team)
        if not wanted:
            return rows
        return rows.filter(pk__in=through.objects.filter(wanted).values(rows.model._meta.model_name))


def midnight(day: date) -> datetime:
    """In the reader's zone."""
    return datetime.combine(day, time(), timezone.get_current_timezone())


def incidents_at_any_time(scope: Scope, user: Any) -> IncidentQuerySet:
    """What counts as an incident: seen by this reader, not cancelled, no exercise; of the team and service."""
    rows = Incident.objects.visible_to(user).exclude(status=Incident.Status.CANCELLED)
    return scope.of_services(rows.exclude(kind=Kind.EXERCISE))


def incidents(scope: Scope, user: Any) -> IncidentQuerySet:
    """Those that started in the period."""
    return incidents_at_any_time(scope, user).filter(started_at__gte=scope.begin, started_at__lt=scope.end)


def postmortems(scope: Scope, user: Any) -> PostmortemQuerySet:
    """All that this reader sees, of the team and service: written by the team, or about a service of it."""
    rows = Postmortem.objects.visible_to(user)
    if scope.team is None:
        return scope.of_services(rows)
    of_service = Scope(scope.first, scope.last, service=scope.service).of_services(rows)
    about: Any = Postmortem.services.through.objects.filter(service__owner_team=scope.team).values("postmortem")
    return of_service.filter(Q(team=scope.team) | Q(pk__in=about))
