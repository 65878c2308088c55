"""A Markdown document -> what a postmortem consists of. Every character of it ends up somewhere: see `pieces`.

The outline cuts the document into parts; each part is read by the reader of its kind: timeline, action items,
metadata, people, or as the text of a section. What a reader cannot make a row of stays text, in `narrative`, below
its heading.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date

from postmortems.importing import fixes, front_matter
from postmortems.importing.base import FIELD, ParsedFix, ParsedPostmortem, Piece, Unreadable
from postmortems.importing.blocks import Block, Kind, blocks_of, name_of
from postmortems.importing.headings import NARRATIVE, SUMMARY, canonical, known
from postmortems.importing.inline import one_line, sentences, shorten, title_of, without_urls
from postmortems.importing.metadata import Metadata
from postmortems.importing.outline import PREAMBLE, Part, parts_of
from postmortems.importing.parts import DEFINITION, SUPPORTING, PartRead, PartReader, Text
from postmortems.importing.reading import lines_of
from postmortems.importing.timeline import TimelineReader
from postmortems.importing.times import date_in
from postmortems.sections import KEYS

WHAT_FIXED_IT = "what_fixed_it"
MAX_TITLE = 300


def parse(text: str, name: str) -> ParsedPostmortem:
    """`name`: of the file, without its ending. Raises `Unreadable`."""
    if not any(character.isalnum() for character in text):
        raise Unreadable("empty")
    return _Document(name).read(text)


class _Document:
    def __init__(self, name: str) -> None:
        self.name = name
        self.metadata = Metadata()
        self.texts: dict[str, list[str]] = {}
        self.fixes: list[ParsedFix] = []

    def read(self, text: str) -> ParsedPostmortem:
        block, body = front_matter.split(text)
        self._front_matter(block)
        blocks = blocks_of(lines_of(body, first=sum(1 for _ in lines_of(block)) + 1))
        parts = parts_of(blocks)
        title = self._title_in(parts)
        reader = PartReader(
            self.metadata,
            has_summary=SUMMARY in self.texts or any(part.key == SUMMARY for part in parts),
            has_sections=any(part.key in KEYS for part in parts),
        )
        reads = self._read_parts(parts, reader, title)
        for read in reads:
            for found in read.texts:
                self._write(found)
        pieces = [piece for read in reads for piece in read.pieces]
        places = self._place_definitions([block for block in blocks if block.kind is Kind.DEFINITION])
        pieces = [Piece(piece.raw, places.get(piece.place, piece.place)) for piece in pieces]
        return self._result(reader, title, tuple([Piece(block, FIELD), *pieces] if block else pieces))

    # --- front matter ---

    def _front_matter(self, block: str) -> None:
        left: list[str] = []
        for key, value in (front_matter.parse(block) if block else {}).items():
            if value.is_empty or (not value.is_deep and self._take(key, value)):
                continue
            if key.lower() == "visibility":
                raise Unreadable("front matter: visibility is neither `open` nor `restricted`", value.line)
            left.append(f"```yaml\n{value.raw}\n```" if value.is_deep else f"- {_as_words(key)}: {_linked(value.text)}")
        if left:
            self._write(Text(SUPPORTING, "\n".join(left)))

    def _take(self, key: str, value: front_matter.Value) -> bool:
        if self.metadata.take(key, value.items):
            return True
        section = known(key.replace("_", " "))
        if section and section.key in KEYS:
            body = "\n".join(f"- {item}" for item in value.items) if value.is_list else value.text
            self._write(Text(section.key, body, key))
            return True
        return False

    # --- parts ---

    def _title_in(self, parts: Sequence[Part]) -> str:
        """The title the text gives itself. It is kept as text if the front matter has another, or if it is too long."""
        part = next((part for part in parts if part.key == PREAMBLE and part.heading), None)
        if part is None or part.heading is None:
            return ""
        given = self.metadata.values.get("title", "")
        if (given and canonical(given) != canonical(part.title)) or len(part.title) > MAX_TITLE:
            self._write(Text(NARRATIVE, part.heading.text))
        return part.title

    def _read_parts(self, parts: Sequence[Part], reader: PartReader, title: str) -> list[PartRead]:
        reads = {at: reader.read(part) for at, part in enumerate(parts) if part.key in PartReader.DATA}
        day = self.metadata.day or date_in(title) or date_in(self.name) or self._day_in_texts(parts)
        reader.new_timeline = lambda: TimelineReader(day, self.metadata.zone)
        reads |= {at: reader.read(part) for at, part in enumerate(parts) if part.key not in PartReader.DATA}
        return [reads[at] for at in range(len(parts))]

    def _day_in_texts(self, parts: Sequence[Part]) -> date | None:
        """A date in the summary, else in the first paragraph."""
        bodies = [text for key in (SUMMARY, NARRATIVE) for text in self.texts.get(key, [])]
        wanted = [part for part in parts if part.key in (SUMMARY, PREAMBLE)]
        first = next((block for block in (parts[0].blocks if parts else []) if block.kind is Kind.PARAGRAPH), None)
        bodies += [block.text for part in wanted for block in part.blocks if block.kind is Kind.PARAGRAPH]
        bodies += [first.text] if first else []
        return next((day for body in bodies if (day := date_in(one_line(body)))), None)

    def _write(self, text: Text) -> None:
        """Below what stands there already; then the heading is needed to tell them apart."""
        there = self.texts.setdefault(text.key, [])
        heading = text.heading if text.stays or there else ""
        there.append("\n\n".join(part for part in (heading, text.body) if part))
        if text.key == WHAT_FIXED_IT and (fix := fixes.of_section(text.title, text.body)):
            self.fixes.append(fix)

    def _place_definitions(self, definitions: Sequence[Block]) -> Mapping[str, str]:
        """`[name]: address` goes below each text that uses it; one that only rows use is kept as a line of text."""
        places: dict[str, str] = {}
        unused: list[str] = []
        for block in definitions:
            name = name_of(block)
            mark = f"[{name}]".lower()
            users = [key for key, texts in self.texts.items() if any(mark in text.lower() for text in texts)]
            for key in users:
                self.texts[key].append(block.text)
            if not users:
                unused.append("- \\" + block.text.strip())
            places[DEFINITION + name] = users[0] if users else SUPPORTING
        if unused:
            self._write(Text(SUPPORTING, "\n".join(unused)))
        return places

    # --- all together ---

    def _result(self, reader: PartReader, title: str, pieces: tuple[Piece, ...]) -> ParsedPostmortem:
        meta = self.metadata
        if meta.start and meta.end and meta.end < meta.start:
            self._write(Text(SUPPORTING, f"- End: {meta.end.isoformat()}"))
            meta.end = None
        texts = {key: "\n\n".join(self.texts[key]).strip() for key in KEYS if key in self.texts}
        told = [texts.get(SUMMARY, ""), texts.get(NARRATIVE, "")]
        found = self.fixes or [fix for fix in [fixes.told(told, reader.timeline)] if fix]
        return ParsedPostmortem(
            title=self._title(title, texts),
            sections={key: text for key, text in texts.items() if text},
            timeline=tuple(reader.timeline),
            actions=tuple(reader.actions),
            fixes=tuple(found),
            tags=tuple(meta.tags),
            services=tuple(meta.services),
            uuid=meta.values.get("uuid", ""),
            source_url=meta.values.get("url", ""),
            authors=", ".join(meta.authors),
            team=meta.values.get("team", ""),
            severity=meta.values.get("severity", ""),
            status=meta.values.get("status", ""),
            visibility=meta.values.get("visibility", ""),
            kind=meta.values.get("kind", ""),
            environment=meta.values.get("environment", ""),
            cause_category=meta.values.get("cause_category", ""),
            occurred_on=self._day(reader, title, texts),
            started_at=meta.start,
            ended_at=meta.end,
            published_at=meta.published,
            pieces=pieces,
        )

    def _title(self, title: str, texts: Mapping[str, str]) -> str:
        given = self.metadata.values.get("title", "") or title
        if given:
            return shorten(given, MAX_TITLE)
        for key in (SUMMARY, NARRATIVE, *KEYS):
            first = next(
                (block for block in blocks_of(lines_of(texts.get(key, ""))) if block.kind is Kind.PARAGRAPH), None
            )
            if first and (made := title_of(first.text)):
                return made
        return shorten(_name_as_title(self.name), MAX_TITLE)

    def _day(self, reader: PartReader, title: str, texts: Mapping[str, str]) -> date | None:
        """When it happened, by what is likeliest to know."""
        first_moment = min((entry.at for entry in reader.timeline), default=None)
        if self.metadata.day:
            return self.metadata.day
        if first_moment:
            return first_moment.date()
        for text in (title, self.name, *sentences(one_line(texts.get(SUMMARY, "")))[:6], _opening(texts)):
            if day := date_in(without_urls(text)):  # the date in an address is of a page
                return day
        return self.metadata.published.date() if self.metadata.published else None


def _opening(texts: Mapping[str, str]) -> str:
    return one_line(texts.get(NARRATIVE, "")[:2000])


def _as_words(key: str) -> str:
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def _linked(text: str) -> str:
    return f"<{text}>" if re.fullmatch(r"https?://[^\s<>]+", text) else text


def _name_as_title(name: str) -> str:
    """`2021-06-22-checkout_down` -> `Checkout down`."""
    words = name if " " in name else re.sub(r"[-_]+", " ", re.sub(r"\A\d{4}-\d\d-\d\d[-_]?(?=\w)", "", name))
    return words[:1].upper() + words[1:]
