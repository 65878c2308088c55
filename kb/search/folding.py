"""One form for the many spellings of a word: case folded, accents dropped. CJK characters stay as they are."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Scripts written without spaces between words (and Korean, whose endings cling to them).
CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003fffd"
)

# Japanese voicing marks change the letter, so they are seen together with what stands before them.
_UNUSUAL = re.compile("[^\x01-\x7f][\u3099\u309a\uff9e\uff9f]?")
# Accents and points of the European and Semitic scripts. The vowel signs of others are letters to their readers.
ACCENTS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
_ACCENT = re.compile(f"[{ACCENTS}]")


def plain(text: str) -> str:
    """The text without accents and invisible characters, case kept. NUL and lone surrogates become spaces.

    Character by character: `unicodedata.normalize` needs quadratic time for a long run of combining marks.
    """
    if text.isascii():
        return text.replace("\0", " ")
    return _UNUSUAL.sub(lambda found: _plain(found[0]), text)


def fold(text: str) -> str:
    """`plain`, and one case for all: `Straße` and `STRASSE`, `naïve` and `Naive` are the same."""
    return plain(text).casefold()


@lru_cache(maxsize=16_384)
def _plain(character: str) -> str:
    decomposed = _ACCENT.sub("", unicodedata.normalize("NFKD", character))
    return unicodedata.normalize("NFC", "".join(map(_visible, decomposed)))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cs", "Cc") or character == "\u200b":  # lone surrogate, control, zero-width space
        return " "
    return "" if category == "Cf" else character  # soft hyphens, joiners and direction marks sit inside words
