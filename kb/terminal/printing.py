"""Answers in words. Colours only on a terminal that wants them; nothing that a terminal would obey gets through."""

import os
import re
import shutil
import sys
import textwrap
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


def wrapped(line: str) -> str:
    """On a terminal no word is cut at the edge, and what goes on stands below its beginning. Else a line is a line."""
    if not sys.stdout.isatty():
        return line
    width = max(shutil.get_terminal_size().columns, 2 * len(INDENT))
    begin = line[: len(INDENT)]
    return textwrap.fill(
        line[len(INDENT) :],
        width,
        initial_indent=begin,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


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


def exported(answer: Answer) -> str:
    return _joined([plain(f"Written to {answer['file']}: {answer['bytes']:,} bytes.")])


def _head(row: Answer) -> str:
    facts = ", ".join(
        str(fact) for fact in (row.get("occurred_on"), row.get("severity"), row.get("confidence")) if fact
    )
    ref = row["ref"].ljust(9)
    head = wrapped(f"{ref} {plain(row['title'])}{f' ({plain(facts)})' if facts else ''}")
    return head.replace(ref, coloured(ref, BOLD), 1)


def _reasons(row: Answer) -> Iterator[str]:
    if terms := [plain(reason["term"]) for reason in row.get("why", ())]:
        yield wrapped(f"{INDENT}why: {', '.join(terms)}")


def _below(row: Answer) -> Iterator[str]:
    if row.get("what_fixed_it"):
        fixed = wrapped(f"{INDENT}what fixed it: {plain(_TAG.sub('', row['what_fixed_it']))}")
        yield fixed.replace("what fixed it:", coloured("what fixed it:", GREEN), 1)
    for fix in row.get("fixes", ()):
        record = f"worked {fix['worked']} of {fix['tried']}" if fix["tried"] else "not tried yet"
        yield wrapped(f"{INDENT}{fix['ref']} {plain(fix['title'])}: {record}")
    yield f"{INDENT}{coloured(plain(row['url']), DIM)}"


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines if line)
