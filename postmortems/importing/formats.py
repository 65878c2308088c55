"""The formats that are read beside Markdown. A new one is a module with these three names, and a line here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from postmortems.importing import confluence, export_lines, incident_table, issues, jira_issues, jira_table
from postmortems.importing.base import Document, FoundRecord, Left, Unreadable
from postmortems.importing.folders import Found, LeftOut, stem_and_ending
from postmortems.importing.front_matter import NO_TEXT
from postmortems.importing.incident_table import Preview, preview
from postmortems.importing.json_file import values_of
from postmortems.importing.loading import Loaded
from postmortems.importing.markdown_file import parse
from postmortems.importing.reading import MAX_BYTES as MAX_DOCUMENT
from postmortems.importing.reading import content_of, decode, source_of

MAX_BYTES = 100_000_000  # of a file of many


class Format(Protocol):
    """`recognises`: by the beginning of the text. `documents`: in the order of the file; raises `Unreadable` if the
    file as a whole cannot be read."""

    @property
    def ENDINGS(self) -> tuple[str, ...]: ...

    def recognises(self, text: str) -> bool: ...

    def documents(
        self, text: str, *, name: str, mapping: Mapping[str, str]
    ) -> Iterable[Document | Left | FoundRecord]: ...


FORMATS: Mapping[str, Format] = {
    "export": export_lines,
    "jira-json": jira_issues,
    "issues": issues,
    "jira-csv": jira_table,
    "confluence": confluence,
    "csv": incident_table,
}
MARKDOWN = "markdown"
NAMES = (MARKDOWN, *FORMATS)


@dataclass(frozen=True)
class Wanted:
    """What was asked for: a format by name ("": as the file looks), and column -> field of a table of incidents."""

    form: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)


def is_collection(found: Found, wanted: Wanted) -> bool:
    """Whether it is read here, and not as Markdown."""
    if wanted.form:
        return wanted.form != MARKDOWN
    return any(found.ending in form.ENDINGS for form in FORMATS.values())


def items_of(found: Found, wanted: Wanted) -> Iterator[Loaded | LeftOut | FoundRecord]:
    """What is in a file. Raises `Unreadable` if it should be read and cannot be."""
    text, note = decode(content_of(found, MAX_BYTES))
    form = _format_of(found, text, wanted)
    if form is None:
        if found.is_sure:
            raise _unknown(text, found)
        yield LeftOut(found.label, "does not look like a postmortem")
        return
    for item in form.documents(text, name=found.label, mapping=wanted.mapping):
        yield _loaded(found, item, note) if isinstance(item, Document | Left) else item


def _unknown(text: str, found: Found) -> Unreadable:
    """Why it is none, as far as that can be seen."""
    if not text.strip():
        return Unreadable("an empty file")
    if found.ending in issues.ENDINGS:
        try:
            found_in_it = list(values_of(text))  # to its end, where it may break off
            if not any(value for value, _ in found_in_it):
                return Unreadable("nothing is listed in it")
        except Unreadable as error:
            return error
    return Unreadable("none of the formats that are read here; --format says which it is")


def table_in(found: Found, wanted: Wanted) -> Preview | None:
    """What a file is as a table of incidents, whose columns somebody may want to choose; None if it is none."""
    if wanted.form == MARKDOWN or not is_collection(found, wanted):
        return None
    try:
        text, _ = decode(content_of(found, MAX_BYTES))
        return preview(text) if _format_of(found, text, wanted) is incident_table else None
    except Unreadable:
        return None


def _format_of(found: Found, text: str, wanted: Wanted) -> Format | None:
    if wanted.form:
        return FORMATS[wanted.form]
    fitting = [form for form in FORMATS.values() if found.ending in form.ENDINGS]
    known = next((form for form in fitting if form.recognises(text)), None)
    # Any table and any page that was named itself is meant; in a folder they have to look like it.
    return known or (
        fitting[-1] if found.is_named and fitting and fitting[-1] in (confluence, incident_table) else None
    )


def _loaded(found: Found, item: Document | Left, note: str) -> Loaded | LeftOut:
    label = f"{found.label}#{item.name}" if item.name else found.label
    if isinstance(item, Left):
        return LeftOut(label, item.reason, is_fault=item.is_fault, line=item.line)
    text, replaced = NO_TEXT.subn("\N{REPLACEMENT CHARACTER}", item.text)
    try:
        if len(text) > MAX_DOCUMENT:
            raise Unreadable(f"larger than {MAX_DOCUMENT // 1_000_000} MB: not a postmortem")
        parsed = parse(text, item.name or stem_and_ending(found.name)[0])
        source = source_of(text.encode())
    except Unreadable as error:
        # Lines of what was told are none of the file.
        return LeftOut(label, error.reason, is_fault=True, line=item.line)
    notes = (note, item.note, "characters that are no text were replaced" if replaced else "")
    return Loaded(replace(found, label=label), replace(source, note="; ".join(filter(None, notes))), parsed)
