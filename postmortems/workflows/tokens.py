"""Tokens of programs: made, taken back, and whom one that is shown speaks for; and the accounts of programs."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import ApiToken, Team, User
from postmortems.models.token import PREFIX
from postmortems.roles import NotAllowed
from postmortems.workflows import auditing

LONGEST = 100  # characters: a secret has 46; what is longer is not looked up


class NameTaken(DomainError):
    """Somebody, or some program, has this name already."""


@transaction.atomic
def create_program(*, name: str, role: str, teams: Iterable[Team], by: User | None, at: datetime) -> User:
    """An account that nobody signs in with: it asks with tokens, and may what its role may."""
    roles.require(by, "administer")
    if User.objects.filter(username__iexact=name).exists():
        raise NameTaken("This name is taken. Choose another one.")
    program = User.objects.create_user(username=name, password=None, is_integration=True, wants_mail=False)
    program.give_roles(role)
    program.teams.set(teams)
    auditing.record("account.create", on=program, by=by, at=at, changes={"roles": ("", role)})
    return program


@transaction.atomic
def issue(
    *, user: User, name: str, scopes: Iterable[str], by: User | None, at: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Acts as `user`: oneself, or, for administrators, a program's account. The secret is shown once."""
    roles.require(by, "read" if by == user else "administer")
    if by is not None and by != user and not user.is_integration:
        raise NotAllowed("Nobody makes a token that acts as somebody else.")
    token, secret = ApiToken.objects.issue(
        user=user, name=name, scopes=scopes, at=at, created_by=by, expires_at=expires_at
    )
    changes = {"scopes": ("", " ".join(token.scopes))}
    auditing.record("token.issue", on=token, by=by, at=at, changes=changes)
    return token, secret


@transaction.atomic
def revoke(token: ApiToken, *, by: User | None, at: datetime) -> None:
    roles.require(by, "read" if by == token.user else "administer")
    if token.revoke(at=at):
        auditing.record("token.revoke", on=token, by=by, at=at)


def holder_of(secret: str, *, at: datetime, scope: str | None = None) -> ApiToken | None:
    """The token of this secret, with its `user`, if it is good (for this); its use is noted. None: no such token."""
    if not secret.startswith(PREFIX) or len(secret) > LONGEST or not secret.isascii():
        return None
    token = ApiToken.objects.good(at=at).with_secret(secret).select_related("user").first()
    if token is None or (scope is not None and not token.allows(scope)):
        return None
    token.use(at=at)
    return token
