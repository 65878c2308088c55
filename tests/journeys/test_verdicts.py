"""Judging a suggestion in a real browser: one click, the keyboard stays where it was, a slip is taken back."""

import re

import pytest
from playwright.sync_api import Page, expect

from postmortems import search
from postmortems.models import SuggestionOpening, SuggestionVerdict, User
from tests import factory
from tests.journeys.watching import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_one_key_judges_folds_the_card_and_takes_it_back(page: Page, watched: Watched, alice: User) -> None:
    row = factory.postmortem(
        "Checkout lost its database connections",
        sections={"impact": "Orders failed: pool timeout, 503.", "what_fixed_it": "Recycled the connection pool."},
    )
    others = [factory.postmortem(f"Disk of mail server {n} filled up") for n in range(12)]
    incident = factory.incident("Checkout orders fail, pool timeout", started_at=factory.NOON.replace(month=4))
    search.changed(row, incident, *others)

    page.goto(incident.get_absolute_url())
    card = page.locator("article.suggestion")
    fixed = card.get_by_text("Recycled the connection pool.")
    expect(fixed).to_be_visible()
    card.get_by_text("How it ranks").click()
    expect(card.get_by_role("row", name=re.compile("Score"))).to_be_visible()

    wrong = card.get_by_role("button", name="Not similar")
    wrong.focus()
    page.keyboard.press("Enter")
    expect(wrong).to_have_attribute("aria-pressed", "true")
    expect(wrong).to_be_focused()
    expect(fixed).to_be_hidden()

    card.get_by_role("button", name="Same cause").click()
    expect(fixed).to_be_visible()
    assert SuggestionVerdict.objects.get().verdict == "same_cause"

    card.get_by_role("link", name=row.title).click()
    expect(page).to_have_url(re.compile(row.get_absolute_url()))
    assert SuggestionOpening.objects.get().key == row.search_key
    assert watched.complaints == []
