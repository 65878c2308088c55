"""Attempts with secrets that nobody knows, counted by address. Those with good ones are never counted."""

from copy import copy

from allauth.core import ratelimit
from django.http import HttpRequest

from kb import origin


def may_try_again(request: HttpRequest, action: str) -> bool:
    """Count one more; whether it was within the limit that ACCOUNT_RATE_LIMITS sets for the action."""
    attempt = copy(request)
    attempt.method = "POST"  # allauth counts no GET, and here a GET shows a secret, too
    # By a key of ours: allauth itself refuses who comes without an address, as by a socket.
    return bool(ratelimit.consume(attempt, action=action, key=origin.current().address or "unknown"))
