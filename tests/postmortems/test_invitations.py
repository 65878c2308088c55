"""Invitations: who may send one, what it gives, how often and how long it is good for; and accounts by oneself."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from kb.errors import DomainError
from postmortems.models import AuditEvent, Invitation, Team, User
from postmortems.models.invitation import GOOD_FOR, InvitationGone
from postmortems.roles import NotAllowed, Role
from postmortems.workflows import accounts
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

DORA = "dora@example.org"
PASSWORD = "a long enough secret"
CHOSEN = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def manager(db: None) -> User:
    return factory.user("mary", first_name="Mary", roles=("manager",))


def now() -> datetime:
    return timezone.now()


def link() -> str:
    """The path behind the newest mail's link."""
    (path,) = re.findall(r"https?://[^/\s]+(/accounts/invitation/\S+)", str(mail.outbox[-1].body))
    return str(path)


# --- inviting ---


@pytest.mark.parametrize("role", Role)
def test_managers_and_administrators_invite_and_nobody_else(role: Role) -> None:
    inviter = factory.user("inviter", roles=(role.value,))

    if role in {Role.MANAGER, Role.ADMINISTRATOR}:
        accounts.invite(DORA, by=inviter, at=now())
        assert [each.to for each in mail.outbox] == [[DORA]]
    else:
        with pytest.raises(NotAllowed):
            accounts.invite(DORA, by=inviter, at=now())
        assert factory.signed_in(inviter).get("/invitations/").status_code == 403
        assert factory.signed_in(inviter).post("/invitations/", {"email": DORA, "role": "reader"}).status_code == 403
        assert not mail.outbox


@pytest.mark.parametrize("role", ["manager", "administrator"])
def test_a_manager_makes_nobody_more_than_an_author_or_reviewer(manager: User, admin: User, role: str) -> None:
    with pytest.raises(accounts.NotInvited):
        accounts.invite(DORA, by=manager, at=now(), role=role)
    answer = factory.signed_in(manager).post("/invitations/", {"email": DORA, "role": role})

    assert "is not one of the available choices" in answer.text
    assert not Invitation.objects.exists()
    assert accounts.invite(DORA, by=admin, at=now(), role=role).role == role


def test_the_page_sends_it_and_lists_it(manager: User) -> None:
    team, client = factory.team("Payments"), factory.signed_in(manager)

    client.post("/invitations/", {"email": "Dora@Example.org", "role": "reviewer", "team": team.pk})

    page = client.get("/invitations/").text
    assert "The invitation is on its way to dora@example.org." in page
    for said in (DORA, "Reviewer, Payments", "Mary"):
        assert said in page
    (sent,) = mail.outbox
    assert sent.subject == "Mary invites you to the postmortem knowledge base"


def test_the_link_is_nowhere_but_in_the_mail(manager: User) -> None:
    accounts.invite(DORA, by=manager, at=now())

    token = link().split("/")[-2]
    assert len(token) >= 40
    assert token not in str(list(Invitation.objects.values()))
    assert token not in factory.signed_in(manager).get("/invitations/").text
    assert token not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("email", [DORA, "DORA@EXAMPLE.ORG"])
def test_who_has_an_account_is_not_invited(manager: User, email: str) -> None:
    factory.user("dora", email=DORA)

    answer = factory.signed_in(manager).post("/invitations/", {"email": email, "role": "reader"})

    assert "has an account already" in answer.text
    assert not mail.outbox


