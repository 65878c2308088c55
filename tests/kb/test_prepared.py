"""A query that is compiled once answers each time like one that is built anew."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef

from kb.listing import CountOf, ListOf
from kb.prepared import Prepared
from postmortems.models import Service, Team, User
from tests import factory

pytestmark = pytest.mark.django_db


def asked(pk: int) -> Any:
    groups = ListOf(Group.objects.filter(user=OuterRef("pk")), name="name")
    teams = CountOf(Team.objects.filter(members=pk))
    return (
        User.objects.filter(pk=pk)
        .annotate(their_groups=groups)
        .values("username", "date_joined", "is_active", "their_groups", their_teams=teams)
    )


def test_it_answers_for_each_as_the_plain_query_does(alice: User, bob: User, team: Team) -> None:
    charlie = factory.user("charlie", roles=())
    prepared = Prepared(asked)

    for person in (alice, bob, charlie, alice):
        row, plain = prepared.row(person.pk), asked(person.pk)[0]

        assert row is not None
        assert sorted(row.pop("their_groups"), key=str) == sorted(plain.pop("their_groups"), key=str)
        assert row == plain


def of_these(boss: int, pks: list[int]) -> Any:
    """Instances, with a row that each points to."""
    named = Exists(User.objects.filter(pk=boss, teams=OuterRef("owner_team")))
    return Service.objects.filter(pk__in=pks).select_related("owner_team").annotate(is_hers=named).order_by("pk")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8])
def test_it_gives_instances_of_a_list_of_any_length(alice: User, team: Team, count: int) -> None:
    prepared, services = Prepared(of_these), [factory.service(f"Service {n}") for n in range(9)]
    Service.objects.filter(pk=services[0].pk).update(owner_team=team)

    for pks in ([row.pk for row in services[:count]], [row.pk for row in services[9 - count :]]):
        found, plain = prepared.rows(alice.pk, pks), list(of_these(alice.pk, pks))
        assert found == plain
        assert [(row.owner_team, row.is_hers) for row in found] == [(row.owner_team, row.is_hers) for row in plain]
        assert len(found) == count


def test_a_query_of_what_is_prefetched_is_refused(alice: User) -> None:
    with pytest.raises(ValueError, match="prefetched"):
        Prepared(lambda pk: User.objects.filter(pk=pk).prefetch_related("teams")).rows(alice.pk)


def test_what_changed_since_is_seen(alice: User) -> None:
    prepared = Prepared(asked)
    prepared.row(alice.pk)
    factory.team("Search", alice)

    row = prepared.row(alice.pk)

    assert row is not None
    assert row["their_teams"] == 1


def test_no_row_is_none(db: None) -> None:
    assert Prepared(asked).row(404) is None


def test_a_query_that_is_the_same_for_all_is_refused(alice: User) -> None:
    with pytest.raises(ValueError, match="no parameter"):
        Prepared(lambda pk: User.objects.values("pk")).row(alice.pk)


def test_who_is_signed_in_is_loaded_whole(alice: User) -> None:
    answer = factory.signed_in(alice).get("/account/")

    assert answer.wsgi_request.user == alice
    assert {name: getattr(answer.wsgi_request.user, name) for name in ("email", "date_joined", "wants_mail")} == {
        name: getattr(alice, name) for name in ("email", "date_joined", "wants_mail")
    }
