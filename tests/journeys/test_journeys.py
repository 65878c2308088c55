"""What people come for, in a real browser: typing, one click, the keyboard, no JavaScript, hostile text, 320 px."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from postmortems import search
from postmortems.models import FixUse, Incident, User
from tests import factory
from tests.journeys.watching import Watched, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def earlier(alice: User) -> dict[str, object]:
    """One postmortem that looks like tonight's incident, among others that do not."""
    postmortem = factory.postmortem(
        "Checkout lost its database connections",
        services=("Checkout",),
        sections={
            "summary": "The connection pool of checkout was exhausted after a failover.",
            "impact": "Orders failed with `pool timeout` and status 503.",
            "what_fixed_it": "Recycled the connection pool on every node.",
        },
    )
    fix = factory.fix("Recycle the pool", postmortem=postmortem, commands="poolctl recycle --all", state="verified")
    others = [
        factory.postmortem(f"Disk of mail server {n} filled up", sections={"summary": "No space left."})
        for n in range(12)
    ]
    search.changed(postmortem, fix, *others)
    return {"postmortem": postmortem, "fix": fix}


@pytest.fixture
def stranger(context: BrowserContext, watched: Watched, alice: User) -> Page:
    """A page of someone who has not signed in yet."""
    return context.new_page()


def test_signing_in_leads_to_the_page_that_was_asked_for(stranger: Page, watched: Watched) -> None:
    stranger.goto("/incidents/")
    stranger.get_by_label("Username").fill("alice")
    stranger.get_by_label("Password").fill(factory.PASSWORD)
    stranger.get_by_role("button", name="Sign in").click()

    expect(stranger).to_have_url(re.compile("/incidents/$"))
    expect(stranger.get_by_role("heading", name="Incidents", level=1)).to_be_visible()
    assert watched.complaints == []


def test_what_fixed_it_before_appears_while_typing_and_one_click_says_that_it_worked(
    page: Page, watched: Watched, earlier: dict[str, object]
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Declare incident").first.click()
    seen = page.get_by_label("What do you see?")
    seen.press_sequentially("Orders fail, checkout pool timeout", delay=5)

    suggestion = page.locator("#suggestions article").first
    expect(suggestion).to_contain_text("Checkout lost its database connections")
    expect(suggestion).to_contain_text("Recycled the connection pool on every node.")
    expect(seen).to_be_focused()
    expect(seen).to_have_value("Orders fail, checkout pool timeout")

    page.get_by_label("What is broken?").fill("Checkout answers 503")
    page.get_by_role("button", name="Declare incident").click()
    expect(page).to_have_url(re.compile(r"/incidents/INC-\d+/$"))

    worked = page.get_by_role("button", name="It worked").first
    worked.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Worked 1 of 1")).to_be_visible()
    expect(page.get_by_role("button", name="It worked").first).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="It worked").first).to_be_focused()
    expect(page.locator("#messages")).to_contain_text("it worked")
    expect(page.locator("#outcomes")).to_contain_text("Recycle the pool")
    assert FixUse.objects.get().outcome == "worked"

    page.get_by_text("Add minutes or a note").click()
    page.get_by_label("Minutes until it took effect").first.fill("4")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#outcomes")).to_contain_text("after 4 min")
    page.get_by_role("button", name="Partly").first.click()
    expect(page.locator("#outcomes")).to_contain_text("Partly")
    assert FixUse.objects.get().minutes_to_effect == 4
    assert watched.complaints == []


def test_all_of_it_works_without_javascript(
    chromium: Browser, site: str, alice: User, earlier: dict[str, object]
) -> None:
    with chromium.new_context(base_url=site, java_script_enabled=False) as context:
        page = signed_in(context, site, alice)
        page.goto("/incidents/new/")
        page.get_by_label("What is broken?").fill("Checkout pool timeout")
        page.get_by_label("What do you see?").fill("Orders fail, connection pool exhausted")
        page.get_by_role("button", name="Show what fixed this before").click()

        expect(page.locator("#suggestions")).to_contain_text("Recycled the connection pool")
        expect(page.get_by_label("What do you see?")).to_have_value("Orders fail, connection pool exhausted")

        page.get_by_role("button", name="Declare incident").click()
        page.get_by_role("button", name="No effect").first.click()
        expect(page.locator("#messages")).to_contain_text("no effect")
        expect(page.locator("#outcomes")).to_contain_text("No effect")
        page.get_by_role("button", name="Mark resolved").click()
        expect(page.get_by_role("link", name="Reopen")).to_be_visible()


def test_enter_in_the_title_declares_nothing_by_accident(page: Page) -> None:
    page.goto("/incidents/new/")
    page.get_by_label("What is broken?").fill("Only begun to")
    page.keyboard.press("Enter")

    expect(page.get_by_label("What is broken?")).to_have_value("Only begun to")
    assert not Incident.objects.exists()


