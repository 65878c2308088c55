"""Feeds, the address bar, and how the site is: what programs ask for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from postmortems.models import ApiToken, Postmortem, User
from tests import factory
from tests.factory import NOON
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """Where nobody can make one: not even an administrator of the machine."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "index"


def address_of(user: User, feed: str = "postmortems.atom", scope: str = "feed") -> str:
    _, secret = ApiToken.objects.issue(user=user, name="Atom feed", scopes=[scope], at=NOON)
    return f"/feeds/{secret}/{feed}"


def entries(address: str, **asked: Any) -> list[ElementTree.Element]:
    answer = Client().get(address, asked)
    assert answer.status_code == 200, answer.content
    return ElementTree.fromstring(answer.content).findall(f"{ATOM}entry")


def titles(address: str, **asked: Any) -> list[str]:
    return [entry.findtext(f"{ATOM}title", "") for entry in entries(address, **asked)]


def test_a_feed_is_atom_with_all_that_atom_insists_on(alice: User) -> None:
    nasty = 'Pool & <script>alert("x")</script> \x1b[31m \ufffe]]>'
    row = factory.postmortem(
        nasty, sections={"summary": "The *pool* was <b>full</b> \x07.", "what_fixed_it": "Recycled."}
    )

    answer = Client().get(address_of(alice))

    root = ElementTree.fromstring(answer.content)
    assert answer["Content-Type"].startswith("application/atom+xml")
    assert root.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated", "author"):
        assert root.find(f"{ATOM}{name}") is not None, name
    (entry,) = root.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"tag:127.0.0.1,2026:postmortem:{row.pk}"
    assert entry.findtext(f"{ATOM}title", "").startswith(f'{row.ref}: Pool & <script>alert("x")</script>')
    assert entry.findtext(f"{ATOM}published") == "2026-03-01T12:00:00+00:00"
    summary = entry.findtext(f"{ATOM}summary", "")
    assert "Recycled." in summary
    assert "<b>" not in summary
    link = entry.find(f"{ATOM}link")
    assert link is not None and link.get("href", "").endswith(f"/postmortems/{row.ref}/")


def test_the_id_of_an_entry_stays_and_its_update_moves(alice: User) -> None:
    row = factory.postmortem()
    address = address_of(alice)
    (before,) = entries(address)
    Postmortem.objects.filter(pk=row.pk).update(title="Another", updated_at=row.updated_at + timedelta(days=9))

    (after,) = entries(address)

    assert after.findtext(f"{ATOM}id") == before.findtext(f"{ATOM}id")
    assert after.findtext(f"{ATOM}updated", "") > before.findtext(f"{ATOM}updated", "")


def test_newest_come_first_and_drafts_never(alice: User) -> None:
    factory.postmortem("Older", published_at=NOON.replace(year=2025))
    factory.postmortem("Newer")
    factory.postmortem("Draft", status="draft", owner=alice)

    assert [title.partition(": ")[2] for title in titles(address_of(alice))] == ["Newer", "Older"]


def test_a_feed_that_is_as_it_was_is_not_sent_again(alice: User) -> None:
    address = address_of(alice)
    for row in (None, factory.postmortem):
        if row:
            row()
        first = Client().get(address)

        again = Client().get(address, headers={"If-None-Match": first["ETag"]})

        assert again.status_code == 304
        assert again.content == b""
    assert "private" in first["Cache-Control"]


def test_a_feed_shows_what_its_user_may_see_now(alice: User, charlie: User) -> None:
    row = factory.postmortem("Secret", visibility="restricted")
    row.members.add(alice)
    address = address_of(alice)
    seen = titles(address)
    row.members.clear()

    assert len(seen) == 1
    assert titles(address) == []
    assert titles(address_of(charlie)) == []


def test_the_feed_of_a_search_follows_it(alice: User, learn: Learn) -> None:
    pool = factory.postmortem("Pool exhausted", sections={"summary": "The pool was full."}, services=("Checkout",))
    other = factory.postmortem("Disk full", sections={"summary": "Segments."}, services=("Edge",))
    hidden = factory.postmortem("Pool secret", sections={"summary": "pool"}, visibility="restricted")
    incident, fix = factory.incident("Pool of edge", services=("Edge",)), factory.fix("Recycle the pool")
    learn(pool, other, hidden, incident, fix)
    address = address_of(alice, "search.atom")

    assert {*titles(address, q="pool")} == {f"{row.ref}: {row.title}" for row in (pool, incident, fix)}
    assert titles(address, q="pool", service="checkout") == [f"{pool.ref}: {pool.title}"]
    assert titles(address, q="zebra") == []


