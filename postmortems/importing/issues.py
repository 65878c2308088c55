"""Issues of GitHub and GitLab: the list that their APIs give, or `gh issue list --json ...`, or GitLab's JSON lines."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from postmortems.importing import told
from postmortems.importing.base import Document, Left, Unreadable
from postmortems.importing.json_file import listed, values_of

ENDINGS = (".json", ".ndjson", ".jsonl")
_BELOW = ("items", "nodes", "issues", "repository", "project", "data")  # of a search, and of GraphQL


def recognises(text: str) -> bool:
    try:
        first, _ = next(_entries(text), (None, None))
    except Unreadable:
        return False
    return isinstance(first, dict) and bool({"number", "iid"} & first.keys()) and "title" in first


def documents(text: str, *, name: str, mapping: Mapping[str, str]) -> Iterator[Document | Left]:
    for at, (issue, line) in enumerate(_entries(text), start=1):
        if isinstance(issue, Unreadable):
            yield Left(issue.reason, f"line {line}", line, is_fault=True)
        elif not isinstance(issue, dict):
            yield Left("no issue", str(at), line, is_fault=True)
        else:
            number = str(issue.get("number") or issue.get("iid") or at)[:40]
            yield replace(_read(issue, number, name), line=line)


def _entries(text: str) -> Iterator[tuple[Any, int | None]]:
    """(entry, its line if it stands on one). Lists may follow one another, as `gh api --paginate` writes them."""
    try:
        values = list(values_of(text))
    except Unreadable as error:
        yield from _lines(text, error)
        return
    for value, line in values:
        found = listed(value, *_BELOW)
        if found is None and not isinstance(value, dict):
            raise Unreadable("expected a list of issues", line)
        yield from ((each, None) for each in found) if found is not None else [(value, line)]


def _lines(text: str, error: Unreadable) -> Iterator[tuple[Any, int]]:
    """One issue a line. If the first is none, the file is no such list, and `error` says what is wrong with it."""
    is_first = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line), number
        except (ValueError, RecursionError) as wrong:
            if is_first:
                raise error from wrong
            yield Unreadable(f"no JSON: {wrong}"), number
        is_first = False


def _read(issue: Mapping[str, Any], number: str, name: str) -> Document | Left:
    if issue.get("pull_request"):
        return Left("a pull request, not an issue", number)
    title = issue.get("title")
    if not isinstance(title, str) or not title.strip():
        return Left("an issue without a title", number, is_fault=True)
    address = _first(issue, "html_url", "web_url", "url")
    severity, services, tags = told.sorted_labels(map(_name, _listed(issue.get("labels"))))
    facts = {
        "title": title,
        "uuid": told.uuid_of("issue", address or f"{name}#{number}"),
        "url": address,
        "severity": severity,
        "services": services,
        "tags": tags,
        "status": "draft" if str(issue.get("state", "")).lower() in ("open", "opened") else "",
        "authors": _name(issue.get("author") or issue.get("user")),
        "started at": _first(issue, "created_at", "createdAt"),
        "ended at": _first(issue, "closed_at", "closedAt"),
    }
    said = told.comments(
        (
            _name(each.get("author") or each.get("user")),
            _first(each, "created_at", "createdAt"),
            _first(each, "body", "note"),
        )
        for each in [*_listed(issue.get("comments")), *_listed(issue.get("notes"))]
        if isinstance(each, dict) and not each.get("system")
    )
    body = _first(issue, "body", "description")
    return Document(told.markdown(facts, f"{body}\n\n{said}", title), number)


def _first(row: Mapping[str, Any], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str)), "")


def _listed(value: Any) -> list[Any]:
    """Comments are a mere number in some answers; GraphQL lists have `nodes`."""
    if isinstance(value, dict):
        value = value.get("nodes")
    return value if isinstance(value, list) else []


def _name(row: Any) -> str:
    if isinstance(row, str):
        return row
    return _first(row, "name", "login", "username", "title") if isinstance(row, dict) else ""