def test_a_lost_session_and_a_broken_server_lose_no_text(page: Page) -> None:
    page.goto("/incidents/new/")
    page.route("**/incidents/suggestions/", lambda route: route.fulfill(status=500, body="broken"))
    page.get_by_label("What is broken?").press_sequentially("Something")
    expect(page.locator("#suggestions-failed")).to_be_visible()

    page.unroute("**/incidents/suggestions/")
    page.get_by_label("What is broken?").press_sequentially(" is off")
    expect(page.locator("#suggestions-failed")).to_be_hidden()

    page.context.clear_cookies(name="kb_session")
    page.get_by_label("What is broken?").press_sequentially(" again")
    expect(page.locator("#signed-out")).to_be_visible()
    expect(page.get_by_label("What is broken?")).to_have_value("Something is off again")


def test_the_keyboard_reaches_the_search_first(page: Page, earlier: dict[str, object]) -> None:
    for path in ("/", "/incidents/", "/account/"):
        page.goto(path)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator("#q")).to_be_focused()

    page.goto("/fixes/")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("pool/timeout")
    expect(page.locator("#q")).to_have_value("pool/timeout")
    page.locator("h1").click()
    page.keyboard.press("Control+k")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("connection pool")
    page.keyboard.press("Enter")
    expect(page.locator("article mark").first).to_be_visible()


def test_single_keys_can_be_switched_off(page: Page) -> None:
    page.goto("/account/")
    page.locator("#single-keys").uncheck()
    page.goto("/fixes/")
    page.keyboard.press("/")

    expect(page.locator("#q")).not_to_be_focused()


def test_commands_are_copied_with_one_click(page: Page, earlier: dict[str, object]) -> None:
    page.goto(earlier["fix"].get_absolute_url())  # type: ignore[attr-defined]
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "poolctl recycle --all"


def test_hostile_text_runs_nothing_and_calls_nobody(page: Page, watched: Watched, earlier: dict[str, object]) -> None:
    hostile = (
        '<script>alert(1)</script><img src="http://other.example/x" onerror="alert(2)"><svg/onload=alert(3)>'
        '"><iframe srcdoc="<script>alert(4)</script>"></iframe>[a](javascript:alert(5)) ![b](http://other.example/y)'
    )
    incident = factory.incident(
        hostile[:300], symptoms=hostile, error_excerpt=hostile, external_url="javascript:alert(6)"
    )
    postmortem = factory.postmortem(
        hostile[:300], sections={"summary": hostile, "what_fixed_it": hostile}, authors=hostile[:300]
    )
    fix = factory.fix(hostile[:300], postmortem=postmortem, steps=hostile, commands=hostile, undo=hostile)
    factory.fix_use(fix, incident, note=hostile)
    search.changed(incident, postmortem, fix)

    for path in (
        *(row.get_absolute_url() for row in (incident, postmortem, fix)),
        "/",
        "/incidents/",
        "/fixes/",
        "/search/?q=script+alert",
        "/incidents/new/?title=script+alert+onerror",
    ):
        page.goto(path)
    page.get_by_label("What do you see?").fill(hostile)
    expect(page.locator("#suggestions article").first).to_be_visible()

    assert watched.complaints == []


@pytest.mark.parametrize("width", [320, 768, 1024])
def test_nothing_scrolls_sideways(chromium: Browser, site: str, alice: User, width: int) -> None:
    long = "x" * 300
    incident = factory.incident(
        long, symptoms=f"`{long}` {long}", error_excerpt=long, services=(long[:100], "Mail"), commander=alice
    )
    postmortem = factory.postmortem(
        long, services=(long[:100],), owner=alice, source_url=f"https://example.org/{long}",
        sections={"summary": f"{long}\n\n    {long}\n\n| a | b |\n|---|---|\n| {long} | {long} |"},
    )  # fmt: skip
    fix = factory.fix(long, postmortem=postmortem, commands=long, risk=long, undo=long)
    factory.fix_use(fix, incident, note=long)
    factory.action_item(long, postmortem=postmortem, owner=alice, owner_text=long[:200], done_when=long)
    search.changed(incident, postmortem, fix)
    paths = [
        "/",
        "/search/",
        f"/search/?q={long}",
        "/incidents/",
        "/incidents/new/",
        "/postmortems/",
        "/fixes/",
        "/actions/",
        "/account/",
    ]
    rows = [row.get_absolute_url() for row in (incident, postmortem, fix)]

    with chromium.new_context(base_url=site, viewport={"width": width, "height": 640}) as context:
        page = signed_in(context, site, alice)
        wide = []
        for path in [*paths, *rows, f"{rows[0]}edit/", "/nothing/", f"/incidents/new/?title={long}"]:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                wide.append(path[:60])

    assert wide == []


def test_on_a_phone_a_line_says_that_there_is_something_below(
    chromium: Browser, site: str, alice: User, earlier: dict[str, object]
) -> None:
    with chromium.new_context(base_url=site, viewport={"width": 320, "height": 720}) as context:
        page = signed_in(context, site, alice)
        page.goto("/incidents/new/")
        expect(page.get_by_role("link", name="See what looks like this")).to_have_count(0)
        page.get_by_label("What is broken?").press_sequentially("Checkout pool timeout")

        page.get_by_role("link", name="See what looks like this").click()
        expect(page.locator("#suggestions article").first).to_be_in_viewport()
