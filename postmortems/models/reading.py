"""That a postmortem was read, by how many: who it was cannot be told from the row."""

from datetime import date
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.crypto import salted_hmac

from postmortems.models.postmortem import Postmortem


def mark_of(postmortem: int, reader: Any) -> str:
    """The same for the same two, and different for each postmortem: rows of one reader cannot be put together."""
    return salted_hmac("postmortems.reading", f"{postmortem}:{reader.pk}", algorithm="sha256").hexdigest()


class ReadingQuerySet(models.QuerySet["Reading"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(Postmortem.objects.visible_where(user, "postmortem__"))

    def exist(self) -> Exists:
        """For a query of postmortems: whether anybody read it."""
        return Exists(self.filter(postmortem=OuterRef("pk")))

    def exist_by(self, reader: Any, postmortem: int | None) -> Exists:
        """For a query of this one postmortem: whether this reader did."""
        return Exists(self.filter(postmortem=OuterRef("pk"), mark=mark_of(postmortem or 0, reader)))

    def record(self, *, postmortem: Postmortem, reader: Any, on: date) -> None:
        """Only the first time counts; of two at once, one."""
        row = Reading(postmortem=postmortem, mark=mark_of(postmortem.pk, reader), on=on)
        self.bulk_create([row], ignore_conflicts=True)


class Reading(models.Model):
    """Somebody, other than its owner, opened a published postmortem for the first time."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="readings")
    mark = models.CharField(max_length=64, help_text="Tells readers apart, and not who they are.")
    on = models.DateField()

    objects = ReadingQuerySet.as_manager()

    class Meta:
        ordering = ["on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "mark"], name="one_reading_per_reader_and_postmortem")
        ]

    def __str__(self) -> str:
        return f"{self.postmortem.ref} read on {self.on}"
