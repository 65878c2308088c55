"""Plain functions that make rows for tests: each takes what the test is about and fills in the rest."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client

from postmortems.models import (
    ActionItem,
    Alert,
    Fix,
    FixUse,
    Incident,
    Postmortem,
    Service,
    SuggestionRun,
    SuggestionVerdict,
    Team,
    User,
)

PASSWORD = "correct horse battery staple"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def user(name: str, *, roles: tuple[str, ...] = ("author", "reviewer"), **details: Any) -> User:
    row = User.objects.create_user(username=name, password=PASSWORD, **details)
    row.give_roles(*roles)
    return row


def team(name: str, *members: User) -> Team:
    row = Team.objects.called(name)
    row.members.add(*members)
    return row


def service(name: str) -> Service:
    return Service.objects.called(name)


def incident(title: str = "Checkout answers 503", *, services: tuple[str, ...] = (), **details: Any) -> Incident:
    cancelled = {"cancel_reason": "A drill."} if details.get("status") == "cancelled" else {}
    row = Incident.objects.create(title=title, **{"started_at": NOON, **cancelled, **details})
    row.services.set([service(name) for name in services])
    return row


def postmortem(
    title: str = "Checkout was down",
    *,
    services: tuple[str, ...] = (),
    sections: dict[str, str] | None = None,
    **details: Any,
) -> Postmortem:
    """Published unless a status is given."""
    published = {"status": Postmortem.Status.PUBLISHED, "published_at": NOON, "occurred_on": NOON.date()}
    row = Postmortem.objects.create(title=title, **{**({} if "status" in details else published), **details})
    row.services.set([service(name) for name in services])
    for key, body in (sections or {}).items():
        row.write(key, body)
    return row


def fix(title: str = "Recycle the connection pool", *, services: tuple[str, ...] = (), **details: Any) -> Fix:
    row = Fix.objects.create(title=title, **details)
    row.services.set([service(name) for name in services])
    return row


def fix_use(of: Fix, where: Incident, outcome: str = "worked", **details: Any) -> FixUse:
    return FixUse.objects.create(fix=of, incident=where, outcome=outcome, **{"at": NOON, **details})


def action_item(title: str = "Alert on pool saturation", **details: Any) -> ActionItem:
    """Needs `postmortem=` or `incident=`."""
    return ActionItem.objects.create(title=title, **details)


def alert(account: User, where: Incident | None = None, **details: Any) -> Alert:
    """Firing since noon."""
    known = {"source": "generic", "series": "disk", "title": "Disk full", "started_at": NOON}
    times = {"is_firing": True, "event_at": NOON, "ended_at": None, "at": NOON}
    row = Alert.begun(**{**known, **times, **details, "account": account})
    if where:
        row.belong_to(where)
    return Alert.objects.bulk_create([row])[0]


def suggestion_run(where: Incident | None, *shown: Postmortem | Incident | Fix, **details: Any) -> SuggestionRun:
    """A panel with these items, best first."""
    rows = [
        {"key": row.search_key, "score": 10.0 - n, "confidence": "strong", "parts": {"Words": 10.0 - n}}
        for n, row in enumerate(shown)
    ]
    known = {"at": NOON, "engine": "test", "took_ms": 5.0, "candidates": 40, "abstained": not shown}
    return SuggestionRun.objects.create(incident=where, shown=rows, **{**known, **details})


def verdict(
    where: Incident, what: Postmortem | Incident | Fix, said: str = "same_cause", **details: Any
) -> SuggestionVerdict:
    return SuggestionVerdict.objects.create(
        incident=where, key=what.search_key, verdict=said, **{"at": NOON, **details}
    )


def signed_in(who: User) -> Client:
    """A client that is signed in, without the cost of the sign-in form."""
    client = Client()
    client.force_login(who)
    return client
