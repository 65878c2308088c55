"""Who is named in a text: `@alice`, but not in code and not in what is quoted."""

import re

from postmortems.blameless.prose import prose_of

_MENTION = re.compile(r"(?<![\w.@/+-])@(\w[\w.@+-]{0,149})")
_AT_THE_END = ".@+-"  # of a sentence, more likely than of a name
MOST = 50  # more than that is a list, not a call


def mentioned(text: str) -> frozenset[str]:
    """User names in lower case, whether or not there is such an account."""
    if "@" not in text:
        return frozenset()
    names = (found[1].rstrip(_AT_THE_END).lower() for found in _MENTION.finditer(prose_of(text)))
    return frozenset(list(dict.fromkeys(name for name in names if name))[:MOST])
