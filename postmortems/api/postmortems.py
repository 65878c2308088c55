"""Postmortems: drafted, written in revisions, reviewed, published, compared with what they look like."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb import markdown
from kb.api_schema import sent_like, taking
from postmortems import sections
from postmortems.api import fields
from postmortems.api.access_rules import Shareable
from postmortems.api.attachments import HasAttachments
from postmortems.api.base import Fields, Outdated, ReasonInput, Step, etag_of, unwatch
from postmortems.api.reviews import HasReview
from postmortems.api.timelines import HasTimeline, NewEntrySerializer
from postmortems.filters import PostmortemFilter
from postmortems.models import (
    CauseCategory,
    Environment,
    Fix,
    Incident,
    Kind,
    Postmortem,
    Revision,
    Severity,
    TimelineEntry,
)
from postmortems.models.catalogue import NAME_LENGTH
from postmortems.models.incident import TITLE_LENGTH
from postmortems.models.postmortem import NotNewest
from postmortems.workflows import drafting, publishing, timelines, watching, writing

MOST_TAGS = 30
BASE = "The revision that it was written on; what others saved since is merged in. Left out: the newest."

# --- shown ---


class PostmortemBrief(fields.ReadOnly[Postmortem]):
    """A postmortem in a list."""

    url = fields.page_address()
    owner = fields.person()
    team = fields.Shown("slug", allow_null=True)
    services = fields.slugs()
    tags = fields.slugs()

    class Meta:
        model = Postmortem
        fields: tuple[str, ...] = (
            *("ref", "url", "title", "kind", "severity", "status", "visibility", "environment", "cause_category"),
            *("services", "tags", "owner", "team", "occurred_on", "due_on", "published_at", "updated_at", "revision"),
        )


class PostmortemSerializer(PostmortemBrief):
    """A postmortem with its text, by the keys of `/sections/`, and what hangs on it as far as one may see that."""

    sections = serializers.SerializerMethodField()
    incidents = fields.refs()
    fixes = fields.refs()
    problem = fields.ref()

    class Meta(PostmortemBrief.Meta):
        fields: tuple[str, ...] = (
            *PostmortemBrief.Meta.fields,
            *("sections", "incidents", "fixes", "problem", "authors", "started_at", "ended_at", "source_url"),
            *("created_at", "archived_at"),
        )

    def get_sections(self, row: Postmortem) -> dict[str, str]:
        return {text.key: text.body for text in row.sections_in_order()}


class SectionSerializer(serializers.Serializer[Any]):
    """One section: its Markdown, and the HTML that pages show."""

    key = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField(allow_blank=True)
    html = serializers.CharField(allow_blank=True)


class RevisionBrief(fields.ReadOnly[Revision]):
    """One save."""

    by = fields.person()

    class Meta:
        model = Revision
        fields: tuple[str, ...] = ("number", "by", "at", "note")


class RevisionSerializer(RevisionBrief):
    """One save with what was said then."""

    content = serializers.DictField(read_only=True)

    class Meta(RevisionBrief.Meta):
        fields: tuple[str, ...] = (*RevisionBrief.Meta.fields, "content")


# --- sent ---


def body_field(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=fields.TEXT_LENGTH, allow_blank=True, trim_whitespace=False, validators=[can_be_formatted], **kwargs
    )


def can_be_formatted(text: str) -> None:
    """What cannot be formatted is refused here and not when it is saved."""
    if len(text) <= fields.TEXT_LENGTH:
        try:
            markdown.render(text)
        except markdown.TooComplex as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal


class SectionsField(serializers.Serializer[Any]):
    """Markdown by section; what is left out stays."""

    def get_fields(self) -> Any:
        return {section.key: body_field(required=False, help_text=section.prompt) for section in sections.SECTIONS}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(sections.KEYS))):
            raise serializers.ValidationError({unknown[0][:100]: "There is no such section."})
        known = super().to_internal_value(data)
        return {key: _one_line_end(body) for key, body in known.items()}


def _one_line_end(text: str) -> str:
    # A merge by lines needs one kind of line end.
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip()


@sent_like(incident="INC-7")
class BeginInput(serializers.Serializer[Any]):
    """A postmortem of something that was never declared here; or, with `incident`, of one that is over."""

    incident = fields.Ref(Incident, required=False, help_text="Drafted from this one: nothing else is needed.")
    title = serializers.CharField(max_length=TITLE_LENGTH, required=False)
    kind = serializers.ChoiceField(Kind.choices, required=False, default=Kind.SERVICE)
    severity = serializers.ChoiceField(Severity.choices, required=False, allow_blank=True, default="")
    services = fields.many(fields.ServiceSlug(), required=False, default=list)
    occurred_on = serializers.DateField(required=False, allow_null=True, default=None)

    def validate(self, attrs: Fields) -> Fields:
        if "incident" not in attrs and not attrs.get("title"):
            raise serializers.ValidationError({"title": "Say in a few words what happened, or name its incident."})
        return attrs

    def validate_occurred_on(self, value: Any) -> Any:
        return _not_later_than_today(value)


def _not_later_than_today(value: Any) -> Any:
    if value and value > timezone.localdate():
        raise serializers.ValidationError("This lies in the future. When did it happen?")
    return value


@sent_like(sections={"impact": "Nobody could pay, from 14:05 to 14:31."}, note="Impact is known")
class TextInput(serializers.Serializer[Any]):
    """What is to be changed; what is left out stays. It becomes a revision."""

    title = serializers.CharField(max_length=TITLE_LENGTH, required=False)
    kind = serializers.ChoiceField(Kind.choices, required=False)
    severity = serializers.ChoiceField(Severity.choices, required=False, allow_blank=True)
    environment = serializers.ChoiceField(Environment.choices, required=False, allow_blank=True)
    cause_category = serializers.ChoiceField(CauseCategory.choices, required=False, allow_blank=True)
    occurred_on = serializers.DateField(required=False, allow_null=True)
    owner = fields.UserName(required=False, allow_null=True)
    services = fields.many(fields.ServiceSlug(), required=False)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=NAME_LENGTH), required=False, max_length=MOST_TAGS
    )
    sections = SectionsField(required=False)
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    base = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False, help_text=BASE)

    def validate_occurred_on(self, value: Any) -> Any:
        return _not_later_than_today(value)


def changes_of(said: Fields) -> Fields:
    """The parts of a content (see `workflows/snapshots.py`) that were sent."""
    known = {name: value for name, value in said.items() if name not in {"note", "base"}}
    if "occurred_on" in known:
        known["occurred_on"] = known["occurred_on"].isoformat() if known["occurred_on"] else ""
    if "owner" in known:
        known["owner"] = known["owner"].username if known["owner"] else ""
    if "services" in known:
        known["services"] = sorted({service.slug for service in known["services"]})
    if "tags" in known:
        names = [" ".join(name.split()) for name in known["tags"]]
        known["tags"] = sorted({name.casefold(): name for name in names if name}.values())
    return known


class SectionInput(serializers.Serializer[Any]):
    body = body_field()
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    base = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False, help_text=BASE)


class RestoreInput(serializers.Serializer[Any]):
    newest = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, help_text="The revision that was the newest when you decided this."
    )


# --- the resource ---


class Postmortems(HasReview, HasTimeline, HasAttachments, Shareable):
    """What happened, what fixed it, what we learned."""

    # How they are reviewed: reviews.py.
    model = Postmortem
    brief = PostmortemBrief
    serializer_class = PostmortemSerializer
    filterset_class = PostmortemFilter
    steps = {
        "publish": Step(
            "What was approved becomes readable and findable; a manager may say why it is published without.",
            publishing.publish,
            ReasonInput,
        ),
        "archive": Step("Kept for the record. Needs a reason.", publishing.archive, ReasonInput),
        "publish-again": Step("Back from the archive.", publishing.publish_again),
        "look-again": Step(
            "Ask how it compares with what looks like it and was published since.", publishing.look_again
        ),
        "watch": Step("Be told of it from now on.", watching.watch),
        "unwatch": Step("Not any more.", unwatch),
    }

    def rows(self) -> Any:
        user = self.request.user
        rows: Any = Postmortem.objects.visible_to(user).newest_first().select_related("owner", "team")
        rows = rows.prefetch_related("services", "tags")
        if self.action == "list":
            return rows
        return rows.select_related("problem").prefetch_related(
            "sections",
            Prefetch("incidents", Incident.objects.visible_to(user).order_by("pk")),
            Prefetch("fixes", Fix.objects.visible_to(user).order_by("pk")),
        )

    @taking("key")
    @extend_schema(request=BeginInput, responses={201: PostmortemSerializer})
    def create(self, request: Request) -> Response:
        """Begin a draft: of an incident that is over (if it has one already, that one), or of something else."""
        return self.created(self._begin)

    def _begin(self) -> Postmortem:
        said = self.sent(BeginInput)
        if "incident" in said:
            return drafting.draft_from(said["incident"], **self.now())
        return drafting.begin(**said, **self.now())

    @taking("version")
    @extend_schema(request=TextInput, responses=PostmortemSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Save a revision with these changes.

        With `If-Match` only if nobody changed it since; with `base` what others saved is merged in, and where they
        changed the same lines nothing is saved.
        """
        row = self.row()
        said = self.sent(TextInput, partial=True)
        self._save(row, changes_of(said), said)
        return self.shown(row)

    def _save(self, row: Postmortem, changes: Fields, said: Fields) -> None:
        version = self.request.headers.get("If-Match")
        if version is not None:
            self.insist_on(version, row)
        base = said.get("base", row.revision)
        try:
            writing.save_revision(
                row, changes=changes, base=base, note=said.get("note", ""), exact=version is not None, **self.now()
            )
        except NotNewest as refusal:
            if version is None:
                raise
            raise Outdated from refusal

    @extend_schema(responses=SectionSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def sections(self, request: Request, **kwargs: Any) -> Response:
        """What is written, in reading order."""
        return Response(SectionSerializer(self.row().sections_in_order(), many=True).data)

    @taking("version")
    @extend_schema(methods=["GET"], responses=SectionSerializer)
    @extend_schema(methods=["PUT"], request=SectionInput, responses=SectionSerializer)
    @action(detail=True, methods=["get", "put"], url_path="sections/<slug:key>", filterset_class=None)
    def section(self, request: Request, key: str, **kwargs: Any) -> Response:
        """One section. The version is the postmortem's: `If-Match` means the whole."""
        if key not in sections.BY_KEY:
            raise Http404
        row = self.row()
        if request.method == "PUT":
            said = self.sent(SectionInput)
            self._save(row, {"sections": {key: _one_line_end(said["body"])}}, said)
            row = self.row()
        text = next((text for text in row.sections.all() if text.key == key), None)
        known = {"key": key, "title": sections.BY_KEY[key].title}
        data = {**known, "body": text.body if text else "", "html": text.html if text else ""}
        return Response(data, headers={"ETag": etag_of(self.data_of(row))})

    @extend_schema(responses=RevisionBrief(many=True))
    @action(detail=True, filterset_class=None)
    def revisions(self, request: Request, **kwargs: Any) -> Response:
        """Each save, the newest first."""
        return self.listed(_revisions(self.row()), RevisionBrief)

    @extend_schema(responses=RevisionSerializer)
    @action(detail=True, url_path="revisions/<int:number>", filterset_class=None)
    def revision(self, request: Request, number: int, **kwargs: Any) -> Response:
        """What was said then."""
        found = get_object_or_404(_revisions(self.row()), number=number)
        return self.versioned(RevisionSerializer(found).data)

    @extend_schema(request=RestoreInput, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"], url_path="revisions/<int:number>/restore", filterset_class=None)
    def restore(self, request: Request, number: int, **kwargs: Any) -> Response:
        """The text of an old revision, as a new one."""
        row = self.row()
        found = get_object_or_404(_revisions(row), number=number)
        writing.restore(found, **self.sent(RestoreInput), **self.now())
        return self.shown(row)

    def add_entry(self, home: Postmortem) -> TimelineEntry:
        said = {"at": timezone.now(), **self.sent(NewEntrySerializer)}
        return timelines.add(home, **said, by=self.request.user, now=timezone.now())


def _revisions(postmortem: Postmortem) -> QuerySet[Revision]:
    return Revision.objects.filter(postmortem=postmortem).select_related("by").order_by("-number")
