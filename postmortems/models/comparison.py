"""What people said when a postmortem looked like an earlier one, and what they have not said yet."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from postmortems.models.postmortem import Postmortem


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def visible_to(self, user: Any) -> Self:
        """Of two postmortems that the reader may both see."""
        postmortem = Postmortem.objects.visible_where(user, "postmortem__")
        return self.filter(postmortem, Postmortem.objects.visible_where(user, "earlier__"))

    def undecided(self) -> Self:
        return self.filter(verdict=Comparison.Verdict.UNDECIDED)

    def kept_apart(self, problem: Any) -> Self:
        """Of a postmortem of this problem with one that shows the same and has another cause."""
        of_this = Q(postmortem__problem=problem) | Q(earlier__problem=problem)
        return self.filter(of_this, verdict=Comparison.Verdict.SAME_SYMPTOM).select_related("postmortem", "earlier")

    def ask(self, postmortem: Postmortem, earlier: Postmortem, *, at: datetime) -> "Comparison | None":
        """Ask how these two compare; None if it was asked before, from either side."""
        if self.filter(postmortem=earlier, earlier=postmortem).exists():
            return None
        row, is_new = self.get_or_create(postmortem=postmortem, earlier=earlier, defaults={"at": at})
        return row if is_new else None


class Comparison(models.Model):
    """Same cause puts both under one problem; same symptom keeps them apart, with a check that tells which it is."""

    class Verdict(models.TextChoices):
        UNDECIDED = "undecided", "Not decided yet"
        SAME_CAUSE = "same_cause", "Same cause"
        SAME_SYMPTOM = "same_symptom", "Same symptom only"
        DIFFERENT = "different", "Different"

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="comparisons")
    earlier = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="later_comparisons")
    verdict = models.CharField(max_length=12, choices=Verdict.choices, default=Verdict.UNDECIDED)
    how_to_tell = models.TextField(blank=True, help_text="The check that tells the two apart.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "earlier"], name="one_comparison_per_pair"),
            models.CheckConstraint(condition=~Q(postmortem=F("earlier")), name="compared_with_another"),
            models.CheckConstraint(
                condition=Q(verdict__in=["undecided", "same_cause", "same_symptom", "different"]),
                name="comparison_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.postmortem.ref} and {self.earlier.ref}: {self.get_verdict_display()}"

    def decide(self, verdict: str, *, how_to_tell: str, by: Any, at: datetime) -> None:
        """The newer word counts."""
        self.verdict, self.how_to_tell, self.by, self.at = verdict, how_to_tell, by, at
        self.save(update_fields=["verdict", "how_to_tell", "by", "at"])
