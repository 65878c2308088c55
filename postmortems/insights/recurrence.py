"""What keeps coming back: each time a known problem showed itself, and which of these were not the first.

A problem shows itself in an incident that one of its postmortems tells of, in an incident that one of its fixes ended,
and in a postmortem of it that tells of no incident here (an import). A showing is a recurrence if the problem had shown
itself before, at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from postmortems.insights.figures import WIDE, Chart, Line, Link, Mark, Section, Share, Table, Word, figure, place
from postmortems.insights.scope import Scope, incidents, incidents_at_any_time, postmortems
from postmortems.models import Fix, FixUse, Incident, Postmortem, Problem
from postmortems.models.incident import IncidentQuerySet

LEFT, ROW = 4.0, 9.0
DRAWN = 20  # problems: the table has all


@dataclass(frozen=True)
class Showing:
    """One time; `pk` is of an incident, or of a postmortem that tells of none."""

    problem: int
    at: datetime
    model: type[Incident] | type[Postmortem]
    pk: int
    severity: str
    is_first: bool = False

    @property
    def ref(self) -> str:
        return f"{self.model.ref_prefix}-{self.pk}"

    @property
    def on(self) -> date:
        """The day, in the reader's zone."""
        return timezone.localdate(self.at)

    @property
    def address(self) -> str:
        return reverse("incident_detail" if self.model is Incident else "postmortem_detail", args=[self.ref])


def showings(scope: Scope, user: Any) -> list[Showing]:
    """Those in the period, oldest first: of what this reader may see."""
    every = sorted(_all_showings(scope, user), key=lambda each: (each.at, each.pk))
    known: set[int] = set()
    found = []
    for each in every:
        is_first = each.problem not in known
        known.add(each.problem)
        if scope.begin <= each.at < scope.end:
            found.append(Showing(each.problem, each.at, each.model, each.pk, each.severity, is_first))
    return found


def _all_showings(scope: Scope, user: Any) -> Iterable[Showing]:
    """Of the team and service, at any time; each once."""
    at_any_time = incidents_at_any_time(scope, user).order_by().values("pk")
    told = Postmortem.incidents.through.objects.filter(incident__in=at_any_time, postmortem__problem__isnull=False)
    seen = told.filter(Postmortem.objects.visible_where(user, "postmortem__"))
    fields = ("postmortem__problem", "incident__started_at", "incident", "incident__severity")
    found = {
        (problem, pk): Showing(problem, at, Incident, pk, sev) for problem, at, pk, sev in seen.values_list(*fields)
    }
    helped = FixUse.objects.filter(incident__in=at_any_time, outcome=FixUse.Outcome.WORKED)
    helped = helped.filter(Fix.objects.visible_where(user, "fix__"))
    of_fix = ("fix__problem", "fix__postmortem__problem", "incident__started_at", "incident", "incident__severity")
    for own, of_postmortem, at, pk, severity in helped.values_list(*of_fix):
        for problem in {own, of_postmortem} - {None}:
            found.setdefault((problem, pk), Showing(problem, at, Incident, pk, severity))
    alone = postmortems(scope, user).filter(problem__isnull=False, incidents=None, occurred_on__isnull=False)
    dated: Any = alone.values_list("pk", "problem", "occurred_on", "severity")
    for pk, problem, on, severity in dated:
        found[problem, -pk] = Showing(problem, _noon(on), Postmortem, pk, severity)
    return found.values()


def _noon(on: date) -> datetime:
    """A day without a time: in its middle, so that it is that day."""
    return datetime.combine(on, time(12), timezone.get_current_timezone())


def rows_of(found: Iterable[Showing]) -> list[Incident | Postmortem]:
    """The rows themselves, newest first; an incident of two problems once."""
    listed = list(found)
    rows: list[Any] = []
    for model in (Incident, Postmortem):
        pks = {each.pk for each in listed if each.model is model}
        rows += model.objects.filter(pk__in=pks) if pks else []
    return sorted(rows, key=lambda row: (_when(row), row.pk), reverse=True)


def _when(row: Incident | Postmortem) -> datetime:
    return row.started_at if isinstance(row, Incident) else _noon(row.occurred_on or date.min)


def came_back(found: Iterable[Showing]) -> QuerySet[Problem]:
    """The problems that did, by title."""
    return Problem.objects.filter(pk__in={each.problem for each in found if not each.is_first}).order_by("title", "pk")


