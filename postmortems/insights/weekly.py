"""One week for a meeting: what happened, what waits for a review, what is due and late, what came back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from postmortems.insights import recurrence
from postmortems.insights.recurrence import Showing
from postmortems.insights.scope import Scope, incidents
from postmortems.models import ActionItem, Incident, Postmortem, Problem, ReviewRequest

WEEK = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True)
class Week:
    """An ISO week, from Monday to Sunday."""

    monday: date

    @classmethod
    def of(cls, day: date) -> Week:
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def named(cls, name: str) -> Week | None:
        """`2026-W47`; None if there is no such week, or none whose neighbours have a date too."""
        found = WEEK.fullmatch(name)
        try:
            week = cls(date.fromisocalendar(int(found[1]), int(found[2]), 1)) if found else None
        except ValueError:
            return None
        return week if week and date(1900, 1, 1) <= week.monday <= date(9990, 1, 1) else None

    @property
    def name(self) -> str:
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02}"

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def before(self) -> Week:
        return Week(self.monday - timedelta(days=7))

    @property
    def next(self) -> Week:
        return Week(self.monday + timedelta(days=7))


@dataclass(frozen=True)
class Waiting:
    """A postmortem in review, and who has not decided yet."""

    postmortem: Postmortem
    reviewers: tuple[str, ...]


@dataclass(frozen=True)
class CameBack:
    problem: Problem
    showings: tuple[Showing, ...]


@dataclass(frozen=True)
class Review:
    """What a manager walks a meeting through. Reviews and lateness are as they are at the moment."""

    week: Week
    incidents: Sequence[Incident]
    came_back: Sequence[CameBack]
    waiting: Sequence[Waiting]
    overdue: Sequence[Postmortem]
    late: Sequence[ActionItem]
    due: Sequence[ActionItem]


def review(week: Week, *, user: Any, at: datetime) -> Review:
    scope = Scope(week.monday, week.sunday)
    today = timezone.localdate(at)
    items = ActionItem.objects.visible_to(user).select_related("owner")
    owed = items.unfinished().filter(due_on__lte=week.sunday).soonest_first()
    listed = list(owed.filter(Q(due_on__lt=today) | Q(due_on__gte=week.monday)))
    return Review(
        week=week,
        incidents=list(incidents(scope, user).prefetch_related("services").order_by("severity", "started_at", "pk")),
        came_back=_came_back(scope, user),
        waiting=_waiting(user),
        overdue=list(
            Postmortem.objects.visible_to(user)
            .unpublished()
            .filter(due_on__lt=today)
            .select_related("owner")
            .order_by("due_on", "pk")
        ),
        late=[item for item in listed if item.days_late(on=today)],
        due=[item for item in listed if not item.days_late(on=today)],
    )


def _came_back(scope: Scope, user: Any) -> list[CameBack]:
    again = [each for each in recurrence.showings(scope, user) if not each.is_first]
    problems = Problem.objects.in_bulk({each.problem for each in again}) if again else {}
    grouped = {pk: tuple(each for each in again if each.problem == pk) for pk in problems}
    return sorted(
        (CameBack(problems[pk], found) for pk, found in grouped.items()),
        key=lambda each: (-len(each.showings), each.problem.pk),
    )


def _waiting(user: Any) -> list[Waiting]:
    rows = Postmortem.objects.visible_to(user).filter(status=Postmortem.Status.IN_REVIEW).select_related("owner")
    postmortems = list(rows.order_by(F("due_on").asc(nulls_last=True), "pk"))
    asked = ReviewRequest.objects.waiting().filter(postmortem__in=postmortems).select_related("reviewer")
    return [
        Waiting(row, tuple(str(each.reviewer) for each in asked if each.postmortem_id == row.pk)) for row in postmortems
    ]
