"""Notifications: who is told of what. Only those who may see it, now and again when it is shown or mailed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models.functions import Lower

from postmortems.mentions import mentioned
from postmortems.models import Incident, Notification, Postmortem, User
from postmortems.workflows import mailing, watching


class News(NamedTuple):
    about: Incident | Postmortem
    text: str
    people: Iterable[User | None]


def tell(
    people: Iterable[User | None], *, action: str, text: str, about: Incident | Postmortem, by: Any, at: datetime
) -> None:
    """Tell these people, but not who did it. `text` is a whole sentence: "Bob asks you to review PM-7." """
    tell_all([News(about, text, people)], action=action, by=by, at=at)


def tell_all(news: Iterable[News], *, action: str, by: Any, at: datetime) -> None:
    """The same of many rows, all of incidents or all of postmortems. Each person is asked about once: what they see."""
    of_person: dict[User, dict[int, News]] = defaultdict(dict)
    for each in news:
        for person in each.people:
            if person is not None and person != by:
                of_person[person][each.about.pk] = each
    rows = [
        Notification(user=person, action=action, text=each.text[:500], by=by, at=at, **_home(each.about))
        for person, told in of_person.items()
        for each in _seen_by(person, told)
    ]
    mailing.send_soon([row.pk for row in Notification.objects.bulk_create(rows)], at=at)


def _seen_by(person: User, told: Mapping[int, News]) -> list[News]:
    model = type(next(iter(told.values())).about)
    seen = model._default_manager.filter(pk__in=told).visible_to(person).values_list("pk", flat=True)
    return [told[pk] for pk in sorted(seen)]


def _home(about: Incident | Postmortem) -> dict[str, Incident | Postmortem]:
    return {"incident" if isinstance(about, Incident) else "postmortem": about}


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
