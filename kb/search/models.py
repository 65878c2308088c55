"""The outbox: what the index still has to learn. Rows are written in the transaction that changed the document."""

from django.db import models


class IndexChange(models.Model):
    """One document that changed, was added or is gone; which of these it is, is seen when the row is drained."""

    key = models.CharField(max_length=100)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.key
