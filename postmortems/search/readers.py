"""What a reader brings to a search: the access tokens, worked out from the database at that moment."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Subquery, Value

from kb.listing import CountOf, ListOf
from kb.prepared import Prepared
from kb.search import outbox
from postmortems.models import GlossaryEntry, User
from postmortems.search import glossary
from postmortems.search.documents import ADMINISTRATOR, MODELS, OPEN, own_token
from postmortems.search.glossary import Glossary

NOBODY = "nobody"


@dataclass(frozen=True)
class Reader:
    """`access`: tokens. `hidden`: changes that the index has not learned yet and that they may not see (any more)."""

    access: frozenset[str]
    hidden: frozenset[str]
    words: Glossary  # which ones mean the same: of the whole site, read on the way


def reader_of(user: Any) -> Reader:
    """All that a search asks the database before it asks the index, in one query for whoever has an account."""
    if not _is_signed_in(user) or not isinstance(user, User):
        return Reader(access_of(user), hidden_changes(user), glossary.current())
    brought = (_ALL_SEEING if user.is_administrator else _MOST).row(user.pk)
    if brought is None:  # deleted since
        return Reader(frozenset({NOBODY}), hidden_changes(None), glossary.current())
    granted = [(kind, row["pk"]) for kind, _ in _kinds() for row in brought.get(kind, ())]
    return Reader(
        access=frozenset({ADMINISTRATOR}) if user.is_administrator else _tokens(granted),
        hidden=_hidden_of([row["key"] for row in brought["pending"]], user),
        words=glossary.as_of((brought["groups_of_words"], brought["newest_words"])),
    )


def _asked_of_all(pk: int, **more: Any) -> Any:
    return User.objects.filter(pk=pk).values(
        **more,
        pending=ListOf(outbox.waiting(), key="key"),
        groups_of_words=CountOf(GlossaryEntry.objects.all()),
        newest_words=Subquery(GlossaryEntry.objects.order_by("-updated_at").values("updated_at")[:1]),
    )


def _asked_of_most(pk: int) -> Any:
    return _asked_of_all(pk, **{kind: ListOf(_granted(model, User(pk=pk)), pk="pk") for kind, model in _kinds()})


_ALL_SEEING, _MOST = Prepared(_asked_of_all), Prepared(_asked_of_most)


def access_of(user: Any) -> frozenset[str]:
    """OPEN, and the own token of each row that this reader was granted. A stranger gets a token that opens nothing."""
    if not _is_signed_in(user):
        return frozenset({NOBODY})
    if user.is_administrator:
        return frozenset({ADMINISTRATOR})
    granted = [
        _granted(model, user).annotate(search_kind=Value(kind)).values_list("search_kind", "pk")
        for kind, model in _kinds()
    ]
    return _tokens(granted[0].union(*granted[1:], all=True))


def hidden_changes(user: Any) -> frozenset[str]:
    """Keys the index has not learned anew yet and that this reader may not see (any more): left out of every count."""
    return _hidden_of(outbox.pending(), user)


def _is_signed_in(user: Any) -> bool:
    return bool(getattr(user, "is_authenticated", False) and user.is_active)


def _kinds() -> Iterable[tuple[str, Any]]:
    return MODELS.items()


def _granted(model: Any, user: Any) -> Any:
    """Of a reader who is no administrator: what they see and not everybody does."""
    seen = model.objects.filter(model.objects.seen_where(user))
    return seen.exclude(pk__in=model.objects.open_to_all().values("pk")).order_by()


def _tokens(granted: Iterable[tuple[str, int]]) -> frozenset[str]:
    return frozenset({OPEN, *(own_token(f"{kind}:{pk}") for kind, pk in granted)})


def _hidden_of(pending: Collection[str], user: Any) -> frozenset[str]:
    hidden = set(pending)
    for kind, model in MODELS.items():
        pks = [int(key.partition(":")[2]) for key in pending if key.startswith(f"{kind}:")]
        if pks:
            visible = model.objects.visible_to(user).filter(pk__in=pks).values_list("pk", flat=True)
            hidden -= {f"{kind}:{pk}" for pk in visible}
    return frozenset(hidden)


class TheMachine:
    """Whoever runs commands on the machine: may read the database itself, and so everything."""

    is_authenticated = True
    is_active = True
    is_administrator = True


THE_MACHINE = TheMachine()
