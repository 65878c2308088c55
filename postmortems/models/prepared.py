"""What a reader sees, asked by a query that is compiled once, and once more for readers with other roles."""

from collections.abc import Callable
from typing import Any

from kb.prepared import Prepared
from postmortems.models.user import User
from postmortems.roles import Role


class PreparedForReaders:
    """`build(user, number, ...)`, see `Prepared`. Of the user it may only ask for the key and the roles; of the clock
    nothing: today, once compiled, would be the day of the first query.
    """

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._known: dict[frozenset[str], Prepared] = {}

    def rows(self, user: Any, *numbers: Any) -> list[Any]:
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return []
        # The machine itself has neither roles nor a key, and sees all.
        roles = getattr(user, "roles", frozenset({Role.ADMINISTRATOR.value}))
        if roles not in self._known:
            self._known[roles] = Prepared(lambda pk, *rest: self._build(_reader(pk, roles), *rest), optional=1)
        return self._known[roles].rows(getattr(user, "pk", None), *numbers)


def _reader(pk: int, roles: frozenset[str]) -> User:
    reader = User(pk=pk)
    reader.__dict__["roles"] = roles
    return reader
