"""Answers in words. Colours only on a terminal that wants them; nothing that a terminal would obey gets through."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

BOLD, DIM, GREEN, YELLOW = "1", "2", "32", "33"
INDENT = " " * 10
_TAG = re.compile(r"<[^<>]{0,200}>")
Answer = Mapping[str, Any]


def plain(text: str) -> str:
    """On one line, without control characters: titles and logs may hold anything."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())


def coloured(text: str, colour: str) -> str:
    wants = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{colour}m{text}\x1b[0m" if wants else text


def results(answer: Answer) -> str:
    lines = [coloured(plain(note), YELLOW) for note in (answer.get("degraded"), *answer.get("notes", ())) if note]
    for result in answer["results"]:
        lines += [_head(result), *_below(result)]
    lines.append(f"{answer['total']} found")
    if answer.get("did_you_mean"):
        lines.append(f"Did you mean: {plain(answer['did_you_mean'])}")
    return _joined(lines)


def suggestions(answer: Answer) -> str:
    lines: list[str] = []
    for label, key in (("Happening now", "happening_now"), ("Earlier", "results")):
        if found := answer.get(key):
            lines.append(coloured(label, BOLD))
            for suggestion in found:
                lines += [_head(suggestion), *_reasons(suggestion), *_below(suggestion)]
    if not lines and not answer.get("degraded"):
        lines.append(f"Nothing similar among {answer['total_candidates']} documents.")
    return _joined(lines)


def incident(answer: Answer) -> str:
    return _joined([f"{answer['ref']} is open: {plain(answer['title'])}", plain(answer.get("url") or "")])


def imported(answer: Answer) -> str:
    lines = []
    for row in answer["skipped"]:
        place = f"{row['file']}:{row['line']}" if row.get("line") else row["file"]
        lines.append(coloured(plain(f"skipped   {place}: {row['reason']}"), YELLOW))
    for row in answer["postmortems"]:
        if row["state"] != "unchanged":
            lines.append(plain(f"{row['state']:<9} {row['ref']:<7} {row['title']}"))
    counts = ", ".join(f"{answer[state]} {state}" for state in ("created", "updated", "unchanged"))
    return _joined([*lines, f"{counts}, {len(answer['skipped'])} skipped, {len(answer['ignored'])} ignored"])


def _head(row: Answer) -> str:
    facts = ", ".join(
        str(fact) for fact in (row.get("occurred_on"), row.get("severity"), row.get("confidence")) if fact
    )
    return f"{coloured(row['ref'].ljust(9), BOLD)} {plain(row['title'])}{f' ({plain(facts)})' if facts else ''}"


def _reasons(row: Answer) -> Iterator[str]:
    if terms := [plain(reason["term"]) for reason in row.get("why", ())]:
        yield f"{INDENT}why: {', '.join(terms)}"


def _below(row: Answer) -> Iterator[str]:
    if row.get("what_fixed_it"):
        yield f"{INDENT}{coloured('what fixed it:', GREEN)} {plain(_TAG.sub('', row['what_fixed_it']))}"
    for fix in row.get("fixes", ()):
        record = f"worked {fix['worked']} of {fix['tried']}" if fix["tried"] else "not tried yet"
        yield f"{INDENT}{fix['ref']} {plain(fix['title'])}: {record}"
    yield f"{INDENT}{coloured(plain(row['url']), DIM)}"


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines if line)
