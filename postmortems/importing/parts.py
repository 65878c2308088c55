"""One part of a document -> what is written where: rows, fields, or text below a heading."""

from collections.abc import Callable
from dataclasses import dataclass, field

from postmortems.importing.actions import ActionReader
from postmortems.importing.base import (
    ACTIONS,
    FIELD,
    STRUCTURE,
    TIMELINE,
    ParsedAction,
    ParsedTimelineEntry,
    Piece,
)
from postmortems.importing.blocks import Block, Kind, name_of
from postmortems.importing.headings import METADATA, NARRATIVE, PEOPLE, SUMMARY
from postmortems.importing.labels import LEFT_OVER, DataReader, people_in
from postmortems.importing.metadata import Metadata
from postmortems.importing.outline import ACCOUNT, FIELD_PART, PREAMBLE, Part
from postmortems.importing.timeline import TimelineReader

SUPPORTING = "supporting"
DEFINITION = "definition "  # + its name: where it goes is known when all texts are
MAX_FIELD_PART = 300  # characters below `## Severity`; more than that is an account of it
_TEXT_KINDS = (Kind.PARAGRAPH, Kind.LIST, Kind.BLANK)


@dataclass(frozen=True)
class Text:
    """A text for a section. The heading is written above it if it stays, or if another text stands there already."""

    key: str
    body: str
    title: str = ""
    heading: str = ""
    stays: bool = False


@dataclass
class PartRead:
    pieces: list[Piece] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def body_of(blocks: list[Block]) -> str:
    """The text of the blocks, without the blank lines around it; definitions go where they are used."""
    return "\n".join(block.text for block in blocks if block.kind is not Kind.DEFINITION).strip("\n")


