"""Django's admin over every table: for repairs and for what has no page of its own yet.

What changes here is learned by the search index like any other change, in the same transaction. Staff see in it what
they may see elsewhere: a permission of Django's opens a table, `visible_to` the rows.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.forms import UserChangeForm
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from kb import markdown
from postmortems import search
from postmortems.forms import checked_terms
from postmortems.models import (
    ActionDuePolicy,
    ActionItem,
    Alert,
    Fix,
    FixUse,
    GlossaryEntry,
    ImportedFile,
    Incident,
    IntakePolicy,
    Postmortem,
    PostmortemPolicy,
    PostmortemTemplate,
    Problem,
    SectionText,
    Service,
    SigningKey,
    SuggestionOpening,
    SuggestionRun,
    SuggestionVerdict,
    Tag,
    Team,
    TemplateSection,
    TimelineEntry,
    Tracker,
    User,
)
from postmortems.workflows import auditing

if TYPE_CHECKING:  # generic for mypy only
    ModelForm = forms.ModelForm[Any]
    ModelAdmin = admin.ModelAdmin[Any]
    StackedInline = admin.StackedInline[Any, Any]
    TabularInline = admin.TabularInline[Any, Any]
    UserAdmin = auth_admin.UserAdmin[User]
else:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.auth.admin import UserAdmin
    from django.forms import ModelForm

admin.site.site_header = admin.site.site_title = "Postmortem knowledge base"
admin.site.index_title = "All tables"
# Jobs have a page of their own, for administrators: what an error says may name what other staff must not know of.
admin.site.unregister(DBTaskResult)

FIELDSETS: Any = auth_admin.UserAdmin.fieldsets
ADDRESSES: dict[Any, dict[str, str]] = {models.URLField: {"assume_scheme": "https"}}
MARKDOWN_FIELDS = ("symptoms", "steps", "body")


class MarkdownForm(ModelForm):
    """Says at the field what `save` would refuse: a text too complex to be formatted."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in MARKDOWN_FIELDS:
            try:
                markdown.render(cleaned.get(name) or "")
            except markdown.TooComplex as refusal:
                self.add_error(name, str(refusal))
        return cleaned


class AuditedAdmin(ModelAdmin):
    """What is changed here stands in the audit log, too: by whom, in which fields, from where."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        auditing.record("admin.add", on=obj, by=request.user, at=timezone.now())
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        auditing.record("admin.change", on=obj, by=request.user, at=timezone.now(), reason=said_of(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            auditing.record("admin.delete", on=row, by=request.user, at=timezone.now())
        return super().log_deletions(request, queryset)


def said_of(message: Any) -> str:
    """The names of the fields that were changed, as Django's own log has them."""
    parts = message if isinstance(message, list) else []
    fields = [
        str(name) for part in parts for what in part.values() for name in what.get("fields", [what.get("name", "")])
    ]
    return ", ".join(name for name in fields if name) or (message if isinstance(message, str) else "")


class VisibleAdmin(AuditedAdmin):
    """Rows that the reader may see, where the model knows who may."""

    form: type[ModelForm] = MarkdownForm
    formfield_overrides = ADDRESSES

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows


class IndexedAdmin(VisibleAdmin):
    """Tells the index of every change. `homes`: relations to rows whose documents hold text of this one."""

    homes: ClassVar[tuple[str, ...]] = ()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = list(self.homes_before(form))
        for formset in formsets:
            search.changed(*(inline.instance for inline in formset.deleted_forms if inline.instance.pk))
        super().save_related(request, form, formsets, change)
        search.changed(form.instance, *before, *self.homes_of(form.instance))

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        self.leave(obj)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.leave(row)
        super().delete_queryset(request, queryset)

    def leave(self, row: Any) -> None:
        # Said before the row is gone: afterwards nobody knows any more what hung on it.
        search.changed(row, *self.homes_of(row))

    def homes_of(self, row: Any) -> Iterator[Any]:
        for name in self.homes:
            value = getattr(row, name)
            if value is not None:
                yield from value.all() if hasattr(value, "all") else [value]

    def homes_before(self, form: Any) -> Iterator[Any]:
        for name in self.homes:
            value = form.initial.get(name)
            if value and isinstance(value, list):
                yield from value
            elif value:
                related: Any = self.model._meta.get_field(name).related_model
                yield from related.objects.filter(pk=getattr(value, "pk", value))