def known_incidents(found: Iterable[Showing], scope: Scope, user: Any) -> IncidentQuerySet:
    """The incidents of a problem that had shown itself before."""
    pks = {each.pk for each in found if each.model is Incident and not each.is_first}
    return incidents(scope, user).filter(pk__in=pks)


def section(scope: Scope, user: Any) -> Section:
    found = showings(scope, user)
    by_problem: dict[int, list[Showing]] = defaultdict(list)
    for each in found:
        by_problem[each.problem].append(each)
    problems = Problem.objects.filter(Q(pk__in=by_problem.keys())).in_bulk()
    ranked = sorted(by_problem, key=lambda pk: (-_again(by_problem[pk]), -len(by_problem[pk]), problems[pk].title, pk))
    known = {each.pk for each in found if each.model is Incident and not each.is_first}
    back = [pk for pk in ranked if _again(by_problem[pk])]
    share = Share(figure(len(known), "known-incidents"), figure(incidents(scope, user).count(), "incidents"))
    return Section(
        key="recurrence",
        title="What keeps coming back",
        says=(
            "A problem shows itself in the incidents that its postmortems tell of, and in those that one of its fixes "
            "ended. Again: it had shown itself before, also before the period."
        ),
        table=Table(
            ("Problem", "State", "Times", "Of these again", "Last"),
            tuple(_row(problems[pk], by_problem[pk]) for pk in ranked),
        ),
        chart=_chart([(problems[pk], by_problem[pk]) for pk in ranked[:DRAWN]], scope) if found else None,
        headlines=(
            ("Incidents of a known problem", share, "incidents in the period"),
            ("Problems that came back", figure(len(back), "problems-back"), "in the period"),
        ),
        empty="" if found else "No known problem showed itself in this period.",
    )


def _again(found: Sequence[Showing]) -> int:
    return sum(not each.is_first for each in found)


def _row(problem: Problem, found: Sequence[Showing]) -> tuple[Any, ...]:
    return (
        Link(problem.title, problem.get_absolute_url()),
        problem.get_state_display().partition(":")[0],
        figure(len({each.ref for each in found}), "showings", problem=problem.ref),
        figure(_again(found), "recurrences", problem=problem.ref),
        found[-1].on,
    )


def _chart(rows: Sequence[tuple[Problem, Sequence[Showing]]], scope: Scope) -> Chart:
    """A line of time for each problem: a ring the first time, a dot each time after."""
    length = (scope.end - scope.begin).total_seconds()
    marks, words, lines = [], [], []
    for number, (problem, found) in enumerate(rows):
        y = number * ROW + 6.5
        words.append(Word(place(LEFT), place(y - 3), _cut(problem.title), "start"))
        lines.append(Line(place(LEFT), place(y), place(WIDE - LEFT), place(y)))
        for each in found:
            x = LEFT + (WIDE - 2 * LEFT) * (each.at - scope.begin).total_seconds() / length
            kind, times = ("first", "the first time") if each.is_first else ("again", "again")
            says = f"{each.ref}, {each.severity.upper()}, {times}, {_day(each.on)}"
            marks.append(Mark(place(x), place(y), kind, says, each.address))
    height = len(rows) * ROW + 1
    for bucket in list(scope.buckets())[1:]:
        on = datetime.combine(bucket, time(), timezone.get_current_timezone())
        at = place(LEFT + (WIDE - 2 * LEFT) * (on - scope.begin).total_seconds() / length)
        lines.append(Line(at, "0.00", at, place(height), "grid"))
    ends = ((LEFT, scope.first, "start"), (WIDE - LEFT, scope.last, "end"))
    words += [Word(place(x), place(height + 4), _day(day), anchor) for x, day, anchor in ends]
    return Chart(
        says=f"{len(rows)} problems, each on a line from {scope.first} to {scope.last}",
        height=place(height + 6),
        marks=tuple(marks),
        words=tuple(words),
        lines=tuple(lines),
        legend=(("first", "the first time"), ("again", "again")),
    )


def _cut(title: str) -> str:
    return title if len(title) <= 90 else title[:88].rsplit(" ", 1)[0] + " …"


def _day(at: date) -> str:
    return f"{at.day} {at:%b %Y}"
