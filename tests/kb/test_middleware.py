"""Headers on every answer, and times in the reader's zone."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from kb.middleware import ReaderTimeZoneMiddleware
from postmortems.models import User
from tests import factory

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/healthz", "/readyz", "/no/such/page/", "/", "/admin/"])
@pytest.mark.portable
def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    response = client.get(path)

    assert set(response.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_policy_allows_nothing_inline() -> None:
    assert not any("unsafe" in rule or "*" in rule or "http" in rule for rule in POLICY)


def test_no_cache_keeps_what_a_signed_in_reader_sees(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.get("/no/such/page/").headers["Cache-Control"] == "private, no-store"


@pytest.mark.django_db
@pytest.mark.portable
def test_every_page_asks_strangers_to_sign_in(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/login/?next=/"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "target", ["//evil.example", "https:evil.example", "/\\evil.example", "/%09/evil.example", "javascript:alert(1)"]
)
@pytest.mark.portable
def test_sign_in_leads_to_our_own_pages_only(client: Client, alice: User, target: str) -> None:
    form = {"username": "alice", "password": factory.PASSWORD, "next": target}

    response = client.post("/accounts/login/", form)

    assert response.status_code == 302
    assert response.headers["Location"] in {"/", "/%09/evil.example"}  # the last one is a path of ours


def test_no_script_reads_the_session_and_no_other_site_sends_it(client: Client, alice: User) -> None:
    client.post("/accounts/login/", {"username": "alice", "password": factory.PASSWORD})

    cookie = client.cookies["kb_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.cookies["kb_csrf"]["samesite"] == "Lax"


@pytest.mark.django_db
@pytest.mark.portable
def test_a_form_without_its_token_is_refused(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post("/accounts/login/", {"username": "alice", "password": factory.PASSWORD})

    assert response.status_code == 403


# --- the reader's time zone ---

MIDNIGHT = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)


@pytest.fixture
def hour_seen_by() -> Callable[[object], int]:
    def hour(user: object) -> int:
        request: HttpRequest = RequestFactory().get("/")
        request.user = user  # type: ignore[assignment]
        seen = ReaderTimeZoneMiddleware(lambda _: HttpResponse(str(timezone.localtime(MIDNIGHT).hour)))
        return int(seen(request).content)

    return hour


@pytest.mark.parametrize(
    ("zone", "hour"), [("Europe/Berlin", 2), ("Asia/Kolkata", 5), ("", 0), ("Mars/Base", 0), ("../etc", 0)]
)
def test_times_are_in_the_zone_the_reader_chose(hour_seen_by: Callable[[object], int], zone: str, hour: int) -> None:
    assert hour_seen_by(User(time_zone=zone)) == hour


def test_strangers_see_the_zone_of_the_site(hour_seen_by: Callable[[object], int]) -> None:
    assert hour_seen_by(AnonymousUser()) == 0


def test_the_next_reader_starts_from_the_zone_of_the_site(hour_seen_by: Callable[[object], int]) -> None:
    hour_seen_by(User(time_zone="Asia/Kolkata"))

    assert timezone.localtime(MIDNIGHT).hour == 0
