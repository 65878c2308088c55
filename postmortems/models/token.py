"""What a program shows instead of a password: named, for few things, for a while, and taken back with a click."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from postmortems.models.invitation import digest

PREFIX = "kb_"  # so that scanners for secrets, and people, know one when they see it
USED_EVERY = timedelta(minutes=1)  # a use is written down this often at most: reading should not write


class Scope(models.TextChoices):
    """What a token is good for. It never grants more than its user has."""

    READ = "read", "Read: search, suggestions, every list"
    WRITE = "write", "Write: everything its user may change"
    INGEST = "ingest", "Ingest: hand in alerts"
    METRICS = "metrics", "Metrics: counts for monitoring"
    FEED = "feed", "Feed: calendar and Atom feeds, the token in their address"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: Any) -> Self:
        """One's own; administrators see everybody's."""
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return self.none()
        return self.filter() if user.is_administrator else self.filter(user=user)

    def good(self, *, at: datetime) -> Self:
        in_time = Q(expires_at=None) | Q(expires_at__gt=at)
        return self.filter(in_time, revoked_at=None, user__is_active=True)

    def with_secret(self, secret: str) -> Self:
        return self.filter(secret_hash=digest(secret))

    def issue(
        self, *, user: Any, name: str, scopes: Iterable[str], at: datetime, **known: Any
    ) -> "tuple[ApiToken, str]":
        """A new one and its secret of 256 random bits, which is stored nowhere."""
        secret = PREFIX + secrets.token_urlsafe(32)
        scopes = sorted(Scope(scope) for scope in set(scopes))
        row = self.create(
            user=user, name=name, scopes=scopes, created_at=at, secret_hash=digest(secret), hint=secret[-4:], **known
        )
        return row, secret


class ApiToken(models.Model):
    """A hash of a secret, and what it opens."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    secret_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=4, help_text="The secret's last letters, to tell it from others.")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="token_has_a_name")]

    def __str__(self) -> str:
        return f"{self.name} (...{self.hint})"

    def allows(self, scope: str) -> bool:
        return scope in self.scopes

    def use(self, *, at: datetime) -> None:
        """Remember when, to the minute."""
        if self.last_used_at is None or at - self.last_used_at >= USED_EVERY:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=at)

    def revoke(self, *, at: datetime) -> bool:
        """Whether it was not revoked before."""
        was_good = bool(ApiToken.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=at))
        self.refresh_from_db(fields=["revoked_at"])
        return was_good
