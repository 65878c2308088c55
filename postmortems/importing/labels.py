"""Reads the parts of a document that hold its metadata and its people: lines, lists and tables of labels."""

import re
from collections.abc import Sequence

from postmortems import sections
from postmortems.importing.base import FIELD, STRUCTURE, Piece
from postmortems.importing.blocks import Block, Item, Kind, is_item, items_of
from postmortems.importing.headings import known
from postmortems.importing.inline import one_line
from postmortems.importing.metadata import ONLY_FRONT_MATTER, Metadata, field_of
from postmortems.importing.outline import label_of
from postmortems.importing.tables import Table, table_of

LEFT_OVER = "left over"
_LIST_MARK = re.compile(r"\A[ \t]*[-*+][ \t]+")


class DataReader:
    """Gives labels and values to `metadata`, texts of sections to `texts`; keeps the rest in `left`."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.pieces: list[Piece] = []
        self.texts: list[tuple[str, str]] = []  # section key, text
        self.left: list[str] = []

    def read(self, block: Block) -> None:
        if block.kind is Kind.LIST:
            for item in items_of(block.lines):
                self._item(item)
        elif block.kind is Kind.TABLE:
            self._table(table_of(block), block)
        elif block.kind in (Kind.LABEL, Kind.PARAGRAPH):
            for line in block.lines:
                label = label_of(line.text)
                self._pair(line.raw, line.text, label.name if label else "", [label.rest] if label else [])
        elif block.kind in (Kind.BLANK, Kind.RULE):
            self.pieces.append(Piece(block.raw, STRUCTURE))
            self.left.append("")
        else:
            self._keep(block.raw, block.text)

    @property
    def left_over(self) -> str:
        return "\n".join(self.left).strip("\n")

    def only_labels_left(self) -> bool:
        return all(not line.strip() or label_of(_LIST_MARK.sub("", line)) for line in self.left)

    def keep(self, block: Block) -> None:
        """A block that is no metadata."""
        self._keep(block.raw, "" if block.kind is Kind.BLANK else block.text)

    def _keep(self, raw: str, text: str) -> None:
        self.pieces.append(Piece(raw, LEFT_OVER))
        self.left.append(text)

    def _pair(self, raw: str, text: str, label: str, values: list[str]) -> None:
        place = self._place_of(label, [value for value in values if value.strip()]) if label else ""
        if place:
            # The label of a section's text says what the section's heading says.
            start = raw.find(values[0]) if place in sections.BY_KEY and values[0] else 0
            self.pieces += (
                [Piece(raw[:start], STRUCTURE), Piece(raw[start:], place)] if start > 0 else [Piece(raw, place)]
            )
        elif text.strip(" \t-*+|"):
            self._keep(raw, text)
        else:
            self.pieces.append(Piece(raw, STRUCTURE))

    def _place_of(self, label: str, values: list[str]) -> str:
        """Where the value went; "" if nowhere."""
        name = field_of(label)
        if not values:
            return STRUCTURE if name else ""
        found = known(label)
        if name and name not in ONLY_FRONT_MATTER:
            return FIELD if self.metadata.take(label, values) else ""
        if found and found.key in sections.BY_KEY:
            value = "\n".join(values)
            self.texts.append((found.key, f"**{label}:** {value}" if found.stays else value))
            return found.key
        return ""

    def _item(self, item: Item) -> None:
        text = "\n".join(line.text for line in (item.line, *item.below)).rstrip()
        label = label_of(item.text)
        below = [one_line(child.text) for child in items_of(item.below)]
        has_other = any(not line.is_blank and not is_item(line) for line in item.below)
        if label and not has_other:
            self._pair(item.raw, text, label.name, [label.rest, *below])
        else:
            self._pair(item.raw, text, "", [])

    def _table(self, table: Table, block: Block) -> None:
        """`Date | 2021-06-22` row by row; or one row below a head of labels."""
        if len(table.head) == 2:
            self._two_columns(table)
        elif len(table.rows) == 1 and sum(bool(field_of(one_line(cell))) for cell in table.head) > 1:
            self._one_row(table)
        else:
            self._keep(block.raw, block.text)

    def _two_columns(self, table: Table) -> None:
        head, delimiter = table.head_lines
        label = one_line(table.head[0]).rstrip(":")
        is_pair = bool(field_of(label) or (known(label) and table.head[1].strip()))
        self._row(head.raw, table.head) if is_pair else self.pieces.append(Piece(head.raw, STRUCTURE))
        self.pieces.append(Piece(delimiter.raw, STRUCTURE))
        for row in table.rows:
            self._row(row.line.raw, row.cells)

    def _row(self, raw: str, cells: Sequence[str]) -> None:
        label = one_line(cells[0]).rstrip(":")
        value = cells[1].strip()
        self._pair(raw, f"- **{label}:** {value}" if label else value, label, [value])

    def _one_row(self, table: Table) -> None:
        head = "".join(line.raw for line in table.head_lines)
        left = [
            f"- **{one_line(label)}:** {cell}"
            for label, cell in zip(table.head, table.rows[0].cells, strict=True)
            if cell and not self._place_of(one_line(label), [cell])
        ]
        self.pieces += [Piece(head, STRUCTURE), Piece(table.rows[0].line.raw, LEFT_OVER if left else FIELD)]
        self.left += left


def people_in(blocks: Sequence[Block]) -> str:
    """`- RF` `- ED` -> `RF, ED`; "" if the part holds more than names."""
    names: list[str] = []
    for block in blocks:
        if block.kind is Kind.LIST and all(not line.text[:1].isspace() for line in block.lines if not line.is_blank):
            names += [one_line(item.text) for item in items_of(block.lines)]
        elif block.kind is Kind.PARAGRAPH:
            names += [one_line(line.text) for line in block.lines]
        elif block.kind not in (Kind.BLANK, Kind.RULE):
            return ""
    return ", ".join(name.rstrip(",") for name in names if name)
