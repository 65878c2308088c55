"""Sign-in with a password and a second step: who gets in, what is counted, what a page tells a stranger."""

import base64
import hashlib
import hmac
import html
import re
import struct
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from kb import accounts_urls
from kb.middleware import SessionIdleMiddleware
from postmortems.models import User
from tests import factory
from tests.kb.test_settings import python

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


def sign_in(client: Client, name: str = "alice", password: str = factory.PASSWORD, **more: Any) -> Any:
    return client.post(LOGIN, {"username": name, "password": password, **more})


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


# --- name and password ---


@pytest.mark.parametrize("name", ["alice", "Alice", "alice@example.org", " ALICE@example.org "])
def test_one_signs_in_by_name_or_address(client: Client, name: str) -> None:
    factory.user("alice", email="alice@example.org")

    answer = sign_in(client, name)

    assert answer.headers["Location"] == "/"
    assert is_in(client)


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("nobody", factory.PASSWORD), ("alice", "")])
def test_what_does_not_match_opens_nothing(client: Client, alice: User, name: str, password: str) -> None:
    sign_in(client, name, password)

    assert not is_in(client)


def test_a_closed_account_does_not_sign_in(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)

    answer = client.post(LOGIN, {"username": "alice", "password": factory.PASSWORD}, follow=True)

    assert "This account is closed" in answer.text
    assert not is_in(client)


def test_signing_out_ends_the_session(client: Client, alice: User) -> None:
    sign_in(client)
    session = client.session.session_key

    client.post("/accounts/logout/")

    assert not is_in(client)
    assert not client.session.exists(session or "")


def test_the_session_of_a_stranger_is_not_that_of_the_one_who_signs_in(client: Client, alice: User) -> None:
    planted = client.session
    planted["planted"] = True
    planted.save()
    client.cookies["kb_session"] = str(planted.session_key)

    sign_in(client)

    assert client.cookies["kb_session"].value != planted.session_key
    assert not client.session.exists(str(planted.session_key))


def test_a_session_that_is_used_ends_later(client: Client, alice: User) -> None:
    sign_in(client)
    session = client.session
    session[SessionIdleMiddleware.KEY] = before = int(time.time()) - 2 * SessionIdleMiddleware.EVERY
    session.save()

    client.get("/account/")

    assert client.session[SessionIdleMiddleware.KEY] > before


def test_a_session_is_not_written_at_every_page(client: Client, alice: User) -> None:
    sign_in(client)
    session = client.session
    session[SessionIdleMiddleware.KEY] = before = int(time.time()) - 60
    session.save()

    client.get("/account/")

    assert client.session[SessionIdleMiddleware.KEY] == before


def test_the_admin_has_no_sign_in_of_its_own(client: Client, admin: User) -> None:
    answer = client.post("/admin/login/?next=/admin/", {"username": "admin", "password": factory.PASSWORD})

    assert answer.headers["Location"].startswith(LOGIN)
    assert not is_in(client)


# --- limits ---


def test_after_five_failures_even_the_right_password_has_to_wait(client: Client, alice: User) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")

    answer = sign_in(client)

    assert "Too many failed attempts" in answer.text
    assert not is_in(client)


def test_failures_of_one_account_do_not_lock_another(client: Client, alice: User, bob: User) -> None:
    for _ in range(6):
        sign_in(client, password="wrong")

    sign_in(client, "bob")

    assert is_in(client)


def test_success_does_not_wipe_out_the_failures_before_it(client: Client, alice: User) -> None:
    for _ in range(4):
        sign_in(Client(), password="wrong")
    sign_in(Client())
    sign_in(Client(), password="wrong")

    assert "Too many failed attempts" in sign_in(client).text


def test_one_address_that_asks_too_often_gets_a_page_that_says_so(client: Client, db: None) -> None:
    for attempt in range(30):
        sign_in(client, f"name{attempt}", "")

    answer = sign_in(client, "name", "")

    assert answer.status_code == 429
    assert "Too many attempts" in answer.text
    assert "Postmortem KB" in answer.text


CONSUME = """
import django
django.setup()
from allauth.core import ratelimit
from django.test import RequestFactory
request = RequestFactory().post("/")
print(*(ratelimit.consume(request, action="login_failed", key="alice") for _ in range(3)))
"""


