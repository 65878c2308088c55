"""Who is working, and when regular work is due next. The jobs themselves are rows of django_tasks_db."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models

# A worker says every BEAT that it lives, from a thread of its own, however long its job takes. One that has said
# nothing for a LEASE is gone, and its job is given to another. Longer than SQLite lets a writer wait (20 s), thrice.
BEAT = timedelta(seconds=15)
LEASE = timedelta(seconds=90)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def living(self, *, at: datetime) -> Self:
        return self.filter(seen_at__gt=at - LEASE)

    def beat(self, name: str, *, at: datetime) -> None:
        self.update_or_create(name=name, defaults={"seen_at": at}, create_defaults={"seen_at": at, "started_at": at})


class Worker(models.Model):
    """A process that does jobs. Its name is given once: a restarted one is another."""

    name = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["started_at", "pk"]

    def __str__(self) -> str:
        return self.name


class RegularWork(models.Model):
    """When a piece of regular work is due next: one row, so that of several workers one puts it in the queue."""

    name = models.CharField(max_length=60, unique=True)
    next_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "regular work"

    def __str__(self) -> str:
        return self.name
