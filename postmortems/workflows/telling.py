"""Notifications: who is told of what. Only those who may see it, now and again when it is shown or mailed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models.functions import Lower

from postmortems.mentions import mentioned
from postmortems.models import Incident, Notification, Postmortem, User
from postmortems.workflows import mailing, watching


def tell(
    people: Iterable[User | None], *, action: str, text: str, about: Incident | Postmortem, by: Any, at: datetime
) -> None:
    """Tell these people, but not who did it. `text` is a whole sentence: "Bob asks you to review PM-7." """
    home = {"incident": about} if isinstance(about, Incident) else {"postmortem": about}
    rows = type(about)._default_manager.filter(pk=about.pk)
    told = [
        Notification.objects.create(user=person, action=action, text=text[:500], by=by, at=at, **home).pk
        for person in {person for person in people if person is not None and person != by}
        if rows.visible_to(person).exists()
    ]
    mailing.send_soon(told, at=at)


def tell_watchers(
    also: Iterable[User | None], *, action: str, text: str, about: Incident | Postmortem, by: Any, at: datetime
) -> None:
    """Tell who follows it or one of its services, and these people; everyone once."""
    tell([*also, *watching.watchers_of(about)], action=action, text=text, about=about, by=by, at=at)


def tell_mentioned(text: str, *, before: str, about: Incident | Postmortem, by: Any, at: datetime) -> list[str]:
    """Tell those whom `text` names and `before` did not. Returns the names of nobody who may see it.

    The same for a name that does not exist: who writes learns no account names here.
    """
    names = mentioned(text) - mentioned(before)
    if not names:
        return []
    people = User.objects.annotate(lower=Lower("username")).filter(lower__in=names, is_active=True)
    rows = type(about)._default_manager.filter(pk=about.pk)
    seeing = {person.username.lower(): person for person in people if rows.visible_to(person).exists()}
    text = f"{by} names you in {about.ref}: {about.title}"
    tell(seeing.values(), action=f"{about.search_kind}.mention", text=text, about=about, by=by, at=at)
    return sorted(names - set(seeing))
