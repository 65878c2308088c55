"""What a reader sees, asked by a query that is compiled once: for administrators, and for everybody else."""

from collections.abc import Callable
from typing import Any

from kb.prepared import Prepared
from postmortems.models.user import User


class PreparedForReaders:
    """`build(user, number, ...)`, see `Prepared`. Of the user it may only ask who that is, and what they may see.

    Of the clock it may ask nothing: today, once compiled, would be the day of the first query.
    """

    def __init__(self, build: Callable[..., Any]) -> None:
        self._of_all = Prepared(lambda pk, *numbers: build(_reader(pk, sees_all=True), *numbers), optional=1)
        self._of_seen = Prepared(lambda pk, *numbers: build(_reader(pk, sees_all=False), *numbers), optional=1)

    def rows(self, user: Any, *numbers: Any) -> list[Any]:
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return []
        if user.is_administrator:  # or the machine itself, which has no key
            return self._of_all.rows(getattr(user, "pk", None), *numbers)
        return self._of_seen.rows(user.pk, *numbers)


def _reader(pk: int, *, sees_all: bool) -> User:
    reader = User(pk=pk, is_superuser=sees_all)
    reader.__dict__["listed_groups"] = []  # so that nobody looks for them
    return reader
