"""JSON Lines of our own export: one record a line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

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
    if len(line) > MAX_LINE:
        yield Left(f"longer than {MAX_LINE // 1_000_000} MB", f"line {number}", number, is_fault=True)
        return
    try:
        record = json.loads(line, parse_constant=_no_number, object_pairs_hook=_once_each)
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
        said = str(record.get("version"))[:60]
        yield Left(f"an export of version {said}; {VERSION} is read here", "", number, is_fault=True)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")  # of JSON, though Python reads it


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Nobody would learn which of two values was taken."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} is given twice")
    return found
