"""Words for the worst hour, as data: whom to call in for which kind of incident, and what to tell customers when."""

from collections.abc import Collection
from dataclasses import dataclass

# Kind of incident -> what to do when it grows.
ESCALATION = {
    "service": (
        "Call in whoever owns the service, then whoever owns what it depends on. One person leads, and fixes nothing.",
        "Stop what changes: deployments, migrations, feature flags. Undo the newest change first, understand it later.",
        "Bigger than one team, or longer than 30 minutes: raise the severity. Lowering it again costs nothing.",
    ),
    "security": (
        "Tell the security team by telephone, not in open channels. Name only those who must know as members.",
        "Keep the evidence before you repair: logs, images of disks, times. Do not switch machines off.",
        "Revoke and rotate what may have leaked. Personal data: counsel decides on notices, often within 72 hours.",
    ),
    "near_miss": ("Nothing broke yet: make sure that it cannot now, then write down what stopped it.",),
    "exercise": ("Say EXERCISE in every message. If something real breaks, stop and declare it as a new incident.",),
}


@dataclass(frozen=True)
class Message:
    """Something to tell customers: when, and words to begin with."""

    key: str
    label: str
    when: str
    text: str


MESSAGES = (
    Message(
        "know",
        "We know",
        "Customers have heard nothing yet. Say that you know, even before you know why.",
        "We are aware that [what does not work] since [time]. We are working on it. Next update at [time].",
    ),
    Message(
        "eta",
        "Update with ETA",
        "Say honestly how it stands. Give an estimate with room to spare, or say that there is none yet.",
        "[What does not work] still affects [whom]. We have found [what is known] and are [doing what]. "
        "We expect this to take until [time, with room to spare]. Next update at [time].",
    ),
    Message(
        "clear",
        "All clear",
        "It is over: say so, and what customers should check or repeat.",
        "[What did not work] works again since [time]. Please [repeat or check what]. We will say how it came about.",
    ),
)
BY_KEY = {message.key: message for message in MESSAGES}


def message_due(*, severity: str, is_over: bool, said: int, said_since_over: bool) -> Message | None:
    """What customers should hear now, at the worst severity only: a prompt, nothing is sent."""
    if severity != "sev1":
        return None
    if is_over:
        return BY_KEY["clear"] if said and not said_since_over else None
    return BY_KEY["eta"] if said else BY_KEY["know"]


def escalation(kind: str) -> Collection[str]:
    return ESCALATION.get(kind, ())