class NamedForm(ModelForm):
    """Aliases are read as a list of strings wherever names are compared."""

    def clean_aliases(self) -> list[str]:
        aliases = self.cleaned_data["aliases"] or []
        if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
            raise forms.ValidationError('A list of strings, for example ["kafka", "event bus"].')
        return aliases


class NamedAdmin(IndexedAdmin):
    form: type[ModelForm] = NamedForm
    list_display: Any = ("name", "slug")
    search_fields = ("name", "slug")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)}


# --- pieces of a page ---


class SectionInline(StackedInline):
    model = SectionText
    form = MarkdownForm
    extra = 0


class TimelineInline(TabularInline):
    model = TimelineEntry
    formfield_overrides = ADDRESSES
    extra = 0


class ActionItemInline(TabularInline):
    model = ActionItem
    fields = ("title", "kind", "state", "owner", "due_on", "priority", "reason")
    raw_id_fields = ("owner",)
    extra = 0
    show_change_link = True


class FixInline(StackedInline):
    model = Fix
    form = MarkdownForm
    fields = ("title", "kind", "state", "steps", "commands", "undo")
    extra = 0
    show_change_link = True


class FixUseInline(TabularInline):
    model = FixUse
    raw_id_fields = ("incident", "fix", "recorded_by")
    extra = 0


# --- tables ---


@admin.register(User)
class PersonAdmin(IndexedAdmin, UserAdmin):
    form = UserChangeForm
    fieldsets = (*FIELDSETS, ("Reading", {"fields": ("time_zone",)}))


@admin.register(Team)
class TeamAdmin(NamedAdmin):
    filter_horizontal = ("members",)


@admin.register(Service)
class ServiceAdmin(NamedAdmin):
    list_display = ("name", "slug", "owner_team", "tier", "retired_at")
    list_filter = ("tier", ("retired_at", admin.EmptyFieldListFilter), "owner_team")
    list_select_related = ("owner_team",)
    autocomplete_fields = ("owner_team",)


@admin.register(Tag)
class TagAdmin(NamedAdmin):
    pass


@admin.register(Incident)
class IncidentAdmin(IndexedAdmin):
    list_display = ("ref", "title", "severity", "status", "kind", "visibility", "started_at")
    list_filter = ("status", "severity", "kind", "visibility", "environment", "services")
    search_fields = ("title", "symptoms", "error_excerpt")
    date_hierarchy = "started_at"
    autocomplete_fields = ("services", "members", "shared_with", "reported_by", "commander")
    readonly_fields = ("search_version", "symptoms_html", "first_report", "created_at")
    inlines = (TimelineInline, ActionItemInline, FixUseInline)


@admin.register(Postmortem)
class PostmortemAdmin(IndexedAdmin):
    homes = ("incidents",)
    list_display = ("ref", "title", "status", "severity", "occurred_on", "visibility", "owner")
    list_filter = ("status", "severity", "kind", "visibility", "cause_category", "services")
    list_select_related = ("owner",)
    search_fields = ("title", "sections__body")
    date_hierarchy = "occurred_on"
    autocomplete_fields = (
        *("incidents", "problem", "owner", "team"),
        *("services", "tags", "members", "shared_with"),
    )
    readonly_fields = ("search_version", "created_at", "updated_at")
    inlines = (SectionInline, TimelineInline, FixInline, ActionItemInline)


@admin.register(ImportedFile)
class ImportedFileAdmin(ModelAdmin):
    list_display = ("path", "postmortem", "imported_at")
    list_select_related = ("postmortem",)
    search_fields = ("path", "identity")
    readonly_fields = ("postmortem", "identity", "path", "content_hash", "fingerprint", "text", "imported_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.filter(postmortem__in=Postmortem.objects.visible_to(request.user).values("pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Problem)
class ProblemAdmin(IndexedAdmin):
    list_display = ("title", "cause_category", "state")
    list_filter = ("state", "cause_category")
    search_fields = ("title", "discriminating_check")


@admin.register(Fix)
class FixAdmin(IndexedAdmin):
    homes = ("postmortem",)
    list_display = ("ref", "title", "kind", "state", "last_confirmed", "visibility")
    list_filter = ("state", "kind", "visibility", "services")
    search_fields = ("title", "steps", "commands")
    autocomplete_fields = ("problem", "postmortem", "services", "members", "shared_with")
    readonly_fields = ("search_version", "steps_html", "created_at")
    inlines = (FixUseInline,)