def test_processes_count_together(tmp_path: Path) -> None:
    said = [python(CONSUME, tmp_path, DJANGO_SETTINGS_MODULE="kb.settings") for _ in range(2)]

    assert [done.stdout.split() for done in said] == [["True"] * 3, ["True", "True", "False"]], said[0].stderr
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_behind_a_proxy_the_visitors_address_is_counted_and_not_what_they_say(
    client: Client, alice: User, settings: Any
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for attempt in range(10):
        client.post(
            LOGIN, {"username": f"n{attempt}", "password": "x"}, headers={"X-Forwarded-For": "9.9.9.9, 1.1.1.1"}
        )

    def tried_from(chain: str) -> str:
        form = {"username": "alice", "password": factory.PASSWORD}
        return str(Client().post(LOGIN, form, headers={"X-Forwarded-For": chain}).text)

    assert "Too many failed attempts" in tried_from("5.5.5.5, 1.1.1.1")
    assert "Too many failed attempts" not in tried_from("2.2.2.2")


# --- the second step ---


def code_of(secret: str, *, ahead: int = 0) -> str:
    """RFC 6238, written down a second time."""
    counter = struct.pack(">Q", int(time.time()) // 30 + ahead)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def confirmed(client: Client, page: str) -> Any:
    """Past the question whether it is really you."""
    asked = client.get(page)
    assert "/again/" in asked.headers["Location"] or "/reauthenticate/" in asked.headers["Location"]
    return client.post(asked.headers["Location"], {"password": factory.PASSWORD, "next": page})


@pytest.fixture
def with_app(client: Client, alice: User) -> Iterator[tuple[str, list[str]]]:
    """Alice has turned it on, and signed out: her secret and her recovery codes."""
    sign_in(client)
    confirmed(client, "/accounts/second-factor/app/on/")
    page = client.get("/accounts/second-factor/app/on/").text
    (secret,) = re.findall(r"<code>([A-Z2-7]{32})</code>", page)
    answer = client.post("/accounts/second-factor/app/on/", {"code": code_of(secret)}, follow=True)
    (codes,) = re.findall(r"<pre><code>([^<]+)</code>", answer.text)
    client.post("/accounts/logout/")
    yield secret, codes.split()


def test_with_the_app_on_a_password_alone_opens_nothing(client: Client, with_app: Any) -> None:
    answer = sign_in(client)

    assert answer.headers["Location"] == "/accounts/second-factor/sign-in/"
    assert not is_in(client)


def test_the_code_of_the_app_completes_it_and_leads_on(client: Client, with_app: tuple[str, list[str]]) -> None:
    sign_in(client, next="/fixes/")

    answer = client.post("/accounts/second-factor/sign-in/", {"code": code_of(with_app[0])})

    assert answer.headers["Location"] == "/fixes/"
    assert is_in(client)


@pytest.mark.parametrize("ahead", [-1, 1])
def test_a_clock_may_be_half_a_minute_off(
    client: Client, with_app: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    sign_in(client)
    middle = time.time() // 30 * 30 + 15  # else half a minute ago may be a whole one when the code arrives
    monkeypatch.setattr(time, "time", lambda: middle)

    client.post("/accounts/second-factor/sign-in/", {"code": code_of(with_app[0], ahead=ahead)})

    assert is_in(client)


def test_a_wrong_code_does_not(client: Client, with_app: tuple[str, list[str]]) -> None:
    sign_in(client)

    answer = client.post("/accounts/second-factor/sign-in/", {"code": f"{(int(code_of(with_app[0])) + 1) % 10**6:06}"})

    assert "This code is not right" in answer.text
    assert not is_in(client)


def test_a_code_counts_once(client: Client, with_app: tuple[str, list[str]]) -> None:
    code, other = code_of(with_app[0]), Client()
    for each in (client, other):
        sign_in(each)
        each.post("/accounts/second-factor/sign-in/", {"code": code})
        # As after half a minute, when allauth itself takes a code again that is still good.
        assert cache.delete(f"allauth.mfa.totp.used?user={User.objects.get().pk}&code={code}")

    assert (is_in(client), is_in(other)) == (True, False)


def test_codes_cannot_be_tried_for_long(client: Client, with_app: tuple[str, list[str]]) -> None:
    sign_in(client)
    for _ in range(5):
        client.post("/accounts/second-factor/sign-in/", {"code": "000000"})

    answer = client.post("/accounts/second-factor/sign-in/", {"code": code_of(with_app[0])})

    assert "Too many failed attempts" in answer.text
    assert not is_in(client)


def test_a_recovery_code_counts_once(client: Client, with_app: tuple[str, list[str]]) -> None:
    code, other = with_app[1][0], Client()
    for each in (client, other):
        sign_in(each)
        each.post("/accounts/second-factor/sign-in/", {"code": code})

    assert len(with_app[1]) == 10
    assert (is_in(client), is_in(other)) == (True, False)


def test_with_another_key_of_the_site_no_code_fits_and_nothing_breaks(
    client: Client, with_app: tuple[str, list[str]], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SECRET_KEY = "another-" + "x" * 50
    sign_in(client)

    answers = [
        client.post("/accounts/second-factor/sign-in/", {"code": code})
        for code in (code_of(with_app[0]), *with_app[1][:1])
    ]

    assert all("This code is not right" in answer.text for answer in answers)
    assert not is_in(client)
    assert "set up anew" in caplog.text


def test_the_secret_is_not_in_the_database(with_app: tuple[str, list[str]]) -> None:
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))

    assert with_app[0] not in stored
    assert with_app[1][0] not in stored


def test_the_second_step_is_changed_only_by_who_can_say_again_who_they_are(alice: User) -> None:
    client = Client()
    client.force_login(alice)  # a session that somebody left open

    for page in ("/accounts/second-factor/app/on/", "/accounts/second-factor/codes/new/"):
        assert client.get(page).headers["Location"].startswith("/accounts/reauthenticate/")


def test_turned_off_the_password_alone_does_again(client: Client, with_app: tuple[str, list[str]]) -> None:
    sign_in(client)
    client.post("/accounts/second-factor/sign-in/", {"code": code_of(with_app[0])})
    confirmed(client, "/accounts/second-factor/app/off/")

    client.post("/accounts/second-factor/app/off/")

    assert not Authenticator.objects.exists()
    client.post("/accounts/logout/")
    sign_in(client)
    assert is_in(client)


# --- programs ---


def with_password(name: str, password: str = factory.PASSWORD) -> Any:
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return Client().get("/api/v1/search/", {"q": "pool"}, headers={"Authorization": f"Basic {token}"})


def test_a_program_may_send_name_and_password(alice: User) -> None:
    assert with_password("alice").status_code == 200
    assert with_password("alice", "wrong").status_code in {401, 403}


def test_a_program_does_not_go_around_the_second_step(with_app: Any) -> None:
    answer = with_password("alice")

    assert answer.status_code in {401, 403}
    assert "second factor" in answer.text


def test_a_program_does_not_go_around_the_limits(alice: User) -> None:
    for _ in range(5):
        with_password("alice", "wrong")

    assert "Too many failed attempts" in with_password("alice").text


# --- a forgotten password ---


def ask_for_reset(client: Client, email: str) -> Any:
    return client.post("/accounts/password/reset/", {"email": email}, follow=True)


def link_in_mail() -> str:
    (link,) = re.findall(r"https?://\S+/password/reset/key/\S+", str(mail.outbox[-1].body))
    return str(link)


def test_a_mailed_link_lets_one_choose_a_new_password_once(client: Client, settings: Any) -> None:
    factory.user("alice", email="alice@example.org")
    ask_for_reset(client, "alice@example.org")
    link = link_in_mail()
    assert link.startswith(settings.SITE_URL)

    form = client.get(link.removeprefix(settings.SITE_URL), follow=True)
    new = "a quite different one"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})

    assert sign_in(client, password=new).headers["Location"] == "/"
    assert "used already" in Client().get(link.removeprefix(settings.SITE_URL), follow=True).text


