"""Inline Markdown as plain text, its sentences, and titles cut from it. Rows and titles are shown as plain text."""

import html
import re

DASHES = "-\N{EN DASH}\N{EM DASH}"  # people write all three; `DASH` is for use inside a character class
DASH = "\\-\N{EN DASH}\N{EM DASH}"
TITLE_LENGTH = 140  # a longer sentence is cut at a word; the whole of it stays in the text it was taken from

# Each bounded and without nesting, so that hostile text costs no more than its length.
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\(<?([^()\s<>]{0,1000})>?(?:[ \t]+\"[^\"\n]{0,200}\")?\)")
_REFERENCE = re.compile(r"!?\[([^\[\]\n]{1,500})\]\[[^\[\]\n]{0,200}\]")
_AUTOLINK = re.compile(r"<(https?://[^<>\s]{1,1000}|[\w.+-]{1,60}@[\w.-]{1,100})>")
_STRONG = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*\n]{1,500})(?<=[^\s*])\1(?![\w*])")
_STRONG_ = re.compile(r"(?<!\w)(_{1,3})(?=[^\s_])([^_\n]{1,500})(?<=[^\s_])\1(?!\w)")
_HAS_MARKS = re.compile(r"[\[<*_\\&]")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")
_URL = re.compile(r"https?://[^\s<>()\[\]\"'`|]+[^\s<>()\[\]\"'`|.,;:!?]")

# A full stop, then space, then something that begins a sentence. "3. February", "approx. 10", "e.g. Kafka" go on.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[]?[A-Z0-9`])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|vs|no|dr|mr|ms|st|inc|ltd|corp|fig|a\.m|p\.m|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
    r"|(?<!\w)\d{1,2}|(?<!\w)[A-Z])\.$",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The words, with the address of a link behind its text; code keeps its backticks."""
    if not _HAS_MARKS.search(text):
        return text.strip()
    text = _BREAK.sub("\n", text)
    text = _LINK.sub(_spell_out, text)
    text = _REFERENCE.sub(r"\1", text)
    text = _AUTOLINK.sub(r"\1", text)
    for pattern in (_STRONG, _STRONG_):
        text = pattern.sub(r"\2", text)
    return html.unescape(_ESCAPE.sub(r"\1", text)).strip()


def _spell_out(match: re.Match[str]) -> str:
    label, address = match.groups()
    return label if not address or label == address else f"{label} ({address})".strip()


def one_line(text: str) -> str:
    return " ".join(plain(text).split())


def first_url(text: str, limit: int = 500) -> str:
    """The first web address in it, if it fits."""
    match = _URL.search(text)
    return match.group() if match and len(match.group()) <= limit else ""


def without_urls(text: str) -> str:
    return _URL.sub(" ", text)


def sentences(text: str) -> list[str]:
    """Of one paragraph of plain text."""
    found: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        sentence = text[start : match.start()]
        if _ABBREVIATION.search(sentence[-12:]):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def shorten(text: str, limit: int = TITLE_LENGTH) -> str:
    """At most so many characters: whole words, and a sign that there is more."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, _, _ = cut.rpartition(" ")
    return (head if len(head) > limit // 2 else cut).rstrip(f" ,;:({DASHES}") + "…"


def title_of(text: str, limit: int = TITLE_LENGTH) -> str:
    """A title made of the first sentence."""
    first = next(iter(sentences(one_line(text))), "")
    return shorten(first.rstrip(" .:;"), limit)
