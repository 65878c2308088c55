"""What was typed -> what to find. Any text is a valid query: what is not understood as an operator is text.

| typed | means |
|---|---|
| `pool exhausted` | both words; `loose` says how to find the best partial matches if no document has both |
| `"pool exhausted"` | side by side |
| `-pool`, `-"pool exhausted"` | without |
| `pool OR queue` | one of the two neighbours |
| `exhau*` | words and names that begin so (three letters or more) |
| `service:db`, `-service:db`, `service:"two words"` | that field has this value, has not; two values: any of them |
| `after:2025-03`, `before:2026` | from the first moment of that month, day or year on; earlier than it (UTC) |

Errors, paths, addresses and log lines work as pasted: each is found as the whole name, or by all of its words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from kb.search.analysis import signatures, surface
from kb.search.base import SIGNATURES, SURFACE, WORDS, Node, Not, Phrase, Prefix, Term
from kb.search.folding import fold
from kb.search.typed import all_of, any_of, leaves, phrase_node, run_node

MAX_LENGTH = 512
MAX_WORDS = 32

DateRange = tuple[datetime | None, datetime | None]


class TooLong(ValueError):
    """A query beyond the limits, for callers that refuse it instead of having it cut."""


@dataclass(frozen=True)
class FieldRule:
    """What `name:value` filters by: a keyword field of the schema, or one end of a date field.

    `values` maps what may be typed (folded) to what is stored, so that `status:503` in a pasted log line is not taken
    for a filter. None: whatever is typed, folded.
    """

    kind: Literal["keyword", "from", "until"]
    field: str
    values: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Parsed:
    """What to find. `notes` are sentences for the reader: what was cut, what was taken as text.

    `loose` is to be tried when nothing matches `node`: any of the words will do. None: it would find nothing more.
    `words` are the wanted words as typed, for spelling; `tokens` the wanted (channel, token) for highlighting, a prefix
    as ("surface", "pre*").
    """

    node: Node
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, DateRange] = field(default_factory=dict)
    loose: Node | None = None
    words: tuple[str, ...] = ()
    tokens: frozenset[tuple[str, str]] = frozenset()
    notes: tuple[str, ...] = ()


def parse(text: str, fields: Mapping[str, FieldRule]) -> Parsed:
    """Never fails; beyond the limits the text is cut, with a note. The keys of `fields` are lower case."""
    reading = _Reading(fields)
    if len(text) > MAX_LENGTH:
        text = text[:MAX_LENGTH]
        reading.notes.append(f"The query was cut at {MAX_LENGTH} characters.")
    tokens = _tokens(text)
    if len(tokens) > MAX_WORDS:
        reading.notes.append(f"The query was cut at {MAX_WORDS} words.")
    for token in tokens[:MAX_WORDS]:
        reading.take(token)
    return reading.parsed(text)


def check_length(text: str) -> None:
    """Raises TooLong where `parse` would cut."""
    if len(text) > MAX_LENGTH:
        raise TooLong(f"A query has at most {MAX_LENGTH} characters; this one has {len(text)}.")
    if (count := len(_tokens(text))) > MAX_WORDS:
        raise TooLong(f"A query has at most {MAX_WORDS} words; this one has {count}.")


# --- cutting the text ----------------------------------------------------------------------------------------------

# A quote opens a phrase only where a word could begin, and closes it only where one could end; others are text.
_TOKEN = re.compile(r'(?P<minus>-?)(?:(?P<name>\w+):)?"(?P<quoted>[^"]*)"(?=[\s)\]},.;:]|$)|(?P<run>\S+)')
_FILTER = re.compile(r"(?P<minus>-?)(?P<name>\w+):(?P<value>.+)")
_NEGATIVE = re.compile(r"-(?=[^\W_])(?!\d|\w$)(?P<rest>.+)")  # -word; not the -9, -f and --force of a pasted command
_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?", re.ASCII)
_STRAIGHT_QUOTES = str.maketrans("“”„", '"""')


def _tokens(text: str) -> list[re.Match[str]]:
    return list(_TOKEN.finditer(text.translate(_STRAIGHT_QUOTES)))


