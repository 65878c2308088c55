"""Sign-in in a real browser: an authenticator app, a recovery code, and by way of an identity provider."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django import Settings

from postmortems.models import User
from tests import factory
from tests.journeys.watching import Watched
from tests.kb.identity_provider import Provider, running
from tests.kb.test_sign_in import code_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with running() as provider:
        settings.SOCIALACCOUNT_PROVIDERS = provider.as_settings()
        settings.OIDC_NAME = "Example"
        yield provider


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(factory.PASSWORD)
    page.keyboard.press("Enter")


def sign_out(page: Page) -> None:
    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_second_step_is_turned_on_and_used_by_keyboard(
    context: BrowserContext, watched: Watched, alice: User
) -> None:
    page = context.new_page()
    sign_in(page)
    expect(page).to_have_url(re.compile("/$"))

    page.goto("/account/")
    page.get_by_role("link", name="Second step").click()
    page.get_by_role("link", name="Turn it on").click()
    page.get_by_label("Password").fill(factory.PASSWORD)
    page.keyboard.press("Enter")
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100
    secret = page.locator("form code").inner_text()
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.keyboard.press("Enter")
    codes = page.locator("pre code").inner_text().split()
    sign_out(page)

    sign_in(page)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code").fill(codes[0])
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("/$"))
    assert len(codes) == 10
    assert watched.complaints == []


@pytest.mark.parametrize("with_scripts", [True, False])
def test_the_way_over_the_provider_breaks_no_policy_and_needs_no_script(
    chromium: Browser, site: str, provider: Provider, alice: User, with_scripts: bool
) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice@example.org")
    with chromium.new_context(base_url=site, java_script_enabled=with_scripts) as context:
        watched, page = Watched(context, site), context.new_page()
        page.goto("/fixes/")
        page.get_by_role("button", name="Sign in with Example").click()

        expect(page).to_have_url(f"{site}/fixes/")
        expect(page.get_by_role("heading", name="Fixes", level=1)).to_be_visible()

    assert [said for said in watched.complaints if not said.startswith(f"request: {provider.issuer}")] == []
