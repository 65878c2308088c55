"""The pages of the insights, each with its questions. A page keeps within the house's limit of queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postmortems.insights import actions, detection, durations, gaps, learning, recurrence, reuse, severity
from postmortems.insights.figures import Section
from postmortems.insights.scope import Scope

Answer = Callable[[Scope, Any, datetime], Section]


@dataclass(frozen=True)
class Topic:
    key: str
    title: str
    answers: dict[str, Answer]  # by the key of the section

    def sections(self, scope: Scope, user: Any, at: datetime) -> list[Section]:
        return [answer(scope, user, at) for answer in self.answers.values()]


def _timeless(answer: Callable[[Scope, Any], Section]) -> Answer:
    """Of a question to which it does not matter what time it is."""
    return lambda scope, user, _at: answer(scope, user)


TOPICS = (
    Topic(
        "incidents",
        "Incidents",
        {
            "severity": _timeless(severity.section),
            "detection": _timeless(detection.section),
            "durations": _timeless(durations.section),
        },
    ),
    Topic("recurrence", "Recurrence", {"recurrence": _timeless(recurrence.section)}),
    Topic("reuse", "Reuse", {"reuse": _timeless(reuse.section)}),
    Topic("actions", "Action items", {"states": actions.states, "ageing": actions.ageing, "debt": actions.debt}),
    Topic("postmortems", "Postmortems", {"late": learning.lateness, "life": _timeless(learning.life)}),
    Topic("gaps", "Knowledge gaps", {"gaps": _timeless(gaps.section)}),
)
BY_KEY = {topic.key: topic for topic in TOPICS}
ANSWERS = {key: answer for topic in TOPICS for key, answer in topic.answers.items()}
