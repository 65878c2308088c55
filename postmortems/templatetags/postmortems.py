"""How the domain's words look: severities, states, outcomes, due dates. Each colour comes with a word or a sign."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.template import Library
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from kb.templatetags.kb import DAY, in_words, span
from postmortems import roles
from postmortems.models import ActionItem, Fix, FixUse, Incident, Postmortem, SuggestionVerdict, User, WebhookDelivery
from postmortems.search import Near, Result
from postmortems.suggestions import Part, Reason, Suggestion
from postmortems.suggestions.quality import Share

register = Library()

# state -> (sign, colour)
SIGNS = {
    Incident.Status.OPEN: ("●", "bad"),
    Incident.Status.INVESTIGATING: ("●", "bad"),
    Incident.Status.MITIGATED: ("◐", "warn"),
    Incident.Status.RESOLVED: ("✓", "good"),
    Incident.Status.CLOSED: ("✓", "muted"),
    Incident.Status.CANCELLED: ("·", "muted"),
    Postmortem.Status.DRAFT: ("✎", "muted"),
    Postmortem.Status.IN_REVIEW: ("◐", "warn"),
    Postmortem.Status.CHANGES_REQUESTED: ("↺", "warn"),
    Postmortem.Status.APPROVED: ("✓", "good"),
    Postmortem.Status.PUBLISHED: ("✓", "good"),
    Postmortem.Status.ARCHIVED: ("·", "muted"),
    Fix.State.VERIFIED: ("✓", "good"),
    Fix.State.STALE: ("!", "warn"),
    Fix.State.RETIRED: ("·", "muted"),
    ActionItem.State.IN_PROGRESS: ("◐", "warn"),
    ActionItem.State.DONE: ("✓", "good"),
    ActionItem.State.WONT_DO: ("·", "muted"),
    WebhookDelivery.State.WAITING: ("○", "muted"),
    WebhookDelivery.State.FAILED: ("✗", "bad"),
    WebhookDelivery.State.WITHHELD: ("·", "muted"),
}
OUTCOME_SIGNS = {
    FixUse.Outcome.WORKED: ("✓", "good"),
    FixUse.Outcome.PARTLY: ("◐", "warn"),
    FixUse.Outcome.NO_EFFECT: ("○", "muted"),
    FixUse.Outcome.MADE_WORSE: ("✗", "bad"),
}
VERDICT_SIGNS = {
    SuggestionVerdict.Verdict.SAME_CAUSE: "=",
    SuggestionVerdict.Verdict.SAME_SYMPTOM: "≈",
    SuggestionVerdict.Verdict.NOT_SIMILAR: "≠",
}
# The three that come of the text; all others are what was added.
PART_KINDS = {"Words": "words", "Names": "names", "Log lines": "lines"}


@register.simple_tag
def severity(value: str) -> str:
    """The badge: a stronger fill is a stronger incident. Nothing where none is known."""
    value = value.lower()
    return format_html('<span class="sev {}">{}</span>', value, value.upper()) if value else ""


@register.simple_tag
def state(row: Any) -> str:
    """The state of an incident, postmortem, fix, action item or delivery: a sign and its word."""
    field = "status" if hasattr(row, "status") else "state"
    value, word = getattr(row, field), getattr(row, f"get_{field}_display")()
    # An action item that is open is waiting, an incident that is open is burning.
    sign, colour = (
        ("○", "muted") if isinstance(row, ActionItem) and value == "open" else SIGNS.get(value, ("✓", "good"))
    )
    return format_html('<span class="state {}" data-sign="{}">{}</span>', colour, sign, word)


@register.simple_tag
def outcome(value: str) -> str:
    sign, colour = OUTCOME_SIGNS[FixUse.Outcome(value)]
    return format_html('<span class="state {}" data-sign="{}">{}</span>', colour, sign, FixUse.Outcome(value).label)


@register.simple_tag
def outcomes() -> list[tuple[str, str, str]]:
    """(value, label, sign) of each, for the buttons."""
    return [(choice.value, str(choice.label), OUTCOME_SIGNS[choice][0]) for choice in FixUse.Outcome]


@register.filter
def worked_of_tried(fix: Any) -> str:
    """`Worked 3 of 4`, of a fix that `with_track_record` annotated."""
    return f"Worked {fix.worked} of {fix.tried}" if fix.tried else "Not tried since"


@register.simple_tag
def waiting(since: datetime) -> str:
    """How long it has gone on by now."""
    return span((timezone.now() - since).total_seconds()) or "under 1 min"


@register.simple_tag
def due(item: ActionItem | Postmortem, today: date | None = None) -> str:
    """How what is unfinished, an action item or a postmortem, stands to its date; what is finished is never late."""
    if item.due_on is None or not item.is_unfinished:
        return ""
    days = (item.due_on - (today or timezone.localdate())).days
    if days < 0:
        late = "1 day" if days == -1 else span(days * DAY)
        return format_html('<span class="state bad" data-sign="!">{} late</span>', late)
    if days <= 7:  # a week: what fits in the next planning
        words = {0: "due today", 1: "due tomorrow"}.get(days, f"due in {days} days")
        return format_html('<span class="state warn" data-sign="◔">{}</span>', words)
    return format_html('<span class="muted">due {}</span>', in_words(-days * DAY))


@register.simple_tag
def owed(item: ActionItem, today: date | None = None) -> str:
    """How a promise stands, to end a sentence with: `is 74 days late`, `is not done yet: due in 5 days`."""
    late = item.days_late(on=today or timezone.localdate())
    if late:
        return format_html('is <b class="bad">{} day{} late</b>', late, "" if late == 1 else "s")
    return format_html("is not done yet: {}", due(item, today) or "it has no date")


@register.simple_tag
def owed_in_all(items: Sequence[ActionItem], today: date | None = None) -> str:
    """`3 action items are open, up to 74 days late`: the way to what was promised further down. Of at least one."""
    longest = max(item.days_late(on=today or timezone.localdate()) for item in items)
    colour, sign = ("bad", "!") if longest else ("muted", "○")
    late = f", {'up to ' if len(items) > 1 else ''}{longest} day{'' if longest == 1 else 's'} late" if longest else ""
    said = f"{len(items)} action item{' is' if len(items) == 1 else 's are'} open{late}"
    return format_html('<a href="#actions"><span class="state {}" data-sign="{}">{}</span></a>', colour, sign, said)


@register.filter
def by_field(reasons: Iterable[Reason]) -> list[tuple[str, list[str]]]:
    """Reasons gathered by where they are: a shared service first, then as they weigh."""
    fields: dict[str, list[str]] = {}
    for reason in reasons:
        fields.setdefault(reason.field, []).append(reason.term)
    return list(fields.items())


@register.simple_tag
def opening(suggestion: Suggestion, run: Any) -> str:
    """The address of a suggestion's page: by way of the run it was shown in, if there is one."""
    return reverse("suggestion_open", args=[run.pk, suggestion.ref]) if run else suggestion.url


