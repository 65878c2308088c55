"""A known error: one cause that can show itself many times, with the check that tells it from its look-alikes."""

from typing import Self

from django.db import models


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


class ProblemQuerySet(models.QuerySet["Problem"]):
    def unsolved(self) -> Self:
        return self.exclude(state=Problem.State.SOLVED)


class Problem(models.Model):
    """Groups postmortems and fixes that share one cause."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        KNOWN_ERROR = "known_error", "Known error: there is a workaround"
        SOLVED = "solved", "Solved"

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
