"""What a postmortem said at each save, for good; and what somebody is still typing."""

from datetime import UTC, datetime
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

    def numbered(self, number: int) -> "Revision | None":
        return self.filter(number=number).first()

    def after(self, number: int) -> "RevisionQuerySet":
        return self.filter(number__gt=number)

    def first_of(self, postmortem: Postmortem, *, by: Any, at: datetime, note: str = "") -> "Revision":
        """The newest revision; where there is none yet, revision 1 is made of the present state."""
        if Postmortem.objects.filter(pk=postmortem.pk, revision=0).update(revision=1):
            content = content_of(postmortem)
            self.create(postmortem=postmortem, number=1, content=content, by=by, at=at, note=note)
        postmortem.refresh_from_db(fields=["revision"])
        return self.get(postmortem=postmortem, number=postmortem.revision)


def content_of(postmortem: Postmortem) -> dict[str, Any]:
    """What people write of it, as plain values: from this row and the rows that hang on it, as they are now."""
    return texts_of(postmortem) | {"timeline": [moment_of(entry) for entry in postmortem.timeline.all()]}


def texts_of(postmortem: Postmortem) -> dict[str, Any]:
    """The content without its timeline: what the editor shows. Empty is `""`, never None."""
    plain = ("title", "kind", "severity", "environment", "cause_category", "source_url")
    moments = ("occurred_on", "started_at", "ended_at")
    return {
        **{name: getattr(postmortem, name) for name in plain},
        **{name: value.isoformat() if value else "" for name in moments for value in [getattr(postmortem, name)]},
        "owner": postmortem.owner.get_username() if postmortem.owner else "",
        "sections": {text.key: text.body for text in postmortem.sections_in_order()},
        "services": sorted(service.slug for service in postmortem.services.all()),
        "tags": sorted(tag.name for tag in postmortem.tags.all()),
    }


def moment_of(entry: Any) -> dict[str, str]:
    """A row of the timeline as a plain value."""
    at = entry.at.astimezone(UTC).isoformat()
    return {"at": at, "kind": entry.kind, "text": entry.text, "evidence_url": entry.evidence_url}


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


class NotKept(DomainError):
    """Another window of the same person keeps its own unsaved text."""


class WorkingCopyQuerySet(models.QuerySet["WorkingCopy"]):
    def of(self, postmortem: Postmortem, user: Any) -> "WorkingCopy | None":
        return self.filter(postmortem=postmortem, user=user).first()

    def keep(self, *, known: str, postmortem: Postmortem, user: Any, **values: Any) -> "WorkingCopy":
        """What is typed now. `known`: the `mark` of the copy that it goes on from; a newer one is never overwritten."""
        there, is_new = self.get_or_create(postmortem=postmortem, user=user, defaults=values)
        if is_new:
            return there
        mine = self.filter(pk=there.pk, saved_at=there.saved_at)
        if there.mark != known or not mine.update(**values):
            raise NotKept("You have other unsaved text of this postmortem, from another window or an earlier visit.")
        return self.get(pk=there.pk)


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

    @property
    def mark(self) -> str:
        """Tells this state of it from an earlier and a later one."""
        return self.saved_at.isoformat()
