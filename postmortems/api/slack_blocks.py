"""What Slack shows: Block Kit, every text escaped, and only for the one who asked."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse

from postmortems.suggestions import Suggestion
from postmortems.workflows.slack import Answer

SECTION_LENGTH = 2_900  # Slack refuses a section of more than 3,000 characters
ANSWER_LENGTH = 300
Blocks = list[dict[str, Any]]


def escaped(text: str, length: int = ANSWER_LENGTH) -> str:
    """As Slack wants it, on one line. Without `<` nothing in it is a link or calls a channel."""
    line = " ".join(text.split())
    line = line if len(line) <= length else f"{line[: length - 1]}…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ephemeral(text: str, blocks: Blocks | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"response_type": "ephemeral", "text": text}
    return {**said, "blocks": blocks} if blocks else said


def answered(answer: Answer) -> dict[str, Any]:
    """The suggestions with their reasons; then what else a search finds."""
    suggested = answer.found.results
    known = {suggestion.ref for suggestion in suggested}
    hits = [hit for hit in answer.hits.results if hit.ref not in known]
    blocks = [_section(_suggestion(suggestion)) for suggestion in suggested]
    if not blocks:
        blocks.append(_section(_nothing(answer)))
    if hits:
        blocks.append(_section("Also found:\n" + "\n".join(f"• {_link(hit.url, hit.ref, hit.title)}" for hit in hits)))
    more = f"<{settings.SITE_URL}{reverse('incident_new')}|Declare an incident> · only you see this"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": more}]})
    return ephemeral(_in_one_line(suggested, answer), blocks)


def _nothing(answer: Answer) -> str:
    if answer.found.degraded:
        return escaped(answer.found.degraded)
    return f"Nothing similar to “{escaped(answer.asked, 150)}” among {answer.found.total_candidates:,} documents."


def _in_one_line(suggested: Iterable[Suggestion], answer: Answer) -> str:
    """For notifications and readers of screens."""
    named = ", ".join(f"{each.ref} {escaped(each.title, 80)}" for each in suggested)
    return f"Looks like {named}" if named else _nothing(answer)


def _suggestion(suggestion: Suggestion) -> str:
    lines = [f"*{_link(suggestion.url, suggestion.ref, suggestion.title)}*"]
    when = suggestion.occurred_on.isoformat() if suggestion.occurred_on else ""
    lines.append(" · ".join(filter(None, (f"{suggestion.confidence} match", suggestion.severity, when))))
    if suggestion.why:
        lines.append("Because of: " + ", ".join(f"`{_code(reason.term)}`" for reason in suggestion.why))
    if suggestion.what_fixed_it:
        lines.append(f"What fixed it: {escaped(suggestion.what_fixed_it)}")
    lines += [f"{fix.ref} {escaped(fix.title, 120)}{_record(fix)}" for fix in suggestion.fixes[:2]]
    return "\n".join(lines)


def _record(fix: Any) -> str:
    tried = getattr(fix, "tried", 0)
    return f": worked {fix.worked} of {tried}" if tried else ""


def _code(text: str) -> str:
    return escaped(text, 60).replace("`", "'")


def _link(url: str, ref: str, title: str) -> str:
    return f"<{settings.SITE_URL}{url}|{ref} {escaped(title, 150)}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SECTION_LENGTH]}}
