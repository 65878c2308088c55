"""What Jira writes texts in, as Markdown: its wiki markup, and the trees of Atlassian's document format."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from postmortems.importing.reading import MAX_BYTES

MAX_DEPTH = 40
_FENCED = re.compile(r"\{(code|noformat)(?::[^}\n]{0,100})?\}(.*?)\{\1\}", re.DOTALL)
_LINE_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^bq\.[ \t]+", re.MULTILINE), "> "),
    (re.compile(r"^([*#-]{1,6})[ \t]+", re.MULTILINE), lambda m: _mark(m[1])),
    (re.compile(r"^h([1-6])\.[ \t]+", re.MULTILINE), lambda m: "#" * max(2, int(m[1])) + " "),
    (re.compile(r"^\|\|(.+)\|\|[ \t]*$", re.MULTILINE), lambda m: _head(m[1])),
    (re.compile(r"\[([^|\]\n]{1,300})\|(https?://[^|\]\s]{1,1000})(?:\|[^\]\n]{0,100})?\]"), r"[\1](\2)"),
    (re.compile(r"\[(https?://[^|\]\s]{1,1000})\]"), r"<\1>"),
    (re.compile(r"\[~(?:accountid:)?([^\]\n]{1,100})\]"), r"@\1"),
    (re.compile(r"\{\{([^}\n]{1,300})\}\}"), r"`\1`"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,500})(?<=\S)\*(?![\w*])"), r"**\1**"),
    (re.compile(r"\{(?:color|panel|quote|expand)(?::[^}\n]{0,200})?\}"), ""),
    (re.compile(r"!([^!|\s][^!|\n]{0,200})(?:\|[^!\n]{0,200})?!(?!\w)"), r"(picture: \1)"),
)


def from_wiki(text: str) -> str:
    """Code as it is, the rest line by line. What is too long for a postmortem is left for others to refuse."""
    if len(text) > MAX_BYTES:
        return text
    text = text.replace("\r\n", "\n")
    made: list[str] = []
    end = 0
    for match in _FENCED.finditer(text):
        made += [_plain(text[end : match.start()]), "\n" + fenced(match[2].strip("\n")) + "\n"]
        end = match.end()
    return "".join([*made, _plain(text[end:])])


def fenced(code: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{code}\n{fence}"


def _plain(text: str) -> str:
    for pattern, by in _LINE_RULES:
        text = pattern.sub(by, text)
    return text


def _mark(marks: str) -> str:
    return "  " * (len(marks) - 1) + ("1. " if marks[-1] == "#" else "- ")


def _head(row: str) -> str:
    cells = [cell.strip() for cell in row.split("||")]
    return f"| {' | '.join(cells)} |\n|{' --- |' * len(cells)}"


# --- Atlassian's document format ---


def from_tree(node: Any, depth: int = 0) -> str:
    """Unknown nodes are the text that is in them."""
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        return ""
    make = _NODES.get(str(node.get("type")))
    return make(node, depth) if make else _all(node, depth)


def _children(node: Mapping[str, Any]) -> Iterable[Any]:
    content = node.get("content")
    return content if isinstance(content, list) else []


def _all(node: Mapping[str, Any], depth: int, between: str = "") -> str:
    return between.join(from_tree(child, depth + 1) for child in _children(node))


def _attr(node: Mapping[str, Any], name: str) -> str:
    attrs = node.get("attrs")
    return str(attrs.get(name, "")) if isinstance(attrs, Mapping) else ""


def _text(node: Mapping[str, Any], _depth: int) -> str:
    text = str(node.get("text", ""))
    for mark in node.get("marks") or []:
        kind = mark.get("type") if isinstance(mark, Mapping) else ""
        if kind == "code":
            text = f"`{text}`"
        elif kind == "strong":
            text = f"**{text}**"
        elif kind == "em":
            text = f"*{text}*"
        elif kind == "link" and _attr(mark, "href").startswith(("http://", "https://")):
            text = f"[{text}]({_attr(mark, 'href')})"
    return text


def _heading(node: Mapping[str, Any], depth: int) -> str:
    level = _attr(node, "level")
    return f"{'#' * (int(level) if level in ('2', '3', '4', '5', '6') else 2)} {_all(node, depth)}\n\n"


def _list(node: Mapping[str, Any], depth: int, mark: str) -> str:
    items = []
    for child in _children(node):
        text = from_tree(child, depth + 1).strip().replace("\n\n", "\n")
        items.append(f"{mark} " + text.replace("\n", "\n" + " " * (len(mark) + 1)))
    return "\n".join(items) + "\n\n"


def _table(node: Mapping[str, Any], depth: int) -> str:
    rows = []
    for row in _children(node):
        cells = [" ".join(from_tree(cell, depth + 2).split()).replace("|", "\\|") for cell in _children(row)]
        rows.append(f"| {' | '.join(cells)} |")
        if len(rows) == 1:
            rows.append(f"|{' --- |' * len(cells)}")
    return "\n".join(rows) + "\n\n"


_NODES: Mapping[str, Callable[[Mapping[str, Any], int], str]] = {
    "text": _text,
    "heading": _heading,
    "paragraph": lambda node, depth: _all(node, depth) + "\n\n",
    "hardBreak": lambda node, depth: "\n",
    "rule": lambda node, depth: "---\n\n",
    "bulletList": lambda node, depth: _list(node, depth, "-"),
    "taskList": lambda node, depth: _list(node, depth, "-"),
    "orderedList": lambda node, depth: _list(node, depth, "1."),
    "codeBlock": lambda node, depth: fenced(_all(node, depth)) + "\n\n",
    "blockquote": lambda node, depth: "> " + _all(node, depth).strip().replace("\n", "\n> ") + "\n\n",
    "table": _table,
    "mention": lambda node, depth: _attr(node, "text"),
    "emoji": lambda node, depth: _attr(node, "text"),
    "inlineCard": lambda node, depth: f"<{_attr(node, 'url')}>",
    "date": lambda node, depth: _attr(node, "timestamp"),
    "media": lambda node, depth: "",
}
