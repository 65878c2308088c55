"""Prose -> sentences of tokens. A token knows where it stands; a sentence answers what stands where."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from postmortems.blameless.prose import OPAQUE

# A word keeps its apostrophe, hyphen and inner dots: didn't, on-call, v1.2, @dba-carol. Of marks only those that part
# or join what is said; brackets of links and stars are looked through.
_TOKEN = re.compile(
    r"(?<![\w.])@\w+(?:[.-]\w+)*"
    r"|\w+(?:['\u2019./-]\w+)*"
    rf"|{OPAQUE}+"
    r"|\n[ \t]*\r?\n|[.!?…]+(?=[\s)\]*_]|\Z)"
    r"|[,;:|=()'\u2019\u2013\u2014]"
)
_ITEM = re.compile(
    r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?|^#{1,6}[ \t]|\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]|#)",
    re.M,
)
_ENDS = {".", "!", "?", ";", "|"}


class Token(NamedTuple):
    """A word or a mark, where it stands, and how it is compared: in small letters, with a straight apostrophe."""

    raw: str
    start: int
    end: int
    low: str

    @classmethod
    def of(cls, raw: str, start: int = 0) -> "Token":
        return cls(raw, start, start + len(raw), raw.lower().replace("\u2019", "'"))

    @property
    def is_word(self) -> bool:
        return self.raw[0].isalnum() or self.raw[0] in ("@", "_", OPAQUE)

    @property
    def is_capitalised(self) -> bool:
        return self.raw[0].isupper() and self.raw[1:].islower()


_NOTHING = Token.of("\0")


class Sentence:
    """Tokens in order. Asking beside either end gives a token that is nothing, so that rules need no bounds."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def at(self, place: int) -> Token:
        return self.tokens[place] if 0 <= place < len(self.tokens) else _NOTHING

    def low(self, place: int) -> str:
        return self.at(place).low

    def lows(self, start: int, end: int) -> list[str]:
        return [token.low for token in self.tokens[max(start, 0) : max(end, 0)]]


def sentences_of(prose: str) -> Iterator[Sentence]:
    """A sentence ends with its full stop, its paragraph, its item or its cell."""
    breaks = [match.end() for match in _ITEM.finditer(prose)]
    breaks.reverse()
    tokens: list[Token] = []
    for match in _TOKEN.finditer(prose):
        while breaks and breaks[-1] <= match.start():
            breaks.pop()
            if tokens:
                yield Sentence(tokens)
            tokens = []
        raw = match[0].strip("_")
        if raw[:1] in _ENDS or raw[:1] == "\n":
            if tokens:
                yield Sentence(tokens)
            tokens = []
        elif raw and raw[0] != "…":
            tokens.append(Token.of(raw, match.start() + match[0].index(raw)))
    if tokens:
        yield Sentence(tokens)