@dataclass
class _Reading:
    """What has been understood of a query so far. `groups`: all of them are wanted, of each any node."""

    fields: Mapping[str, FieldRule]
    notes: list[str] = field(default_factory=list)
    groups: list[list[Node]] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    without: dict[str, list[str]] = field(default_factory=dict)
    dates: dict[str, DateRange] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    after_node: bool = False  # an OR here would have a left neighbour
    after_or: bool = False

    def take(self, token: re.Match[str]) -> None:
        if token["run"] == "OR" and self.after_node:
            self.after_node, self.after_or = False, True
        elif token["run"] is None:
            self._take_quoted(token["name"] or "", token["quoted"], bool(token["minus"]))
        else:
            self._take_run(token["run"])

    def _take_quoted(self, name: str, text: str, negative: bool) -> None:
        if not self._take_filter(name, text, negative):
            nodes = [node for node in (run_node(name), phrase_node(text)) if node]
            self._take_node(all_of(nodes) if nodes else None, negative, f"{name} {text}")

    def _take_run(self, run: str) -> None:
        found = _FILTER.fullmatch(run)
        if found and self._take_filter(found["name"], found["value"], bool(found["minus"])):
            return
        negative = _NEGATIVE.fullmatch(run)
        text = negative["rest"] if negative else run
        self._take_node(run_node(text), bool(negative), text)

    def _take_node(self, node: Node | None, negative: bool, text: str) -> None:
        if node and self.after_or:
            self.groups[-1].append(Not(node) if negative else node)
        elif node:
            self.groups.append([Not(node) if negative else node])
        if not negative:
            self.words += surface(text)
        self.after_node, self.after_or = node is not None, False

    def _take_filter(self, name: str, value: str, negative: bool) -> bool:
        """Whether it is one; else it is text."""
        rule = self.fields.get(name.casefold())
        if rule is None:
            return False
        take = self._take_keyword if rule.kind == "keyword" else self._take_date
        if not take(rule, value, negative):
            self.notes.append(f"“{name}:{value}” was searched as text: {_expected(name, rule)}.")
            return False
        if self.after_or:
            self.notes.append("OR stands between words only; every filter holds.")
        self.after_node = self.after_or = False
        return True

    def _take_keyword(self, rule: FieldRule, value: str, negative: bool) -> bool:
        value = fold(value).strip(" \t\r\n\"'(),;")
        stored = value if rule.values is None else rule.values.get(value, "")
        if stored:
            (self.without if negative else self.filters).setdefault(rule.field, []).append(stored)
        return bool(stored)

    def _take_date(self, rule: FieldRule, value: str, negative: bool) -> bool:
        moment = _moment(value)
        if moment is None:
            return False
        start, end = self.dates.get(rule.field, (None, None))
        if (rule.kind == "from") != negative:  # "not before" is "from"
            start = max(start or moment, moment)
        else:
            end = min(end or moment, moment)
        self.dates[rule.field] = (start, end)
        return True

    def parsed(self, text: str) -> Parsed:
        wanted = [any_of(group) for group in self.groups if not _is_unwanted(group)]
        unwanted = [group[0] for group in self.groups if _is_unwanted(group)]
        logged = [Term(signature, SIGNATURES) for signature in signatures(text)] if wanted else []
        node = all_of([any_of([all_of(wanted), *logged]), *unwanted])
        found = list(leaves(node))
        loose = all_of([any_of(found), *unwanted]) if found else node
        return Parsed(
            node=node,
            filters={name: tuple(dict.fromkeys(values)) for name, values in self.filters.items()},
            without={name: tuple(dict.fromkeys(values)) for name, values in self.without.items()},
            dates=self.dates,
            loose=loose if loose != node else None,
            words=tuple(dict.fromkeys(self.words)),
            tokens=frozenset(token for leaf in found for token in _tokens_of(leaf)),
            notes=tuple(dict.fromkeys([*self.notes, *self._note_on_nothing(text)])),
        )

    def _note_on_nothing(self, text: str) -> list[str]:
        if self.groups or self.filters or self.without or self.dates or not text.strip():
            return []
        common = any(map(str.isalnum, text))
        return ["These words are too common to search for." if common else "There is no word in this to search for."]


def _is_unwanted(group: list[Node]) -> bool:
    return len(group) == 1 and isinstance(group[0], Not)


def _moment(value: str) -> datetime | None:
    """The first moment of a year, month or day."""
    if not (found := _DATE.fullmatch(value.strip(" ,;)"))):
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _expected(name: str, rule: FieldRule) -> str:
    if rule.kind != "keyword":
        return "dates are written 2026, 2026-03 or 2026-03-31"
    possible = ", ".join(dict.fromkeys((rule.values or {}).values()))
    return f"{name} is one of {possible}" if possible else f"{name} needs a value"


def _tokens_of(leaf: Term | Phrase | Prefix) -> list[tuple[str, str]]:
    """For highlighting, where every `1` of a text would be lit up by an address."""
    if isinstance(leaf, Term):
        return [] if len(leaf.token) == 1 and leaf.token.isascii() else [(leaf.channel, leaf.token)]
    if isinstance(leaf, Prefix):
        return [(SURFACE, f"{leaf.start}*")]
    return [(WORDS, stem) for stem in leaf.tokens]
