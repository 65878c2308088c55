"""A small organisation, row by row, so that every number can be worked out by hand. Its clock stands at `NOW`."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from postmortems.models import (
    ActionItem,
    Incident,
    KnowledgeGap,
    Postmortem,
    PostmortemPolicy,
    Problem,
    Reading,
    SuggestionOpening,
    User,
    Visibility,
)
from tests import factory

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
PERIOD = {"since": "2025-10-01", "until": "2026-03-15"}


def at(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    """From October 2025 to March 2026."""
    return datetime(2025 if month > 3 else 2026, month, day, hour, minute, tzinfo=UTC)


def incident(title: str, start: datetime, severity: str, source: str = "", **minutes: int | None) -> Incident:
    """Over; `detected`, `mitigated`, `resolved`: minutes after the start."""
    times = {f"{name}_at": start + timedelta(minutes=n) for name, n in minutes.items() if n is not None}
    known = {"status": "resolved", "resolved_at": start + timedelta(minutes=60), **times}
    return factory.incident(title, started_at=start, severity=severity, detection_source=source, **known)


def build(alice: User, bob: User) -> Any:
    """See the comments: what each row is there for."""
    PostmortemPolicy.objects.all().delete()
    PostmortemPolicy.objects.create(severity="sev1", is_required=True, days_until_due=10)
    PostmortemPolicy.objects.create(severity="sev2", kind="service", is_required=False, days_until_due=10)
    world = SimpleNamespace()
    payments, edge = factory.team("Payments", alice), factory.team("Edge", bob)
    checkout, proxy = factory.service("Checkout"), factory.service("Proxy")
    for service, team in ((checkout, payments), (proxy, edge)):
        type(service).objects.filter(pk=service.pk).update(owner_team=team)
    world.pools = Problem.objects.create(title="Pools run dry")
    world.once = Problem.objects.create(title="Only once")

    # Eight incidents count: 2 SEV1, 3 SEV2, 3 SEV3. Before the period: one; of kinds that do not count: two.
    world.first = incident("Pools dry, the first", at(10, 5) - timedelta(days=60), "sev1", "monitor", detected=5)
    world.second = incident("Pools dry again", at(10, 20), "sev1", "monitor", detected=10, mitigated=30, resolved=60)
    world.third = incident("Pools dry, third", at(12, 1), "sev2", "customer", detected=20, mitigated=40, resolved=90)
    world.fourth = incident("Fix helped", at(1, 10), "sev2", "social_media", detected=30, mitigated=None, resolved=120)
    world.alone = incident("Something else", at(1, 31, 23, 30), "sev3", "partner", resolved=30)
    world.unsaid = incident("Nobody said", at(2, 14), "sev3", "", resolved=45)
    world.lost = incident("No postmortem", at(2, 1), "sev1", "engineer", detected=2, resolved=10)
    world.open = factory.incident("Open now", started_at=at(3, 10), severity="sev2", status="open")
    world.recent = incident("Recent", at(3, 14), "sev3", "monitor", detected=1, resolved=20)
    factory.incident("Cancelled", started_at=at(2, 2), status="cancelled", severity="sev1")
    factory.incident("Exercise", started_at=at(2, 3), kind="exercise", severity="sev1")
    for row, service in ((world.second, checkout), (world.third, checkout), (world.fourth, proxy), (world.open, proxy)):
        row.services.add(service)

    # Four postmortems in the period, and a draft: PM of the first three, of the one that was alone, late ones.
    world.told = _published("Pools", at(10, 25), owner=alice, problem=world.pools, due_on=date(2025, 10, 30))
    Postmortem.objects.filter(pk=world.told.pk).update(occurred_on=world.first.started_at.date())
    world.told.incidents.add(world.first, world.second)
    world.later = _published("Pools, later", at(12, 20), problem=world.pools, due_on=date(2025, 12, 10), team=payments)
    world.later.incidents.add(world.third)
    world.single = _published("Alone", at(2, 5), problem=world.once, owner=bob)
    world.single.incidents.add(world.alone)
    world.waiting = factory.postmortem("Draft", status="draft", owner=alice, due_on=date(2026, 3, 1))
    world.fresh = factory.postmortem("In review", status="in_review", owner=alice, due_on=date(2026, 3, 15))
    world.waiting.incidents.add(world.unsaid)

    # One fix: helped in its own incident, and in the fourth. Suggestions in the third and the fourth.
    world.fix = factory.fix(postmortem=world.told, problem=world.pools)
    factory.fix_use(world.fix, world.second, "worked", at=world.second.started_at + timedelta(minutes=25))
    factory.fix_use(world.fix, world.fourth, "worked", at=world.fourth.started_at + timedelta(minutes=90))
    factory.fix_use(world.fix, world.alone, "no_effect", at=world.alone.started_at + timedelta(minutes=9))
    run = factory.suggestion_run(world.third, world.told, at=world.third.started_at + timedelta(minutes=22))
    SuggestionOpening.objects.record(
        run=run, key=world.told.search_key, at=world.third.started_at + timedelta(minutes=24)
    )
    factory.verdict(world.third, world.told, at=world.third.started_at + timedelta(minutes=30))
    factory.suggestion_run(world.fourth, world.told, at=world.fourth.started_at + timedelta(minutes=35))
    factory.suggestion_run(world.recent, at=world.recent.started_at + timedelta(minutes=5))

    # Six action items of the period.
    world.owed = _item("Require a quorum", world.told, due_on=date(2025, 12, 31))
    _item("In progress", world.told, state="in_progress", due_on=date(2026, 4, 1))
    _item("Done", world.later, state="done")
    _item("Verified", world.later, state="verified", evidence="A test.", verified_at=at(1, 5))
    _item("Will not", world.later, state="wont_do", reason="No use.")
    _item("Young", world.open, due_on=date(2026, 3, 12), created_at=at(3, 11))

    Reading.objects.record(postmortem=world.told, reader=bob, on=date(2025, 11, 1))
    world.gap = KnowledgeGap.objects.record(incident=world.open, text="flux capacitor", by=alice, at=at(3, 10, 13))
    answered = KnowledgeGap.objects.record(incident=world.open, text="quorum lost", by=alice, at=at(3, 10, 14))
    KnowledgeGap.objects.filter(pk=answered.pk).update(answered_at=at(3, 11))
    return world


def _published(title: str, when: datetime, **details: Any) -> Postmortem:
    return factory.postmortem(title, status="published", published_at=when, occurred_on=when.date(), **details)


def _item(title: str, home: Postmortem | Incident, *, created_at: datetime | None = None, **details: Any) -> ActionItem:
    row = factory.action_item(title, **{type(home).__name__.lower(): home}, **details)
    if created_at:
        ActionItem.objects.filter(pk=row.pk).update(created_at=created_at)
    return row


def hide(world: Any, alice: User) -> None:
    """What only Alice may see: an incident and a postmortem with all that hangs on them, between the others."""
    secret = incident("Secret", at(2, 20), "sev1", "customer", detected=3, mitigated=9, resolved=33)
    secret.admit(visibility=Visibility.RESTRICTED, members=[alice], teams=[])
    secret.services.add(factory.service("Checkout"))
    told = _published("Secret story", at(2, 25), problem=world.pools, due_on=date(2026, 2, 26))
    told.incidents.add(secret)
    told.admit(visibility=Visibility.RESTRICTED, members=[alice], teams=[])
    shut = factory.fix("Secret fix", postmortem=told, visibility=Visibility.RESTRICTED)
    shut.members.add(alice)
    of_open = factory.fix("Shut fix of an open story", postmortem=world.single, visibility=Visibility.RESTRICTED)
    of_open.members.add(alice)
    for fix in (shut, of_open):
        factory.fix_use(fix, world.recent, "worked", at=at(3, 14, 13))
    factory.fix_use(world.fix, secret, "worked", at=at(2, 20, 13))
    factory.verdict(secret, world.single, at=at(2, 20, 13))
    factory.verdict(world.recent, told, at=at(3, 14, 13))
    run = factory.suggestion_run(world.recent, told, shut, at=at(3, 14, 12, 5))
    SuggestionOpening.objects.record(run=run, key=told.search_key, at=at(3, 14, 12, 6))
    factory.suggestion_run(secret, world.single, at=at(2, 20, 13))
    _item("Secret item", told, due_on=date(2026, 1, 1))
    _item("Secret item of an incident", secret, due_on=date(2026, 1, 1), created_at=at(2, 21))
    KnowledgeGap.objects.record(incident=secret, text="secret capacitor", by=alice, at=at(2, 20, 13))
    Reading.objects.record(postmortem=told, reader=alice, on=date(2026, 3, 1))
    hidden = Problem.objects.create(title="Secret problem")
    for n in (1, 2):
        row = _published(f"Secret again {n}", at(n, 7), problem=hidden)
        row.admit(visibility=Visibility.RESTRICTED, members=[alice], teams=[])