@register.simple_tag
def verdicts() -> list[tuple[str, str, str]]:
    """(value, label, sign) of each, for the buttons."""
    return [(choice.value, str(choice.label), VERDICT_SIGNS[choice]) for choice in SuggestionVerdict.Verdict]


@register.filter
def bars(parts: Iterable[Part]) -> list[dict[str, str]]:
    """The parts of a score as pieces of a bar a hundred wide; what takes away is drawn over its end, from the right.

    Their values are rounded so that they still add up to the rounded score.
    """
    listed = list(parts)
    whole = sum(part.value for part in listed if part.value > 0) or 1.0
    tenths = _adding_up([part.value * 10 for part in listed])
    pieces, start = [], 0.0
    for part, value in zip(listed, tenths, strict=True):
        width = abs(part.value) / whole * 100
        at = start if part.value > 0 else 100 - width
        kind = "less" if part.value < 0 else PART_KINDS.get(part.name, "more")
        drawn = {"x": f"{at:.2f}", "width": f"{width:.2f}", "kind": kind}
        pieces.append({"name": part.name, "value": f"{value / 10:+.1f}", **drawn})
        start += width if part.value > 0 else 0
    return pieces


def _adding_up(values: Sequence[float]) -> list[int]:
    """Rounded so that the sum is the rounded sum: those that lose most by rounding down get one more."""
    floors = [math.floor(value) for value in values]
    missing = round(sum(values)) - sum(floors)
    losing = sorted(range(len(values)), key=lambda n: floors[n] - values[n])[: max(missing, 0)]
    return [floor + (n in losing) for n, floor in enumerate(floors)]


@register.filter
def any_of(nearest: Iterable[Near]) -> str:
    """What to search for: documents with any of these words."""
    return " OR ".join(near.term for near in nearest)


@register.filter
def share(value: Share) -> str:
    """`67 % (20 of 30)`; of few, where a percentage would say more than is known, `2 of 3`."""
    if not value.of:
        return "none yet"
    counted = f"{value.part} of {value.of}"
    return counted if value.percent is None else f"{value.percent} % ({counted})"


@register.filter
def time_span(length: timedelta | None) -> str:
    if length is None:
        return "none yet"
    return span(length.total_seconds()) or "under 1 min"


@register.filter
def snippet_is_the_fix(result: Result) -> bool:
    """The snippet is the beginning of what fixed it, which the result shows anyway."""
    return bool(result.what_fixed_it) and result.snippet_section == "What fixed it" and result.snippet[:1] != "…"


@register.filter
def of(rows: Mapping[Any, Any] | str, key: Any) -> Any:
    """`{{ uses|of:fix.pk }}`: the entry of a mapping, or None. A page without the mapping has no entries."""
    return rows.get(key) if isinstance(rows, Mapping) else None


@register.filter
def may(user: Any, ability: str) -> bool:
    """`{% if user|may:"declare" %}`: a button that one may not press is not shown."""
    return roles.may(user, ability)


@register.simple_tag
def administrators() -> list[str]:
    """Whom to ask, by name; three are enough."""
    return [str(person) for person in User.administrators().order_by("first_name", "username")[:3]]
