"""What was answered to a request that may come again: whoever did not hear the answer asks with the same key."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(minutes=1)  # a request that has no answer by then was killed on its way
KEY_LENGTH = 200
LOCATION_LENGTH = 200


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    def begin(self, *, user: Any, key: str, fingerprint: str, at: datetime) -> "tuple[KeptAnswer, bool]":
        """The row of this key, and whether it is new: of two that come at once, it is new to one."""
        self.filter(at__lte=at - KEPT).delete()
        self.filter(user=user, key=key, status=None, at__lte=at - GIVEN_UP).delete()
        return self.get_or_create(user=user, key=key, defaults={"fingerprint": fingerprint, "at": at})


class KeptAnswer(models.Model):
    """One key of one account. Without a status it is still being worked on."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=KEY_LENGTH)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked.")
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    location = models.CharField(max_length=LOCATION_LENGTH, blank=True)
    body = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(db_index=True)

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_account_and_key")]

    def __str__(self) -> str:
        return f"Answer {self.pk}: {self.status or 'not yet'}"

    def keep(self, *, status: int, body: Any, location: str) -> None:
        KeptAnswer.objects.filter(pk=self.pk).update(status=status, body=body, location=location)
