"""Pages of Confluence's HTML export, or any HTML: the text as Markdown, without scripts, macros and trackers."""

import re
from collections.abc import Iterator, Mapping

from bs4 import BeautifulSoup, Comment, Declaration, Doctype, Tag
from markdownify import MarkdownConverter

from postmortems.importing import told
from postmortems.importing.base import Document, Left, Unreadable
from postmortems.importing.metadata import ONLY_FRONT_MATTER, field_of

ENDINGS = (".html", ".htm")
# A page of 60 KB of text has some 5,000 tags; 100,000 take about ten seconds.
MAX_PAGE = 5_000_000
MAX_TAGS = 100_000
_CONTENT = ("div#main-content", "div.wiki-content", "article", "main", "body")
_DROPPED = (
    *("script", "style", "noscript", "iframe", "object", "embed", "form", "template", "svg", "canvas", "link", "meta"),
    *("div.toc-macro", "div.page-metadata", "div#breadcrumb-section", "div.pageSection", "div#footer", "nav"),
    *("[data-macro-name=toc]", "ac\\:parameter", "ac\\:image", "ac\\:emoticon", "ri\\:attachment", "ri\\:user"),
)
_PAGE_ID = re.compile(r"(?:\A|_)(\d{4,20})\.html?\Z", re.IGNORECASE)


def recognises(text: str) -> bool:
    """Of Confluence; any other page is read only if it was named itself."""
    head = text[:200_000]
    return 'id="main-content"' in head and ("confluence" in head.lower() or 'id="title-text"' in head)


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    if name.rpartition("/")[2].lower() in ("index.html", "index.htm"):
        yield Left("the index of a space, not a page")
        return
    if len(text) > MAX_PAGE or text.count("<") > MAX_TAGS:
        raise Unreadable(f"larger than {MAX_PAGE // 1_000_000} MB or {MAX_TAGS:,} tags: not a page of text")
    try:
        yield _read(BeautifulSoup(text, "html.parser"), name)
    except RecursionError as error:
        raise Unreadable("nested too deep") from error


def _read(page: BeautifulSoup, name: str) -> Document | Left:
    title = _title(page)
    content = next((found for css in _CONTENT if (found := page.select_one(css))), page)
    if not content.get_text(strip=True):
        return Left("a page without text")
    _clean(content)
    properties = _properties(content)
    _spell_out(content)
    body = MarkdownConverter(heading_style="ATX", bullets="-", escape_misc=False).convert_soup(content)
    page_id = _page_id(page, name)
    facts = {"title": title, "uuid": told.uuid_of("confluence", page_id) if page_id else ""}
    facts |= properties
    return Document(told.markdown(facts, re.sub(r"\n{3,}", "\n\n", body), title))


def _title(page: BeautifulSoup) -> str:
    found = page.select_one("#title-text") or page.title or page.h1
    text = " ".join(found.get_text(" ").split()) if found else ""
    # `Space : Title`, as the export puts it.
    return text.partition(" : ")[2].strip() or text or "Untitled page"


def _page_id(page: BeautifulSoup, name: str) -> str:
    meta = page.select_one("meta[name=ajs-page-id]")
    if meta and str(meta.get("content", "")).isdigit():
        return str(meta["content"])
    match = _PAGE_ID.search(name.rpartition("/")[2])
    return match[1] if match else ""


def _clean(content: Tag) -> None:
    for remark in content.find_all(string=lambda text: isinstance(text, Comment | Declaration | Doctype)):
        remark.extract()
    for css in _DROPPED:
        for found in content.select(css):
            found.decompose()
    for link in content.find_all("a"):
        # Links of the export lead from page to page, and nowhere here: their text is kept.
        if not str(link.get("href") or "").startswith(("http://", "https://")):
            link.unwrap()
    for picture in content.find_all("img"):
        _replace_picture(picture)


def _properties(content: Tag) -> dict[str, str]:
    """Facts in the rows of tables above the first heading, `Severity | SEV1`, which are taken out of the page."""
    heading = content.find(["h1", "h2", "h3", "h4", "h5", "h6"])
    above = heading.find_all_previous("tr") if heading else content.find_all("tr")
    facts: dict[str, str] = {}
    for row in [row for row in above if content in row.parents][::-1]:
        cells = row.find_all(["th", "td"], recursive=False)
        label = " ".join(cells[0].get_text(" ").split()).rstrip(":") if len(cells) == 2 else ""
        name = field_of(label)
        if name and name not in ONLY_FRONT_MATTER and name not in facts:
            values = cells[1].select("li") or [cells[1]]
            facts[name] = ", ".join(" ".join(value.get_text(" ").split()) for value in values)
            row.decompose()
    return {name.replace("_", " "): value for name, value in facts.items()}


def _spell_out(content: Tag) -> None:
    """What Markdown has another way of saying: tasks that are ticked, boxes with a warning, a pipe in a table."""
    for task in content.select("ul.inline-task-list > li"):
        task.insert(0, "[x] " if "checked" in (task.get("class") or ()) else "[ ] ")
    for control in content.select(".expand-control"):
        if control.get_text(strip=True) == "Click here to expand...":
            control.decompose()
    for box in content.select("div.confluence-information-macro, div.panel:not(.code)"):
        box.name = "blockquote"
    for text in content.find_all(string=lambda text: text is not None and "|" in text):
        if text.find_parent(["td", "th"]) and not text.find_parent(["code", "pre"]):
            text.replace_with(str(text).replace("|", "\\|"))


def _replace_picture(picture: Tag) -> None:
    """Its name, so that the text says what was there; of a tracker, which nobody was to see, nothing."""
    source = str(picture.get("src", ""))
    is_tiny = {str(picture.get("width", "")), str(picture.get("height", ""))} & {"0", "1"}
    name = str(picture.get("alt", "")) or source.rpartition("/")[2].partition("?")[0]
    if is_tiny or source.startswith(("http:", "https:", "//")) or not name:
        picture.decompose()
    else:
        picture.replace_with(f"(picture: {name[:100]})")
