"""The postmortem: its sections as rows, its life, and where it was imported from."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from kb import markdown
from kb.errors import DomainError
from postmortems import roles, sections
from postmortems.models.access import Restrictable, RestrictableQuerySet, Visibility
from postmortems.models.catalogue import Service, Tag, Team
from postmortems.models.incident import TITLE_LENGTH, Environment, Incident, Kind, Severity
from postmortems.models.indexed import Indexed
from postmortems.models.problem import CauseCategory, Problem


class NotReady(DomainError):
    """The postmortem is in a state that this step does not start from, or something is still missing."""


class NotNewest(DomainError):
    """Somebody else has saved it since."""


class PostmortemQuerySet(RestrictableQuerySet["Postmortem"]):
    def published(self) -> Self:
        return self.filter(status=Postmortem.Status.PUBLISHED)

    def unpublished(self) -> Self:
        return self.exclude(status__in=Postmortem.READABLE)

    def open_where(self, at: str = "") -> Q:
        return self.readable(at) & ~self._has_incident(Q(incident__visibility=Visibility.RESTRICTED), at)

    def seen_where(self, user: Any, at: str = "") -> Q:
        """What is open, theirs, names them, or a draft of their team; never where an incident of it is hidden."""
        mine = Q(**{f"{at}owner": user}) | self.names(user, at)
        of_my_team = Q(**{f"{at}visibility": Visibility.OPEN, f"{at}pk__in": self._pks(team__members=user)})
        is_hidden = ~Incident.objects.seen_where(user, "incident__")
        return (self.readable(at) | mine | of_my_team) & ~self._has_incident(is_hidden, at)

    def editable_by(self, user: Any) -> Self:
        """One's own, one's team's, and those that name one; all that one may see with `write_any`."""
        seen = self.visible_to(user)
        if roles.may(user, "write_any"):
            return seen
        if not roles.may(user, "write"):
            return seen.none()
        return seen.filter(Q(owner=user) | Q(pk__in=self._pks(team__members=user)) | self.names(user))

    def reviewable_by(self, user: Any) -> Self:
        """Those whose review one may read: any unpublished one, later one's own and those that one reviewed."""
        seen, mine = self.visible_to(user), self.model._default_manager.editable_by(user)
        asked = Q(pk__in=self._pks(review_requests__reviewer=user))
        return seen.filter(~Q(status__in=Postmortem.READABLE) | asked | Q(pk__in=mine.values("pk")))

    def with_rights(self, user: Any) -> Self:
        """Annotates `is_editable`: whether this user may edit it."""
        mine = self.model._default_manager.editable_by(user)
        return self.annotate(is_editable=Exists(mine.filter(pk=OuterRef("pk"))))

    def readable(self, at: str = "") -> Q:
        return Q(**{f"{at}visibility": Visibility.OPEN, f"{at}status__in": Postmortem.READABLE})

    def _has_incident(self, condition: Q, at: str) -> Q:
        of_this = Postmortem.incidents.through.objects.filter(postmortem=OuterRef(f"{at}pk"))
        return Q(Exists(of_this.filter(condition)))

    def newest_first(self) -> Self:
        return self.order_by(models.F("occurred_on").desc(nulls_last=True), "-pk")


