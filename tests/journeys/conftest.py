"""A real browser against a real server. Without Chromium these tests are skipped, and with CI=true they fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from kb.search import engine, upkeep
from postmortems.models import User
from tests import factory
from tests.journeys.watching import Watched, signed_in

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 30_000  # milliseconds: enough on a machine that has much else to do
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        reason = f"no browser at {CHROMIUM}: install Debian's chromium, or set CHROMIUM=path"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Playwright runs an event loop in this thread, and Django then refuses the database. Nothing here is concurrent.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(live_server: LiveServer, tmp_path: Path, settings: Settings) -> Iterator[str]:
    """A server with an index of its own."""
    settings.DATA_DIR = tmp_path
    settings.SEARCH_URL = "whoosh:"
    upkeep.ensure()
    yield live_server.url
    engine.backend().close()


@pytest.fixture
def alice(transactional_db: None) -> User:
    return factory.user("alice", first_name="Alice")


@pytest.fixture
def context(chromium: Browser, site: str) -> Iterator[BrowserContext]:
    with chromium.new_context(base_url=site, permissions=["clipboard-read", "clipboard-write"]) as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture
def watched(context: BrowserContext, site: str) -> Watched:
    return Watched(context, site)


@pytest.fixture
def page(context: BrowserContext, watched: Watched, site: str, alice: User) -> Page:
    """Signed in as Alice."""
    return signed_in(context, site, alice)
