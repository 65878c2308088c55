"""Who may see a row. Security is a property of the query: everything a person sees starts from `visible_to(user)`."""

from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.catalogue import Team

Row = TypeVar("Row", bound=models.Model)


class Visibility(models.TextChoices):
    OPEN = "open", "Open: everyone who is signed in"
    RESTRICTED = "restricted", "Restricted: members, teams it is shared with, administrators"


class RestrictableQuerySet(models.QuerySet[Row]):
    """`open_to_all()` and `granted_to(user)` are each model's own; `visible_to(user)` is their union for all."""

    def open_to_all(self) -> Self:
        """Rows that every signed-in user may see."""
        return self.filter(visibility=Visibility.OPEN)

    def granted_to(self, user: Any) -> Self:
        """Rows that name this user, or a team of theirs. Not yet limited by what the row hangs on."""
        return self.filter(self.names(user))

    def names(self, user: Any) -> Q:
        return Q(pk__in=self._pks(members=user)) | Q(pk__in=self._pks(shared_with__members=user))

    def _pks(self, **lookup: Any) -> Any:
        # A subquery and not a join: joins over two many-to-many tables would return a row several times.
        return self.model._default_manager.filter(**lookup).values("pk")

    def visible_to(self, user: Any) -> Self:
        return self.filter(self.visible_where(user))

    def hidden_from(self, user: Any) -> Self:
        return self.exclude(self.visible_where(user))

    def visible_where(self, user: Any, *, through: str = "pk") -> Q:
        """The condition of `visible_to`, for rows that hang on such a row: `through` is their way to it.

        Two subqueries side by side: with `visible_to` in one of its own around them, SQLite's parser (3.40, a stack of
        100) overflowed on the fixes of postmortems of incidents.
        """
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return Q(pk__in=[])
        if user.is_administrator:
            return Q(pk__isnull=False)
        everyone = self.model._default_manager.open_to_all().values("pk")  # type: ignore[attr-defined]
        granted = self.model._default_manager.granted_to(user).values("pk")  # type: ignore[attr-defined]
        return Q(**{f"{through}__in": everyone}) | Q(**{f"{through}__in": granted})


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

    @property
    def is_restricted(self) -> bool:
        return self.visibility == Visibility.RESTRICTED
