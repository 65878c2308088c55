"""A known error: one cause that can show itself many times, with the check that tells it from its look-alikes."""

from typing import Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Count, Exists, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from kb.errors import DomainError
from postmortems.models.indexed import Referable


class NotThatState(DomainError):
    """The problem is in a state that this step does not start from, or something is still missing."""


class CauseCategory(models.TextChoices):
    CHANGE = "change", "Change or deployment"
    CONFIGURATION = "configuration", "Configuration"
    CAPACITY = "capacity", "Capacity or limit"
    DEPENDENCY = "dependency", "Dependency outage"
    NETWORK = "network", "Network or DNS"
    HARDWARE = "hardware", "Hardware or power"
    DATA = "data", "Data"
    DEFECT = "defect", "Software defect"
    TIME = "time", "Time, clock or expiry"
    SECURITY = "security", "Security"
    OTHER = "other", "Other"


def _rows(name: str) -> Any:
    # By name: postmortems and fixes hang on problems, and so their files import this one.
    return apps.get_model("postmortems", name)._default_manager


class ProblemQuerySet(models.QuerySet["Problem"]):
    def visible_to(self, user: Any) -> Self:
        """Those of which the reader may see a postmortem or a fix, and those that nothing hangs on yet."""
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return self.none()
        of_this = {"problem": OuterRef("pk")}
        postmortems, fixes = _rows("Postmortem"), _rows("Fix")
        seen = Exists(postmortems.visible_to(user).filter(**of_this)) | Exists(fixes.visible_to(user).filter(**of_this))
        return self.filter(seen | ~(Exists(postmortems.filter(**of_this)) | Exists(fixes.filter(**of_this))))

    def with_counts(self, user: Any) -> Self:
        """Annotates `occurrences`, `last_on` and `known_fixes`: of what this reader may see."""
        postmortems = _rows("Postmortem").visible_to(user).filter(problem=OuterRef("pk")).order_by().values("problem")
        fixes = _rows("Fix").visible_to(user).filter(problem=OuterRef("pk")).order_by().values("problem")
        return self.annotate(
            occurrences=Coalesce(Subquery(postmortems.annotate(n=Count("pk")).values("n")), 0),
            last_on=Subquery(postmortems.annotate(last=Max("occurred_on")).values("last")),
            known_fixes=Coalesce(Subquery(fixes.annotate(n=Count("pk")).values("n")), 0),
        )

    def unsolved(self) -> Self:
        return self.exclude(state=Problem.State.SOLVED)


class Problem(Referable):
    """Groups postmortems and fixes that share one cause."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        KNOWN_ERROR = "known_error", "Known error: there is a workaround"
        SOLVED = "solved", "Solved"

    ref_prefix = "PRB"

    title = models.CharField(max_length=300)
    cause_category = models.CharField(max_length=20, choices=CauseCategory.choices, blank=True)
    discriminating_check = models.TextField(blank=True, help_text="How to tell it from its look-alikes.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)

    objects = ProblemQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "known_error", "solved"]), name="problem_state_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("problem_detail", args=[self.ref])

    @property
    def has_fix(self) -> bool:
        """Some fix of it, or of a postmortem of it, is in use: there is something to do when it shows itself."""
        of_this = models.Q(problem=self) | models.Q(postmortem__problem=self)
        return bool(_rows("Fix").in_use().filter(of_this).exists())

    def describe(self, *, title: str, cause_category: str, discriminating_check: str) -> None:
        self.title, self.cause_category, self.discriminating_check = title, cause_category, discriminating_check
        self.save(update_fields=["title", "cause_category", "discriminating_check"])

    def add_check(self, text: str) -> None:
        """One more way to tell it from its look-alikes, below those that are known."""
        text, known = text.strip(), self.discriminating_check.strip()
        if text and text not in known:
            self.discriminating_check = f"{known}\n\n{text}".strip()
            self.save(update_fields=["discriminating_check"])

    def know_error(self) -> None:
        """The cause is not gone, but there is a way around it."""
        if not self.has_fix:
            raise NotThatState("A known error has a workaround: write down a fix for it first.")
        self._step({self.State.OPEN, self.State.SOLVED}, self.State.KNOWN_ERROR)

    def solve(self) -> None:
        self._step({self.State.OPEN, self.State.KNOWN_ERROR}, self.State.SOLVED)

    def reopen(self) -> None:
        self._step({self.State.KNOWN_ERROR, self.State.SOLVED}, self.State.OPEN)

    def _step(self, starts: set[Any], state: Any) -> None:
        moved = Problem.objects.filter(pk=self.pk, state__in=starts).update(state=state)
        self.refresh_from_db(fields=["state"])
        if not moved:
            raise NotThatState(f"{self.ref} is already {self.state.replace('_', ' ')}.")