def test_a_mail_that_cannot_be_sent_leaves_no_invitation(
    manager: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = factory.signed_in(manager).post("/invitations/", {"email": DORA, "role": "reader"})

    assert "The mail could not be sent" in answer.text
    assert not Invitation.objects.pending(at=now()).exists()


def test_a_subject_stays_on_one_line(manager: User) -> None:
    User.objects.filter(pk=manager.pk).update(first_name="Mary\nBcc: all@example.org")
    manager.refresh_from_db()

    accounts.invite(DORA, by=manager, at=now())

    assert mail.outbox[0].recipients() == [DORA]
    assert "\n" not in mail.outbox[0].subject


def test_invitations_are_limited(manager: User) -> None:
    client = factory.signed_in(manager)
    answers = [client.post("/invitations/", {"email": f"n{n}@example.org", "role": "reader"}) for n in range(61)]

    assert [answer.status_code for answer in answers] == [302] * 60 + [429]


# --- taking it ---


def test_who_is_invited_chooses_a_name_and_is_in_with_role_and_team(client: Client, manager: User) -> None:
    team = factory.team("Payments")
    accounts.invite(DORA, by=manager, at=now(), role="reviewer", team=team)
    assert DORA in client.get(link()).text
    before = client.session.session_key

    answer = client.post(link(), CHOSEN)

    dora = User.objects.get(username="dora")
    assert answer.headers["Location"] == "/"
    assert client.get("/account/").context["user"] == dora
    assert client.session.session_key != before
    assert (dora.email, dora.roles, list(Team.objects.with_member(dora))) == (DORA, {"reviewer"}, [team])
    assert dora.check_password(PASSWORD)


def test_it_is_good_once(client: Client, manager: User) -> None:
    accounts.invite(DORA, by=manager, at=now())
    client.post(link(), CHOSEN)

    for answer in (Client().get(link()), Client().post(link(), {**CHOSEN, "username": "second"})):
        assert answer.status_code == 410
        assert "no longer good" in answer.text
    assert not User.objects.filter(username="second").exists()


def test_of_two_at_once_one_makes_an_account(manager: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=now())
    first, second = Invitation.objects.get(), Invitation.objects.get()
    accounts.accept(first, username="dora", password=PASSWORD, at=now())

    with pytest.raises(InvitationGone):
        second.accept(by=manager, at=now())
    with pytest.raises(DomainError):
        accounts.accept(second, username="dora2", password=PASSWORD, at=now())

    assert list(User.objects.filter(email=invitation.email).values_list("username", flat=True)) == ["dora"]


def test_it_is_good_for_a_week(client: Client, manager: User) -> None:
    accounts.invite(DORA, by=manager, at=now() - GOOD_FOR + timedelta(hours=1))
    assert client.get(link()).status_code == 200

    accounts.invite(DORA, by=manager, at=now() - GOOD_FOR - timedelta(seconds=1))

    assert client.get(link()).status_code == 410
    assert client.post(link(), CHOSEN).status_code == 410
    assert DORA not in factory.signed_in(manager).get("/invitations/").text


def test_taken_back_it_is_good_for_nothing(client: Client, manager: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=now())

    page = factory.signed_in(manager).post(f"/invitations/{invitation.pk}/revoke/", follow=True).text

    assert "is taken back" in page
    assert client.post(link(), CHOSEN).status_code == 410
    assert not User.objects.filter(username="dora").exists()


def test_only_who_may_invite_takes_one_back(client: Client, manager: User, alice: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=now())

    assert factory.signed_in(alice).post(f"/invitations/{invitation.pk}/revoke/").status_code == 403
    assert client.get(link()).status_code == 200


def test_a_second_one_replaces_the_first(client: Client, manager: User) -> None:
    accounts.invite(DORA, by=manager, at=now())
    old = link()
    accounts.invite(DORA.upper(), by=manager, at=now())

    assert client.get(old).status_code == 410
    assert client.get(link()).status_code == 200


def test_one_that_was_used_cannot_be_taken_back(manager: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=NOON)
    accounts.accept(invitation, username="dora", password=PASSWORD, at=NOON)

    accounts.revoke(invitation, by=manager, at=NOON)

    invitation.refresh_from_db()
    assert invitation.revoked_at is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"username": "mary"}, "Somebody has this user name already"),
        ({"username": "MARY"}, "Somebody has this user name already"),
        ({"username": "a b<script>"}, "Enter a valid username"),
        ({"username": ""}, "This field is required"),
        ({"password2": "another"}, "The two passwords differ"),
        ({"password1": "password", "password2": "password"}, "too common"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "dora@example", "password2": "dora@example"}, "too similar"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(client: Client, manager: User, wrong: dict[str, str], says: str) -> None:
    accounts.invite(DORA, by=manager, at=now())

    answer = client.post(link(), {**CHOSEN, **wrong})

    assert answer.status_code == 200
    assert says in answer.text
    assert Invitation.objects.pending(at=now()).exists()
    assert not User.objects.filter(email=DORA).exists()


