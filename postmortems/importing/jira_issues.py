"""Jira's search as JSON: `{"issues": [{"key": ..., "fields": {...}}]}`, texts in wiki markup (v2) or as trees (v3)."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from postmortems.importing import told
from postmortems.importing.base import Document, Left, Unreadable
from postmortems.importing.jira_markup import from_tree, from_wiki
from postmortems.importing.json_file import listed, values_of

ENDINGS = (".json",)


def recognises(text: str) -> bool:
    try:
        return any("key" in issue and "fields" in issue for issue in _issues(text) if isinstance(issue, dict))
    except Unreadable:
        return False


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    for at, issue in enumerate(_issues(text), start=1):
        fields = issue.get("fields") if isinstance(issue, dict) else None
        if not isinstance(fields, dict):
            yield Left("no issue of Jira", str(at), is_fault=True)
        else:
            yield _read(issue, fields, str(issue.get("key") or at))


def _issues(text: str) -> list[Any]:
    """Of one answer or of several, page after page."""
    found: list[Any] = []
    for value, line in values_of(text):
        is_one = isinstance(value, dict) and "fields" in value
        issues = [value] if is_one else listed(value, "issues")
        if issues is None:
            raise Unreadable('expected {"issues": [...]}', line)
        found += (each for answer in issues for each in (listed(answer, "issues") or [answer]))
    return found


def _read(issue: Mapping[str, Any], fields: Mapping[str, Any], key: str) -> Document | Left:
    title = fields.get("summary")
    if not isinstance(title, str) or not title.strip():
        return Left("an issue without a summary", key, is_fault=True)
    severity, services, tags = told.sorted_labels(_names(fields.get("labels")))
    site = urlsplit(str(issue.get("self") or ""))
    address = f"{site.scheme}://{site.netloc}/browse/{key}" if site.scheme in ("http", "https") else ""
    facts = {
        "title": title,
        "uuid": told.uuid_of("jira", address or key),
        "url": address,
        "severity": severity or told.severity_of(_name(fields.get("priority"))),
        "services": [*services, *_names(fields.get("components"))],
        "tags": tags,
        "status": "" if fields.get("resolutiondate") or fields.get("resolution") else "draft",
        "authors": _name(fields.get("reporter")),
        "environment": fields["environment"] if isinstance(fields.get("environment"), str) else "",
        "started at": _moment(fields.get("created")),
        "ended at": _moment(fields.get("resolutiondate")),
    }
    listed = fields.get("comment")
    listed = listed.get("comments") if isinstance(listed, dict) else listed
    said = told.comments(
        (_name(each.get("author")), str(each.get("created") or ""), _text(each.get("body")))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    )
    return Document(told.markdown(facts, f"{_text(fields.get('description'))}\n\n{said}", title), key)


def _text(value: Any) -> str:
    return from_wiki(value) if isinstance(value, str) else from_tree(value)


def _moment(value: Any) -> str:
    """`2024-01-12T15:04:05.000+0000`: without the parts of a second."""
    text = str(value or "")
    head, dot, rest = text.partition(".")
    return head + rest.lstrip("0123456789") if dot else text


def _names(value: Any) -> list[str]:
    return [name for each in value if (name := _name(each))] if isinstance(value, list) else []


def _name(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in ("displayName", "name", "value") if isinstance(value.get(key), str)), "")
    return value if isinstance(value, str) else ""
