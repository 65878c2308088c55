"""Tokens: made and revoked on pages, shown by programs, never worth more than their account."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone

from postmortems.models import ApiToken, AuditEvent, Scope, User
from postmortems.models.readers import reviewers_for
from postmortems.roles import NotAllowed
from postmortems.workflows import responding, tokens
from postmortems.workflows.responding import NotOnIt
from tests import factory

pytestmark = pytest.mark.django_db

SEARCH = "/api/v1/search/?q=pool"
SUGGESTIONS = "/api/v1/suggestions/"
SECRET = re.compile(r"kb_[\w-]{43}")


def token_of(user: User, *scopes: str, **known: Any) -> str:
    return ApiToken.objects.issue(user=user, name="laptop", scopes=scopes or ("read",), at=timezone.now(), **known)[1]


def ask(secret: str, address: str = SEARCH) -> Any:
    return Client().get(address, headers={"authorization": f"Bearer {secret}"})


def program(**details: Any) -> User:
    return factory.user("pager-bot", is_integration=True, **details)


# --- the pages ---


def test_a_secret_is_shown_once_and_stored_nowhere(alice: User) -> None:
    client = factory.signed_in(alice)

    made = client.post("/account/tokens/", {"name": "Laptop", "scopes": ["read", "write"], "days": "30"})
    again = client.get("/account/tokens/")

    secret = SECRET.findall(made.text)[0]
    row = ApiToken.objects.get()
    assert (row.user, row.name, row.scopes, row.hint) == (alice, "Laptop", ["read", "write"], secret[-4:])
    assert row.expires_at is not None and timedelta(29) < row.expires_at - timezone.now() < timedelta(31)
    assert "no-store" in made["Cache-Control"]
    assert secret not in again.text and f"…{secret[-4:]}" in again.text
    assert not [event for event in AuditEvent.objects.all() if secret in f"{event.object_name}{event.changes}"]
    assert ask(secret).status_code == 200


@pytest.mark.parametrize(
    "typed",
    [{"name": "", "scopes": ["read"]}, {"name": "x"}, {"name": "x", "scopes": ["root"]}, {"name": "x", "days": "9"}],
)
def test_a_token_that_says_too_little_is_not_made(alice: User, typed: dict[str, Any]) -> None:
    answer = factory.signed_in(alice).post("/account/tokens/", typed)

    assert answer.status_code == 200 and "errorlist" in answer.text
    assert not ApiToken.objects.exists()


def test_a_revoked_token_opens_nothing(alice: User) -> None:
    secret = token_of(alice)
    assert ask(secret).status_code == 200

    factory.signed_in(alice).post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke/")

    assert ask(secret).status_code == 401
    assert AuditEvent.objects.filter(action="token.revoke").count() == 1


def test_somebody_elses_token_is_not_there(alice: User, bob: User, admin: User) -> None:
    secret = token_of(alice)
    address = f"/account/tokens/{ApiToken.objects.get().pk}/revoke/"

    assert factory.signed_in(bob).post(address).status_code == 404
    assert secret[-4:] not in factory.signed_in(bob).get("/account/tokens/").text
    assert not ApiToken.objects.visible_to(AnonymousUser()).exists()
    assert factory.signed_in(admin).post(address).status_code == 302
    assert ask(secret).status_code == 401


def test_an_administrator_makes_a_program_and_its_token(admin: User, team: Any) -> None:
    client = factory.signed_in(admin)

    answer = client.post("/programs/", {"name": "pager-bot", "role": "author", "teams": [team.slug]}, follow=True)
    bot = User.objects.get(username="pager-bot")
    made = client.post(f"/programs/{bot.pk}/", {"name": "Production", "scopes": ["ingest"], "days": ""})

    assert "pager-bot" in answer.text and "pager-bot" in client.get("/programs/").text
    assert (bot.is_integration, bot.roles, list(bot.teams.all())) == (True, {"author"}, [team])
    assert not bot.has_usable_password()
    assert SECRET.search(made.text)
    assert ApiToken.objects.get().expires_at is None


def test_a_name_that_is_taken_makes_no_program(admin: User, alice: User) -> None:
    answer = factory.signed_in(admin).post("/programs/", {"name": "Alice", "role": "author"})

    assert "taken" in answer.text
    assert not User.objects.filter(is_integration=True).exists()


def test_nobody_makes_a_token_that_acts_as_somebody_else(admin: User, alice: User) -> None:
    with pytest.raises(NotAllowed):
        tokens.issue(user=alice, name="x", scopes=["read"], by=admin, at=timezone.now())

    assert factory.signed_in(admin).get(f"/programs/{alice.pk}/").status_code == 404


def test_only_administrators_make_programs_and_hand_out_and_take_back_what_is_not_theirs(
    alice: User, bob: User, admin: User
) -> None:
    now, bot = timezone.now(), program()
    token, _ = tokens.issue(user=alice, name="x", scopes=["read"], by=alice, at=now)

    for step in (
        lambda by: tokens.create_program(name="other-bot", role="author", teams=[], by=by, at=now),
        lambda by: tokens.issue(user=bot, name="x", scopes=["read"], by=by, at=now),
        lambda by: tokens.revoke(token, by=by, at=now),
    ):
        with pytest.raises(NotAllowed):
            step(bob)
        step(admin)

    actions = AuditEvent.objects.order_by("pk").values_list("action", "by__username")
    assert list(actions) == [
        ("token.issue", "alice"),
        ("account.create", "admin"),
        ("token.issue", "admin"),
        ("token.revoke", "admin"),
    ]


def test_revoked_again_it_is_revoked_since_the_first_time(alice: User) -> None:
    now = timezone.now()
    (token, _), (other, _) = (
        tokens.issue(user=alice, name=name, scopes=["read"], by=alice, at=now) for name in ("x", "y")
    )

    for minute in (1, 2):
        tokens.revoke(token, by=alice, at=now + timedelta(minutes=minute))

    other.refresh_from_db()
    assert (token.revoked_at, other.revoked_at) == (now + timedelta(minutes=1), None)


def test_who_left_sees_no_tokens(alice: User) -> None:
    token_of(alice)
    assert ApiToken.objects.visible_to(alice).exists()

    alice.let_in(False)

    assert not ApiToken.objects.visible_to(alice).exists()


# --- what is shown ---


def test_it_is_good_until_the_moment_it_expires(alice: User) -> None:
    end = timezone.now()
    secret = token_of(alice, expires_at=end)

    assert tokens.holder_of(secret, at=end - timedelta(seconds=1)) is not None
    assert tokens.holder_of(secret, at=end) is None


def test_asked_for_another_scope_it_is_none_and_its_use_is_not_noted(alice: User) -> None:
    secret, now = token_of(alice, "feed", "read"), timezone.now()

    assert tokens.holder_of(secret, scope="ingest", at=now) is None
    assert ApiToken.objects.get().last_used_at is None
    assert tokens.holder_of(secret, scope="feed", at=now) == ApiToken.objects.get()


def test_what_can_be_no_secret_is_not_looked_up(db: None, django_assert_num_queries: Any) -> None:
    now = timezone.now()

    with django_assert_num_queries(0):
        for wrong in ("", "x" * 46, "kb_" + "x" * 98, "kb_é"):
            assert tokens.holder_of(wrong, at=now) is None
    with django_assert_num_queries(1):
        assert tokens.holder_of("kb_" + "x" * 97, at=now) is None


def test_every_wrong_token_gets_the_same_answer(alice: User, bob: User) -> None:
    now = timezone.now()
    expired = token_of(alice, expires_at=now - timedelta(seconds=1))
    revoked = token_of(alice, revoked_at=now)
    closed = token_of(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)

    answers = [ask(secret) for secret in (expired, revoked, closed, "kb_" + "x" * 43, "", "kb_", "é", "x" * 5000)]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="Postmortem KB"'}


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_is_good_for_its_scopes_only(alice: User, scope: str, learn: Any) -> None:
    known = {"headers": {"authorization": f"Bearer {token_of(alice, scope)}"}}

    read = Client().get(SEARCH, **known)
    asked = Client().post(SUGGESTIONS, {"title": "Slow"}, content_type="application/json", **known)

    # Asking for suggestions changes nothing: to look is enough for it, although the question is posted.
    assert {read.status_code, asked.status_code} == ({200} if scope == "read" else {403})
    assert scope == "read" or "lacks the scope" in read.text


def test_a_use_is_written_down_once_a_minute(alice: User) -> None:
    other, secret = token_of(alice), token_of(alice)
    now = timezone.now()

    for seconds, known in ((0, 0), (59, 0), (60, 60)):
        token = tokens.holder_of(secret, at=now + timedelta(seconds=seconds))
        assert token is not None
        token.refresh_from_db()
        assert token.last_used_at == now + timedelta(seconds=known)
    assert ApiToken.objects.with_secret(other).get().last_used_at is None


def test_wrong_tokens_are_counted_and_good_ones_go_on(alice: User) -> None:
    secret = token_of(alice)

    answers = [ask("kb_wrong").status_code for _ in range(32)]

    assert answers == [401] * 30 + [429] * 2
    assert ask(secret).status_code == 200


# --- the accounts of programs ---


def test_nobody_signs_in_with_the_account_of_a_program() -> None:
    bot, client = program(), Client()

    client.post("/accounts/login/", {"username": "pager-bot", "password": factory.PASSWORD})
    basic = Client(headers={"authorization": "Basic cGFnZXItYm90OmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU="})

    assert client.get("/account/").status_code == 302
    assert basic.get(SEARCH).status_code == 401
    assert factory.signed_in(bot).get("/account/").status_code == 302
    assert ask(token_of(bot)).status_code == 200


def test_a_program_is_not_offered_where_a_person_is_wanted(alice: User, admin: User) -> None:
    bot = program()
    postmortem = factory.postmortem(owner=alice, status="draft")
    incident = factory.incident()

    assert bot not in reviewers_for(postmortem)
    with pytest.raises(NotOnIt):
        responding.take_command(incident, by=bot, at=timezone.now(), instead_of=None)
