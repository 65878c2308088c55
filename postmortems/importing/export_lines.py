"""JSON Lines of our own export: one record a line."""

import json
from collections.abc import Iterator, Mapping

from postmortems.importing.base import FoundRecord, Left

ENDINGS = (".jsonl", ".ndjson")
VERSION = 1
MAX_LINE = 20_000_000


def recognises(text: str) -> bool:
    """Also without a line: a list that is empty."""
    return not text.strip() or text.lstrip().startswith('{"record":')


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[FoundRecord | Left]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield from _read(line, number)


def _read(line: str, number: int) -> Iterator[FoundRecord | Left]:
    try:
        record = json.loads(line) if len(line) <= MAX_LINE else None
    except (ValueError, RecursionError) as error:
        yield Left(f"no JSON: {error}", f"line {number}", number, is_fault=True)
        return
    if not isinstance(record, dict) or not isinstance(record.get("record"), str):
        yield Left('no record: expected {"record": ...}', f"line {number}", number, is_fault=True)
        return
    kind = record.pop("record")
    if kind != "export":
        yield FoundRecord(kind, record, number)
    elif record.get("version") != VERSION:
        yield Left(f"an export of version {record.get('version')}; {VERSION} is read here", "", number, is_fault=True)
