"""An invitation: a link, mailed once, with which somebody makes their account."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from kb.errors import DomainError
from postmortems.models.catalogue import Team
from postmortems.roles import Role

GOOD_FOR = timedelta(days=7)


class InvitationGone(DomainError):
    """It was used, taken back, or is too old."""


def digest(token: str) -> str:
    """What is stored of a token. It has 256 random bits: there is nothing to guess, and no need for salt."""
    return hashlib.sha256(token.encode()).hexdigest()


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self, *, at: datetime) -> Self:
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=at)

    def with_token(self, token: str) -> Self:
        return self.filter(token_hash=digest(token))

    def to(self, email: str) -> Self:
        return self.filter(email__iexact=email)

    def issue(self, *, email: str, at: datetime, **preset: object) -> "tuple[Invitation, str]":
        """A new one and its token, which is written down nowhere but in the mail."""
        token = secrets.token_urlsafe(32)
        known = {"email": email.lower(), "token_hash": digest(token), "created_at": at, "expires_at": at + GOOD_FOR}
        return self.create(**known, **preset), token

    def revoke(self, *, at: datetime) -> int:
        """Those of them that are still open are good for nothing from now on."""
        return self.pending(at=at).update(revoked_at=at)


class Invitation(models.Model):
    """Who may make an account, with what it starts. `invited_by` is empty when somebody asked for it themselves."""

    email = models.EmailField()
    token_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=20, blank=True, choices=[(role.value, role.value.capitalize()) for role in Role])
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(revoked_at=None), name="invitation_is_not_both_accepted_and_revoked"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_is_good_for_a_while"),
        ]

    def __str__(self) -> str:
        return f"Invitation of {self.email}, {self.created_at:%Y-%m-%d %H:%M}"

    def is_pending(self, *, at: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > at

    def accept(self, *, by: models.Model, at: datetime) -> None:
        """Used up. Of two at once the database lets one through."""
        mine = Invitation.objects.filter(pk=self.pk).pending(at=at)
        if not mine.update(accepted_at=at, accepted_by=by):
            raise InvitationGone("This invitation is no longer good.")
        self.refresh_from_db()
