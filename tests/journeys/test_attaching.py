"""A picture that is pasted into the editor is attached, and what shows it is written where it was pasted."""

import re

from playwright.sync_api import Page, expect

from postmortems.models import Attachment, User
from tests import factory

# What a browser does when somebody pastes: an event with files. The smallest picture there is.
PASTE = """(area) => {
  const bytes = Uint8Array.from(atob(
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "graph.gif", { type: "image/gif" }));
  area.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def test_a_pasted_picture_is_attached_and_shown(page: Page, alice: User) -> None:
    postmortem = factory.postmortem(owner=alice, status="draft")
    page.goto(f"/postmortems/{postmortem.ref}/edit/")

    impact = page.get_by_role("textbox", name="Impact")
    impact.evaluate(PASTE)

    expect(impact).to_have_value(re.compile(r"!\[graph\.gif\]\(/attachments/[0-9a-f-]{36}/\)"))
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(postmortem.get_absolute_url())
    picture = page.get_by_alt_text("graph.gif")
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.naturalWidth") == 1
    assert Attachment.objects.get().content_type == "image/gif"
