"""What became of what was promised: how much is verified, how old the rest is, and what it would have prevented."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from postmortems.insights.figures import WIDE, Chart, Link, Piece, Section, Share, Table, Word, figure, place
from postmortems.insights.scope import Scope
from postmortems.models import ActionItem
from postmortems.models.action_item import SOONEST_FIRST, ActionItemQuerySet

State = ActionItem.State
# Name -> (what it is called, from how many days on, below how many).
AGES = {
    "0": ("Under 30 days", 0, 30),
    "30": ("30 to 89 days", 30, 90),
    "90": ("90 to 179 days", 90, 180),
    "180": ("180 days and more", 180, None),
}
WORST = 10
BAR, LEFT = 7.0, 46.0
GAP = 1.0  # between neighbours


def items(scope: Scope, user: Any) -> ActionItemQuerySet:
    """All that this reader sees, of the team and service, with `promised_at`."""
    rows = ActionItem.objects.visible_to(user).owed()
    if scope.team:
        rows = rows.of_teams(scope.team)
    if scope.service:
        rows = rows.of_service(scope.service)
    return rows


def promised(scope: Scope, user: Any) -> ActionItemQuerySet:
    """Those that were promised in the period."""
    rows: Any = items(scope, user)  # annotated
    in_period: ActionItemQuerySet = rows.filter(promised_at__gte=scope.begin, promised_at__lt=scope.end)
    return in_period


def wanted(rows: ActionItemQuerySet) -> ActionItemQuerySet:
    """Without what will not be done."""
    return rows.exclude(state=State.WONT_DO)


def of_age(rows: ActionItemQuerySet, age: str, at: datetime) -> ActionItemQuerySet:
    return rows.filter(_of_age(age, at))


def _of_age(age: str, at: datetime) -> Q:
    """Of `AGES`, or any for the empty text; KeyError for others."""
    if not age:
        return Q()
    _, young, old = AGES[age]
    condition = Q(promised_at__lte=at - timedelta(days=young)) if young else Q()
    return condition & Q(promised_at__gt=at - timedelta(days=old)) if old else condition


def late(at: datetime) -> Q:
    return Q(due_on__lt=timezone.localdate(at))


def states(scope: Scope, user: Any, at: datetime) -> Section:
    counts = dict(promised(scope, user).order_by().values_list("state").annotate(n=Count("pk", distinct=True)))
    total = sum(counts.values())
    verified = figure(counts.get(State.VERIFIED, 0), "promised", state=State.VERIFIED)
    share = Share(verified, figure(total - counts.get(State.WONT_DO, 0), "promised", state="wanted"))
    return Section(
        key="states",
        title="What became of the promises",
        says=(
            "Action items promised in the period: their postmortem was published in it, or they were made in it. The "
            "rate leaves out what will not be done, with a reason."
        ),
        table=Table(
            ("State", "Action items"),
            (
                *((str(each.label), figure(counts.get(each.value, 0), "promised", state=each.value)) for each in State),
                ("All", figure(total, "promised")),
            ),
        ),
        chart=_strip([(each.value, str(each.label), counts.get(each.value, 0)) for each in State]) if total else None,
        headlines=(("Verified", share, "action items that are wanted"),),
        empty="" if total else "Nothing was promised in this period.",
    )


def _strip(states: list[tuple[str, str, int]]) -> Chart:
    """The legend stands in the order of the bar, with the numbers: it is not read by colour alone."""
    total = sum(n for _, _, n in states)
    pieces, x = [], 0.0
    for value, label, n in states:
        width = WIDE * n / total
        if n:
            pieces.append(Piece(place(x), "0.00", place(max(width - GAP, GAP)), "9.00", value, f"{label}: {n}"))
        x += width
    said = ", ".join(f"{label} {n}" for _, label, n in states)
    legend = tuple((value, f"{label} {n}") for value, label, n in states if n)
    return Chart(f"Action items by state: {said}", "9.00", tuple(pieces), legend=legend, shape="strip")


def ageing(scope: Scope, user: Any, at: datetime) -> Section:
    rows = items(scope, user).unfinished()
    every = {age: Count("pk", filter=_of_age(age, at), distinct=True) for age in AGES}
    overdue = {f"late_{age}": Count("pk", filter=_of_age(age, at) & late(at), distinct=True) for age in AGES}
    counts = rows.aggregate(**{f"all_{age}": count for age, count in every.items()}, **overdue)
    ages = [(age, name, counts[f"all_{age}"], counts[f"late_{age}"]) for age, (name, _, _) in AGES.items()]
    total, is_late = sum(n for _, _, n, _ in ages), sum(n for *_, n in ages)
    return Section(
        key="ageing",
        title="How old the open ones are",
        says="Open now or in progress, whenever they were promised. Late: their date has passed.",
        table=Table(
            ("Promised", "Open", "Of these late"),
            (
                *(
                    (name, figure(n, "open", age=age), figure(k, "open", age=age, late="yes"))
                    for age, name, n, k in ages
                ),
                ("All", figure(total, "open"), figure(is_late, "open", late="yes")),
            ),
        ),
        chart=_bars(ages) if total else None,
        headlines=(("Late", Share(figure(is_late, "open", late="yes"), figure(total, "open")), "open action items"),),
        empty="" if total else "No action item is open.",
    )


def _bars(ages: list[tuple[str, str, int, int]]) -> Chart:
    most = max(n for _, _, n, _ in ages)
    pieces, words = [], []
    for number, (_, name, n, k) in enumerate(ages):
        y, scale = number * (BAR + 2), (WIDE - LEFT - 12) / most
        pieces.append(Piece(place(LEFT), place(y), place(k * scale), place(BAR), "late", f"{name}: {k} late"))
        pieces.append(
            Piece(
                place(LEFT + k * scale),
                place(y),
                place((n - k) * scale),
                place(BAR),
                "plain",
                f"{name}: {n - k} not late",
            )
        )
        words.append(Word(place(LEFT - 2), place(y + BAR - 2), name, "end"))
        words.append(Word(place(LEFT + n * scale + 2), place(y + BAR - 2), str(n), "start"))
    said = ", ".join(f"{name} {n}, of these {k} late" for _, name, n, k in ages)
    height = place(len(ages) * (BAR + 2))
    return Chart(
        f"Open action items by age: {said}",
        height,
        tuple(pieces),
        words=tuple(words),
        legend=(("late", "late"), ("plain", "not late")),
    )


def debt(scope: Scope, user: Any, at: datetime) -> Section:
    """The open preventive ones that would have prevented most, of all times."""
    rows: Any = items(scope, user).unfinished().preventive().with_prevented(user)
    worst = list(rows.filter(prevented__gt=0).order_by("-prevented", *SOONEST_FIRST)[:WORST])
    return Section(
        key="debt",
        title="Open, and would have prevented later incidents",
        says=(
            "Preventive items that are still open, with the incidents since they were promised that show the same "
            "thing again: of the same problem, judged the same cause, or ended by a fix of their postmortem."
        ),
        table=Table(
            ("Action item", "Promised in", "Due", "Days late", "Would have prevented"),
            tuple(
                (
                    Link(item.title, item.get_absolute_url()),
                    Link(item.home_ref, f"{item.home_address}#actions"),
                    item.due_on,
                    item.days_late(on=timezone.localdate(at)) or None,
                    figure(item.prevented, "prevented", item=item.ref),
                )
                for item in worst
            ),
        ),
        empty="" if worst else "No open preventive action item would have prevented a later incident.",
    )
