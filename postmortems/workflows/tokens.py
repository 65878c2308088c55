"""Tokens of programs: made, taken back, and whom one that is shown speaks for."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from postmortems import roles
from postmortems.models import ApiToken, User
from postmortems.workflows import auditing


@transaction.atomic
def issue(
    *, user: User, name: str, scopes: Iterable[str], by: User | None, at: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Acts as `user`: oneself, or, for administrators, a program's account. The secret is shown once."""
    roles.require(by, "read" if by == user else "administer")
    token, secret = ApiToken.objects.issue(
        user=user, name=name, scopes=scopes, at=at, created_by=by, expires_at=expires_at
    )
    changes = {"scopes": ("", " ".join(token.scopes))}
    auditing.record("token.issue", on=token, by=by, at=at, changes=changes)
    return token, secret


@transaction.atomic
def revoke(token: ApiToken, *, by: User | None, at: datetime) -> None:
    roles.require(by, "read" if by == token.user else "administer")
    token.revoke(at=at)
    auditing.record("token.revoke", on=token, by=by, at=at)


def holder_of(secret: str, *, scope: str, at: datetime) -> ApiToken | None:
    """The token of this secret, with its `user`, if it is good for this; its use is noted. None: no such token."""
    token = ApiToken.objects.good(at=at).with_secret(secret).select_related("user").first()
    if token is None or not token.allows(scope):
        return None
    token.use(at=at)
    return token
