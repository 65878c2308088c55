"""The life of a postmortem in a browser: resolved, drafted, reviewed, changed, approved, published, found again."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from postmortems import search
from postmortems.models import Incident, Postmortem, User, Visibility
from postmortems.models.review import CHECKLIST
from tests import factory
from tests.journeys.watching import Watched, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CANARY = "zirconium"
IMPACT = f"Orders failed with {CANARY} pool timeout and status 503."
TEXTS = {
    "Summary": "The connection pool of checkout was exhausted after a failover.",
    "Impact": IMPACT,
    "Contributing factors": "Connections to the old primary stay in the pool for an hour.",
    "What fixed it": "Recycled the connection pool on every node.",
}


@pytest.fixture
def incident(alice: User) -> Incident:
    """Seen by Alice's and Bob's team only, among others that look like nothing."""
    team = factory.team("Payments", alice, factory.user("bob", first_name="Bob"))
    factory.user("charlie", first_name="Charlie")
    service = factory.service("Checkout")
    type(service).objects.update(owner_team=team)
    row = factory.incident(
        "Checkout answers 503",
        symptoms=f"Orders fail, {CANARY} pool timeout",
        services=("Checkout",),
        severity="sev2",
        visibility=Visibility.RESTRICTED,
    )
    row.shared_with.add(team)
    others = [
        factory.postmortem(f"Disk of mail server {n} filled up", sections={"summary": "No space left."})
        for n in range(12)
    ]
    search.changed(row, *others)
    return row


@pytest.fixture
def browser_of(chromium: Browser, site: str, incident: Incident) -> Iterator[Callable[[str], Page]]:
    """A browser for each of the others."""
    contexts = []

    def open_for(name: str) -> Page:
        context = chromium.new_context(base_url=site)
        context.set_default_timeout(10_000)
        contexts.append(context)
        return signed_in(context, site, User.objects.get(username=name))

    yield open_for
    for context in contexts:
        context.close()


def test_from_the_incident_to_what_the_next_one_is_shown(
    page: Page, watched: Watched, incident: Incident, browser_of: Callable[[str], Page]
) -> None:
    bob, charlie = browser_of("bob"), browser_of("charlie")

    _alice_resolves_and_drafts(page, incident)
    postmortem = incident.postmortems.get()
    _alice_asks_bob(page, postmortem)
    _bob_asks_for_changes(bob, postmortem)
    _alice_changes_it(page, postmortem)
    _bob_approves(bob, postmortem)
    _nothing_of_it_is_seen(charlie, incident, postmortem)

    page.goto(postmortem.get_absolute_url())
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#messages")).to_contain_text(f"{postmortem.ref} is published")

    _is_found_and_suggested(bob, postmortem)
    _nothing_of_it_is_seen(charlie, incident, postmortem)

    for row in (incident, postmortem):
        type(row).objects.filter(pk=row.pk).update(visibility=Visibility.OPEN)
        search.changed(row)
    _is_found_and_suggested(charlie, postmortem)
    assert watched.complaints == []


def _alice_resolves_and_drafts(alice: Page, incident: Incident) -> None:
    alice.goto(incident.get_absolute_url())
    alice.get_by_role("button", name="Mark resolved").click()
    alice.get_by_role("button", name="Write the postmortem").click()
    _write(alice, TEXTS)


def _write(page: Page, texts: dict[str, str]) -> None:
    for label, text in texts.items():
        page.get_by_label(re.compile(f"^{label}")).fill(text)  # the label goes on: wanted before a review
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Saved as revision")


def _alice_asks_bob(alice: Page, postmortem: Postmortem) -> None:
    alice.goto(postmortem.get_absolute_url())
    alice.get_by_role("link", name="Ask for a review").click()
    expect(alice.get_by_label("Charlie")).to_have_count(0)
    alice.get_by_label("Bob").check()
    alice.get_by_role("button", name="Ask for a review").click()
    expect(alice.locator("#messages")).to_contain_text("The review is asked for")


def _bob_asks_for_changes(bob: Page, postmortem: Postmortem) -> None:
    bob.goto("/")
    bob.get_by_role("link", name=postmortem.title).first.click()
    expect(bob).to_have_url(re.compile("/review/$"))
    impact = bob.get_by_role("region", name="Impact")
    impact.get_by_text("Comment", exact=False).first.click()
    impact.get_by_role("textbox").fill("For how long, and for **whom**?")
    impact.get_by_role("button", name="Comment").click()
    expect(bob.locator(".comment")).to_contain_text("For how long, and for whom?")
    bob.get_by_role("button", name="Approve").click()
    expect(bob.get_by_text("Before you approve, answer the checklist.")).to_be_visible()
    bob.get_by_label("Note to the authors").fill("Say for how long.")
    bob.get_by_role("button", name="Ask for changes").click()
    expect(bob.locator("#messages")).to_contain_text("changes requested")


def _alice_changes_it(alice: Page, postmortem: Postmortem) -> None:
    alice.goto(f"{postmortem.get_absolute_url()}review/")
    expect(alice.get_by_text("Say for how long.")).to_be_visible()
    alice.locator(".comment summary", has_text="Reply").click()
    alice.get_by_role("textbox", name="Reply").fill("40 minutes; it says so now.")
    alice.get_by_role("button", name="Reply").click()
    alice.get_by_role("button", name="Resolve").click()
    expect(alice.locator(".comment")).to_contain_text("Resolved")
    alice.goto(f"{postmortem.get_absolute_url()}edit/")
    _write(alice, {"Impact": f"{IMPACT} It lasted 40 minutes."})
    alice.goto(f"{postmortem.get_absolute_url()}review/")
    alice.get_by_role("button", name="Ask again").click()
    expect(alice.locator("#messages")).to_contain_text("The review is asked for")


def _bob_approves(bob: Page, postmortem: Postmortem) -> None:
    bob.goto(f"{postmortem.get_absolute_url()}review/")
    bob.get_by_role("link", name="What changed since revision").click()
    expect(bob.get_by_text("It lasted 40 minutes.").first).to_be_visible()
    bob.go_back()
    for question in CHECKLIST:
        bob.get_by_role("group", name=question.text).get_by_label("Yes").check()
    bob.get_by_role("button", name="Approve").click()
    expect(bob.locator("#messages")).to_contain_text("approved")
    assert Postmortem.objects.get(pk=postmortem.pk).status == "approved"


def _is_found_and_suggested(reader: Page, postmortem: Postmortem) -> None:
    reader.goto(f"/search/?q={CANARY}")
    expect(reader.locator("article.result", has_text=postmortem.ref)).to_contain_text("Recycled the connection pool")
    reader.goto("/incidents/new/")
    reader.get_by_label("What do you see?").press_sequentially(f"Orders fail, {CANARY} pool timeout", delay=5)
    expect(reader.locator("#suggestions article").first).to_contain_text("Recycled the connection pool on every node.")


def _nothing_of_it_is_seen(charlie: Page, incident: Incident, postmortem: Postmortem) -> None:
    page = postmortem.get_absolute_url()
    for url in (incident.get_absolute_url(), page, f"{page}review/", f"{page}publish/", f"{page}alike/"):
        answer = charlie.goto(url)
        assert answer is not None
        assert answer.status == 404
    for url in ("/", "/incidents/", "/postmortems/", "/problems/", "/fixes/", f"/search/?q={CANARY}"):
        charlie.goto(url)
        expect(charlie.get_by_text(postmortem.ref, exact=True)).to_have_count(0)
        expect(charlie.get_by_text(incident.ref, exact=True)).to_have_count(0)
    expect(charlie.locator("article.result")).to_have_count(0)
    charlie.goto("/incidents/new/")
    charlie.get_by_label("What do you see?").fill(f"Orders fail, {CANARY} pool timeout")
    expect(charlie.locator("#suggestions")).to_contain_text("Nothing similar")
