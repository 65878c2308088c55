"""Notifications: who is told of what. Only those who may see it, now and again when it is shown or mailed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from postmortems.models import Incident, Notification, Postmortem, User


def tell(
    people: Iterable[User | None], *, action: str, text: str, about: Incident | Postmortem, by: Any, at: datetime
) -> None:
    """Tell these people, but not who did it. `text` is a whole sentence: "Bob asks you to review PM-7." """
    home = {"incident": about} if isinstance(about, Incident) else {"postmortem": about}
    rows = type(about)._default_manager.filter(pk=about.pk)
    for person in {person for person in people if person is not None and person != by}:
        if rows.visible_to(person).exists():
            Notification.objects.create(user=person, action=action, text=text[:500], by=by, at=at, **home)