@admin.register(FixUse)
class FixUseAdmin(VisibleAdmin):
    list_display = ("fix", "incident", "outcome", "at")
    list_filter = ("outcome",)
    list_select_related = ("fix", "incident")
    search_fields = ("fix__title", "incident__title", "note")
    autocomplete_fields = ("fix", "incident", "recorded_by")


@admin.register(ActionItem)
class ActionItemAdmin(IndexedAdmin):
    homes = ("postmortem", "incident")
    list_display = ("title", "state", "priority", "owner", "due_on")
    list_filter = ("state", "priority", "kind")
    list_select_related = ("owner",)
    search_fields = ("title", "details", "owner_text")
    autocomplete_fields = ("postmortem", "incident", "owner")


@admin.register(TimelineEntry)
class TimelineEntryAdmin(IndexedAdmin):
    homes = ("postmortem", "incident")
    list_display = ("at", "kind", "text", "postmortem", "incident")
    list_filter = ("kind",)
    list_select_related = ("postmortem", "incident")
    search_fields = ("text",)
    autocomplete_fields = ("postmortem", "incident")


class GlossaryEntryForm(ModelForm):
    def clean_terms(self) -> str:
        return checked_terms(self.cleaned_data["terms"], but=self.instance.pk)


@admin.register(GlossaryEntry)
class GlossaryEntryAdmin(VisibleAdmin):
    form = GlossaryEntryForm
    list_display = ("__str__", "updated_at")
    search_fields = ("terms",)


class TemplateSectionInline(StackedInline):
    model = TemplateSection
    extra = 0


@admin.register(PostmortemTemplate)
class PostmortemTemplateAdmin(AuditedAdmin):
    list_display = ("name", "kind", "severity")
    search_fields = ("name",)
    inlines = (TemplateSectionInline,)


@admin.register(PostmortemPolicy)
class PostmortemPolicyAdmin(AuditedAdmin):
    list_display = ("severity", "kind", "is_required", "days_until_due")
    search_fields = ("severity", "kind")


@admin.register(ActionDuePolicy)
class ActionDuePolicyAdmin(AuditedAdmin):
    list_display = ("severity", "priority", "days")
    list_editable = ("days",)
    search_fields = ("severity", "priority")


@admin.register(Tracker)
class TrackerAdmin(AuditedAdmin):
    list_display = ("name", "shape", "prefix", "url_template")
    search_fields = ("name", "prefix")


@admin.register(SuggestionRun, SuggestionOpening, SuggestionVerdict)
class MeasurementAdmin(ModelAdmin):
    """To look at, by administrators: a row may name what other readers must not know of."""

    list_display = ("__str__", "at")
    date_hierarchy = "at"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return isinstance(request.user, User) and request.user.is_administrator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# --- alerts ---


@admin.register(IntakePolicy)
class IntakePolicyAdmin(AuditedAdmin):
    list_display = ("position", "source", "label", "values", "action", "severity", "visibility")
    list_display_links = ("source", "label")
    search_fields = ("source", "label", "values")
    autocomplete_fields = ("team",)


@admin.register(Alert)
class AlertAdmin(ModelAdmin):
    """To look at: what came, and what became of it."""

    list_display = ("title", "source", "state", "started_at", "deliveries", "flaps", "incident")
    list_filter = ("source", "state")
    list_select_related = ("incident",)
    search_fields = ("title", "series")
    date_hierarchy = "last_seen_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(pk__in=Alert.objects.visible_to(request.user).values("pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SigningKeyForm(ModelForm):
    """The secret goes in and never comes out; to exchange it, add a second key and revoke the first."""

    secret = forms.CharField(
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="As the vendor shows it. It is not shown again.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("secret") and not self.instance.sealed_secret:
            self.add_error("secret", "Enter the secret that the vendor signs with.")
        if not cleaned.get("account") and cleaned.get("source") != SigningKey.Source.SLACK:
            self.add_error("account", "Choose the program's account that the alerts come in by.")
        return cleaned

    def _post_clean(self) -> None:
        if secret := self.cleaned_data.get("secret"):
            self.instance.keep(secret)
        super()._post_clean()  # type: ignore[misc]


@admin.register(SigningKey)
class SigningKeyAdmin(AuditedAdmin):
    form = SigningKeyForm
    list_display = ("name", "source", "account", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("account",)
    fields = ("source", "name", "account", "secret", "revoked_at")
