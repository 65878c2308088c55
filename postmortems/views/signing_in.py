"""Sign-in as the audit log sees it: who came in, and whom nobody let in."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from kb.sign_in import AccountAdapter
from kb.sign_in import Backend as SessionBackend
from kb.single_sign_on import ProviderAdapter
from postmortems.models import Notification, User
from postmortems.workflows import accounts, auditing, people

NAME_LENGTH = 150


class Backend(SessionBackend):
    """Who comes with a session brings along how many notifications wait: the bell on each page costs no query."""

    def with_session(self, user_id: Any) -> Any:
        return super().with_session(user_id).annotate(unread=Notification.objects.unread_count(user_id))

    def user_can_authenticate(self, user: Any) -> bool:
        """A program's account shows tokens: no password, provider or session lets anybody in with it."""
        return bool(super().user_can_authenticate(user)) and not user.is_integration


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


class AuditedProviderAdapter(ProviderAdapter):
    """What the provider's groups gave or took is written down like what an administrator does.

    Who was invited may come this way instead of by the link: the provider has verified the address that it went to.
    """

    def may_have_account(self, email: str) -> bool:
        return super().may_have_account(email) or accounts.is_invited(email, at=timezone.now())

    def account_made(self, user: Any, email: str) -> None:
        accounts.take_up_invitation(user, email=email, at=timezone.now())

    def give_roles(self, sociallogin: Any) -> None:
        user = sociallogin.user
        before = people.state_of(user)
        super().give_roles(sociallogin)
        people.record_change(user, before=before, by=None, at=timezone.now(), reason="Groups of the provider.")