class Postmortem(Indexed, Restrictable):
    """What happened, what fixed it, and what we learned. Zero or more incidents: imports have none."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPROVED = "approved", "Approved"
        PUBLISHED = "published", "Published"
        ARCHIVED = "archived", "Archived"

    READABLE = (Status.PUBLISHED, Status.ARCHIVED)
    search_kind = "postmortem"
    ref_prefix = "PM"

    title = models.CharField(max_length=TITLE_LENGTH)
    incidents = models.ManyToManyField(Incident, blank=True, related_name="postmortems")
    problem = models.ForeignKey(Problem, null=True, blank=True, on_delete=models.SET_NULL, related_name="postmortems")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="postmortems"
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="postmortems")
    authors = models.CharField(max_length=500, blank=True, help_text="As written in an imported document.")
    status = models.CharField(max_length=18, choices=Status.choices, default=Status.DRAFT)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SERVICE)
    severity = models.CharField(max_length=4, choices=Severity.choices, blank=True)
    environment = models.CharField(max_length=12, choices=Environment.choices, blank=True)
    cause_category = models.CharField(max_length=20, choices=CauseCategory.choices, blank=True)
    services = models.ManyToManyField(Service, blank=True, related_name="postmortems")
    tags = models.ManyToManyField(Tag, blank=True, related_name="postmortems")
    occurred_on = models.DateField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    source_url = models.CharField(max_length=1000, blank=True, help_text="The public report, if there is one.")
    due_on = models.DateField(null=True, blank=True, help_text="To be published by then, by the policy.")
    revision = models.PositiveIntegerField(default=0, help_text="The number of the newest revision; 0: none yet.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    published_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = PostmortemQuerySet.as_manager()

    class Meta:
        ordering = ["-occurred_on", "-pk"]
        indexes = [models.Index(fields=["status", "-occurred_on"])]
        constraints = [
            *Restrictable.Meta.constraints,
            models.CheckConstraint(condition=~Q(title=""), name="postmortem_has_title"),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "draft",
                        "in_review",
                        "changes_requested",
                        "approved",
                        "published",
                        "archived",
                    ]
                ),
                name="postmortem_status_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["published", "archived"]) | Q(published_at__isnull=False),
                name="published_has_date",
            ),
            models.CheckConstraint(
                condition=Q(severity="") | Q(severity__in=Severity.values),
                name="postmortem_severity_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("postmortem_detail", args=[self.ref])

    @property
    def is_published(self) -> bool:
        return self.status == self.Status.PUBLISHED

    @property
    def is_unfinished(self) -> bool:
        """Still to be published: its due date counts."""
        return self.status not in self.READABLE

    def text_of(self, key: str) -> str:
        """The Markdown of one section; empty if it was not written."""
        return next((text.body for text in self.sections.all() if text.key == key), "")

    def sections_in_order(self) -> list["SectionText"]:
        """The written sections in reading order."""
        place = {key: n for n, key in enumerate(sections.KEYS)}
        return sorted((text for text in self.sections.all() if text.body.strip()), key=lambda text: place[text.key])

    def write(self, key: str, body: str, *, html: str | None = None) -> "SectionText":
        """Set one section. Its HTML is made now, once, unless the caller has made it of this very text."""
        if html is None:
            return SectionText.objects.update_or_create(postmortem=self, key=key, defaults={"body": body})[0]
        text = SectionText(postmortem=self, key=key, body=body, html=html)
        SectionText.objects.bulk_create(
            [text], update_conflicts=True, unique_fields=["postmortem", "key"], update_fields=["body", "html"]
        )
        return text

    def describe(self, **fields: Any) -> None:
        """Title, kind, severity and what else stands beside the sections."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=[*fields, "updated_at"])

    def take_number(self, number: int) -> None:
        """The next revision. Of two who take the same number at once, one is refused."""
        taken = Postmortem.objects.filter(pk=self.pk, revision=number - 1).update(revision=number)
        self.refresh_from_db(fields=["revision"])
        if not taken:
            raise NotNewest(f"{self.ref} was saved by somebody else at the same moment. Save again.")

    def belong_to(self, problem: Problem | None) -> None:
        """It is one showing of this problem, and of no other."""
        self.problem = problem
        self.save(update_fields=["problem", "updated_at"])

    def ask_review(self) -> None:
        """For the first time, or again after changes were asked for."""
        self._step({self.Status.DRAFT, self.Status.CHANGES_REQUESTED}, self.Status.IN_REVIEW)

    def request_changes(self, *, revision: int) -> None:
        """A reviewer of this revision wants it changed; until it is published an approval can be taken back so."""
        starts = {self.Status.IN_REVIEW, self.Status.APPROVED}
        self._step(starts, self.Status.CHANGES_REQUESTED, revision=revision)

    def approve(self, *, revision: int) -> None:
        """All reviewers approve of this revision, and it is still the newest."""
        self._step({self.Status.IN_REVIEW}, self.Status.APPROVED, revision=revision)

    def needs_fresh_review(self) -> bool:
        """Call it with every new revision: what was approved is another text now. True if it had been approved."""
        approved = Postmortem.objects.filter(pk=self.pk, status=self.Status.APPROVED)
        moved = approved.update(status=self.Status.IN_REVIEW)
        self.refresh_from_db(fields=["status"])
        return bool(moved)

    def publish_approved(self, *, at: datetime) -> None:
        """The last step of a review."""
        self._refuse_if_empty()
        self._step({self.Status.APPROVED}, self.Status.PUBLISHED, published_at=at)

    def archive(self, *, at: datetime) -> None:
        """Kept for the record; it does not describe how things are any more."""
        self._step({self.Status.PUBLISHED}, self.Status.ARCHIVED, archived_at=at)

    def publish_again(self) -> None:
        self._step({self.Status.ARCHIVED}, self.Status.PUBLISHED, archived_at=None)

    def _step(self, starts: set[Any], status: Any, *, revision: int | None = None, **times: datetime | None) -> None:
        # The database decides: of two people who press at once, one is refused, and so is who read an older text.
        rows = Postmortem.objects.filter(pk=self.pk, status__in=starts)
        moved = (rows if revision is None else rows.filter(revision=revision)).update(status=status, **times)
        self.refresh_from_db(fields=["status", "revision", *times])
        if moved:
            return
        if revision is not None and self.status in starts:
            raise NotReady(f"{self.ref} was changed while you read: look at revision {self.revision}, then decide.")
        raise NotReady(f"{self.ref} stands at “{self.get_status_display()}”: this step does not start from there.")

    def _refuse_if_empty(self) -> None:
        if not self.sections.filter(body__regex=r"\S").exists():
            raise NotReady("Nothing is written yet: fill at least one section.")

    def publish(self, *, at: datetime) -> None:
        """Without a review: imports, sample data, and who may publish in spite of it. Needs one written section."""
        self._refuse_if_empty()
        moved = (
            Postmortem.objects.filter(pk=self.pk).unpublished().update(status=self.Status.PUBLISHED, published_at=at)
        )
        self.refresh_from_db(fields=["status", "published_at"])
        if not moved:
            raise NotReady(f"{self.ref} is already {self.get_status_display().lower()}.")


class SectionText(models.Model):
    """What was written under one section key, and its sanitized HTML, made once at save."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="sections")
    key = models.CharField(max_length=30, choices=sections.choices)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "key"], name="one_text_per_section")]

    def __str__(self) -> str:
        return f"{self.postmortem.ref} {self.title}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.html = markdown.render(self.body)
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "html"}
        super().save(*args, **kwargs)

    @property
    def title(self) -> str:
        return sections.BY_KEY[self.key].title


class ImportedFile(models.Model):
    """Where an imported postmortem came from, and the file as it was: no character of the source is lost."""

    postmortem = models.OneToOneField(Postmortem, on_delete=models.CASCADE, related_name="imported_file")
    identity = models.CharField(max_length=500, unique=True, help_text="What makes the source the same file again.")
    path = models.CharField(max_length=1000)
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of the file's bytes.")
    fingerprint = models.CharField(
        max_length=64, help_text="Of the postmortem as the import left it: later edits differ."
    )
    text = models.TextField(help_text="The whole source, decoded.")
    imported_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.path
