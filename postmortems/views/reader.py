"""Who asks: every page but sign-in needs an account, and mypy is told so here."""

from django.http import HttpRequest

from postmortems.models import User


def reader_of(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("This page is open to strangers: it has no reader.")
    return user
