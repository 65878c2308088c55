"""Sign-in with a password and a second factor: what is ours of django-allauth's. Addresses: `accounts_urls.py`."""

import base64
import hashlib
import logging
import secrets
from copy import copy
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import LoginForm
from allauth.account.views import LoginView
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import get_backends, get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import OuterRef
from django.http import HttpRequest
from django.urls import reverse
from qrcode import make as qr_code
from qrcode.image.svg import SvgPathFillImage
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed

from kb.listing import ListOf
from kb.middleware import SessionIdleMiddleware
from kb.prepared import Prepared
from kb.sealing import InvalidToken, seal, unseal

logger = logging.getLogger(__name__)

SECOND_FACTOR = "kb.sign_in.second_factor"  # what its secrets are sealed for
NO_MATCH = "That name and password do not match. Capital letters count in the password."


class Backend(AuthenticationBackend):
    """allauth's; and who is signed in is loaded together with the names of their groups, in one query."""

    def with_session(self, user_id: Any) -> Any:
        """The rows to load from, with what every page wants to know of its reader."""
        groups = ListOf(Group.objects.filter(user=OuterRef("pk")), name="name")
        return get_user_model()._default_manager.annotate(listed_groups=groups)

    def session_of(self, user_id: Any) -> Any:
        rows = self.with_session(user_id).filter(pk=user_id)
        return rows.values(*_columns(), *rows.query.annotations)

    def get_user(self, user_id: Any) -> Any:
        row = _PREPARED.setdefault(type(self), Prepared(self.session_of)).row(user_id)
        if row is None:
            return None
        names = _columns()
        user = get_user_model().from_db("default", names, [row.pop(name) for name in names])
        user.__dict__.update(row)
        return user if self.user_can_authenticate(user) else None


# Each page asks it, and Django makes a backend anew each time: see kb.prepared for what that saves.
_PREPARED: dict[type[Backend], Prepared] = {}


def _columns() -> tuple[str, ...]:
    return tuple(field.attname for field in get_user_model()._meta.concrete_fields)


class AccountAdapter(DefaultAccountAdapter):
    """Our words, our address in mails, and no failure because the mail server is away."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": NO_MATCH,
        "email_password_mismatch": NO_MATCH,
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes, then try again.",
        "incorrect_code": "This code is not right, or no longer. Type the one that is shown now.",
        "rate_limited": "Too many attempts. Wait five minutes, then try again.",
        "username_taken": "Somebody has this user name already. Choose another one.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        # allauth's own sign-up: accounts come about by a mailed link (see postmortems/workflows/accounts.py).
        return False

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        request.session[SessionIdleMiddleware.KEY] = 0  # the idle clock runs for sessions that began here

    def get_reset_password_from_key_url(self, key: str) -> str:
        # Not from the request: its Host header is the visitor's word.
        address = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return f"{settings.SITE_URL}{address.replace('UID-KEY', key)}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        try:
            super().send_mail(template_prefix, email, {"site_url": settings.SITE_URL, **context})
        except (OSError, SMTPException):
            # Whoever asked must not learn from an error page whether there is such an account.
            logger.exception("Sending the mail %s", template_prefix)


class SignInForm(LoginForm):
    """One field for name or address, called `username` on the page as it always was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username or e-mail"
        self.fields["login"].widget.attrs = {"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        self.fields["password"].widget.attrs.pop("placeholder", None)
        self.fields["password"].help_text = ""

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else field_name


class SignInView(LoginView):
    """The sign-in page, which also offers the identity provider if there is one."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offers = {
            "provider": settings.OIDC_NAME if settings.SOCIALACCOUNT_PROVIDERS else "",
            "sign_up_is_open": bool(settings.SIGN_UP_DOMAINS),
        }
        return {**super().get_context_data(**kwargs), **offers}


# --- the second factor ---


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets are kept encrypted with the site's key: a copy of the database alone makes no codes."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
        "rate_limited": AccountAdapter.error_messages["rate_limited"],
    }

    def encrypt(self, text: str) -> str:
        return seal(text, purpose=SECOND_FACTOR)

    def decrypt(self, encrypted_text: str) -> str:
        """What cannot be read, since the site has another key, is like a secret that nobody has: no code fits it."""
        try:
            return unseal(encrypted_text, purpose=SECOND_FACTOR)
        except InvalidToken:
            logger.warning("A second factor cannot be read with this site's key: it has to be removed and set up anew.")
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def build_totp_svg(self, url: str) -> str:
        # On white: cameras do not read it the other way round, and allauth's own has no ground at all.
        drawing: str = qr_code(url, image_factory=SvgPathFillImage).to_string(encoding="unicode")
        return drawing


def once_only(user: Any, code: str) -> str:
    """A code counts once while it could be valid: allauth itself forgets it after 30 of the 90 seconds."""
    digest = hashlib.sha256(f"{user.pk}:{''.join(code.split())}".encode()).hexdigest()
    if not cache.add(f"kb:code-used:{digest}", True, timeout=120):
        raise get_account_adapter().validation_error("incorrect_code")
    return code


class CodeForm(AuthenticateForm):
    """At sign-in."""

    def clean_code(self) -> str:
        return once_only(self.user, super().clean_code())


class CodeAgainForm(ReauthenticateForm):
    """Before something that matters."""

    def clean_code(self) -> str:
        return once_only(self.user, super().clean_code())


# --- programs ---


class LimitedBasicAuthentication(BasicAuthentication):
    """Name and password with each request, counted like any sign-in. Not for accounts with a second factor."""

    www_authenticate_realm = "Postmortem KB"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[Any, None]:
        attempt = copy(request._request)
        attempt.method = "POST"  # allauth counts no GET, and here a GET carries a password, too
        try:
            user = get_account_adapter().authenticate(attempt, username=userid, password=password)
        except ValidationError as refusal:
            raise AuthenticationFailed(refusal.messages[0]) from refusal
        # Whom nobody lets in by the sign-in page either: closed accounts, and those of programs.
        if user is None or not any(backend.get_user(user.pk) for backend in get_backends()):
            raise AuthenticationFailed(NO_MATCH)
        if is_mfa_enabled(user):
            raise AuthenticationFailed("This account has a second factor, which a name and password do not replace.")
        return user, None
