"""Writing in a real browser: unsaved text survives a crash, two people meet, the toolbar and the preview."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from postmortems.models import Postmortem, Revision, User, WorkingCopy
from tests import factory
from tests.factory import NOON
from tests.journeys.watching import Watched, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bob(transactional_db: None) -> User:
    return factory.user("bob", first_name="Bob")


@pytest.fixture
def draft(alice: User, bob: User) -> Postmortem:
    postmortem = factory.postmortem(
        "Checkout was down", status="draft", owner=alice, sections={"impact": "Nobody could pay."}
    )
    postmortem.members.add(alice, bob)
    Revision.objects.first_of(postmortem, by=alice, at=NOON)
    return postmortem


@pytest.fixture
def his(chromium: Browser, site: str, bob: User) -> Iterator[Page]:
    """Bob's own browser."""
    with chromium.new_context(base_url=site) as context:
        context.set_default_timeout(10_000)
        yield signed_in(context, site, bob)


def test_text_that_was_not_saved_is_offered_again_after_a_crash(
    page: Page, watched: Watched, draft: Postmortem
) -> None:
    page.goto(f"/postmortems/{draft.ref}/edit/")
    page.get_by_role("textbox", name="Impact").press_sequentially(" Not by card, not by")
    expect(page.locator("#kept")).to_contain_text("Kept for you at")
    page.context.new_page()
    page.close()

    again = page.context.pages[-1]
    again.goto(f"/postmortems/{draft.ref}/edit/")
    expect(again.get_by_role("heading", level=1)).to_have_text("You have unsaved text")
    again.get_by_role("link", name="Continue with it").click()
    expect(again.get_by_role("textbox", name="Impact")).to_have_value(re.compile("Not by card, not by"))
    again.get_by_role("button", name="Save", exact=True).click()

    expect(again.locator("#messages")).to_contain_text("Saved as revision 2.")
    assert not WorkingCopy.objects.exists()
    assert watched.complaints == []


def test_the_second_of_two_gets_both_texts_and_saves_one(
    page: Page, watched: Watched, his: Page, draft: Postmortem
) -> None:
    for each in (page, his):
        each.goto(f"/postmortems/{draft.ref}/edit/")
    his.get_by_role("textbox", name="Impact").fill("Nobody could pay by card.")
    his.get_by_role("button", name="Save", exact=True).click()
    expect(his.locator("#messages")).to_contain_text("Saved as revision 2.")

    page.get_by_role("textbox", name="Impact").fill("Nobody could pay at all.")
    page.get_by_label("Tags").fill("payments")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Not saved yet: two edits meet")
    expect(page.locator("ins")).to_have_text("at all")
    expect(page.locator("del")).to_have_text("by card")
    proposal = page.get_by_label("Impact: what it shall say")
    expect(proposal).to_have_value("Nobody could pay by card.\n\nNobody could pay at all.")
    proposal.fill("Nobody could pay at all, by card or otherwise.")
    page.get_by_role("button", name="Save the merged text").click()

    expect(page.locator("#messages")).to_contain_text("Saved as revision 3.")
    expect(page.get_by_text("by card or otherwise")).to_be_visible()
    expect(page.get_by_role("link", name="payments")).to_be_visible()
    assert [error for error in watched.complaints if "409" not in error] == []


def test_a_session_that_ends_while_one_writes_loses_no_text(page: Page, draft: Postmortem) -> None:
    page.goto(f"/postmortems/{draft.ref}/edit/")
    page.context.clear_cookies()
    page.get_by_role("textbox", name="Impact").press_sequentially(" Not by card.")
    expect(page.locator("#signed-out")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#kept")).to_contain_text("you were signed out")

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in in a new tab").click()
    opened.value.get_by_label("Username").fill("alice")
    opened.value.get_by_label("Password").fill(factory.PASSWORD)
    opened.value.get_by_role("button", name="Sign in").click()
    expect(opened.value.get_by_role("heading", level=1).first).to_be_attached()
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator("#messages")).to_contain_text("Saved as revision 2.")
    assert "Not by card." in Postmortem.objects.get().text_of("impact")


def test_the_toolbar_and_the_preview_work_by_keyboard(page: Page, watched: Watched, draft: Postmortem) -> None:
    page.goto(f"/postmortems/{draft.ref}/edit/")
    impact = page.get_by_role("textbox", name="Impact")
    impact.fill("pay")
    impact.select_text()
    page.keyboard.press("Control+b")
    expect(impact).to_have_value("**pay**")
    page.keyboard.press("Control+z")
    expect(impact).to_have_value("pay")

    bar = page.get_by_role("toolbar", name="Format impact")
    bar.get_by_role("button", name="Bold").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(bar.get_by_role("button", name="List")).to_be_focused()
    page.keyboard.press("Enter")
    expect(impact).to_have_value("- pay")

    bar.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview-impact li")).to_have_text("pay")
    expect(page.locator("#kept")).to_contain_text("Kept for you at")
    assert watched.complaints == []


def test_writing_works_without_javascript(chromium: Browser, site: str, alice: User, draft: Postmortem) -> None:
    with chromium.new_context(base_url=site, java_script_enabled=False) as context:
        page = signed_in(context, site, alice)
        page.goto(f"/postmortems/{draft.ref}/edit/")
        page.get_by_role("textbox", name="Impact").fill("Nobody *at all*.")
        page.get_by_role("button", name="Preview all").click()
        expect(page.locator("#preview-impact em")).to_have_text("at all")
        page.get_by_role("button", name="Save", exact=True).click()

        expect(page.locator("#messages")).to_contain_text("Saved as revision 2.")
        page.get_by_role("link", name="Revisions").click()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("ins").first).to_be_visible()