def test_a_weak_new_password_is_refused(client: Client, settings: Any) -> None:
    factory.user("alice", email="alice@example.org")
    ask_for_reset(client, "alice@example.org")
    form = client.get(link_in_mail().removeprefix(settings.SITE_URL), follow=True)

    answer = client.post(form.redirect_chain[-1][0], {"password1": "password", "password2": "password"})

    assert "too common" in answer.text
    assert sign_in(client).headers["Location"] == "/"


def test_a_reset_tells_a_stranger_nothing_about_who_has_an_account(db: None) -> None:
    factory.user("alice", email="alice@example.org")

    known, unknown = (ask_for_reset(Client(), f"{name}@example.org") for name in ("alice", "nobody"))

    def without_token(page: Any) -> str:
        return re.sub(r'value="\w{64}"|"X-CSRFToken": "\w+"', "", page.text)

    assert without_token(known) == without_token(unknown)
    assert known.redirect_chain == unknown.redirect_chain
    # A mail either way, so that neither takes longer; and the stranger's says that there is no account.
    assert [each.to for each in mail.outbox] == [["alice@example.org"], ["nobody@example.org"]]
    assert "No account has this address" in mail.outbox[1].body
    assert "/password/reset/key/" not in mail.outbox[1].body


def test_a_mail_server_that_is_away_tells_nothing_either(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    factory.user("alice", email="alice@example.org")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = ask_for_reset(Client(), "alice@example.org")

    assert answer.status_code == 200
    assert "Look into your mail" in answer.text
    assert "Sending the mail account/email/password_reset_key" in caplog.text


def test_resets_are_limited(db: None) -> None:
    answers = [ask_for_reset(Client(), "alice@example.org").status_code for _ in range(6)]

    assert answers == [200] * 5 + [429]
    assert len(mail.outbox) == 5


def test_who_changes_their_password_is_signed_out_elsewhere_and_told_by_mail(client: Client) -> None:
    alice = factory.user("alice", email="alice@example.org")
    alice.emailaddress_set.create(email=alice.email, verified=True, primary=True)  # type: ignore[attr-defined]
    elsewhere = Client()
    sign_in(elsewhere)
    sign_in(client)
    new = {"password1": "a quite different one", "password2": "a quite different one"}

    client.post("/accounts/password/change/", {"oldpassword": factory.PASSWORD, **new})

    assert (is_in(client), is_in(elsewhere)) == (True, False)
    assert "reset your password at once" in mail.outbox[0].body


# --- every page of it ---


def names_of(patterns: list[URLPattern | URLResolver]) -> list[str]:
    return sorted({str(each.name) for each in patterns if isinstance(each, URLPattern)})


@pytest.mark.parametrize("name", [*names_of(accounts_urls.urlpatterns), "account_signup", "invitation_accept"])  # type: ignore[arg-type]
@pytest.mark.parametrize("who", ["stranger", "alice"])
@pytest.mark.portable
def test_every_page_of_sign_in_looks_like_ours_and_holds_no_script(name: str, who: str, alice: User) -> None:
    client = Client()
    if who == "alice":
        sign_in(client)
    arguments = {
        "account_reset_password_from_key": ["1", "x-y"],
        "openid_connect_login": ["sso"],
        "openid_connect_callback": ["sso"],
        "invitation_accept": ["made-up"],
    }

    answer = client.get(reverse(name, args=arguments.get(name, [])), follow=True)

    if answer.status_code != 405:
        assert answer.status_code in {200, 401, 403, 404, 410}, answer.status_code
        assert "<title>" in answer.text
        assert "Postmortem KB" in answer.text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", html.unescape(answer.text))


@pytest.mark.parametrize(
    "path",
    [
        *("/accounts/email/", "/accounts/confirm-email/", "/accounts/3rdparty/", "/accounts/social/connections/"),
        *("/accounts/login/code/", "/accounts/signup/passkey/", "/accounts/2fa/webauthn/", "/accounts/oidc/signup/"),
    ],
)
@pytest.mark.portable
def test_what_we_do_not_want_of_it_is_not_there(path: str, alice: User) -> None:
    assert factory.signed_in(alice).get(path).status_code == 404


def test_sign_in_is_asked_for_in_no_other_place(db: None) -> None:
    assert get_resolver().reverse("login") == get_resolver().reverse("account_login") == "accounts/login/"


def test_codes_and_sessions_have_an_end(settings: Any) -> None:
    assert timedelta(seconds=settings.SESSION_COOKIE_AGE) == timedelta(days=14)
    assert timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT) == timedelta(days=1)