def test_a_search_that_cannot_be_asked_takes_no_entries_away(
    alice: User, learn: Learn, settings: Settings, no_folder: Path
) -> None:
    learn(factory.postmortem("Pool exhausted"))
    settings.SEARCH_URL = f"whoosh://{no_folder}"

    answer = Client().get(address_of(alice, "search.atom"), {"q": "pool"})

    assert answer.status_code == 503
    assert answer["Retry-After"]


@pytest.mark.parametrize("feed", ["postmortems.atom", "search.atom"])
def test_a_wrong_revoked_or_other_token_opens_nothing(alice: User, feed: str) -> None:
    revoked = address_of(alice, feed)
    ApiToken.objects.get().revoke(at=NOON)
    other = address_of(alice, feed, scope="read")
    gone = address_of(factory.user("gone", is_active=False), feed)

    for address in (revoked, other, gone, f"/feeds/kb_made-up/{feed}"):
        assert Client().get(address).status_code == 404


def test_who_is_signed_in_reads_published_postmortems_without_a_token(alice: User) -> None:
    factory.postmortem("Newer")

    assert b"Newer" in factory.signed_in(alice).get("/postmortems/feed.atom").content
    assert Client().get("/postmortems/feed.atom").status_code == 302


def test_an_address_is_made_and_shown_once(alice: User, learn: Learn) -> None:
    learn(factory.postmortem("Pool exhausted"))
    client = factory.signed_in(alice)

    results = client.get("/search/", {"q": "pool", "page": "1"}).content.decode()
    made = client.post("/feeds/?q=pool&service=&page=3").content.decode()
    again = client.get("/feeds/?q=pool").content.decode()

    assert 'href="/feeds/?q=pool"' in results
    secret = made.partition("/feeds/")[2].partition("/search.atom?q=pool&quot;"[:12])[0]
    assert secret.startswith("kb_")
    assert secret not in again
    assert titles(f"/feeds/{secret}/search.atom", q="pool")
    assert ApiToken.objects.get().scopes == ["feed"]


# --- the address bar ---


def test_a_browser_learns_how_to_search_us(settings: Settings) -> None:
    settings.SITE_URL = "https://kb.example.org"
    page = Client().get("/accounts/login/", headers={"host": "localhost"}, secure=True).content.decode()

    answer = Client().get("/opensearch.xml")

    root = ElementTree.fromstring(answer.content)
    assert (
        'rel="search" type="application/opensearchdescription+xml" title="Postmortem KB" href="/opensearch.xml"' in page
    )
    assert answer["Content-Type"] == "application/opensearchdescription+xml"
    assert root.tag == f"{OPENSEARCH}OpenSearchDescription"
    assert 0 < len(root.findtext(f"{OPENSEARCH}ShortName", "")) <= 16
    assert 0 < len(root.findtext(f"{OPENSEARCH}Description", "")) <= 1024
    urls = {url.get("type"): url.get("template") for url in root.findall(f"{OPENSEARCH}Url")}
    assert urls["text/html"] == "https://kb.example.org/search/?q={searchTerms}"


# --- how it is ---


def test_everybody_is_told_whether_it_is_well_and_nothing_else() -> None:
    assert Client().get("/status.json").json() == {"status": "ok"}


def test_why_is_told_to_those_who_are_signed_in_and_to_monitoring(
    alice: User, settings: Settings, no_folder: Path
) -> None:
    settings.SEARCH_URL = f"whoosh://{no_folder}"
    _, metrics = ApiToken.objects.issue(user=alice, name="m", scopes=["metrics"], at=NOON)
    _, feed = ApiToken.objects.issue(user=alice, name="f", scopes=["feed"], at=NOON)

    def asked(client: Client, secret: str = "") -> Any:
        return client.get("/status.json", headers={"authorization": f"Bearer {secret}"} if secret else None).json()

    assert asked(Client()) == asked(Client(), feed) == asked(Client(), "kb_made-up") == {"status": "degraded"}
    for answer in (asked(factory.signed_in(alice)), asked(Client(), metrics)):
        assert answer["status"] == "degraded"
        assert "search index" in answer["notes"][0]


def test_an_address_that_has_run_out_is_not_in_use(alice: User) -> None:
    past, ahead = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)
    ApiToken.objects.issue(user=alice, name="Old laptop", scopes=["feed"], at=NOON, expires_at=past)
    ApiToken.objects.issue(user=alice, name="New laptop", scopes=["feed"], at=NOON, expires_at=ahead)

    page = factory.signed_in(alice).get("/feeds/").content.decode()

    assert "New laptop" in page
    assert "Old laptop" not in page
