"""How often a person wants to be reminded, and which digests they were sent."""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

# Twice begun and never heard what came of it: a third mail would be one too many.
MOST_BEGUN = 2


class Rhythm(models.TextChoices):
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    NONE = "none", "Never"


class Weekday(models.IntegerChoices):
    MONDAY = 0, "Monday"
    TUESDAY = 1, "Tuesday"
    WEDNESDAY = 2, "Wednesday"
    THURSDAY = 3, "Thursday"
    FRIDAY = 4, "Friday"
    SATURDAY = 5, "Saturday"
    SUNDAY = 6, "Sunday"


class ReminderChoiceQuerySet(models.QuerySet["ReminderChoice"]):
    def of(self, user: Any) -> "ReminderChoice":
        """What they chose; who chose nothing is reminded daily, from their account's beginning on."""
        return self.filter(user=user).first() or ReminderChoice(user=user, since=user.date_joined)

    def choose(self, user: Any, *, rhythm: str, weekday: int, at: datetime) -> None:
        self.update_or_create(user=user, defaults={"rhythm": rhythm, "weekday": weekday, "since": at})


class ReminderChoice(models.Model):
    """One person's. Digests whose hour came before `since` are not made up for."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reminder_choice")
    rhythm = models.CharField(max_length=6, choices=Rhythm.choices, default=Rhythm.DAILY)
    weekday = models.PositiveSmallIntegerField(choices=Weekday.choices, default=Weekday.MONDAY)
    since = models.DateTimeField()

    objects = ReminderChoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(rhythm__in=Rhythm.values), name="reminder_rhythm_is_known"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="reminder_weekday_is_of_the_week"),
        ]

    def __str__(self) -> str:
        day = f" on {self.get_weekday_display()}" if self.rhythm == Rhythm.WEEKLY else ""
        return f"{self.user}: {self.rhythm}{day}"


class DigestQuerySet(models.QuerySet["Digest"]):
    def claim(self, *, user: Any, kind: str, on: date, after: date, at: datetime) -> "Digest | None":
        """One for this person, kind and day; None if there is one, whoever made it."""
        row, is_new = self.get_or_create(user=user, kind=kind, on=on, defaults={"after": after, "at": at})
        return row if is_new else None


class Digest(models.Model):
    """One mail that reminds a person: of what they owe, or of what their team owes. It keeps no words of it."""

    class Kind(models.TextChoices):
        OWN = "own", "What one owes"
        TEAM = "team", "What one's team owes"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="digests")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    on = models.DateField(help_text="The day in the person's own time zone.")
    after = models.DateField(help_text="The day of the digest before it: what came up since then is in this one.")
    at = models.DateTimeField()
    begun = models.PositiveSmallIntegerField(default=0, help_text="Sent, or given to the mail server and not heard of.")
    settled_at = models.DateTimeField(null=True, blank=True, help_text="It is sent, or there was nothing to say.")
    items = models.PositiveIntegerField(default=0)

    objects = DigestQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "on"], name="one_digest_per_person_kind_and_day"),
            models.CheckConstraint(condition=Q(kind__in=["own", "team"]), name="digest_kind_is_known"),
            models.CheckConstraint(condition=Q(after__lt=F("on")), name="digest_comes_after_the_one_before"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_kind_display()}, {self.on}"

    def begin(self) -> bool:
        """Said before the mail goes out, so that a killed worker's is sent once more and no oftener."""
        waiting = Digest.objects.filter(pk=self.pk, settled_at=None, begun=self.begun, begun__lt=MOST_BEGUN)
        return bool(waiting.update(begun=F("begun") + 1))

    def take_back(self) -> None:
        """The mail server said that it did not take it."""
        Digest.objects.filter(pk=self.pk, settled_at=None, begun__gt=0).update(begun=F("begun") - 1)

    def settle(self, *, items: int, at: datetime) -> None:
        Digest.objects.filter(pk=self.pk, settled_at=None).update(settled_at=at, items=items)