def test_a_name_that_was_taken_meanwhile_is_said_and_the_invitation_stays_good(manager: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=now())

    with pytest.raises(accounts.NameTaken):
        accounts.accept(invitation, username="mary", password=PASSWORD, at=now())

    assert Invitation.objects.pending(at=now()).exists()


def test_an_address_that_got_an_account_meanwhile_gets_no_second_one(client: Client, manager: User) -> None:
    accounts.invite(DORA, by=manager, at=now())
    factory.user("by_administrator", email=DORA)

    answer = client.post(link(), CHOSEN)

    assert "has an account already" in answer.text
    assert not User.objects.filter(username="dora").exists()


def test_trying_links_is_limited(client: Client, db: None) -> None:
    answers = [client.post("/accounts/invitation/made-up/", CHOSEN).status_code for _ in range(21)]

    assert answers == [410] * 20 + [429]


def test_who_sent_took_back_and_used_one_is_in_the_audit_log(manager: User) -> None:
    accounts.revoke(accounts.invite(DORA, by=manager, at=NOON), by=manager, at=NOON)
    dora = accounts.accept(accounts.invite(DORA, by=manager, at=NOON), username="dora", password=PASSWORD, at=NOON)

    log = AuditEvent.objects.order_by("pk").values_list("action", "by")
    assert list(log) == [
        ("invitation.send", manager.pk),
        ("invitation.revoke", manager.pk),
        ("invitation.send", manager.pk),
        ("invitation.accept", dora.pk),
    ]


def test_what_an_invitation_gives_is_in_the_audit_log(manager: User) -> None:
    invitation = accounts.invite(DORA, by=manager, at=NOON, role="author", team=factory.team("Search"))

    dora = accounts.accept(invitation, username="dora", password=PASSWORD, at=NOON)

    said = AuditEvent.objects.get(action="account.change", object_name=str(dora))
    assert said.changes == {"roles": [[], ["author"]], "teams": [[], ["Search"]]}
    assert said.by == manager


# --- by oneself ---


def test_there_is_no_open_sign_up(client: Client, db: None) -> None:
    assert "Accounts are by invitation" in client.get("/accounts/signup/").text

    client.post("/accounts/signup/", {"email": DORA, **CHOSEN})

    assert not mail.outbox
    assert not User.objects.exists()


def test_opened_to_a_domain_its_addresses_get_a_link(client: Client, db: None, settings: Any) -> None:
    settings.SIGN_UP_DOMAINS = ["example.org"]

    client.post("/accounts/signup/", {"email": DORA})
    client.post(link(), CHOSEN)

    assert mail.outbox[0].to == [DORA]
    assert User.objects.get().roles == {"reader"}


@pytest.mark.parametrize("email", ["dora@evil.example", "dora@notexample.org", "dora@example.org.evil.example"])
def test_addresses_of_other_domains_do_not(client: Client, db: None, settings: Any, email: str) -> None:
    settings.SIGN_UP_DOMAINS = ["example.org"]

    answer = client.post("/accounts/signup/", {"email": email})

    assert "Addresses of this domain cannot" in answer.text
    assert not mail.outbox


def test_it_tells_nobody_who_has_an_account_already(db: None, settings: Any) -> None:
    settings.SIGN_UP_DOMAINS = ["*"]
    factory.user("alice", email="alice@example.org")

    pages = [Client().post("/accounts/signup/", {"email": f"{name}@example.org"}) for name in ("alice", "dora")]

    known, unknown = (re.sub(r'"X-CSRFToken": "\w+"', "", page.text) for page in pages)
    assert known == unknown
    assert [each.subject for each in mail.outbox] == [
        "You have an account already",
        "Your account in the postmortem knowledge base",
    ]


def test_asking_is_limited(client: Client, db: None, settings: Any) -> None:
    settings.SIGN_UP_DOMAINS = ["*"]

    answers = [client.post("/accounts/signup/", {"email": DORA}).status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]
