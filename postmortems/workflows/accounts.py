"""A reader's own settings."""

from postmortems.models import User


def choose_time_zone(user: User, *, name: str) -> None:
    """See times in this zone from now on; the empty name is the site's zone."""
    User.objects.filter(pk=user.pk).update(time_zone=name)
    user.refresh_from_db(fields=["time_zone"])
