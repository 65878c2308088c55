"""People: roles, teams and doors are given by administrators, and written down."""

import pytest
from pytest_django import Settings

from postmortems.models import AuditEvent, Team, User
from postmortems.roles import Role
from tests import factory

pytestmark = pytest.mark.django_db


def test_an_administrator_gives_roles_and_teams(admin: User, bob: User, team: Team) -> None:
    client = factory.signed_in(admin)

    answer = client.post(
        f"/people/{bob.pk}/", {"roles": ["manager", "author"], "teams": [], "is_active": "on"}, follow=True
    )

    assert "saved" in answer.text
    assert User.objects.get(pk=bob.pk).roles == {Role.MANAGER, Role.AUTHOR}
    assert not bob.teams.exists()
    event = AuditEvent.objects.get(action="account.change")
    assert (event.by_name, event.object_name) == ("admin", "Bob")
    assert event.changes == {"roles": [["author", "reviewer"], ["author", "manager"]], "teams": [["Payments"], []]}


def test_the_last_administrator_stays_one(db: None) -> None:
    root = factory.user("root", roles=("administrator",))
    client = factory.signed_in(root)

    for wish in ({"roles": "author", "is_active": "on"}, {"roles": "administrator"}):
        answer = client.post(f"/people/{root.pk}/", wish)
        assert "last administrator" in answer.text
        assert User.objects.get(pk=root.pk).is_administrator
    assert not AuditEvent.objects.filter(action="account.change").exists()

    factory.user("second", roles=("administrator",))
    client.post(f"/people/{root.pk}/", {"roles": "author", "is_active": "on"})
    assert not User.objects.get(pk=root.pk).is_administrator


def test_who_is_shut_out_is_out_with_the_next_click(admin: User, bob: User) -> None:
    his = factory.signed_in(bob)
    assert his.get("/account/").status_code == 200

    factory.signed_in(admin).post(f"/people/{bob.pk}/", {"roles": "author"})

    assert his.get("/account/").status_code == 302


def test_a_role_that_does_not_exist_is_refused(admin: User, bob: User) -> None:
    answer = factory.signed_in(admin).post(f"/people/{bob.pk}/", {"roles": "emperor", "is_active": "on"})

    assert answer.status_code == 200 and "errorlist" in answer.text
    assert User.objects.get(pk=bob.pk).roles == {Role.AUTHOR, Role.REVIEWER}


def test_people_are_listed_and_looked_for(admin: User, alice: User, bob: User) -> None:
    page = factory.signed_in(admin).get("/people/?name=ali").text

    assert "Alice" in page and "Bob" not in page


def test_the_operator_says_what_somebody_without_a_role_may(settings: Settings) -> None:
    settings.DEFAULT_ROLE = "author"

    assert factory.user("nina", roles=()).may("declare")
    assert not factory.user("rita", roles=("reader",)).may("declare")
