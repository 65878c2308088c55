"""Addresses that are the key to what they show: whose they are, and no guessing."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from kb.attempts import may_try_again
from postmortems.models import ApiToken, Scope, User
from postmortems.workflows import tokens


def holder_of(request: HttpRequest, secret: str) -> ApiToken | HttpResponse:
    """The token of this address, which is from then on who asks; or the answer to somebody who guesses."""
    token = tokens.holder_of(secret, scope=Scope.FEED, at=timezone.now())
    if token is not None:
        request.user = token.user
        return token
    if not may_try_again(request, "wrong_token"):
        return HttpResponse("Too many wrong addresses. Wait a minute.", status=429, content_type="text/plain")
    raise Http404("No such feed.")


def new_secret(reader: User, name: str) -> str:
    """Of one more address of one's own. It is in this answer and nowhere else."""
    _, secret = tokens.issue(user=reader, name=name, scopes=[Scope.FEED], by=reader, at=timezone.now())
    return secret


def in_use(reader: User) -> list[ApiToken]:
    """One's addresses that still open something, newest first."""
    mine = ApiToken.objects.good(at=timezone.now()).filter(user=reader)
    return [token for token in mine if token.allows(Scope.FEED)]
