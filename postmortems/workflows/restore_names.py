"""The names that stand in a record -> the people, teams, services, tags and rows that they are of."""

from typing import Any

from django.db import models

from postmortems.exporting.shapes import Shape
from postmortems.models import User
from postmortems.models.catalogue import Named
from postmortems.workflows.restore_values import value_of, within


class Nobody(Exception):
    """A row hangs on somebody, or something, that is not here."""


class Names:
    """People are looked up once a run, the rest each time: an earlier record may just have made it."""

    def __init__(self) -> None:
        self.people = _people()

    def related(self, target: Any, raw: Any) -> Any:
        """The row of this name. A team, service or tag that is not here yet: its name."""
        if raw in (None, ""):
            return None
        model, name = target.related_model, str(raw)
        if model is User:
            return self.people.get(name.casefold())
        if issubclass(model, Named):
            rows: Any = model._default_manager
            return rows.filter(slug=name).first() or rows.named(name) or name
        pk = model.pk_of_ref(name)
        return model._default_manager.filter(pk=pk).first() if pk else None

    def value(self, shape: Shape, name: str, raw: Any) -> Any:
        """As the model takes it. Raises `Nobody` if it is somebody's or something's that is not here."""
        target: Any = shape.model._meta.get_field(name)
        if target.is_relation:
            return self._row(target, raw)
        with within(name):
            return value_of(target, raw)

    def _row(self, target: Any, raw: Any) -> models.Model | None:
        found = self.related(target, raw)
        if isinstance(found, str):
            rows: Any = target.related_model._default_manager
            is_slug = rows.unused_slug(found) == found
            made: models.Model = rows.create(name=found, slug=found) if is_slug else rows.called(found)
            return made
        if found is None and raw not in (None, ""):
            raise Nobody(f"{target.name}: {str(raw)[:100]} is not here")
        return found  # type: ignore[no-any-return]


def _people() -> dict[str, User]:
    """By address and user name; of two with one address neither."""
    users = list(User.objects.filter(is_active=True))
    by_address: dict[str, list[User]] = {}
    for user in users:
        by_address.setdefault(user.email.casefold(), []).append(user)
    found = {address: who[0] for address, who in by_address.items() if address and len(who) == 1}
    return found | {user.username.casefold(): user for user in users}
