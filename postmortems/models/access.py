"""Who may see a row. Security is a property of the query: everything a person sees starts from `visible_to(user)`."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from kb.conditions import Rule
from postmortems.models.catalogue import Team

Row = TypeVar("Row", bound=models.Model)


class Visibility(models.TextChoices):
    OPEN = "open", "Open: everyone who is signed in"
    RESTRICTED = "restricted", "Restricted: members, teams it is shared with, administrators"


class RestrictableQuerySet(models.QuerySet[Row]):
    """`open_where()` and `seen_where(user)` are each model's own; what a person sees follows from them, for all alike.

    They are conditions on a row's own columns, and not subqueries of all rows like it: the few rows of a page are
    tested for themselves, and SQLite's parser (3.40 has a stack of 100) does not overflow on the fixes of the
    postmortems of incidents. `at` is the way to the row from one that hangs on it, `postmortem__`.
    """

    def open_to_all(self) -> Self:
        """Rows that every signed-in user may see."""
        return self.filter(_open(self.model).of())

    def visible_to(self, user: Any) -> Self:
        return self.filter(self.visible_where(user))

    def hidden_from(self, user: Any) -> Self:
        return self.exclude(pk__in=self.visible_to(user).values("pk"))

    def visible_where(self, user: Any, at: str = "") -> Q:
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return Q(pk__in=[])
        if user.is_administrator:  # or the machine itself, which has no key
            return Q(pk__isnull=False)
        return _seen(self.model).of(user.pk, at) if user.pk is not None else Q(pk__in=[])

    def open_where(self, at: str = "") -> Q:
        return Q(**{f"{at}visibility": Visibility.OPEN})

    def seen_where(self, user: Any, at: str = "") -> Q:
        """Of a user who is no administrator."""
        return self.open_where(at) | self.names(user, at)

    def names(self, user: Any, at: str = "") -> Q:
        """Rows that name this user, or a team of theirs."""
        of_user, of_team = self._pks(members=user), self._pks(shared_with__members=user)
        return Q(**{f"{at}pk__in": of_user}) | Q(**{f"{at}pk__in": of_team})

    def _pks(self, **lookup: Any) -> Any:
        # A subquery and not a join: joins over two many-to-many tables would return a row several times.
        return self.model._default_manager.filter(**lookup).values("pk")


# Worked out once a process: a page asks them a dozen times, and to build and compile them anew was most of its time.


@cache
def _open(model: Any) -> Rule:
    return Rule(model, lambda _: model._default_manager.open_where())


@cache
def _seen(model: Any) -> Rule:
    """By a reader of that key who is no administrator."""
    return Rule(model, model._default_manager.seen_where)


class Restrictable(models.Model):
    """A row that is open, or restricted to its members and the teams it is shared with."""

    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.OPEN)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    shared_with = models.ManyToManyField(Team, blank=True, related_name="+")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(visibility__in=Visibility.values), name="%(class)s_is_open_or_restricted"
            )
        ]

    def admit(self, *, visibility: str, members: Iterable[Any], teams: Iterable[Team]) -> None:
        """These from now on, and no others."""
        self.visibility = visibility
        self.save(update_fields=["visibility"])
        self.members.set(members)
        self.shared_with.set(teams)

    def admit_like(self, other: "Restrictable") -> None:
        """Seen by those who see where it comes from."""
        self.admit(visibility=other.visibility, members=other.members.all(), teams=other.shared_with.all())

    @property
    def is_restricted(self) -> bool:
        return self.visibility == Visibility.RESTRICTED
