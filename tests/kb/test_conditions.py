"""A condition that is compiled once says of each row, in any query, what the plain one says."""

from typing import Any

import pytest
from django.db.models import Exists, OuterRef, Q

from kb.conditions import Rule
from postmortems.models import ActionItem, Fix, Incident, Postmortem, Team, User, Visibility
from tests import factory

pytestmark = pytest.mark.django_db

PLAIN = Postmortem.objects.seen_where
SEEN = Rule(Postmortem, PLAIN)


@pytest.fixture
def world(alice: User, bob: User, charlie: User, team: Team) -> list[User]:
    """A postmortem for each reason to see one or not, and what hangs on them."""
    homes = [factory.postmortem(f"Told {n}", published_at=factory.NOON) for n in range(4)]
    homes.append(factory.postmortem("Hers", status=Postmortem.Status.DRAFT, owner=alice, published_at=None))
    homes.append(factory.postmortem("Theirs", status=Postmortem.Status.DRAFT, team=team, published_at=None))
    hidden = factory.incident(visibility=Visibility.RESTRICTED)
    hidden.members.add(bob)
    homes[1].incidents.add(hidden, factory.incident())
    homes[2].incidents.add(factory.incident())
    for home in (*homes, None):
        factory.fix(postmortem=home)
        factory.action_item(postmortem=home, incident=None if home else hidden)
    return [alice, bob, charlie]


def same_for(readers: list[User], rows: Any, ask: Any) -> list[int]:
    """How many rows each sees, after these were compared with the plain condition's."""
    counts = []
    for reader in readers:
        ours = set(ask(rows, lambda at="", pk=reader.pk: SEEN.of(pk, at)))
        assert ours == set(ask(rows, lambda at="", pk=reader.pk: PLAIN(pk, at)))
        counts.append(len(ours))
    return counts


def test_of_rows_themselves(world: list[User]) -> None:
    counts = same_for(world, Postmortem.objects.all(), lambda rows, where: rows.filter(where()))

    assert counts == [5, 5, 3]


def test_of_rows_that_others_point_to(world: list[User]) -> None:
    same_for(world, Fix.objects.all(), lambda rows, where: rows.filter(where("postmortem__")))


def test_with_others_that_may_hold_instead(world: list[User]) -> None:
    counts = same_for(
        world, ActionItem.objects.all(), lambda rows, where: rows.filter(Q(postmortem=None) | where("postmortem__"))
    )

    assert counts == [6, 6, 4]


def test_in_subqueries_around_subqueries_no_row_is_taken_for_another(world: list[User]) -> None:
    """Its own subqueries call their rows as Django calls those of the ones in the middle."""

    def in_the_middle(fixes: Any, where: Any) -> Any:
        told = Exists(Incident.objects.filter(postmortems=OuterRef("pk")))
        seen = Postmortem.objects.filter(where()).filter(told | Q(incidents=None))
        return fixes.filter(Exists(seen.filter(pk=OuterRef("postmortem"))))

    assert same_for(world, Fix.objects.all(), in_the_middle) == [5, 5, 3]


def test_in_queries_that_are_joined_and_counted(world: list[User]) -> None:
    alice, bob, _ = world

    either = Postmortem.objects.filter(SEEN.of(alice.pk)) | Postmortem.objects.filter(SEEN.of(bob.pk))

    assert either.count() == Postmortem.objects.filter(PLAIN(alice.pk) | PLAIN(bob.pk)).count() == 6


def test_a_rule_that_follows_foreign_keys_finds_each_row(world: list[User]) -> None:
    rule = Rule(Fix, Fix.objects.seen_where)

    for reader in world:
        fixes = Fix.objects.filter(Fix.objects.seen_where(reader.pk))
        assert set(Fix.objects.filter(rule.of(reader.pk))) == set(fixes)
        tried = Incident.objects.filter(rule.of(reader.pk, "fix_uses__fix__"))
        assert set(tried) == set(Incident.objects.filter(fix_uses__fix__in=fixes))


def test_what_changed_since_is_seen(alice: User) -> None:
    hidden = factory.postmortem(visibility=Visibility.RESTRICTED, published_at=factory.NOON)
    seen = Postmortem.objects.filter(SEEN.of(alice.pk))
    assert not seen.exists()

    hidden.members.add(alice)

    assert seen.get() == hidden


def test_a_rule_within_a_rule_speaks_of_the_same_rows(world: list[User]) -> None:
    alice, *_ = world

    def told_or_hers(pk: int, at: str = "") -> Q:
        return Q(**{f"{at}title__startswith": "Told"}) | Q(**{f"{at}owner__pk": pk, f"{at}owner__username": "alice"})

    inner = Rule(Postmortem, told_or_hers)
    outer = Rule(Fix, lambda pk: inner.of(pk, "postmortem__"))

    ours = set(Fix.objects.filter(outer.of(alice.pk)))

    assert ours == set(Fix.objects.filter(told_or_hers(alice.pk, "postmortem__")))
    assert len(ours) == 5
