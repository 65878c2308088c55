"""Who asks: a bearer token, and what it is good for. Sessions, and names with passwords, are good for everything."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from kb.attempts import may_try_again
from postmortems.models import ApiToken, Scope, User
from postmortems.workflows import tokens

REFUSED = "This token is not good, or not any more. Make one on your account page."


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer kb_...`. Unknown, revoked, expired and of a closed account: the same answer.

    Wrong tokens are counted per address, and only they are refused for it: one program that shows an old token must
    not shut out the others behind the same address. With 256 random bits there is nothing to guess.
    """

    realm = "Postmortem KB"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = tokens.holder_of(secret.strip().decode("latin-1"), at=timezone.now())
        if token is not None:
            return token.user, token
        if not may_try_again(request._request, "wrong_token"):
            raise Throttled(wait=60, detail="Too many wrong tokens from this address.")
        raise AuthenticationFailed(REFUSED)

    def authenticate_header(self, request: Request) -> str:
        return f'Bearer realm="{self.realm}"'


class HasScope(BasePermission):
    """A token needs `read` to look and `write` to change, or what the view names as its `scope`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        wanted = getattr(view, "scope", None) or (Scope.READ if request.method in SAFE_METHODS else Scope.WRITE)
        self.message = f"This token is not good for this: it lacks the scope `{wanted}`."
        return request.auth.allows(wanted)
