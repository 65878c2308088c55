"""What surrounds action items: when one is due, where its ticket lives, and lists that people come back to."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse

from kb.clock import site_day
from postmortems.models.action_item import ActionItem
from postmortems.models.incident import Severity

WEB = ("https://", "http://")


class ActionDuePolicyQuerySet(models.QuerySet["ActionDuePolicy"]):
    def propose(self, *, severity: str, priority: str, at: datetime) -> date | None:
        """The day, in the site's time zone, by which this is to be done; None: no rule says so."""
        rule = self.filter(severity__in=(severity, ""), priority=priority).order_by("-severity").first()
        return site_day(at) + timedelta(days=rule.days) if rule else None


class ActionDuePolicy(models.Model):
    """How many days an action item of this severity (empty: any other) and priority may take."""

    severity = models.CharField(max_length=4, choices=Severity.choices, blank=True)
    priority = models.CharField(max_length=6, choices=ActionItem.Priority.choices)
    days = models.PositiveSmallIntegerField(help_text="Counted from when it is promised.")

    objects = ActionDuePolicyQuerySet.as_manager()

    class Meta:
        ordering = ["severity", "pk"]
        verbose_name_plural = "action due policies"
        constraints = [
            models.UniqueConstraint(fields=["severity", "priority"], name="one_due_policy_per_severity_and_priority"),
            models.CheckConstraint(condition=Q(days__gte=1), name="due_policy_leaves_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.get_severity_display() or 'Any'}, {self.priority}: within {self.days} days"


class TrackerQuerySet(models.QuerySet["Tracker"]):
    def most_specific_first(self) -> list["Tracker"]:
        return sorted(self, key=lambda tracker: (-len(tracker.prefix), tracker.pk))


class Tracker(models.Model):
    """Where tickets live, so that `OPS-12` or `acme/shop#4` becomes a link.

    Nobody writes an expression here: the two shapes are ours, an administrator says what they begin with.
    """

    class Shape(models.TextChoices):
        KEY = "key", "OPS-12: letters, a dash, a number"
        REPOSITORY = "repository", "acme/shop#4: owner, repository, a number"

    name = models.CharField(max_length=100, unique=True)
    shape = models.CharField(max_length=10, choices=Shape.choices)
    prefix = models.CharField(
        max_length=100, blank=True, help_text="Only tickets that begin with this: OPS-, or acme/. Empty: all."
    )
    url_template = models.CharField(
        max_length=500,
        help_text="https://tracker.example/browse/{ticket}. For repositories also {repository} and {number}.",
    )

    objects = TrackerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(url_template__startswith="https://") | Q(url_template__startswith="http://"),
                name="tracker_address_is_of_the_web",
            ),
            models.CheckConstraint(condition=Q(shape__in=["key", "repository"]), name="tracker_shape_is_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.url_template.startswith(WEB):
            raise ValidationError({"url_template": "It begins with https:// or http://."})
        if "{ticket}" not in self.url_template and "{number}" not in self.url_template:
            raise ValidationError({"url_template": "Say where the ticket goes: {ticket}, or {number}."})

    def address_of(self, ticket: str) -> str:
        """The ticket's page; empty if it is no ticket of this tracker."""
        found = SHAPES[self.shape].fullmatch(ticket)
        if found is None or not ticket.casefold().startswith(self.prefix.casefold()):
            return ""
        address = self.url_template
        for name, value in {"ticket": ticket, **found.groupdict()}.items():
            address = address.replace(f"{{{name}}}", quote(value, safe="/"))
        return address


# Each reads a text once, from left to right: nothing in them can be tried in two ways.
SHAPES = {
    Tracker.Shape.KEY.value: re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}-(?P<number>[0-9]{1,12})"),
    Tracker.Shape.REPOSITORY.value: re.compile(
        r"(?P<repository>[A-Za-z0-9_.-]{1,100}(?:/[A-Za-z0-9_.-]{1,100}){1,4})#(?P<number>[0-9]{1,12})"
    ),
}


def ticket_address(ticket: str, trackers: Iterable[Tracker]) -> str:
    """Where a ticket is: its own address if it is one of the web, else that of the first tracker that knows it."""
    ticket = ticket.strip()
    if ticket.lower().startswith(WEB):
        return "" if any(letter.isspace() for letter in ticket) else ticket
    return next((address for tracker in trackers if (address := tracker.address_of(ticket))), "")


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def visible_to(self, user: Any) -> Self:
        """One's own, and what somebody shares with everybody."""
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return self.none()
        return self.filter(Q(owner=user) | Q(is_shared=True))


class SavedFilter(models.Model):
    """A list of action items that somebody comes back to. It holds no rows: they are found anew, for who reads it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=100)
    query = models.CharField(max_length=1000, help_text="Filters of the list, as in its address.")
    is_shared = models.BooleanField(default=False, help_text="Everybody finds it beside their own.")
    created_at = models.DateTimeField()

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_saved_filter_per_owner_and_name"),
            models.CheckConstraint(condition=~Q(name=""), name="saved_filter_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("action_saved", args=[self.pk])
