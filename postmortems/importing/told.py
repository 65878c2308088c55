"""Facts and texts of another format, told as the Markdown that `markdown_file.py` reads."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from postmortems.importing.front_matter import NO_TEXT
from postmortems.importing.headings import canonical
from postmortems.importing.metadata import CHOICES
from postmortems.importing.record_file import quoted
from postmortems.importing.tables import names

MAX_UUID = 100
_SERVICE = re.compile(r"(?:affected )?(?:service|component|system|area|product)s?\s*[:/=]+\s*(.+)", re.IGNORECASE)
_SEVERITY = re.compile(r"(?:severity|sev|priority|prio|impact)\s*[:/=]+\s*(.+)", re.IGNORECASE)
_SEVERITIES = {canonical(word): value for value, listed in CHOICES["severity"].items() for word in names(listed)}
# A bare `1` or `high` says nothing of a severity; behind `severity:` it does.
_BARE = re.compile(r"(?:sev|s|p)[ -]?\d", re.IGNORECASE)


def markdown(facts: Mapping[str, Any], body: str, title: str) -> str:
    """Front matter, the title, and the body below it. Facts that are empty are left out."""
    lines = [f"{name}: {quoted(_clean(value))}" for name, value in facts.items() if value]
    return "\n".join(["---", *lines, "---", "", f"# {' '.join(title.split())}", "", body.strip("\n"), ""])


def _clean(value: Any) -> Any:
    """Without what front matter refuses: NUL and half characters."""
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return NO_TEXT.sub(" ", str(value))


def uuid_of(kind: str, *parts: str) -> str:
    """What makes it the same again, at most 100 characters."""
    whole = f"{kind}:{':'.join(parts)}"
    return whole if len(whole) <= MAX_UUID else f"{kind}:{hashlib.sha256(whole.encode()).hexdigest()}"


def severity_of(text: str) -> str:
    return _SEVERITIES.get(canonical(text), "")


def sorted_labels(labels: Iterable[str]) -> tuple[str, list[str], list[str]]:
    """(severity, services, tags): `sev1`, `severity: high`; `service/checkout`; anything else is a tag."""
    severity, services, tags = "", [], []
    for label in (" ".join(label.split()) for label in labels):
        said, service = _SEVERITY.fullmatch(label), _SERVICE.fullmatch(label)
        found = severity_of(said[1]) if said else severity_of(label) if _BARE.fullmatch(label) else ""
        if found and not severity:
            severity = found
        elif service:
            services.append(service[1])
        elif label:
            tags.append(label)
    return severity, services, tags


def comments(listed: Iterable[tuple[str, str, str]]) -> str:
    """(who, when, text) -> what is added below the text of an issue."""
    blocks = [
        f"**{' '.join(f'{who}, {when}'.strip(', ').split()) or 'Comment'}**\n\n{text.strip()}"
        for who, when, text in listed
    ]
    return "\n\n".join(["## Comments", *blocks]) if blocks else ""
