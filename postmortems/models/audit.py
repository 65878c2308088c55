"""Who did what to what, when, from where. Append-only."""

from datetime import date
from typing import Any, NoReturn, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.revision import Immutable


def key_of(row: Any) -> str:
    """What a row is called in the log: `postmortem:12`."""
    return str(getattr(row, "search_key", f"{row._meta.model_name}:{row.pk}"))


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def about(self, row: Any) -> Self:
        return self.filter(object_key=key_of(row))

    def by_person(self, name: str) -> Self:
        """Whose name, at the time or now, contains this."""
        return self.filter(Q(by_name__icontains=name) | Q(by__username__icontains=name))

    def between(self, first: date | None, last: date | None) -> Self:
        """On these days and between them, in the current time zone."""
        days = {"at__date__gte": first, "at__date__lte": last}
        return self.filter(**{name: on for name, on in days.items() if on})

    def update(self, **_fields: Any) -> NoReturn:
        raise Immutable("The audit log cannot be changed.")

    def delete(self) -> NoReturn:
        raise Immutable("The audit log cannot be changed.")


class AuditEvent(models.Model):
    """One step. Names are kept as text: they outlive the account and the row."""

    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    by_name = models.CharField(max_length=150, blank=True, help_text="Empty: the program itself.")
    action = models.CharField(max_length=60, help_text="A verb and its object: postmortem.publish")
    object_key = models.CharField(max_length=60, blank=True, help_text="postmortem:12")
    object_name = models.CharField(max_length=320, blank=True)
    reason = models.TextField(blank=True)
    changes = models.JSONField(default=dict, blank=True, help_text="Field -> [before, after].")
    channel = models.CharField(max_length=20, blank=True, help_text="web, api, command")
    address = models.GenericIPAddressField(null=True, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["object_key", "-at"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.by_name or 'the program'}: {self.action} {self.object_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Immutable("The audit log cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise Immutable("The audit log cannot be changed.")
