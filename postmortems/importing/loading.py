"""A found file -> its text and what it consists of; or the reason why it is no postmortem."""

import re
from dataclasses import dataclass

from postmortems.importing import front_matter, markdown_file
from postmortems.importing.base import ParsedPostmortem, Unreadable
from postmortems.importing.blocks import Kind, blocks_of, is_delimiter
from postmortems.importing.folders import Found, LeftOut, stem_and_ending
from postmortems.importing.headings import known
from postmortems.importing.metadata import field_of
from postmortems.importing.outline import label_of
from postmortems.importing.reading import MAX_BYTES, Source, content_of, lines_of, source_of
from postmortems.importing.record_file import is_record

MAX_RECORD = 20_000_000  # of our own export, which may hold long texts
# What templates hold where the text is to come.
_PLACEHOLDER = re.compile(
    r"<[^<>\n]{1,200}>|\{\{[^{}\n]{0,200}\}\}|\[[^\[\]\n]{0,200}\](?!\()|\b(?:todo|tbd|tba|fixme|none|n/a)\b|"
    r"\b(?:20[xy]{2}|[xyz]{3,})(?:[-/]mm[-/]dd)?\b|\bhh:mm\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Loaded:
    found: Found
    source: Source
    parsed: ParsedPostmortem


def read_found(found: Found) -> Source | LeftOut:
    """Raises `Unreadable` for a file that should be a postmortem and cannot be read."""
    try:
        source = source_of(content_of(found, MAX_RECORD))
        if is_record(source.text):
            return source
        if len(source.text) > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB: not a postmortem")
        if found.is_sure or looks_like_one(source.text):
            return source
        return LeftOut(found.label, "does not look like a postmortem")
    except Unreadable:
        if found.is_sure:
            raise
        return LeftOut(found.label, "does not look like a postmortem: no text")


def parse_found(found: Found, source: Source) -> Loaded | LeftOut:
    """Raises `Unreadable`."""
    parsed = markdown_file.parse(source.text, stem_and_ending(found.name)[0])
    if not found.is_named:
        if found.is_template and len({entry.at for entry in parsed.timeline}) < 2 and not parsed.started_at:
            return LeftOut(found.label, "a template, by its name")
        if _is_unfilled(parsed):
            return LeftOut(found.label, "a template: nothing is filled in")
    return Loaded(found, source, parsed)


def looks_like_one(text: str) -> bool:
    """Two headings of postmortems, or front matter with two keys that we know."""
    block, body = front_matter.split(text)
    if block:
        return sum(bool(field_of(key)) for key in front_matter.parse(block)) >= 2
    headings = [found for found in blocks_of(lines_of(body)) if found.kind is Kind.HEADING]
    return len({key.key for heading in headings if (key := known(heading.title))}) >= 2


def _is_unfilled(parsed: ParsedPostmortem) -> bool:
    """Headings and placeholders only. A document without sections is none of our templates."""
    texts = [*parsed.sections.values(), *(action.title for action in parsed.actions)]
    texts += [entry.text for entry in parsed.timeline]
    has_headings = any(piece.raw.lstrip().startswith("#") for piece in parsed.pieces)
    return has_headings and not any(_says_something(text) for text in texts)


def _says_something(text: str) -> bool:
    """Beside headings, labels, heads of tables and placeholders."""
    lines = _without_comments(text).split("\n")
    said = [
        _without_label(line)
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
        if not line.lstrip().startswith("#") and not ("|" in below and is_delimiter(below))
    ]
    return any(character.isalnum() for character in _PLACEHOLDER.sub(" ", "\n".join(said)))


def _without_label(line: str) -> str:
    text = line.lstrip(" \t-+")
    label = label_of(text.removeprefix("* "))
    return label.rest if label else text


def _without_comments(text: str) -> str:
    first, *others = text.split("<!--")
    return first + "".join(part.partition("-->")[2] if "-->" in part else part for part in others)
