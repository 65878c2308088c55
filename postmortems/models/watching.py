"""Who wants to know of what, and what they were told."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from postmortems.models.catalogue import Service
from postmortems.models.incident import Incident
from postmortems.models.postmortem import Postmortem
from postmortems.roles import Role

ONE_HOME = (
    Q(incident__isnull=False, postmortem__isnull=True, service__isnull=True)
    | Q(incident__isnull=True, postmortem__isnull=False, service__isnull=True)
    | Q(incident__isnull=True, postmortem__isnull=True, service__isnull=False)
)


class WatchQuerySet(models.QuerySet["Watch"]):
    def visible_to(self, user: Any) -> Self:
        """One's own, while what it follows may be seen."""
        if not getattr(user, "is_authenticated", False):
            return self.none()
        incident = Q(incident=None) | Incident.objects.visible_where(user, "incident__")
        postmortem = Q(postmortem=None) | Postmortem.objects.visible_where(user, "postmortem__")
        return self.filter(incident, postmortem, user=user)

    def is_of(self, user: Any, what: str) -> Exists:
        """For `annotate`: whether this user watches the incident or postmortem of a row."""
        return Exists(self.filter(user=user, **{what: OuterRef("pk")}))


class Watch(models.Model):
    """Somebody follows an incident, a postmortem, or all that concerns a service. It grants no right to see."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watches")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="watches")
    postmortem = models.ForeignKey(Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="watches")
    service = models.ForeignKey(Service, null=True, blank=True, on_delete=models.CASCADE, related_name="watches")
    since = models.DateTimeField()

    objects = WatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "watches"
        constraints = [
            models.CheckConstraint(condition=ONE_HOME, name="watch_is_of_one_thing"),
            models.UniqueConstraint(
                fields=["user", "incident"], condition=Q(incident__isnull=False), name="one_watch_per_incident"
            ),
            models.UniqueConstraint(
                fields=["user", "postmortem"], condition=Q(postmortem__isnull=False), name="one_watch_per_postmortem"
            ),
            models.UniqueConstraint(
                fields=["user", "service"], condition=Q(service__isnull=False), name="one_watch_per_service"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} watches {self.incident or self.postmortem or self.service}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: Any) -> Self:
        """One's own, and only while what it is about may be seen."""
        if not getattr(user, "is_authenticated", False):
            return self.none()
        incident = Q(incident=None) | Incident.objects.visible_where(user, "incident__")
        postmortem = Q(postmortem=None) | Postmortem.objects.visible_where(user, "postmortem__")
        return self.filter(incident, postmortem, user=user)

    def unread_count(self, user_pk: Any) -> Coalesce:
        """For `annotate` on the user of that key, as `visible_to(user).unread()` counts: the bell costs no query."""
        home: dict[str, Any] = {"incident": Incident.objects, "postmortem": Postmortem.objects}
        seen = [Q(**{name: None}) | rows.seen_where(user_pk, f"{name}__") for name, rows in home.items()]
        sees_all = Q(user__is_superuser=True) | Q(user__groups__name=Role.ADMINISTRATOR)
        mine = self.unread().filter(sees_all | (seen[0] & seen[1]), user=user_pk).order_by()
        counted = mine.values("user").annotate(count=Count("pk", distinct=True)).values("count")
        return Coalesce(Subquery(counted), 0)

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def to_mail(self) -> Self:
        return self.filter(mailed_at=None, user__wants_mail=True, user__is_active=True).exclude(user__email="")

    def mark_read(self, *, at: datetime) -> int:
        return self.unread().update(read_at=at)


class Notification(models.Model):
    """One thing a person was told. The sentence names nothing that its incident or postmortem does not."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    action = models.CharField(max_length=60, help_text="As in the audit log: postmortem.publish")
    text = models.CharField(max_length=500)
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    postmortem = models.ForeignKey(Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["user", "read_at", "-at"])]

    def __str__(self) -> str:
        return f"{self.user}: {self.text}"

    def claim_mail(self, *, at: datetime) -> bool:
        """Whether it is ours to send: of two at once the database lets one through. After a crash nothing is sent."""
        return bool(Notification.objects.filter(pk=self.pk, mailed_at=None).update(mailed_at=at))

    def give_mail_back(self, *, at: datetime) -> None:
        """It could not be sent: the next run tries again."""
        Notification.objects.filter(pk=self.pk, mailed_at=at).update(mailed_at=None)
