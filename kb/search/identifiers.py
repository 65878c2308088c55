"""Whole names that mean something as they stand: error codes, addresses, paths, names in code.

`identifiers("see java.lang.OutOfMemoryError on db-1:5432")` gives `java.lang.outofmemoryerror`, `db-1:5432`, `db-1`.
A word or a number alone is none; a URL gives its host and, if it is one, the last part of its path.
"""

from __future__ import annotations

import re

from kb.search.folding import plain

MAX_LENGTH = 128

# What a name can consist of. All else (brackets, quotes, commas, =) stands between names.
PIECE = re.compile(r"[\w.:/\\~+#%-]+")
_LEADING, _TRAILING = ".:-+#%", ".:-+#%/\\~"

_URL = re.compile(r"[a-z][a-z+.-]*://([^/]+)(?:.*/)?(.*)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"(.*[^\d.:].*|\d{1,3}(?:\.\d{1,3}){3}):(\d{2,5})")  # host:port, file:line
_ROOTED = re.compile(r"(?:~|\.{1,2})?/[^\W\d]|[a-zA-Z]:[\\/]|\\\\\w")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"0[xX][0-9a-fA-F]{2,}")
_NUMBERS = re.compile(r"\d+(?:\.\d+){2,}")  # versions and addresses: 1.21.4, 10.0.0.1; never 3.5
_MOMENT = re.compile(r"~?\d{4}-\d\d(?:-\d\d)?(?:T.*)?|~?\d{1,2}:\d\d.*", re.IGNORECASE)
_HUMPS = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")  # ConnPool, HTTPServer; not Pool, URLs
_CODE = re.compile(r"[A-Za-z]+\d\w*")  # E1205, k8s, p95; not 10ms
_ERRNO = re.compile(r"E[A-Z]{4,15}|SIG[A-Z]{2,8}")  # ECONNREFUSED, SIGKILL
# Words in capitals that only look like those: they stand in every log.
_EVERYDAY = frozenset({"ERROR", "ERRORS", "EVENT", "EVENTS", "EMPTY", "ENABLED", "EXCEPTION", "EXPECTED", "EXPIRED"})


def identifiers(text: str) -> list[str]:
    """The names in the text, in order, case and accents folded; an address is followed by its host."""
    return [name for piece in PIECE.findall(plain(text)) for name in names_in(piece)]


def whole_name(piece: str) -> str | None:
    """The piece as one name, if it is one and not only has some."""
    names = names_in(piece)
    return names[0] if names and names[0] == _token(_bare(piece)) else None


def names_in(piece: str) -> list[str]:
    """The names in one run of name characters (accents gone, case kept): the whole of it first, if it is one."""
    bare = _bare(piece)
    if _MOMENT.fullmatch(bare):
        return []
    if "://" in bare:
        return _names_in_url(bare)
    if "::" in bare or _ROOTED.match(bare):
        return [_token(bare)]
    if ":" in bare:
        return _names_with_colon(bare)
    return [_token(bare)] if _is_name(bare) else []


def _bare(piece: str) -> str:
    return piece.lstrip(_LEADING).rstrip(_TRAILING)


def _token(name: str) -> str:
    return name[:MAX_LENGTH].casefold()[:MAX_LENGTH]


def _names_in_url(url: str) -> list[str]:
    if not (parts := _URL.match(url)):
        return []
    host, last = parts.groups()
    names = names_in(host)
    return names + ([_token(last)] if last != host and _is_name(last) else [])


def _names_with_colon(piece: str) -> list[str]:
    if address := _ADDRESS.fullmatch(piece[:MAX_LENGTH]):
        host = address[1]
        return [_token(piece), *([_token(host)] if _is_name(host) else [])]
    return [_token(part) for part in piece.split(":") if _is_name(part)]


def _is_name(text: str) -> bool:
    text = text[:MAX_LENGTH]
    if "/" in text or "\\" in text:  # `and/or` is none, `proxy/nginx.conf` is one
        return any(map(_is_name, re.split(r"[/\\]", text)))
    if "-" in text:  # ORA-01555, us-east-1; not well-known, 30-minute
        coded = text[0].isalpha() and _has_digit(text)
        return coded or bool(_UUID.fullmatch(text)) or any(map(_is_name_of_one_word, text.split("-")))
    if "." in text:  # a.b.c, pool.py, 1.21.4; not e.g, 3.5
        return bool(_NUMBERS.fullmatch(text)) or any(part[:1].isalpha() and len(part) > 1 for part in text.split("."))
    return _is_name_of_one_word(text)


def _is_name_of_one_word(word: str) -> bool:
    if "_" in word.strip("_"):
        return _has_letters(word)
    if _ERRNO.fullmatch(word):
        return word not in _EVERYDAY
    return bool(_HUMPS.search(word) or _CODE.fullmatch(word) or _HEX.fullmatch(word))


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
