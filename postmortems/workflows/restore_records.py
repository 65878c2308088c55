"""A record of an export on its way back, and what it must be before a row is thought of."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kb import markdown
from postmortems.exporting.records import Record
from postmortems.exporting.shapes import ATTACHMENTS, BY_KIND, Shape
from postmortems.importing.front_matter import NO_TEXT
from postmortems.models import Comment, Fix, Incident, SectionText
from postmortems.workflows.restore_values import NotRestored, list_of, text_of, value_of, within

# Text -> its HTML.
RENDERED: Mapping[Any, tuple[str, str]] = {
    SectionText: ("body", "html"),
    Fix: ("steps", "steps_html"),
    Incident: ("symptoms", "symptoms_html"),
    Comment: ("body", "html"),
}
FOUND_OUT = ("size", "content_type")  # of an attachment, in its content
DEEPEST = 12  # an export has six
Files = Callable[[str], bytes]
Lines = Mapping[tuple[str | int, ...], int]


@dataclass(frozen=True)
class Restorable:
    """A record, where it was read, and how to get at the files it names. `lines`: of its fields, and of what is listed
    there. `html`: of its texts, made beforehand."""

    kind: str
    record: Record
    label: str
    line: int | None = None
    files: Files | None = None
    lines: Lines = field(default_factory=dict)
    html: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        return BY_KIND[self.kind]

    @property
    def ref(self) -> str:
        return _shown(self.record.get("ref") or self.record.get("slug") or "")[:100]

    @property
    def title(self) -> str:
        return _shown(self.record.get("title") or self.record.get("name") or self.kind)[:500]

    @property
    def unknown(self) -> list[str]:
        """Fields that nobody reads: of another version, or written in another way."""
        known = {"ref", "attachments", *self.shape.fields, *self.shape.parts}
        return [name for name in self.record if name not in known]

    def line_of(self, refusal: Exception) -> int | None:
        """Where what was refused stands; else where the record begins."""
        place = refusal.place if isinstance(refusal, NotRestored) else ()
        return next((self.lines[place[:n]] for n in (2, 1) if place[:n] in self.lines), self.line)

    def rendered(self) -> "Restorable":
        """Before the transaction begins: nobody waits for that."""
        for text in set(_texts(self.shape, self.record)):
            self.html[text] = markdown.render_or_plain(text)
        return self


def _shown(value: Any) -> str:
    """A report is sent as text, also of a record that is refused because it is none."""
    return NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", str(value))


def check(kind: str, record: Any) -> None:
    """Raises `NotRestored` for what is no record, with the place of what is wrong."""
    if kind not in BY_KIND or not isinstance(record, dict):
        raise NotRestored(f"there is no kind of record called {str(kind)[:60]!r}")
    if any(NO_TEXT.search(text) for text in _strings(record)):
        raise NotRestored("a character that is no text (NUL, or half a character)")
    shape = BY_KIND[kind]
    if missing := [name for name in shape.key if not record.get(name)]:
        raise NotRestored("is missing", missing[0])
    _check(shape, record)


def _check(shape: Shape, record: Any) -> None:
    if not isinstance(record, dict):
        raise NotRestored("what is listed here is no record")
    if shape.has_ref and shape.model.pk_of_ref(str(record.get("ref"))) is None:
        raise NotRestored(f"ref {str(record.get('ref'))[:60]!r} is none of a {shape.model._meta.verbose_name}")
    for name in shape.fields:
        if name in record:
            with within(name):
                _check_value(shape.model._meta.get_field(name), record[name])
    for name, part in _listed(shape).items():
        with within(name):
            children = list_of(record.get(name))
        for number, child in enumerate(children, start=1):
            with within(name, number):
                _check(part, child)


def _check_value(target: Any, raw: Any) -> None:
    if target.many_to_many:
        for each in list_of(raw):
            if not text_of(each).strip():
                raise NotRestored("a name is empty")
    elif target.is_relation:
        if not text_of(raw).strip() and not target.null:
            raise NotRestored("is missing")
    else:
        value_of(target, raw)


def refuse_half(shape: Shape, record: Record) -> None:
    """A new row needs more than one that is there already: whatever the model itself cannot fill in."""
    for name in shape.fields:
        target: Any = shape.model._meta.get_field(name)
        is_filled = target.null or target.blank or target.has_default() or name in FOUND_OUT
        if name not in record and not is_filled:
            raise NotRestored("is missing", name)
    for name, part in _listed(shape).items():
        for number, child in enumerate(list_of(record.get(name)), start=1):
            with within(name, number):
                refuse_half(part, child)


def _listed(shape: Shape) -> Mapping[str, Shape]:
    return {**shape.parts, "attachments": ATTACHMENTS} if shape.kind == "postmortem" else shape.parts


def _strings(whole: Any) -> Iterator[str]:
    """All texts and names in it. Raises `NotRestored` if it is nested too deep; nothing recurses here."""
    left = [(whole, 0)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            raise NotRestored(f"nested more than {DEEPEST} deep")
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            left += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            left += [(each, depth + 1) for each in value]


def _texts(shape: Shape, record: Record) -> Iterator[str]:
    source, _ = RENDERED.get(shape.model, ("", ""))
    if isinstance(record.get(source), str):
        yield record[source]
    for name, part in shape.parts.items():
        for child in list_of(record.get(name)):
            yield from _texts(part, child)
