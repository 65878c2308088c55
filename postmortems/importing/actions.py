"""Tables and lists below an action-item heading -> actions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from postmortems.importing.action_marks import (
    COLUMNS,
    KINDS,
    guess_kind,
    lookup,
    with_attribute,
    with_detail,
    with_marks,
)
from postmortems.importing.base import ACTIONS, STRUCTURE, ParsedAction, Piece
from postmortems.importing.blocks import Block, Item, Kind, is_item, items_of
from postmortems.importing.inline import DASH, DASHES, first_url, one_line, plain, sentences, shorten
from postmortems.importing.reading import Line
from postmortems.importing.tables import Table, table_of
from postmortems.importing.timeline import dedent

LEFT_OVER = "narrative"
MAX_TITLE = 500

_CHECKBOX = re.compile(r"\[([ xX])\][ \t]+")
_LABELLED = re.compile(r"(.{1,60}?)[ \t]*:[ \t]+(.*)\Z", re.DOTALL)
_BOLD_START = re.compile(
    r"(?:\*\*|__)(?P<title>[^*_\n]{3,300}?)[ \t]*(?P<inner>:?)(?:\*\*|__)"
    rf"[ \t]*(?P<outer>[:{DASH}]?)[ \t]*(?P<rest>.*)\Z",
    re.DOTALL,
)


class ActionReader:
    """Reads the blocks of an action section one after the other; a heading inside groups what follows."""

    def __init__(self) -> None:
        self.actions: list[ParsedAction] = []
        self.pieces: list[Piece] = []
        self.kind = ""
        self.group = ""

    def read(self, block: Block) -> None:
        if block.kind is Kind.TABLE:
            self._table(table_of(block))
        elif block.kind is Kind.LIST:
            self._list(block.lines, self.group)
        elif block.kind is Kind.HEADING or (block.kind is Kind.PARAGRAPH and _is_label(block)):
            self._heading(block)
        else:
            self._keep(block.raw, STRUCTURE if block.kind in (Kind.BLANK, Kind.RULE) else LEFT_OVER)

    def _keep(self, raw: str, place: str) -> None:
        if raw:
            self.pieces.append(Piece(raw, place))

    def _heading(self, block: Block) -> None:
        title = one_line(block.title or block.text).strip(" :*_")
        self.kind = lookup(KINDS, title)
        self.group = "" if self.kind else title
        self._keep(block.raw, STRUCTURE if self.kind or not title else ACTIONS)

    def _add(self, action: ParsedAction, group: str) -> None:
        details = "\n\n".join(part for part in (group, action.details) if part)
        self.actions.append(replace(action, details=details))

    # --- tables ---

    def _table(self, table: Table) -> None:
        columns = _columns(table)
        places: dict[int, str] = {}
        for at, row in enumerate(table.rows):
            if row.is_empty:
                places[at] = STRUCTURE
                continue
            action = self._row(table, row.cells, columns)
            places[at] = ACTIONS if action else LEFT_OVER
            if action:
                self._add(action, self.group)
        self.pieces += table.pieces(places, LEFT_OVER)

    def _row(self, table: Table, cells: Sequence[str], columns: Mapping[str, int]) -> ParsedAction | None:
        if "title" not in columns or not cells[columns["title"]]:
            return None
        action = self._action(cells[columns["title"]], "")
        for name, column in columns.items():
            if name != "title" and cells[column].strip(f" {DASHES}"):
                action = with_attribute(action, name, one_line(table.head[column]), cells[column])
        for column, cell in enumerate(cells):
            if column not in columns.values() and cell.strip(f" {DASHES}"):
                action = with_detail(action, one_line(table.head[column]), cell)
        return action

    # --- lists ---

    def _list(self, lines: Sequence[Line], group: str) -> None:
        for item in items_of(lines):
            self._item(item, group)

    def _item(self, item: Item, group: str) -> None:
        title = one_line(item.text)
        children = [at for at, line in enumerate(item.below) if is_item(line)]
        kind = lookup(KINDS, title.strip(" :"))
        if children and (kind or title.endswith(":")):
            self._children(item, children[0], kind, title, group)
            return
        if not title.strip(f" _*.{DASHES}") and not any(not line.is_blank for line in item.below):
            self._keep(item.raw, STRUCTURE)
            return
        action = self._of_item(item, children)
        self._keep(item.raw, ACTIONS if action else LEFT_OVER)
        if action:
            self._add(action, group)

    def _children(self, item: Item, first: int, kind: str, title: str, group: str) -> None:
        """`Prevent:` or `Team A:` with the actions below it."""
        before, self.kind = self.kind, kind or self.kind
        self._keep(item.line.raw, STRUCTURE if kind else ACTIONS)
        for line in item.below[:first]:
            self._keep(line.raw, STRUCTURE if line.is_blank else LEFT_OVER)
        self._list(item.below[first:], "\n\n".join(part for part in (group, "" if kind else title) if part))
        self.kind = before

    def _of_item(self, item: Item, children: Sequence[int]) -> ParsedAction | None:
        action = self._action(item.text, "")
        if not action.title:
            return None
        first = children[0] if children else len(item.below)
        kept = dedent(item.below[:first])
        for child in items_of(item.below[first:]):
            attribute = _attribute_of(child)
            if attribute:
                action = with_attribute(action, *attribute)
            else:
                kept += "\n" + dedent([child.line, *child.below])
        return replace(action, details="\n\n".join(part for part in (action.details, kept.strip("\n")) if part))

    def _action(self, text: str, details: str) -> ParsedAction:
        """From the text of an item or of a cell: what is marked in it is taken out, the rest is the title."""
        text = " ".join(text.split())
        state = "open"
        if match := _CHECKBOX.match(text):
            state = "open" if match[1] == " " else "done"
            text = text[match.end() :]
        action = ParsedAction(title="", details=details, kind=self.kind, state=state)
        action, text = with_marks(action, text)
        action = replace(action, external_url=action.external_url or first_url(text))
        title, rest = _title_and_rest(text)
        action = replace(action, title=title, details="\n\n".join(part for part in (rest, action.details) if part))
        return action if action.kind else replace(action, kind=guess_kind(title))


def _columns(table: Table) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, names in COLUMNS.items():
        column = table.column(names, without=tuple(found.values()))
        if column is not None:
            found[name] = column
    return found


def _attribute_of(item: Item) -> tuple[str, str, str] | None:
    """(`owner`, `Owner`, `Alice`) of the item `- **Owner:** Alice`."""
    match = _LABELLED.match(plain(item.text))
    if not match or any(not line.is_blank for line in item.below):
        return None
    name = lookup({name: names for name, names in COLUMNS.items() if name != "title"}, match[1])
    return (name, match[1], match[2]) if name else None


def _title_and_rest(text: str) -> tuple[str, str]:
    """`**Title**: more` -> both; a very long text -> its first sentence, and all of it as details."""
    match = _BOLD_START.match(text.strip())
    if match and (match["inner"] or match["outer"]) and match["rest"].strip():
        title = one_line(match["title"]).rstrip(":")
        if len(title) <= MAX_TITLE:
            return title, plain(match["rest"])
    whole = plain(text)
    title = " ".join(whole.split())
    if len(title) <= MAX_TITLE:
        return title, ""
    first = next(iter(sentences(title)), title)
    return shorten(first, MAX_TITLE), whole


def _is_label(block: Block) -> bool:
    """A paragraph of one bold or colon-ended line, which heads what follows."""
    text = block.text.strip()
    if len(block.lines) != 1 or len(text) > 80:
        return False
    return bool(re.fullmatch(r"(?:\*\*|__)[^*_]+(?:\*\*|__):?", text)) or (
        text.endswith(":") and len(text.split()) <= 5
    )
