"""The process that turns Markdown into sanitized HTML, one document after another.

`markdown.py` starts and watches it. It runs as a script, isolated from the project and from Django, so that it
starts fast. A frame, either way, is four bytes of length and that many bytes of UTF-8; an answer begins with
`+` and the HTML, or with `-` and the reason why there is none.
"""

import json
import re
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

import nh3
from markdown import Markdown
from markdown.inlinepatterns import HTML_RE, HtmlInlineProcessor, InlineProcessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

EXTENSIONS = {
    "tables": {"use_align_attribute": True},
    "sane_lists": {},
    "pymdownx.superfences": {},  # fences inside lists, where the steps of a fix have their commands
    "pymdownx.highlight": {"use_pygments": False},
    "pymdownx.tasklist": {},
    "pymdownx.tilde": {"subscript": False},
    "pymdownx.magiclink": {},
}
WORD = re.compile(r"\S+")
BLOCKS = set(
    WORD.findall(
        "blockquote dd details div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre summary table tbody td tfoot th thead tr ul"
    )
)
INLINE = set(WORD.findall("a abbr b br code del em i ins kbd mark q s samp small span strike strong sub sup u var"))
ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "input": {"checked"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
ALIGNMENT = {"align": {"left", "center", "right"}}
SCHEMES = {"http", "https", "mailto"}
SECONDS = 10  # of processor time; the watching process loses patience sooner
MEMORY = 1 << 30  # a document that needs more than this is not one that people read

ATTRIBUTE = r'(?: [\w-]+(?:="[^"]*")?)'
IMAGE = re.compile(rf"(?P<link><a{ATTRIBUTE}*>)?<img(?P<attributes>{ATTRIBUTE}*)>")
ITEM = re.compile(r"(?P<indent> *)(?P<marker>[-*+]|\d{1,9}\.) +(?=\S)")
LOOKS_LIKE_DEFINITION = re.compile(r" *\[(?:\^|[^\[\]\n]*\]:(?! *<?(?:https?:|mailto:|www\.|[/.#])))")
# Characters that make a line read otherwise than it runs ("Trojan Source") are shown by their number.
REORDERING = {code: f"⟦U+{code:04X}⟧" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class KnownHtml(HtmlInlineProcessor):
    """Raw HTML passes if its tag is one of ours; `<pod-name>` and `List<String>` are text and stay so."""

    # ignore: the library's own stubs do not know that "no match after all" is three times None
    def handleMatch(self, m: re.Match[str], data: str) -> Any:  # type: ignore[override]
        name = re.match(r"</?([a-z0-9:-]+)", m.group(1), re.IGNORECASE)
        if name and name.group(1).lower() not in INLINE | BLOCKS | {"img"}:
            return None, None, None
        return super().handleMatch(m, data)


class Refs(InlineProcessor):
    """`PM-7` becomes a link. Whether the reader may see what it leads to is found out there."""

    ANCESTOR_EXCLUDES = ("a",)

    def __init__(self, md: Markdown, places: Mapping[str, str]) -> None:
        self.places = places
        super().__init__(rf"(?<![\w/.#&@-])({'|'.join(map(re.escape, places))})-([0-9]{{1,12}})(?![\w-]|\.\w)", md)

    # ignore: as above
    def handleMatch(self, m: re.Match[str], data: str) -> Any:  # type: ignore[override]
        link = Element("a", href=f"{self.places[m.group(1)]}{m.group(0)}/")
        link.text = AtomicString(m.group(0))
        return link, m.start(0), m.end(0)


class UsualLists(Preprocessor):
    """Lists as people type them: right after a paragraph, nested by two spaces.

    Markdown wants a blank line and four spaces. And text that happens to look like a definition,
    `[ERROR]: timeout`, stays visible, as do footnotes.
    """

    def run(self, lines: list[str]) -> list[str]:
        self.out: list[str] = []
        self.open: list[tuple[int, int]] = []  # of each open item: where its marker and where its text begins
        for line in lines:
            self.out.append(self.placed(line))
        return self.out

    def placed(self, line: str) -> str:
        after_blank = not self.out or not self.out[-1].strip()
        indent = len(line) - len(line.lstrip(" "))
        item = ITEM.match(line)
        if item and (self.open or (indent < 4 and (after_blank or item["marker"] in "-*+1."))):
            return self.item(line, item, after_blank)
        if LOOKS_LIKE_DEFINITION.match(line) and (self.open or indent < 4):
            line = line.replace("[", r"\[", 1)
        if not line.strip() or not self.open:
            return line
        if after_blank or line.startswith("#"):
            self.close(indent)
        inner = min(indent, self.open[-1][1]) if self.open else 0
        return " " * 4 * len(self.open) + line[inner:]

    def item(self, line: str, item: re.Match[str], after_blank: bool) -> str:
        indent = len(item["indent"])
        if not self.open and not after_blank:
            self.out.append("")
        self.close(indent)
        depth = len(self.open)
        self.open.append((indent, indent + len(item["marker"]) + 1))
        return " " * 4 * depth + line[indent:]

    def close(self, indent: int) -> None:
        """Two spaces more than its item, and a line belongs to it."""
        while self.open and indent < self.open[-1][0] + 2:
            self.open.pop()


class LowerHeadings(Treeprocessor):
    """The page has the first two levels of headings; those of the text come below."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if re.fullmatch("h[1-6]", str(element.tag)):
                element.tag = f"h{min(int(element.tag[1]) + 2, 6)}"


def build(refs: Mapping[str, str]) -> Markdown:
    md = Markdown(extensions=list(EXTENSIONS), extension_configs=EXTENSIONS, output_format="html")
    md.block_level_elements = sorted(BLOCKS)
    md.inlinePatterns.register(KnownHtml(HTML_RE, md), "html", 90)
    md.preprocessors.register(UsualLists(md), "usual_lists", 15)  # after fences and HTML blocks were put aside
    md.treeprocessors.register(LowerHeadings(md), "lower_headings", 5)
    if refs:
        md.inlinePatterns.register(Refs(md, refs), "refs", 20)  # before bare addresses, after code and links
    return md


def convert(md: Markdown, text: str, own_images: str = "") -> str:
    md.reset()
    return sanitize(md.convert(text.translate(REORDERING)), own_images)


def sanitize(html: str, own_images: str = "") -> str:
    """Safe HTML. The last step of all: nothing may change the text after it.

    `own_images`: the folder whose pictures may be shown, `/attachments/`; others become links.
    """
    if not own_images:
        return clean(IMAGE.sub(link_of_image, clean(html, any_image)))
    own = re.compile(rf"{re.escape(own_images)}[0-9a-f-]{{36}}/")
    shown = IMAGE.sub(lambda image: image[0] if is_own(image, own) else link_of_image(image), clean(html, any_image))
    return clean(shown, lambda source: own.fullmatch(source) is not None)


def is_own(image: re.Match[str], own: re.Pattern[str]) -> bool:
    source = re.search(r' src="([^"]*)"', image["attributes"])
    return source is not None and own.fullmatch(source[1]) is not None


def any_image(_source: str) -> bool:
    return True


def clean(html: str, images: Callable[[str], bool] | None = None) -> str:
    """`images`: which sources a picture may have; without it there are none."""

    def kept(tag: str, attribute: str, value: str) -> str | None:
        return None if images and (tag, attribute) == ("img", "src") and not images(value) else value

    return nh3.clean(
        html,
        attribute_filter=kept,
        tags={*BLOCKS, *INLINE, "input", *({"img"} if images else ())},
        attributes=ATTRIBUTES | ({"img": {"src", "alt"}} if images else {}),
        tag_attribute_values={"td": ALIGNMENT, "th": ALIGNMENT},
        set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
        allowed_classes={"ul": {"task-list"}, "li": {"task-list-item"}},
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def link_of_image(image: re.Match[str]) -> str:
    """Our pages load no foreign image (it would tell its owner who reads); a link lets the reader decide."""
    attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', image["attributes"]))
    source, name = attributes.get("src", ""), attributes.get("alt") or "image"
    if image["link"]:
        return f"{image['link']}{name}"
    if not source.startswith(("http:", "https:", "//")):
        return f"{name} ({source})" if source else name
    return f'<a href="{source}">{name}</a>'


def read_frame(stream: BinaryIO) -> bytes | None:
    header = stream.read(4)
    return stream.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    stream.write(struct.pack(">I", len(payload)) + payload)
    stream.flush()


def limit_processor_time() -> None:
    """Should the watching process be killed while this one is stuck, the system ends this one."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, resource.RLIM_INFINITY))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    places = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    refs, own_images = places.get("refs", {}), places.get("own_images", "")
    md = build(refs)
    write_frame(sys.stdout.buffer, b"ready")
    while (request := read_frame(sys.stdin.buffer)) is not None:
        limit_processor_time()
        try:
            answer = b"+" + convert(md, request.decode(), own_images).encode()
        except Exception as error:
            # Markdown's limits (nesting, memory) and its defects look alike from here: there is no HTML.
            answer = b"-" + type(error).__name__.encode()
            md = build(refs)  # it was left in the middle of something, which would show in the next text
        write_frame(sys.stdout.buffer, answer)


if __name__ == "__main__":
    main()
