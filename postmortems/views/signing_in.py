"""Sign-in as the audit log sees it: who came in, and whom nobody let in."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from kb.sign_in import AccountAdapter
from postmortems.models import User
from postmortems.workflows import auditing

NAME_LENGTH = 150


class AuditedAdapter(AccountAdapter):
    """django-allauth asks it at each sign-in, by whichever way; a program's name and password too."""

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        auditing.record("account.sign_in", on=user, by=user, at=timezone.now())

    def logout(self, request: HttpRequest) -> None:
        if isinstance(request.user, User):
            auditing.record("account.sign_out", on=request.user, by=request.user, at=timezone.now())
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        super().authentication_failed(request, **credentials)
        name = str(credentials.get("username") or credentials.get("email") or "")[:NAME_LENGTH]
        auditing.record_failed_sign_in(name, at=timezone.now())
