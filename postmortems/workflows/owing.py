"""What a person owes, or their team: the contents of a digest, asked for when it is sent and never before.

Daily digests are quiet: an item is in one three days before it is due, on the day, and each week after. A weekly one
has all that is late or due within the week. What is late by ESCALATE_DAYS has a heading of its own, at the team's
manager or, where the team has none, at the administrators.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse

from postmortems.models import ActionItem, Digest, Incident, Postmortem, Rhythm, Team, User
from postmortems.models.readers import with_role
from postmortems.roles import Role

DAYS_BEFORE = 3
WEEK = 7
Wanted = Callable[[int], bool]  # of how many days an item is late; due tomorrow is -1


@dataclass(frozen=True)
class Line:
    """One item. Of what is restricted a mail says no more than its ref: `title` and `owner` are empty."""

    ref: str
    title: str
    owner: str
    address: str
    due_on: date
    days_late: int

    @property
    def when(self) -> str:
        if self.days_late > 0:
            return f"{self.days_late} day{'s' if self.days_late > 1 else ''} late"
        return "due today" if self.days_late == 0 else f"due on {self.due_on:%A}, {self.due_on.day} {self.due_on:%B}"


@dataclass(frozen=True)
class Group:
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Contents:
    """What one digest says. `more_late`: late items that it leaves out, having spoken of them within the week."""

    kind: str
    on: date
    groups: tuple[Group, ...] = ()
    more_late: int = 0
    heading: str = "Your action items"
    address: str = field(default_factory=lambda: settings.SITE_URL + reverse("action_list"))

    @property
    def count(self) -> int:
        return sum(len(group.lines) for group in self.groups)

    @property
    def is_of_team(self) -> bool:
        return self.kind == Digest.Kind.TEAM

    @property
    def subject(self) -> str:
        late = sum(line.days_late > 0 for group in self.groups for line in group.lines)
        parts = [f"{late} late"] * (late > 0) + [f"{self.count - late} due"] * (self.count > late)
        return f"{self.heading}: {', '.join(parts)}"


def contents_of(user: User, *, kind: str, on: date, after: date, rhythm: str) -> Contents:
    """For this person, of what they may see at this moment. `after`: the day of the digest before it."""
    rows = list(_owed(user, kind, on).select_related("owner", "postmortem", "incident").order_by("due_on", "pk"))
    late = {row.pk: (on - row.due_on).days for row in rows if row.due_on}
    wanted = _wanted(kind, rhythm, span=(on - after).days)
    shown = [row for row in rows if wanted(late[row.pk])]
    left_out = sum(days > 0 for days in late.values()) - sum(late[row.pk] > 0 for row in shown)
    groups = _groups(kind, [_line(row, late[row.pk], is_open) for row, is_open in _marked(shown)])
    return Contents(kind, on, groups, left_out, _heading(user, kind))


def is_manager(user: User) -> bool:
    return user.is_administrator or Role.MANAGER in user.roles


def _heading(user: User, kind: str) -> str:
    if kind == Digest.Kind.OWN:
        return "Your action items"
    return "Your team's action items" if Role.MANAGER in user.roles else "Action items that no manager looks after"


def _owed(user: User, kind: str, on: date) -> QuerySet[ActionItem]:
    rows = ActionItem.objects.visible_to(user).unfinished().filter(due_on__lte=on + timedelta(days=WEEK))
    if kind == Digest.Kind.OWN:
        return rows.owned_by(user)
    wanted = Q(pk__in=[])
    if Role.MANAGER in user.roles:
        wanted |= Q(pk__in=ActionItem.objects.of_teams(*Team.objects.with_member(user)).values("pk"))
    if user.is_administrator:
        wanted |= Q(pk__in=_unmanaged(on).values("pk"))
    return rows.filter(wanted).exclude(owner=user)


def _unmanaged(on: date) -> QuerySet[ActionItem]:
    """Late enough to be somebody's business, and its team, if it has one, has no manager."""
    managers = User.objects.filter(with_role(Role.MANAGER), is_active=True)
    managed = Team.objects.filter(members__in=managers.values("pk"))
    rows = ActionItem.objects.unfinished().filter(due_on__lte=on - timedelta(days=settings.ESCALATE_DAYS))
    return rows.exclude(pk__in=ActionItem.objects.of_teams(*managed).values("pk"))


def _wanted(kind: str, rhythm: str, *, span: int) -> Wanted:
    """Whether an item is in this digest: was one of its days among the last `span` ones?"""
    if rhythm == Rhythm.WEEKLY:
        return lambda late: True
    # A worker that was away for a month does not tell the month.
    return lambda late: any(_is_its_day(late - back, kind) for back in range(min(span, WEEK)))


def _is_its_day(late: int, kind: str) -> bool:
    if kind == Digest.Kind.OWN and late == -DAYS_BEFORE:
        return True
    over = late - settings.ESCALATE_DAYS
    return (late >= 0 and late % WEEK == 0) or (kind == Digest.Kind.TEAM and over >= 0 and over % WEEK == 0)


def _marked(rows: list[ActionItem]) -> Iterable[tuple[ActionItem, bool]]:
    """With whether everyone may see where it was promised."""
    pks = {model: {getattr(row, f"{model}_id") for row in rows} - {None} for model in ("postmortem", "incident")}
    shut = {
        "postmortem": pks["postmortem"] - _open(Postmortem.objects.filter(pk__in=pks["postmortem"]).open_to_all()),
        "incident": pks["incident"] - _open(Incident.objects.filter(pk__in=pks["incident"]).open_to_all()),
    }
    for row in rows:
        yield row, row.postmortem_id not in shut["postmortem"] and row.incident_id not in shut["incident"]


def _open(rows: QuerySet[Postmortem] | QuerySet[Incident]) -> set[int]:
    return {row.pk for row in rows.only("pk")}


def _line(row: ActionItem, late: int, is_open: bool) -> Line:
    return Line(
        ref=row.ref,
        title=row.title if is_open else "",
        owner=str(row.owner or row.owner_text or "nobody") if is_open else "",
        address=settings.SITE_URL + row.get_absolute_url(),
        due_on=row.due_on or date.min,
        days_late=late,
    )


def _groups(kind: str, lines: list[Line]) -> tuple[Group, ...]:
    limit = settings.ESCALATE_DAYS if kind == Digest.Kind.TEAM else 10**6
    parts = {
        f"Late for {limit} days or more": [line for line in lines if line.days_late >= limit],
        "Late": [line for line in lines if 0 < line.days_late < limit],
        "Due today": [line for line in lines if line.days_late == 0],
        "Due soon": [line for line in lines if line.days_late < 0],
    }
    return tuple(Group(heading, tuple(some)) for heading, some in parts.items() if some)
