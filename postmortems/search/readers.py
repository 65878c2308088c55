"""What a reader brings to a search: the access tokens, worked out from the database at that moment."""

from typing import Any

from django.db.models import Value

from kb.search import outbox
from postmortems.search.documents import ADMINISTRATOR, MODELS, OPEN, own_token

NOBODY = "nobody"


def access_of(user: Any) -> frozenset[str]:
    """OPEN, and the own token of each row that this reader was granted. A stranger gets a token that opens nothing."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset({NOBODY})
    if user.is_administrator:
        return frozenset({ADMINISTRATOR})
    granted = [
        model.objects.visible_to(user)
        .exclude(pk__in=model.objects.open_to_all().values("pk"))
        .order_by()
        .annotate(search_kind=Value(kind))
        .values_list("search_kind", "pk")
        for kind, model in MODELS.items()
    ]
    return frozenset({OPEN, *(own_token(f"{kind}:{pk}") for kind, pk in granted[0].union(*granted[1:], all=True))})


def hidden_changes(user: Any) -> frozenset[str]:
    """Keys the index has not learned anew yet and that this reader may not see (any more): left out of every count."""
    pending = outbox.pending()
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