class PartReader:
    """Reads parts; rows and fields collect here. Parts with metadata first: a timeline of times needs the date."""

    DATA = (PREAMBLE, METADATA, FIELD_PART)

    def __init__(self, metadata: Metadata, *, has_summary: bool, has_sections: bool) -> None:
        self.metadata = metadata
        self.has_summary = has_summary
        self.has_sections = has_sections
        self.timeline: list[ParsedTimelineEntry] = []
        self.actions: list[ParsedAction] = []
        self.new_timeline: Callable[[], TimelineReader] = TimelineReader

    def read(self, part: Part) -> PartRead:
        readers = {
            PREAMBLE: self._preamble,
            METADATA: self._data,
            FIELD_PART: self._field,
            PEOPLE: self._people,
            TIMELINE: self._timeline,
            ACTIONS: self._actions,
            ACCOUNT: self._account,
        }
        return readers.get(part.key, self._section)(part)

    def _section(self, part: Part) -> PartRead:
        return self._as_text(part, part.key)

    def _as_text(self, part: Part, key: str, stays: bool | None = None) -> PartRead:
        stays = part.stays if stays is None else stays
        body = body_of(part.blocks)
        is_empty = not any(character.isalnum() for character in body)
        heading_stays = stays and not (is_empty and key != NARRATIVE)
        place = STRUCTURE if is_empty else key
        read = PartRead(_heading(part, key if heading_stays else STRUCTURE))
        read.pieces += [_piece(block, place) for block in part.blocks]
        if not is_empty or heading_stays:
            heading = part.heading.text if part.heading else ""
            read.texts.append(Text(key, "" if is_empty else body, part.title, heading, stays))
        return read

    def _account(self, part: Part) -> PartRead:
        if self.has_summary:
            return self._as_text(part, NARRATIVE)
        self.has_summary = True
        return self._as_text(part, SUMMARY, stays=False)

    # --- metadata ---

    def _preamble(self, part: Part) -> PartRead:
        """Above the first heading: labels first, and once a paragraph is reached, text."""
        reader = DataReader(self.metadata)
        is_top = True
        for block in part.blocks:
            is_top = is_top and block.kind in (Kind.LABEL, Kind.LIST, Kind.TABLE, Kind.BLANK, Kind.COMMENT, Kind.RULE)
            if block.kind is Kind.DEFINITION:
                reader.pieces.append(_piece(block, ""))
            elif block.kind is Kind.LABEL or is_top:
                reader.read(block)
            else:
                reader.keep(block)
        return self._data_read(part, reader, self._place_of_preamble(part, reader))

    def _place_of_preamble(self, part: Part, reader: DataReader) -> str:
        if reader.only_labels_left():
            return SUPPORTING
        is_short = sum(block.kind not in (Kind.BLANK, Kind.DEFINITION) for block in part.blocks) == 1
        if not self.has_summary and (self.has_sections or is_short):
            self.has_summary = True
            return SUMMARY
        return NARRATIVE

    def _data(self, part: Part) -> PartRead:
        reader = DataReader(self.metadata)
        for block in part.blocks:
            if block.kind is Kind.DEFINITION:
                reader.pieces.append(_piece(block, ""))
            else:
                reader.read(block)
        return self._data_read(part, reader, SUPPORTING)

    def _data_read(self, part: Part, reader: DataReader, place: str) -> PartRead:
        read = PartRead(_heading(part, STRUCTURE))
        place = place if reader.left_over else STRUCTURE  # blank lines alone make no section
        read.pieces += [Piece(piece.raw, place if piece.place == LEFT_OVER else piece.place) for piece in reader.pieces]
        if reader.left_over:
            heading = part.heading.text if part.heading and part.key == METADATA else ""
            read.texts.append(Text(place, reader.left_over, part.title, heading, stays=bool(heading)))
        read.texts += [Text(key, text) for key, text in reader.texts]
        return read

    def _field(self, part: Part) -> PartRead:
        body = body_of(part.blocks)
        values = people_in(part.blocks) if all(block.kind in _TEXT_KINDS for block in part.blocks) else ""
        if values and len(body) <= MAX_FIELD_PART and self.metadata.take(part.title, [values]):
            return PartRead(_heading(part, STRUCTURE) + [_piece(block, FIELD) for block in part.blocks])
        return self._as_text(part, NARRATIVE)

    def _people(self, part: Part) -> PartRead:
        names = people_in(part.blocks)
        if not names or not self.metadata.add_people(part.title, names):
            return self._as_text(part, SUPPORTING, stays=True)
        return PartRead(_heading(part, STRUCTURE) + [_piece(block, FIELD) for block in part.blocks])

    # --- rows ---

    def _timeline(self, part: Part) -> PartRead:
        reader = self.new_timeline()
        stays = part.stays and not reader.note(part.title)
        for block in part.blocks:
            if block.kind is Kind.DEFINITION:
                reader.pieces.append(_piece(block, ""))
            else:
                reader.read(block)
        self.timeline += reader.entries
        return _rows_read(part, reader.pieces, stays)

    def _actions(self, part: Part) -> PartRead:
        reader = ActionReader()
        for block in part.blocks:
            if block.kind is Kind.DEFINITION:
                reader.pieces.append(_piece(block, ""))
            else:
                reader.read(block)
        self.actions += reader.actions
        return _rows_read(part, reader.pieces, part.stays)


def _rows_read(part: Part, pieces: list[Piece], stays: bool) -> PartRead:
    """What is left over goes to the narrative, below the heading it stood under."""
    left = "".join(piece.raw for piece in pieces if piece.place == NARRATIVE)
    body = left.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    is_kept = stays or any(character.isalnum() for character in body)
    if not is_kept:
        pieces = [Piece(piece.raw, STRUCTURE) if piece.place == NARRATIVE else piece for piece in pieces]
    read = PartRead(_heading(part, NARRATIVE if is_kept else STRUCTURE) + pieces)
    if is_kept:
        heading = part.heading.text if part.heading else ""
        read.texts.append(Text(NARRATIVE, body, part.title, heading, stays=True))
    return read


def _heading(part: Part, place: str) -> list[Piece]:
    return [Piece(part.heading.raw, place)] if part.heading else []


def _piece(block: Block, place: str) -> Piece:
    if block.kind is Kind.DEFINITION:
        return Piece(block.raw, DEFINITION + name_of(block))
    return Piece(block.raw, place)
