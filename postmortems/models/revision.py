"""What a postmortem said at each save, for good; and what somebody is still typing."""

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q

from kb.errors import DomainError
from postmortems.models.postmortem import Postmortem


class Immutable(DomainError):
    """What was once said stays said."""


class RevisionQuerySet(models.QuerySet["Revision"]):
    def visible_to(self, user: Any) -> "RevisionQuerySet":
        return self.filter(Postmortem.objects.visible_where(user, "postmortem__"))

    def update(self, **_fields: Any) -> NoReturn:
        raise Immutable("A revision cannot be changed.")

    def first_of(self, postmortem: Postmortem, *, by: Any, at: datetime) -> "Revision":
        """The newest revision; where there is none yet, revision 1 is made of the present state."""
        if Postmortem.objects.filter(pk=postmortem.pk, revision=0).update(revision=1):
            self.create(postmortem=postmortem, number=1, content=content_of(postmortem), by=by, at=at)
        postmortem.refresh_from_db(fields=["revision"])
        return self.get(postmortem=postmortem, number=postmortem.revision)


def content_of(postmortem: Postmortem) -> dict[str, Any]:
    """The whole text as it stands now, as plain values."""
    plain = ("title", "kind", "severity", "environment", "cause_category", "source_url")
    moments = ("occurred_on", "started_at", "ended_at")
    return {
        **{name: getattr(postmortem, name) for name in plain},
        **{name: value and value.isoformat() for name in moments for value in [getattr(postmortem, name)]},
        "sections": {text.key: text.body for text in postmortem.sections_in_order()},
        "services": [service.slug for service in postmortem.services.all()],
        "tags": [tag.name for tag in postmortem.tags.all()],
        "timeline": [
            {"at": entry.at.isoformat(), "kind": entry.kind, "text": entry.text, "evidence_url": entry.evidence_url}
            for entry in postmortem.timeline.all()
        ],
    }


class Revision(models.Model):
    """The whole text at one save. `content`: title, sections {key: Markdown}, timeline, services, tags ..."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    note = models.CharField(max_length=300, blank=True, help_text="What changed, in the words of who changed it.")

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "number"], name="one_revision_per_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="revisions_count_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.postmortem.ref} revision {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Immutable("A revision cannot be changed.")
        super().save(*args, **kwargs)


class WorkingCopyQuerySet(models.QuerySet["WorkingCopy"]):
    def of(self, postmortem: Postmortem, user: Any) -> "WorkingCopy | None":
        return self.filter(postmortem=postmortem, user=user).first()


class WorkingCopy(models.Model):
    """What one person typed and has not saved yet. Nobody else ever sees it."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="working_copies")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    base_revision = models.PositiveIntegerField(help_text="The revision this text was begun from.")
    content = models.JSONField(help_text="The fields of the editor as they were posted.")
    saved_at = models.DateTimeField()

    objects = WorkingCopyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "working copies"
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "user"], name="one_working_copy_per_postmortem_and_person")
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.postmortem.ref}"
