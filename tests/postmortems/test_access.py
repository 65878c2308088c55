"""Who may see what: a table to read, and many random worlds compared with the rules written as plain Python."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from postmortems.models import (
    ActionItem,
    Fix,
    FixUse,
    Incident,
    KnowledgeGap,
    Postmortem,
    Reading,
    SavedFilter,
    Team,
    User,
    Visibility,
)
from postmortems.models.prepared import PreparedForReaders
from postmortems.search.readers import THE_MACHINE
from tests import factory

pytestmark = pytest.mark.django_db

OPEN, RESTRICTED = Visibility.OPEN, Visibility.RESTRICTED
DRAFT, PUBLISHED, ARCHIVED = Postmortem.Status.DRAFT, Postmortem.Status.PUBLISHED, Postmortem.Status.ARCHIVED


@pytest.fixture
def readers(alice: User, bob: User, charlie: User, admin: User, team: Team) -> dict[str, Any]:
    """Alice owns, Bob is on her team; Emma was on it once, Ivan still is but was switched off."""
    emma, ivan = factory.user("emma"), factory.user("ivan", is_active=False)
    team.members.add(emma, ivan)
    team.members.remove(emma)
    return {
        "anonymous": AnonymousUser(),
        "nobody": None,
        "alice": alice,
        "bob": bob,
        "charlie": charlie,
        "former member": emma,
        "switched off": ivan,
        "switched-off administrator": factory.user("root", is_superuser=True, is_active=False),
        "admin": admin,
    }


EVERYONE = {"alice", "bob", "charlie", "former member", "admin"}
TEAM = {"alice", "bob", "admin"}
ONLY_ALICE = {"alice", "admin"}
ONLY_ADMIN = {"admin"}


def seen_by(row: Any, readers: dict[str, Any]) -> set[str]:
    rows = type(row)._default_manager
    return {name for name, reader in readers.items() if rows.visible_to(reader).filter(pk=row.pk).exists()}


def restricted_incident(*members: User, shared_with: tuple[Team, ...] = ()) -> Incident:
    incident = factory.incident(visibility=RESTRICTED)
    incident.members.set(members)
    incident.shared_with.set(shared_with)
    return incident


# --- incidents ---


def test_an_open_incident_is_seen_by_everyone_who_is_signed_in(readers: dict[str, Any]) -> None:
    assert seen_by(factory.incident(), readers) == EVERYONE


def test_a_restricted_incident_is_seen_by_its_members(readers: dict[str, Any]) -> None:
    former, off = readers["former member"], readers["switched off"]
    incident = restricted_incident(readers["alice"], former, off)
    incident.members.remove(former)

    assert seen_by(incident, readers) == ONLY_ALICE


def test_a_restricted_incident_is_seen_by_the_teams_it_is_shared_with(readers: dict[str, Any], team: Team) -> None:
    assert seen_by(restricted_incident(shared_with=(team,)), readers) == TEAM


def test_a_restricted_incident_without_members_is_seen_by_administrators_only(readers: dict[str, Any]) -> None:
    assert seen_by(restricted_incident(), readers) == ONLY_ADMIN


def test_having_reported_a_restricted_incident_is_no_membership(readers: dict[str, Any]) -> None:
    incident = factory.incident(visibility=RESTRICTED, reported_by=readers["charlie"], commander=readers["charlie"])

    assert seen_by(incident, readers) == ONLY_ADMIN


# --- postmortems ---


@pytest.mark.parametrize(
    ("status", "visibility", "audience"),
    [
        (PUBLISHED, OPEN, EVERYONE),
        (ARCHIVED, OPEN, EVERYONE),
        (DRAFT, OPEN, TEAM),
        (Postmortem.Status.IN_REVIEW, OPEN, TEAM),
        (Postmortem.Status.CHANGES_REQUESTED, OPEN, TEAM),
        (Postmortem.Status.APPROVED, OPEN, TEAM),
        (PUBLISHED, RESTRICTED, ONLY_ALICE),
        (DRAFT, RESTRICTED, ONLY_ALICE),
    ],
)
def test_a_postmortem_is_seen_by(
    readers: dict[str, Any], team: Team, status: str, visibility: str, audience: set[str]
) -> None:
    postmortem = factory.postmortem(
        status=status, visibility=visibility, published_at=factory.NOON, owner=readers["alice"], team=team
    )

    assert seen_by(postmortem, readers) == audience


def test_a_restricted_postmortem_is_seen_by_members_and_teams_it_is_shared_with(
    readers: dict[str, Any], team: Team
) -> None:
    named = factory.postmortem(visibility=RESTRICTED)
    named.members.add(readers["charlie"])
    shared = factory.postmortem(visibility=RESTRICTED)
    shared.shared_with.add(team)

    assert seen_by(named, readers) == {"charlie", "admin"}
    assert seen_by(shared, readers) == TEAM


def test_a_draft_of_nobody_is_seen_by_administrators_only(readers: dict[str, Any]) -> None:
    assert seen_by(factory.postmortem(status=DRAFT), readers) == ONLY_ADMIN


def test_a_restricted_incident_restricts_its_postmortem(readers: dict[str, Any], team: Team) -> None:
    postmortem = factory.postmortem(owner=readers["bob"], team=team)
    postmortem.incidents.add(factory.incident(), restricted_incident(readers["alice"]))

    assert seen_by(postmortem, readers) == ONLY_ALICE


def test_a_published_postmortem_is_seen_by_whoever_may_see_its_restricted_incident(readers: dict[str, Any]) -> None:
    postmortem = factory.postmortem()
    postmortem.incidents.add(restricted_incident(readers["charlie"]))

    assert seen_by(postmortem, readers) == {"charlie", "admin"}


def test_of_two_restricted_incidents_both_must_be_seen(readers: dict[str, Any]) -> None:
    postmortem = factory.postmortem(owner=readers["bob"])
    postmortem.incidents.add(
        restricted_incident(readers["alice"], readers["bob"]), restricted_incident(readers["alice"])
    )

    assert seen_by(postmortem, readers) == ONLY_ALICE


def test_restricting_an_incident_hides_its_postmortem_at_once(readers: dict[str, Any]) -> None:
    incident = factory.incident()
    postmortem = factory.postmortem()
    postmortem.incidents.add(incident)
    assert seen_by(postmortem, readers) == EVERYONE

    Incident.objects.filter(pk=incident.pk).update(visibility=RESTRICTED)

    assert seen_by(postmortem, readers) == ONLY_ADMIN


# --- what hangs on them ---


def test_a_fix_is_hidden_with_its_postmortem(readers: dict[str, Any], team: Team) -> None:
    draft = factory.postmortem(status=DRAFT, owner=readers["alice"], team=team)

    assert seen_by(factory.fix(), readers) == EVERYONE
    assert seen_by(factory.fix(postmortem=factory.postmortem()), readers) == EVERYONE
    assert seen_by(factory.fix(postmortem=draft), readers) == TEAM


def test_a_restricted_fix_is_seen_by_its_members_where_they_see_its_postmortem(readers: dict[str, Any]) -> None:
    free = factory.fix(visibility=RESTRICTED)
    free.members.add(readers["charlie"])
    bound = factory.fix(visibility=RESTRICTED, postmortem=factory.postmortem(status=DRAFT))
    bound.members.add(readers["charlie"])

    assert seen_by(free, readers) == {"charlie", "admin"}
    assert seen_by(bound, readers) == ONLY_ADMIN


def test_a_restricted_incident_hides_the_fixes_of_its_postmortem(readers: dict[str, Any]) -> None:
    postmortem = factory.postmortem()
    postmortem.incidents.add(restricted_incident(readers["alice"]))

    assert seen_by(factory.fix(postmortem=postmortem), readers) == ONLY_ALICE


def test_an_action_item_is_hidden_with_either_of_its_homes(readers: dict[str, Any]) -> None:
    secret = restricted_incident(readers["alice"])
    postmortem = factory.postmortem()
    linked = factory.postmortem()
    linked.incidents.add(secret)

    assert seen_by(factory.action_item(postmortem=postmortem), readers) == EVERYONE
    assert seen_by(factory.action_item(incident=secret), readers) == ONLY_ALICE
    assert seen_by(factory.action_item(postmortem=postmortem, incident=secret), readers) == ONLY_ALICE
    assert seen_by(factory.action_item(postmortem=linked), readers) == ONLY_ALICE


def test_owning_an_action_item_does_not_open_its_home(readers: dict[str, Any]) -> None:
    item = factory.action_item(incident=restricted_incident(), owner=readers["charlie"])

    assert seen_by(item, readers) == ONLY_ADMIN


def test_an_outcome_is_hidden_with_its_incident_and_with_its_fix(readers: dict[str, Any]) -> None:
    secret = restricted_incident(readers["alice"])
    hidden_fix = factory.fix(visibility=RESTRICTED)

    assert seen_by(factory.fix_use(factory.fix(), factory.incident()), readers) == EVERYONE
    assert seen_by(factory.fix_use(factory.fix(), secret), readers) == ONLY_ALICE
    assert seen_by(factory.fix_use(hidden_fix, factory.incident()), readers) == ONLY_ADMIN


def test_an_alert_is_seen_where_its_incident_is_and_without_one_by_administrators(readers: dict[str, Any]) -> None:
    account = readers["alice"]

    assert seen_by(factory.alert(account, factory.incident()), readers) == EVERYONE
    secret = restricted_incident(readers["bob"])
    assert seen_by(factory.alert(account, secret, series="b"), readers) == {"bob", "admin"}
    assert seen_by(factory.alert(account, series="c"), readers) == ONLY_ADMIN


def test_a_list_that_is_kept_is_its_owners_unless_it_is_shared(readers: dict[str, Any]) -> None:
    off = readers["switched off"]
    known = {"query": "due=late", "created_at": factory.NOON}
    private, shared, of_nobody_here = (
        SavedFilter.objects.create(owner=owner, name=name, is_shared=is_shared, **known)
        for owner, name, is_shared in (
            (readers["alice"], "Mine", False),
            (readers["alice"], "Ours", True),
            (off, "His", False),
        )
    )

    assert seen_by(private, readers) == {"alice"}
    assert seen_by(shared, readers) == EVERYONE
    assert seen_by(of_nobody_here, readers) == set()


def test_a_track_record_counts_only_incidents_the_reader_may_see(readers: dict[str, Any]) -> None:
    fix = factory.fix()
    factory.fix_use(fix, factory.incident(), "worked")
    factory.fix_use(fix, factory.incident(), "no_effect")
    factory.fix_use(fix, restricted_incident(readers["alice"]), "made_worse", at=factory.NOON.replace(hour=18))

    def record(reader: str) -> tuple[int, int, int, int, int]:
        row = Fix.objects.with_track_record(readers[reader]).get(pk=fix.pk)
        return row.worked, row.no_effect, row.made_worse, row.tried, row.last_outcome_at.hour

    assert record("alice") == record("admin") == (1, 1, 1, 3, 18)
    assert record("charlie") == record("bob") == (1, 1, 0, 2, 12)
    stranger = Fix.objects.with_track_record(readers["anonymous"]).get(pk=fix.pk)
    assert (stranger.tried, stranger.last_outcome_at) == (0, None)


def test_a_row_is_returned_once_however_many_reasons_there_are_to_see_it(readers: dict[str, Any], team: Team) -> None:
    incident = restricted_incident(
        readers["alice"], readers["bob"], shared_with=(team, factory.team("B", readers["bob"]))
    )
    postmortem = factory.postmortem(status=DRAFT, owner=readers["alice"], team=team)
    postmortem.incidents.add(incident, factory.incident())
    postmortem.members.add(readers["alice"], readers["bob"])

    assert Incident.objects.visible_to(readers["bob"]).filter(pk=incident.pk).count() == 1
    assert Postmortem.objects.visible_to(readers["bob"]).count() == 1


def test_visible_and_hidden_rows_are_all_rows(readers: dict[str, Any]) -> None:
    factory.incident()
    restricted_incident(readers["alice"])

    for reader in readers.values():
        visible = set(Incident.objects.visible_to(reader))
        assert visible | set(Incident.objects.hidden_from(reader)) == set(Incident.objects.all())
        assert not visible & set(Incident.objects.hidden_from(reader))


def test_a_prepared_query_gives_each_reader_what_the_plain_one_gives(readers: dict[str, Any], team: Team) -> None:
    incidents = [factory.incident(), restricted_incident(readers["alice"]), restricted_incident(shared_with=(team,))]
    prepared = PreparedForReaders(lambda user, pks: Incident.objects.visible_to(user).filter(pk__in=pks))

    seen = {
        name: {row.pk for row in prepared.rows(reader, [i.pk for i in incidents])} for name, reader in readers.items()
    }

    assert seen == {
        name: set(Incident.objects.visible_to(reader).values_list("pk", flat=True)) for name, reader in readers.items()
    }
    assert len(seen["alice"]) == len(seen["admin"]) == 3
    assert len(seen["bob"]) == 2
    assert len(prepared.rows(THE_MACHINE, [i.pk for i in incidents])) == 3


# --- random worlds against the rules in plain Python ---


class Snapshot:
    """Every row of a world, read once."""

    def __init__(self) -> None:
        self.incidents = list(Incident.objects.prefetch_related("members", "shared_with"))
        with_members = Postmortem.objects.prefetch_related("members", "shared_with", "incidents")
        self.postmortems = list(with_members.select_related("owner", "team"))
        self.fixes = list(Fix.objects.prefetch_related("members", "shared_with", "uses"))
        self.action_items = list(ActionItem.objects.all())
        self.fix_uses = list(FixUse.objects.all())
        self.people = {team.pk: set(team.members.all()) for team in Team.objects.prefetch_related("members")}


class Oracle:
    """The rules once more, row by row and without SQL."""

    def __init__(self, world: Snapshot, reader: Any) -> None:
        self.reader = reader
        self.is_somebody = bool(getattr(reader, "is_authenticated", False) and reader.is_active)
        self.sees_all = self.is_somebody and reader.is_superuser
        self.teams = {pk for pk, people in world.people.items() if reader in people}
        self.incidents = {row.pk for row in world.incidents if self.incident(row)}
        self.postmortems = {row.pk for row in world.postmortems if self.postmortem(row)}
        self.fixes = {row.pk for row in world.fixes if self.fix(row)}
        self.action_items = {row.pk for row in world.action_items if self.action_item(row)}
        self.fix_uses = {row.pk for row in world.fix_uses if self.fix_use(row)}

    def names(self, row: Any) -> bool:
        return self.reader in row.members.all() or bool(self.teams & {team.pk for team in row.shared_with.all()})

    def incident(self, row: Incident) -> bool:
        return self.sees_all or (self.is_somebody and (row.visibility == OPEN or self.names(row)))

    def postmortem(self, row: Postmortem) -> bool:
        is_open = row.visibility == OPEN
        audience = is_open and row.status in {PUBLISHED, ARCHIVED}
        mine = row.owner == self.reader or self.names(row) or (is_open and row.team_id in self.teams)
        incidents = all(incident.pk in self.incidents for incident in row.incidents.all())
        return self.sees_all or (self.is_somebody and (audience or mine) and incidents)

    def fix(self, row: Fix) -> bool:
        home = row.postmortem_id is None or row.postmortem_id in self.postmortems
        return self.sees_all or (self.is_somebody and home and (row.visibility == OPEN or self.names(row)))

    def action_item(self, row: ActionItem) -> bool:
        homes = ((row.postmortem_id, self.postmortems), (row.incident_id, self.incidents))
        return self.is_somebody and all(pk is None or pk in seen for pk, seen in homes)

    def fix_use(self, row: FixUse) -> bool:
        return row.incident_id in self.incidents and row.fix_id in self.fixes


class World:
    """A small organisation that changes at random."""

    def __init__(self, dice: random.Random, readers: dict[str, Any]) -> None:
        self.dice = dice
        self.people = [reader for reader in readers.values() if isinstance(reader, User)]
        self.teams = [factory.team(name, *self.some(self.people)) for name in ("North", "South", "East")]
        for _ in range(6):
            self.populate()

    def some(self, rows: list[Any]) -> list[Any]:
        return self.dice.sample(rows, self.dice.randrange(min(3, len(rows) + 1)))

    def one_or_none(self, rows: list[Any]) -> Any:
        return self.dice.choice([None, *rows])

    def populate(self) -> None:
        incident = factory.incident(visibility=self.dice.choice(Visibility.values))
        postmortem = factory.postmortem(
            status=self.dice.choice(Postmortem.Status.values),
            visibility=self.dice.choice(Visibility.values),
            published_at=factory.NOON,
            owner=self.one_or_none(self.people),
            team=self.one_or_none(self.teams),
        )
        postmortem.incidents.set(self.some(list(Incident.objects.all())))
        fix = factory.fix(visibility=self.dice.choice(Visibility.values), postmortem=self.one_or_none([postmortem]))
        for row in (incident, postmortem, fix):
            row.members.set(self.some(self.people))
            row.shared_with.set(self.some(self.teams))
        factory.action_item(postmortem=postmortem, incident=self.one_or_none([incident]))
        factory.action_item(incident=incident)
        factory.fix_use(fix, incident, self.dice.choice(FixUse.Outcome.values))
        factory.fix_use(fix, self.dice.choice(Incident.objects.exclude(pk=incident.pk) or [factory.incident()]))

    def change(self) -> None:
        model = self.dice.choice([Incident, Postmortem, Fix])
        row: Any = self.dice.choice(list(model.objects.all()))
        model.objects.filter(pk=row.pk).update(visibility=self.dice.choice(Visibility.values))
        row.members.set(self.some(self.people))
        row.shared_with.set(self.some(self.teams))
        self.dice.choice(self.teams).members.set(self.some(self.people))


@pytest.mark.parametrize("seed", range(6))
def test_the_database_agrees_with_the_rules_in_any_world(readers: dict[str, Any], seed: int) -> None:
    world = World(random.Random(seed), readers)

    for _ in range(3):
        now = Snapshot()
        for name, reader in readers.items():
            oracle = Oracle(now, reader)
            for model, expected in (
                (Incident, oracle.incidents),
                (Postmortem, oracle.postmortems),
                (Fix, oracle.fixes),
                (ActionItem, oracle.action_items),
                (FixUse, oracle.fix_uses),
            ):
                found = list(model.objects.visible_to(reader).values_list("pk", flat=True))
                assert sorted(found) == sorted(expected), (name, model.__name__)
            at_once = ActionItem.objects.all_visible_to(reader).values_list("pk", flat=True)
            assert sorted(at_once) == sorted(oracle.action_items), name
            tried = {fix.pk: fix.tried for fix in Fix.objects.with_track_record(reader)}
            for fix in now.fixes:
                assert tried[fix.pk] == sum(use.incident_id in oracle.incidents for use in fix.uses.all()), (name, fix)
        world.change()


@pytest.mark.parametrize("seed", range(2))
def test_what_is_open_to_all_is_what_every_signed_in_reader_sees(readers: dict[str, Any], seed: int) -> None:
    World(random.Random(seed), readers)
    stranger = factory.user("zoe")  # named nowhere, on no team

    for model in (Incident, Postmortem, Fix):
        assert set(model.objects.open_to_all()) == set(model.objects.visible_to(stranger))


# --- suggestions ---


def test_a_verdict_and_a_run_are_hidden_with_their_incident(readers: dict[str, Any]) -> None:
    incident, secret, postmortem = factory.incident(), restricted_incident(readers["alice"]), factory.postmortem()

    assert seen_by(factory.verdict(incident, postmortem), readers) == EVERYONE
    assert seen_by(factory.verdict(secret, postmortem), readers) == ONLY_ALICE
    assert seen_by(factory.suggestion_run(incident), readers) == EVERYONE
    assert seen_by(factory.suggestion_run(secret, user=readers["charlie"]), readers) == ONLY_ALICE


def test_a_gap_is_hidden_with_its_incident_and_a_reading_with_its_postmortem(readers: dict[str, Any]) -> None:
    secret, reader, on = restricted_incident(readers["alice"]), readers["charlie"], factory.NOON.date()
    gap = KnowledgeGap.objects.record(incident=secret, text="flux", by=reader, at=factory.NOON)
    told = factory.postmortem(visibility=RESTRICTED)
    told.members.add(readers["alice"])
    Reading.objects.record(postmortem=told, reader=reader, on=on)

    assert seen_by(gap, readers) == ONLY_ALICE
    assert seen_by(Reading.objects.get(), readers) == ONLY_ALICE


def test_a_run_without_an_incident_is_seen_by_who_asked(readers: dict[str, Any]) -> None:
    assert seen_by(factory.suggestion_run(None, user=readers["bob"]), readers) == {"bob"}
    assert seen_by(factory.suggestion_run(None, user=readers["switched off"]), readers) == set()
    assert seen_by(factory.suggestion_run(None), readers) == set()
