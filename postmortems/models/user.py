"""The person who signs in, and their roles."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from postmortems import roles
from postmortems.roles import Role


def validate_time_zone(name: str) -> None:
    if name and name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone. For example Europe/Berlin.")


class User(AbstractUser):
    """Django's user with the reader's time zone. Administrators and superusers may see everything."""

    time_zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text="For example Europe/Berlin; empty: the site's.",
    )
    wants_mail = models.BooleanField(
        default=True, help_text="Mail what one watches, is asked for or is named in. The page shows it anyway."
    )

    is_integration = models.BooleanField(
        default=False, help_text="A program's account: it asks with tokens, and nobody signs in with it."
    )

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        # As django-allauth looks for it, at sign-in and for a forgotten password.
        self.email = self.email.lower()
        super().save(*args, **kwargs)

    @cached_property
    def roles(self) -> frozenset[str]:
        """Names of roles; somebody without any has KB_DEFAULT_ROLE. Asked once a request: the user is loaded anew."""
        if self.is_superuser:
            return frozenset({Role.ADMINISTRATOR})
        # Whoever is signed in was loaded with them: see kb.sign_in.
        listed = self.__dict__.get("listed_groups")
        names = {group["name"] for group in listed} if listed is not None else {*self._group_names()}
        return frozenset(names.intersection(Role)) or frozenset({Role(settings.DEFAULT_ROLE)})

    def _group_names(self) -> Iterable[str]:
        return (group.name for group in self.groups.all()) if self.pk else ()

    @property
    def is_administrator(self) -> bool:
        return self.is_active and Role.ADMINISTRATOR in self.roles

    @classmethod
    def administrators(cls) -> models.QuerySet["User"]:
        """Active ones: whom to ask."""
        is_one = Q(is_superuser=True) | Q(groups__name=Role.ADMINISTRATOR)
        return cls.objects.filter(is_one, is_active=True).distinct()

    def let_in(self, is_active: bool) -> None:
        """Whether they may sign in; sessions that are open end with the next request."""
        User.objects.filter(pk=self.pk).update(is_active=is_active)
        self.refresh_from_db(fields=["is_active"])

    def may(self, ability: str) -> bool:
        return roles.may(self, ability)

    def give_roles(self, *names: str) -> None:
        """These roles and no others from now on."""
        self.groups.set([Group.objects.get_or_create(name=Role(name))[0] for name in names])
        for known in ("roles", "listed_groups"):
            self.__dict__.pop(known, None)
