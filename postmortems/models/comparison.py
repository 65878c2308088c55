"""What people said when a postmortem looked like an earlier one."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from postmortems.models.postmortem import Postmortem


class Comparison(models.Model):
    """Same cause puts both under one problem; same symptom keeps them apart, with a check that tells which it is."""

    class Verdict(models.TextChoices):
        SAME_CAUSE = "same_cause", "Same cause"
        SAME_SYMPTOM = "same_symptom", "Same symptom only"
        DIFFERENT = "different", "Different"

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="comparisons")
    earlier = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="later_comparisons")
    verdict = models.CharField(max_length=12, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "earlier"], name="one_comparison_per_pair"),
            models.CheckConstraint(condition=~Q(postmortem=F("earlier")), name="compared_with_another"),
            models.CheckConstraint(
                condition=Q(verdict__in=["same_cause", "same_symptom", "different"]), name="comparison_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.postmortem.ref} and {self.earlier.ref}: {self.get_verdict_display()}"
