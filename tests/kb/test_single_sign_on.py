"""Sign-in by OpenID Connect, against a provider of our own on loopback: whom it lets in, and as whom."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialApp
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone

from postmortems.models import AuditEvent, Invitation, User
from postmortems.workflows import accounts
from tests import factory
from tests.factory import NOON
from tests.kb.identity_provider import OTHER_KEY, Provider, running

pytestmark = pytest.mark.django_db

START = "/accounts/oidc/sso/login/"
BACK = "/accounts/oidc/sso/login/callback/"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with running() as provider:
        settings.SOCIALACCOUNT_PROVIDERS = provider.as_settings()
        settings.OIDC_NAME, settings.OIDC_DOMAINS = "Example", ["example.org"]
        yield provider


@pytest.fixture
def alice(db: None) -> User:
    return factory.user("alice", email="alice@example.org")


def to_provider(client: Client, provider: Provider, **form: str) -> dict[str, str]:
    """What the page that leads to the provider sends along."""
    page = client.post(START, form)
    (address,) = re.findall(r'content="0; url=([^"]+)"', page.text)
    assert f'href="{address}"' in page.text  # where nothing moves on by itself
    sent = {name: values[0] for name, values in parse_qs(urlsplit(html.unescape(address)).query).items()}
    provider.challenge = sent["code_challenge"]
    return sent


def come_back(client: Client, provider: Provider, **form: str) -> Any:
    sent = to_provider(client, provider, **form)
    return client.get(BACK, {"code": "anything", "state": sent["state"]})


def who_is_in(client: Client) -> str:
    page = client.get("/account/")
    return str(page.context["user"].username) if page.status_code == 200 else ""


# --- who gets in ---


def test_the_page_offers_the_provider_only_if_there_is_one(client: Client, provider: Provider, settings: Any) -> None:
    assert "Sign in with Example" in client.get("/accounts/login/").text

    settings.SOCIALACCOUNT_PROVIDERS = {}

    assert "Sign in with" not in client.get("/accounts/login/").text
    assert client.post(START).status_code == client.get(BACK).status_code == 404


def test_it_asks_for_the_address_with_a_proof_that_only_we_can_complete(client: Client, provider: Provider) -> None:
    sent = to_provider(client, provider)

    assert set(sent["scope"].split()) == {"openid", "profile", "email"}
    assert sent["redirect_uri"].endswith(BACK)
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["state"]) >= 16


def test_a_verified_address_is_the_account_that_has_it(client: Client, provider: Provider, alice: User) -> None:
    answer = come_back(client, provider, next="/fixes/")

    assert answer.headers["Location"] == "/fixes/"
    assert who_is_in(client) == "alice"
    assert alice.check_password(factory.PASSWORD)
    alice.refresh_from_db()
    assert alice.has_usable_password()


def test_afterwards_it_is_known_by_its_id_whatever_the_address(client: Client, provider: Provider, alice: User) -> None:
    come_back(Client(), provider)
    provider.person["email"] = "alice.married@example.org"

    come_back(client, provider)

    assert who_is_in(client) == "alice"
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize("verified", [False, None, "false", "true"])
def test_an_address_that_is_not_verified_is_nobodys(
    client: Client, provider: Provider, alice: User, verified: Any
) -> None:
    provider.person["email_verified"] = verified

    answer = come_back(client, provider)

    assert answer.status_code == 403
    assert "does not say that your e-mail address is verified" in answer.text
    assert who_is_in(client) == ""
    assert not SocialAccount.objects.exists()


def test_a_provider_that_is_trusted_need_not_say_so(
    client: Client, provider: Provider, alice: User, settings: Any
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["verified_email"] = True
    del provider.person["email_verified"]

    come_back(client, provider)

    assert who_is_in(client) == "alice"


@pytest.mark.parametrize(
    "email", ["mallory@evil.example", "mallory@notexample.org", "mallory@example.org.evil.example"]
)
def test_an_address_of_another_domain_does_not_get_in(client: Client, provider: Provider, email: str) -> None:
    factory.user("mallory", email=email)
    provider.person["email"] = email

    answer = come_back(client, provider)

    assert answer.status_code == 403
    assert "Addresses of this domain may not sign in" in answer.text
    assert who_is_in(client) == ""


def test_no_account_is_made_unless_the_operator_says_so(client: Client, provider: Provider) -> None:
    answer = come_back(client, provider)

    assert "There is no account with your e-mail address" in answer.text
    assert not User.objects.exists()


def test_an_account_is_made_where_the_operator_says_so(client: Client, provider: Provider, settings: Any) -> None:
    settings.OIDC_CREATES_ACCOUNTS = True
    provider.person |= {"preferred_username": "alice.w", "given_name": "Alice", "family_name": "Walker"}

    come_back(client, provider)

    user = User.objects.get()
    assert who_is_in(client) == user.username == "alice.w"
    assert (user.email, str(user), user.roles) == ("alice@example.org", "Alice Walker", {"reader"})
    assert not user.has_usable_password()
    assert EmailAddress.objects.get().verified


@pytest.fixture
def invitation(db: None) -> Invitation:
    manager = factory.user("mary", roles=("manager",))
    preset = {"by": manager, "role": "reviewer", "team": factory.team("Edge")}
    return accounts.invite("Alice@example.org", at=timezone.now(), **preset)


def test_who_is_invited_may_come_this_way_too(client: Client, provider: Provider, invitation: Invitation) -> None:
    come_back(client, provider)

    alice = User.objects.get(email="alice@example.org")
    invitation.refresh_from_db()
    assert who_is_in(client) == alice.username
    assert (alice.roles, [team.name for team in alice.teams.all()]) == ({"reviewer"}, ["Edge"])
    assert invitation.accepted_by == alice
    assert {"invitation.accept", "account.change"} <= set(AuditEvent.objects.values_list("action", flat=True))


@pytest.mark.parametrize("change", [{"revoked_at": NOON}, {"expires_at": NOON, "created_at": NOON - timedelta(days=7)}])
def test_an_invitation_that_is_no_longer_good_lets_nobody_in(
    client: Client, provider: Provider, invitation: Invitation, change: dict[str, Any]
) -> None:
    Invitation.objects.update(**change)

    assert "Ask an administrator to invite you" in come_back(client, provider).text
    assert not User.objects.filter(email="alice@example.org").exists()


def test_an_invitation_is_of_the_address_that_is_verified(
    client: Client, provider: Provider, invitation: Invitation
) -> None:
    provider.person["email_verified"] = False

    assert "does not say that your e-mail address is verified" in come_back(client, provider).text
    invitation.refresh_from_db()
    assert invitation.accepted_at is None


def test_two_accounts_with_one_address_are_not_guessed_between(client: Client, provider: Provider, alice: User) -> None:
    factory.user("alice2", email="ALICE@example.org")

    assert "Several accounts have your e-mail address" in come_back(client, provider).text
    assert who_is_in(client) == ""


@pytest.mark.parametrize("known", [False, True])
def test_a_closed_account_stays_closed(client: Client, provider: Provider, alice: User, known: bool) -> None:
    if known:
        come_back(Client(), provider)
    User.objects.update(is_active=False)

    come_back(client, provider)

    assert who_is_in(client) == ""
    assert SocialAccount.objects.exists() == known  # nothing to come back by, should it be opened again


def test_the_second_step_is_asked_for_all_the_same(client: Client, provider: Provider, alice: User) -> None:
    TOTP.activate(alice, "A" * 32)

    answer = come_back(client, provider)

    assert answer.headers["Location"] == "/accounts/second-factor/sign-in/"
    assert who_is_in(client) == ""


def test_the_owner_of_an_account_is_told_that_it_was_connected(provider: Provider, alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)

    come_back(Client(), provider)

    assert [each.to for each in mail.outbox] == [["alice@example.org"]]


def test_the_session_is_a_new_one(client: Client, provider: Provider, alice: User) -> None:
    sent = to_provider(client, provider)
    before = client.cookies["kb_session"].value

    client.get(BACK, {"code": "anything", "state": sent["state"]})

    assert client.cookies["kb_session"].value != before


# --- roles ---


def test_roles_follow_the_groups_of_the_provider_and_others_stay(
    client: Client, provider: Provider, settings: Any
) -> None:
    alice = factory.user("alice", email="alice@example.org", roles=("reviewer", "manager"))
    Group.objects.get_or_create(name="author")
    settings.OIDC_ROLES = {"sre": "author", "leads": "manager"}
    provider.person["groups"] = ["sre", "unheard of"]

    come_back(client, provider)

    assert User.objects.get(pk=alice.pk).roles == {"author", "reviewer"}
    said = AuditEvent.objects.get(action="account.change")
    assert (said.changes["roles"], said.by) == ([["manager", "reviewer"], ["author", "reviewer"]], None)


# --- what is wrong with an answer ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://127.0.0.1/another"},
        {"aud": "another"},
        {"exp": 1},
        {"sub": None},
    ],
)
def test_a_token_for_others_or_of_old_opens_nothing(
    client: Client, provider: Provider, alice: User, wrong: dict[str, Any]
) -> None:
    provider.claims = wrong

    answer = come_back(client, provider)

    assert answer.status_code == 401
    assert "That did not sign you in" in answer.text
    assert who_is_in(client) == ""


def test_a_token_that_another_key_signed_opens_nothing(client: Client, provider: Provider, alice: User) -> None:
    provider.key = OTHER_KEY

    assert come_back(client, provider).status_code == 401
    assert who_is_in(client) == ""


def test_an_address_may_come_by_the_other_way_but_of_the_same_person(
    client: Client, provider: Provider, alice: User
) -> None:
    provider.userinfo = {"sub": "8", "email": provider.person.pop("email"), "email_verified": True}
    assert come_back(client, provider).status_code == 401

    provider.userinfo["sub"] = "7"
    come_back(client, provider)

    assert who_is_in(client) == "alice"


def test_an_answer_that_nobody_asked_for_opens_nothing(client: Client, provider: Provider, alice: User) -> None:
    sent = to_provider(Client(), provider)

    for query in ({"code": "x"}, {"code": "x", "state": sent["state"]}, {}):
        assert client.get(BACK, query).status_code == 401
    assert who_is_in(client) == ""


def test_cancelling_there_leads_to_a_page_that_says_so(client: Client, provider: Provider) -> None:
    sent = to_provider(client, provider)

    answer = client.get(BACK, {"error": "access_denied", "state": sent["state"]}, follow=True)

    assert "You cancelled it" in answer.text


def test_a_provider_that_is_away_is_said_and_no_error(client: Client, provider: Provider, settings: Any) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = "http://127.0.0.1:1/realm"

    answer = client.post(START)

    assert answer.status_code == 502
    assert "does not answer as it should" in answer.text


def test_a_provider_that_goes_away_meanwhile_is_said_too(client: Client, provider: Provider) -> None:
    sent = to_provider(client, provider)
    provider.calls_itself = "https://evil.example"

    assert client.get(BACK, {"code": "x", "state": sent["state"]}).status_code == 502


def test_a_provider_that_calls_itself_otherwise_is_not_asked(client: Client, provider: Provider) -> None:
    provider.calls_itself = "https://evil.example"

    assert client.post(START).status_code == 502


def test_a_link_alone_does_not_start_it(client: Client, provider: Provider) -> None:
    answer = client.get(START)

    assert "Continue" in answer.text
    assert provider.issuer not in answer.text


def test_no_provider_comes_from_the_database(client: Client, db: None, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {}
    SocialApp.objects.create(
        provider="openid_connect", provider_id="evil", name="Evil", client_id="x", settings={"server_url": "http://x"}
    )

    assert client.post("/accounts/oidc/evil/login/").status_code == 404


def test_nobody_who_is_signed_in_connects_another_identity(provider: Provider, alice: User) -> None:
    client = factory.signed_in(factory.user("bob", email="bob@example.org"))
    page = client.post(START + "?process=connect")
    (address,) = re.findall(r'content="0; url=([^"]+)"', page.text)
    sent = parse_qs(urlsplit(html.unescape(address)).query)
    provider.challenge = sent["code_challenge"][0]

    answer = client.get(BACK, {"code": "x", "state": sent["state"][0]})

    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()
