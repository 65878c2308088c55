"""A reader who follows every number on a page and counts what is there."""

import re
from html import unescape
from html.parser import HTMLParser

from django.test import Client

TOPICS = ("incidents", "recurrence", "reuse", "actions", "postmortems", "gaps")
ROW = re.compile(r'<tr class="counted">')
NEXT = re.compile(r'<a class="button little" rel="next" href="([^"]+)"')


class Numbers(HTMLParser):
    """(what the link says, where it leads) of each number on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self.address = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "a" and known.get("class") == "figure":
            self.address = known["href"] or ""

    def handle_data(self, data: str) -> None:
        if self.address:
            self.found.append((int(data), self.address))
            self.address = ""


def numbers(page: str) -> list[tuple[int, str]]:
    return Numbers(page).found


def rows_at(client: Client, address: str) -> int:
    """How many rows are there, page after page."""
    page = client.get(address)
    assert page.status_code == 200, address
    count = len(ROW.findall(page.text))
    following = NEXT.search(page.text)
    return count + (rows_at(client, address.partition("?")[0] + unescape(following[1])) if following else 0)


def table(page: str, section: str) -> dict[str, list[str]]:
    """First cell of each row -> the other cells, as text, of one question on a page."""
    start = page.index(f'<section class="card stack insight" aria-labelledby="{section}">')
    body = page[start : page.index("</section>", start)]
    rows = re.findall(r"<tr>(.*?)</tr>", body[body.index("<tbody>") :], re.DOTALL)
    cells = [[plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]
    return {first: rest for first, *rest in cells}


def headlines(page: str, section: str) -> dict[str, str]:
    start = page.index(f'aria-labelledby="{section}"')
    body = page[start : page.index("</section>", start)]
    return {plain(name): plain(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", body, re.DOTALL)}


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())
