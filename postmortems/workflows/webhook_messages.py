"""What other systems are told, of what an account may see: plain JSON, a Slack message, a card for Microsoft Teams."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from kb.clock import site_day
from postmortems import suggestions
from postmortems.models import ActionItem, Incident, Postmortem, User, WebhookDelivery, WebhookEvent, WebhookFormat
from postmortems.suggestions import Suggestion

About = Incident | Postmortem | ActionItem
LONGEST = 600  # characters of a text in a chat message
SLACK_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
TEAMS_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


@dataclass(frozen=True)
class Message:
    """`data` is what the plain format holds; the chat formats are made of the rest."""

    event: str
    at: datetime
    headline: str
    address: str
    data: Mapping[str, Any]
    suggestion: Suggestion | None = None

    @property
    def suggested(self) -> tuple[str, str, str]:
        """The top suggestion in three lines: what, why, what fixed it. Empty strings where there is nothing."""
        top = self.suggestion
        if top is None:
            return "", "", ""
        why = ", ".join(reason.term for reason in top.why[:5])
        return f"{top.ref}: {top.title}", why, shortened(top.what_fixed_it or next((f.title for f in top.fixes), ""))

    @property
    def suggestion_address(self) -> str:
        return str(self.suggestion.as_json()["url"]) if self.suggestion else ""


def message_of(delivery: WebhookDelivery, *, at: datetime) -> Message | None:
    """None: the account may not see it (any more), or there is nothing to say (any more)."""
    account, event = delivery.webhook.account, delivery.event
    if event == WebhookEvent.TEST:
        text = "A test of the postmortem knowledge base."
        return Message(event, delivery.at, text, settings.SITE_URL, {"text": text})
    row = _row_of(delivery.about, account) if account.is_active else None
    if isinstance(row, Incident):
        return _of_incident(row, event, account, delivery.at)
    if isinstance(row, Postmortem):
        return Message(event, delivery.at, f"{row.ref} is published: {row.title}", _at(row), _facts(row, "postmortem"))
    if isinstance(row, ActionItem) and row.days_late(on=site_day(at)):
        data = _facts(row, "action_item") | {"due_on": row.due_on and row.due_on.isoformat()}
        return Message(event, delivery.at, f"{row.ref} is late: {row.title}", _at(row), data)
    return None


def _row_of(ref: str, account: User) -> About | None:
    for model in (Incident, Postmortem, ActionItem):
        if (pk := model.pk_of_ref(ref)) is not None:
            return model.objects.visible_to(account).filter(pk=pk).first()
    return None


def _of_incident(row: Incident, event: str, account: User, at: datetime) -> Message | None:
    top = None if event == WebhookEvent.RESOLVED else _top_suggestion(row, account)
    if event == WebhookEvent.SUGGESTED and top is None:
        return None
    says: dict[str, str] = {
        str(WebhookEvent.OPENED): f"{row.ref} ({row.get_severity_display()}): {row.title}",
        str(WebhookEvent.RESOLVED): f"{row.ref} is resolved: {row.title}",
    }
    headline = says.get(event) or f"{row.ref} looks like {top.ref if top else ''}: {row.title}"
    data = _facts(row, "incident") | {
        "severity": row.severity,
        "status": row.status,
        "started_at": row.started_at.isoformat(),
        "services": [service.slug for service in row.services.all()],
    }
    if event != WebhookEvent.RESOLVED:
        data["suggestion"] = top.as_json() if top else None
    return Message(event, at, headline, _at(row), data, top)


def _top_suggestion(row: Incident, account: User) -> Suggestion | None:
    found = suggestions.suggest(suggestions.report_of(row), user=account, limit=1)
    return found.results[0] if found.results else None


def _facts(row: About, kind: str) -> dict[str, Any]:
    return {"kind": kind, "ref": row.ref, "title": row.title, "url": _at(row)}


def _at(row: About) -> str:
    return f"{settings.SITE_URL}{row.get_absolute_url()}"


# --- as each format says it ---


def body_of(message: Message, format: str) -> dict[str, Any]:
    if format == WebhookFormat.SLACK:
        return slack(message)
    if format == WebhookFormat.TEAMS:
        return teams(message)
    return {"type": message.event, "timestamp": message.at.isoformat(), "data": dict(message.data)}


def slack(message: Message) -> dict[str, Any]:
    """Incoming webhooks: `text` is the fallback for notifications, blocks the message."""
    blocks = [_section(f"*{slack_link(message.address, message.headline)}*")]
    title, why, fixed = message.suggested
    if title:
        lines = [f"Looks like {slack_link(message.suggestion_address, title)}"]
        lines += [f"*Why:* {for_slack(why)}"] * bool(why) + [f"*What fixed it:* {for_slack(fixed)}"] * bool(fixed)
        blocks.append(_section("\n".join(lines)))
    return {"text": for_slack(message.headline), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:2900]}}


def teams(message: Message) -> dict[str, Any]:
    """A message with one adaptive card, as a Teams workflow takes it."""
    title, why, fixed = message.suggested
    body = [_block(message.headline, weight="Bolder", size="Medium")]
    actions = [{"type": "Action.OpenUrl", "title": "Open", "url": message.address}]
    if title:
        body.append(_block(f"Looks like {title}"))
        facts = [("Why", why), ("What fixed it", fixed)]
        listed = [{"title": name, "value": for_teams(text)} for name, text in facts if text]
        body.append({"type": "FactSet", "facts": listed})
        actions.append({"type": "Action.OpenUrl", "title": "What fixed it", "url": message.suggestion_address})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        **{"type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": for_teams(text), "wrap": True, **style}


def for_slack(text: str) -> str:
    """Its markup and its mentions say nothing: `<!channel>` wakes nobody."""
    return shortened(text).translate(SLACK_MARKS)


def slack_link(address: str, text: str) -> str:
    return f"<{address}|{for_slack(text).replace('|', '¦')}>"


def for_teams(text: str) -> str:
    return TEAMS_MARKS.sub(r"\\\1", shortened(text))


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
