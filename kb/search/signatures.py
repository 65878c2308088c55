"""The shape of a log line: what stays when its numbers, ids, addresses, times and paths are masked.

Two occurrences of one message have the same signature whatever their parameters; prose has none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import islice

MAX_TEXT, MAX_LINES, MAX_LINE, MAX_SHOWN = 200_000, 200, 2_000, 300
MIN_WORDS = 3  # fewer say too little: `at * (*)` is in every trace

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_LEVELS = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|CRIT|CRITICAL|ALERT|FATAL|PANIC|EMERG"
_SOURCES = "c|cc|cpp|cs|erl|ex|go|h|java|js|jsx|kt|lua|mjs|php|pl|py|rb|rs|scala|sh|sql|swift|ts|tsx"

# Signs that a program wrote the line. Each begins with a fixed character, so that the matcher leaps from one such
# character to the next and prose costs next to nothing; what must stand before it is looked at afterwards.
_SIGN = re.compile(
    "|".join(
        [
            *(rf"{level}\b" for level in _LEVELS.split("|")),
            r"Exception\b",
            r"Error\b",
            r'File "',
            r"Traceback \(",
            r"\[(?:(?:pid|) *[\d.]+|emerg|alert|crit|error|warn|notice|info|debug)\]",
            r"0x[0-9a-fA-F]{4}",
            r'=(?<=\w=)["\w/]',
            r'"(?<=\w"):',
            r"\([\w.$/]*:\d",
            rf"\.(?:{_SOURCES}):\d",
            r":(?:\d\d:\d\d|(?<=[Ee]rror:|[Ff]atal:|[Pp]anic:)|(?<=arning:|sed by:|-\d{5}:))",
        ]
    )
)
# A sentence may quote such a line; it is one only if it also begins as lines of logs and stack traces do.
_STARTS = re.compile(
    rf"""\W{{0,8}}(?:
        \d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d | \d\d:\d\d:\d\d | (?:{_MONTHS})\ [ \d]\d\ \d\d:\d\d:\d\d
        | (?:{_LEVELS})[\]:|] | [\w.$]*(?:Exception|Error): | (?i:error|fatal|panic|caused\ by):
        | at\ \S+\( | File\ " | pid\ \d | \w+=["\w]
    )""",
    re.VERBOSE,
)
_SENTENCE = re.compile(r"[\"'(]?[A-Z].*[.!?][\"')]?", re.DOTALL)
_FUNCTION_WORD = re.compile(r"(?i)\b(?:the|an?|and|was|were|we|our|that|this|it|of|in|which|had|has|is|are|by|so)\b")

_MESSAGE = re.compile(r'"?\b(msg|message|error|err|reason|exception)"?\s?[=:]\s?"([^"]*)"')
_FRAME_FILE = re.compile(r'File "(?:[^"]*[/\\])?([^"/\\]+)"')
_DAY = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s)?\b(?:{_MONTHS})\s{{1,2}}\d|\b(?:UTC|GMT|[AP]M)\b|^[DIWEF]\d{4}\s"
)
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|`[^`]*`")
_ATOM = re.compile(r"[^\s=()\[\]{},;<>|\"'`]+")
_SOURCE_LINE = re.compile(rf"(?:.*[/\\])?([^/\\]+\.(?:{_SOURCES})):\d+(?::\d+)?")
_CODE = re.compile(r"[A-Z]{1,5}-?\d{3,5}")  # ORA-01555, E1205: an error's name, not a parameter
_HEX = re.compile(r"[0-9a-fA-F]{8,}")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d]{2,}")


def signatures(text: str) -> dict[str, str]:
    """Signature -> the first line that has it, for the lines of the text that come from a log or a stack trace."""
    found: dict[str, str] = {}
    for line in islice(_logged_lines(text[:MAX_TEXT]), MAX_LINES):
        shape = template(line)
        if len(_WORD.findall(shape)) >= MIN_WORDS:
            found.setdefault(
                hashlib.blake2b(shape.encode("utf-8", "replace"), digest_size=8).hexdigest(), line[:MAX_SHOWN]
            )
    return found


def _logged_lines(text: str) -> Iterator[str]:
    end = 0
    while sign := _SIGN.search(text, end):
        start = text.rfind("\n", end, sign.start()) + 1 or end
        end = text.find("\n", sign.end()) + 1 or len(text)
        line = text[start : min(end, start + MAX_LINE)].strip()
        if not _is_prose(line) or _STARTS.match(line):
            yield line


def _is_prose(line: str) -> bool:
    return bool(_SENTENCE.fullmatch(line)) and len(_FUNCTION_WORD.findall(line)) >= 2


def template(line: str) -> str:
    """The line's constant words, `*` for what varies. One mark for all: a host may be a name here, an address there."""
    line = _MESSAGE.sub(r" \1 \2 ", line)
    line = _FRAME_FILE.sub(r"File \1", line)
    line = _QUOTED.sub(" * ", _DAY.sub(" 0", line))
    shape: list[str] = []
    for atom in map(_masked, _ATOM.findall(line)):
        if atom and not (atom == "*" and (not shape or shape[-1] == "*")):
            shape.append(atom)
    return " ".join(shape).casefold()


def _masked(atom: str) -> str:
    atom = atom.strip(".:,-!?")
    if source := _SOURCE_LINE.fullmatch(atom):
        return source[1]
    if _CODE.fullmatch(atom):
        return atom
    varies = _DIGIT.search(atom) or "/" in atom or "\\" in atom or _HEX.fullmatch(atom)
    return "*" if varies else atom
