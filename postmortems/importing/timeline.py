"""Tables, lists and lines with times -> timeline entries. What has no readable time stays text."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from postmortems.importing.base import STRUCTURE, TIMELINE, ParsedTimelineEntry, Piece
from postmortems.importing.blocks import Block, Item, Kind, is_item, items_of
from postmortems.importing.inline import DASH, DASHES, first_url, one_line, plain
from postmortems.importing.reading import Line
from postmortems.importing.tables import Table, any_of, names, normal, table_of
from postmortems.importing.times import Moment, moment_at_start, without_dates, zone_in

LEFT_OVER = "narrative"
TIME_COLUMNS = names("time, times, timestamp, date, when, date time, datetime, utc, at, day")
EVENT_COLUMNS = names("event, events, description, what, what happened, entry, details, action, note, notes")
# Clocks that go back a little are entries out of order; a long way back is the next day.
NEXT_DAY_AFTER = timedelta(hours=2)
_NOTE_WORDS = names(
    """all, the, time, times, timestamp, timestamps, timeline, are, is, in, at, given, shown, listed, below,
    following, zone, timezone, as, for, note, notes, local, of, day, events, event, on, dates, date, and, a, format,
    hour"""
)
_SPEAKS_OF_ZONE = re.compile(r"\btimes\b|\btime ?zone\b", re.IGNORECASE)
_SEPARATOR = re.compile(rf"[\s:|,;{DASH}]*")
# The first kind of which a word is found. Past tense mostly: a timeline tells what was.
_KINDS = {
    "detection": """alert, alerts, alerted, alerting, alarm, alarms, paged, pages, detected, detects, detection,
        noticed, notices, report, reports, reported, reporting, first seen, monitoring shows, complain*, outage
        begins, symptoms""",
    "communication": """status page, statuspage, notified, informed, announce*, email, emailed, e-mail, posted,
        communicat*, declared, contacted, escalat*, asked, updated customers, updated users, updated stakeholders""",
    "action": """roll back, rolled back, rolling back, rollback, revert*, restart*, reboot*, deployed, deploying,
        applied, applying, fix, fixed, fixes, restor*, disabl*, enabl*, delet*, remov*, replac*, scaled, scaling,
        drain*, failover, failed over, failing over, merged, patched, upgrad*, downgrad*, terminated, killed,
        migrat*, reattach*, re-attach*, resolved, mitigat*, recreat*, switched, switching, updated, cordon*,
        uncordon*, triggered, re-run, rerun, set, changed, recovery, generated""",
    "diagnosis": """investigat*, identif*, found, discover*, diagnos*, root cause, realiz*, realis*, suspect*,
        verif*, confirm*, observ*, debug*, checked, analys*, analyz*, troubleshoot*""",
}
_KIND_OF = tuple((kind, any_of(words)) for kind, words in _KINDS.items())


def kind_of(text: str) -> str:
    """A guess from its words."""
    return next((kind for kind, words in _KIND_OF if words.search(text)), "note")


class TimelineReader:
    """Reads the blocks of a timeline one after the other: a date above counts for the times below it."""

    def __init__(self, day: date | None = None, zone: tzinfo | None = None) -> None:
        self.day = day
        self.zone: tzinfo = zone or UTC
        self.year = day.year if day else None
        self.last: datetime | None = None
        self.phase: tuple[str, int] | None = None  # its name, and the place of its heading among the pieces
        self.entries: list[ParsedTimelineEntry] = []
        self.pieces: list[Piece] = []

    def read(self, block: Block) -> None:
        if block.kind is Kind.TABLE:
            self._table(table_of(block))
        elif block.kind is Kind.LIST:
            self._list(block.lines)
        elif block.kind is Kind.PARAGRAPH:
            self._paragraph(block.lines)
        elif block.kind is Kind.HEADING:
            self._heading(block)
        else:
            self._keep(block.raw, STRUCTURE if block.kind in (Kind.BLANK, Kind.RULE) else LEFT_OVER)

    def _heading(self, block: Block) -> None:
        """A date for what follows; or the name of a phase, which its first entry will carry."""
        says_no_more = self.note(block.title)
        self.phase = None if says_no_more else (one_line(block.title).rstrip(":"), len(self.pieces))
        self._keep(block.raw, STRUCTURE if says_no_more else LEFT_OVER)

    def note(self, text: str) -> bool:
        """Takes the date and the zone a heading or a remark speaks of; True if that is all it says."""
        words = one_line(text)
        says_no_more = _says_nothing_else(words)
        moment = moment_at_start(words, self.year)
        day = moment.day if moment and moment.at is None else None
        zone = zone_in(words)
        if day:
            self.day, self.year, self.last = day, day.year, None
        if zone and (says_no_more or _SPEAKS_OF_ZONE.search(words)):
            self.zone = zone
        return bool(day or zone) and says_no_more

    # --- tables ---

    def _table(self, table: Table) -> None:
        column = _time_column(table, self.year)
        if column is None:
            self._keep_all(table, LEFT_OVER)
            return
        self.note_head(table.head)
        places: dict[int, str] = {}
        for at, row in enumerate(table.rows):
            if row.is_empty:
                places[at] = STRUCTURE
            else:
                places[at] = TIMELINE if self._row(table, row.cells, column) else LEFT_OVER
        self.pieces += table.pieces(places, LEFT_OVER)

    def note_head(self, head: Sequence[str]) -> None:
        zone = next((found for cell in head if (found := zone_in(one_line(cell)))), None)
        self.zone = zone or self.zone

    def _keep_all(self, table: Table, place: str) -> None:
        self.pieces += table.pieces(dict.fromkeys(range(len(table.rows)), place), place)

    def _row(self, table: Table, cells: Sequence[str], column: int) -> bool:
        second = _second_time_column(table, column)
        used = {column} if second is None else {column, second}
        written = " ".join(one_line(cells[at]) for at in sorted(used) if cells[at])
        text = self._event(table, cells, used)
        if not written and text and self.entries and self.last:
            return self._continue(text)
        moment = moment_at_start(written, self.year)
        return bool(moment and self._add(moment, text, written, written[moment.end :].strip(" -:")))

    def _event(self, table: Table, cells: Sequence[str], used: set[int]) -> str:
        main = table.column(EVENT_COLUMNS, without=tuple(used))
        rest = [at for at in range(len(cells)) if at not in used and at != main and cells[at].strip(" -")]
        if main is None:
            main, rest = (rest[0], rest[1:]) if rest else (None, [])
        parts = [plain(cells[main])] if main is not None else []
        parts += [f"{one_line(table.head[at])}: {plain(cells[at])}".removeprefix(": ") for at in rest]
        return "\n".join(part for part in parts if part)

    def _continue(self, text: str) -> bool:
        """A row without a time goes on telling of the moment above."""
        last = self.entries[-1]
        joined = f"{last.text}\n{text}"
        self.entries[-1] = ParsedTimelineEntry(last.at, joined, last.kind, last.evidence_url or first_url(text))
        return True

    # --- lists and lines ---

    def _list(self, lines: Sequence[Line]) -> None:
        for item in items_of(lines):
            self._item(item)

    def _item(self, item: Item) -> None:
        words = one_line(item.text)
        children = bool(item.below) and any(is_item(line) for line in item.below)
        if children and self._is_date_only(words):
            self.note(words)
            self._keep(item.line.raw, STRUCTURE)
            self._list_below(item.below)
            return
        below = dedent(item.below)
        is_read = self._told(words, "\n".join(part for part in (plain(item.text), plain(below)) if part))
        self._keep(item.raw, TIMELINE if is_read else LEFT_OVER)

    def _is_date_only(self, words: str) -> bool:
        moment = moment_at_start(words, self.year)
        return bool(moment and moment.day and moment.at is None and _says_nothing_else(words))

    def _list_below(self, lines: tuple[Line, ...]) -> None:
        first = next(at for at, line in enumerate(lines) if is_item(line))
        for line in lines[:first]:
            self._keep(line.raw, STRUCTURE if line.is_blank else LEFT_OVER)
        self._list(lines[first:])

    def _paragraph(self, lines: Sequence[Line]) -> None:
        in_entry = False
        for line in lines:
            words = one_line(line.text)
            moment = moment_at_start(words, self.year)
            if moment and self._is_told(moment, words) and self._told(words, plain(line.text)):
                in_entry = True
                self._keep(line.raw, TIMELINE)
            elif in_entry:
                self._continue(plain(line.text))
                self._keep(line.raw, TIMELINE)
            else:
                self._keep(line.raw, STRUCTURE if self.note(line.text) else LEFT_OVER)

    def _is_told(self, moment: Moment, words: str) -> bool:
        """In running text a date alone begins an entry only if a colon or a dash follows."""
        return moment.at is not None or words[moment.end :].lstrip()[:1] in (":", "|", *DASHES)

    def _told(self, words: str, text: str) -> bool:
        """An entry of a text that begins with its time."""
        moment = moment_at_start(text, self.year)
        if not moment:
            return False
        rest = text[moment.end :]
        rest = rest[_SEPARATOR.match(rest).end() :]  # type: ignore[union-attr]
        if not rest:
            return False
        if moment.at is None or not moment.is_exact:
            return self._add(moment, text, "", "")
        return self._add(moment, rest, words, "")

    def _add(self, moment: Moment, text: str, written: str, unread: str) -> bool:
        """`unread`: what else stood in the place of the time; then the reader is shown that place as it was."""
        at = self._moment(moment)
        if at is None or not (text or written):
            return False
        if written and (unread or not moment.is_exact or moment.at is None or not text):
            text = f"{written}: {text}" if text else written
        kind = kind_of(text)
        if self.phase:
            name, place = self.phase
            text = f"{name}: {text}"
            self.pieces[place] = Piece(self.pieces[place].raw, TIMELINE)
            self.phase = None
        self.entries.append(ParsedTimelineEntry(at, text, kind, first_url(text)))
        return True

    def _moment(self, moment: Moment) -> datetime | None:
        day = moment.day or self.day
        if day is None:
            return None
        zone = self.zone = moment.zone or self.zone
        if moment.at is None:
            return self._some_time_on(day, zone)
        at = datetime.combine(day, moment.at, zone)
        if moment.day is None and self.last and self.last - at > NEXT_DAY_AFTER:
            at += timedelta(days=1)
            day += timedelta(days=1)
        self.day, self.year, self.last = day, day.year, at
        return at

    def _some_time_on(self, day: date, zone: tzinfo) -> datetime:
        """No time given: the beginning of the day, or behind what is told before it of the same day."""
        begin = datetime.combine(day, time(), zone)
        is_same_day = self.last is not None and self.last.astimezone(zone).date() == day
        at = self.last if self.last and is_same_day else begin
        self.day, self.year, self.last = day, day.year, at
        return at

    def _keep(self, raw: str, place: str) -> None:
        if raw:
            self.pieces.append(Piece(raw, place))


def _time_column(table: Table, year: int | None) -> int | None:
    """The column of that name, if a time can be read in it; else the first column where most rows begin with one."""
    named = table.column(TIME_COLUMNS)
    columns: list[int] = list(range(len(table.head))) if named is None else [named, *range(len(table.head))]
    for column in columns:
        cells = [one_line(row.cells[column]) for row in table.rows if row.cells[column]]
        read = sum(moment_at_start(cell, year) is not None for cell in cells)
        if read and (column == named or read * 2 > len(cells)):
            return column
    return None


def _second_time_column(table: Table, column: int) -> int | None:
    """`Date | Time | Event`."""
    heads = [normal(cell) for cell in table.head]
    times = (["time"], ["utc"])
    if "date" not in heads[column] and "day" not in heads[column]:
        return None
    return next((at for at in range(column + 1, len(heads)) if heads[at].split()[:1] in times), None)


def _says_nothing_else(words: str) -> bool:
    """Only a date, a zone and words like `all times in`."""
    left = [
        word for word in re.findall(r"[^\W_]+(?:/[^\W_]+)?", without_dates(words)) if word.lower() not in _NOTE_WORDS
    ]
    return all(zone_in(word) is not None or zone_in(f"{word} time") is not None or word.isdigit() for word in left)


def dedent(lines: Sequence[Line]) -> str:
    """The lines below an item, moved to the left as a whole."""
    filled = [line.text.expandtabs(4) for line in lines]
    margin = min((len(text) - len(text.lstrip()) for text in filled if text.strip()), default=0)
    return "\n".join(text[margin:].rstrip() if text.strip() else "" for text in filled).strip("\n")
