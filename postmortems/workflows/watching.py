"""Who follows what: an incident, a postmortem, or all that concerns a service. It grants no right to see."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce

from postmortems import roles
from postmortems.models import Incident, Notification, Postmortem, Service, User, Watch

Watched = Incident | Postmortem | Service


def watch(row: Watched, *, by: User, at: datetime) -> None:
    """Begin; twice is once."""
    roles.require(by, "read")
    Watch.objects.get_or_create(**_home(row), user=by, defaults={"since": at})


def stop(row: Watched, *, by: User) -> None:
    Watch.objects.filter(**_home(row), user=by).delete()


@transaction.atomic
def watch_services(services: Iterable[Service], *, by: User, at: datetime) -> None:
    """These and no others from now on."""
    roles.require(by, "read")
    wanted = {service.pk: service for service in services}
    mine = Watch.objects.filter(user=by, service__isnull=False)
    mine.exclude(service__in=list(wanted)).delete()
    for service in wanted.values():
        watch(service, by=by, at=at)


def watchers_of(row: Incident | Postmortem) -> list[User]:
    """Who follows it, an incident of it, or one of its services. May they see it? That is asked when they are told."""
    if isinstance(row, Incident):
        return watchers_of_each([row]).get(row.pk, [])
    its = Q(watches__service__in=row.services.all())
    its |= Q(watches__postmortem=row) | Q(watches__incident__in=row.incidents.all())
    return list(User.objects.filter(its, is_active=True).distinct())


def watchers_of_each(incidents: Iterable[Incident]) -> dict[int, list[User]]:
    """By pk of those incidents that somebody follows."""
    pks = {incident.pk for incident in incidents}
    watches = Watch.objects.filter(Q(incident__in=pks) | Q(service__incidents__in=pks), user__is_active=True)
    pairs = list(watches.values_list(Coalesce("incident", "service__incidents"), "user").order_by("user").distinct())
    people = User.objects.in_bulk({user for _, user in pairs})
    found: dict[int, list[User]] = defaultdict(list)
    for pk, user in pairs:
        found[pk].append(people[user])
    return found


def mark_read(user: User, *, at: datetime, pk: int | None = None) -> int:
    """One of them, or all that this person may see; how many were not read before."""
    rows = Notification.objects.visible_to(user)
    return (rows.filter(pk=pk) if pk is not None else rows).mark_read(at=at)


def _home(row: Watched) -> dict[str, Watched]:
    return {row._meta.model_name or "": row}
