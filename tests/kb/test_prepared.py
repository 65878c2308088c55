"""A query that is compiled once answers each time like one that is built anew."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import OuterRef

from kb.listing import CountOf, ListOf
from kb.prepared import Prepared
from postmortems.models import Team, User
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
