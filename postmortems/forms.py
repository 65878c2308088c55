"""What people type: validated and translated, nothing else. Nothing is saved here."""

from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from kb.clock import is_showable
from kb.errors import DomainError
from postmortems import moments
from postmortems.models import (
    Environment,
    Fix,
    FixUse,
    GlossaryEntry,
    Incident,
    Kind,
    Service,
    Severity,
    SuggestionVerdict,
    TimelineEntry,
)
from postmortems.models.incident import TITLE_LENGTH, DetectionSource
from postmortems.search import glossary
from postmortems.suggestions import Report

TEXT_LENGTH = 100_000  # about 1,500 log lines; more than that belongs in a log store, with a link
SEVERITIES = {
    Severity.SEV1: "Most people cannot work, or data is being lost.",
    Severity.SEV2: "Something important fails for many people.",
    Severity.SEV3: "Some people are affected, or there is a way around.",
    Severity.SEV4: "Nobody is held up yet.",
}
KINDS = {
    Kind.SERVICE: "Service: something people use does not work as it should.",
    Kind.SECURITY: "Security: only you and administrators will see it until you share it.",
    Kind.NEAR_MISS: "Near miss: nothing broke, and it almost did.",
    Kind.EXERCISE: "Exercise: we broke it on purpose.",
}


class MomentInput(forms.DateTimeInput):
    """The browser's own date and time picker, in the reader's zone."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def shown_anywhere(at: datetime) -> None:
    """Refuses what cannot be said in every time zone."""
    if not is_showable(at):
        raise forms.ValidationError("Write the year in four digits, such as 2026.")


class ReportForm(forms.Form):
    """What is known of an incident. Nothing is required here: suggestions take what there is."""

    title = forms.CharField(
        label="What is broken?",
        max_length=TITLE_LENGTH,
        error_messages={"required": "Say in a few words what is broken."},
        widget=forms.TextInput(attrs={"placeholder": "Checkout answers 503", "autocomplete": "off"}),
    )
    symptoms = forms.CharField(
        label="What do you see?",
        help_text="Two lines are enough: what people notice, what the graphs show, since when.",
        max_length=TEXT_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    error_excerpt = forms.CharField(
        label="Error or log lines",
        help_text="Paste them as they are.",
        max_length=TEXT_LENGTH,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
    )
    services = forms.ModelMultipleChoiceField(
        queryset=Service.objects.none(),
        to_field_name="slug",
        label="Services",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    environment = forms.ChoiceField(choices=Environment.choices, initial=Environment.PRODUCTION)

    def __init__(self, *args: Any, chosen: QuerySet[Service] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_use = Service.objects.in_use()
        # Evaluated once: as a queryset the field would ask again for the choices, the check and the rendering.
        self.fields["services"].queryset = (in_use | chosen).distinct() if chosen is not None else in_use  # type: ignore[attr-defined]

    def report(self) -> Report:
        """As much as can be read of what was typed so far, whether or not it could be saved."""
        self.is_valid()
        known = self.cleaned_data
        return Report(
            title=known.get("title") or self.data.get("title", "")[:TITLE_LENGTH],
            symptoms=known.get("symptoms", ""),
            error_excerpt=known.get("error_excerpt", ""),
            services=tuple(service.slug for service in known.get("services", ())),
            environment=known.get("environment", ""),
            started_at=known.get("started_at"),
        )


class EditForm(ReportForm):
    """An incident as it is known now."""

    severity = forms.ChoiceField(choices=list(SEVERITIES.items()), initial=Severity.SEV3, widget=forms.RadioSelect)
    started_at = forms.DateTimeField(label="Started at", widget=MomentInput, validators=[shown_anywhere])
    detection_source = forms.ChoiceField(
        label="How did we learn of it?", choices=[("", "Not known yet"), *DetectionSource.choices], required=False
    )

    def __init__(self, *args: Any, ended_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ended_at = ended_at
        # The zone's own name: its abbreviation now may not be the one of the day that is typed.
        self.fields["started_at"].label = f"Started at ({timezone.get_current_timezone()})"

    def clean_started_at(self) -> datetime:
        started_at: datetime = self.cleaned_data["started_at"]
        if started_at > timezone.now():
            raise forms.ValidationError("This lies in the future. When did the first symptom show?")
        first = self.initial.get("started_at")
        if first and first.replace(second=0, microsecond=0) == started_at:
            started_at = first  # the browser's field has no seconds
        if self.ended_at and started_at > self.ended_at:
            raise forms.ValidationError("This is after the incident was resolved. When did the first symptom show?")
        return started_at


class DeclareForm(EditForm):
    """A new incident: what it is known by, how bad it is, and who may see it."""

    kind = forms.ChoiceField(choices=list(KINDS.items()), initial=Kind.SERVICE, widget=forms.RadioSelect)

    field_order = ("title", "symptoms", "error_excerpt", "services", "severity", "kind")

    def as_typed(self) -> "DeclareForm":
        """The same text in a form that was not submitted yet, so that nothing is marked as wrong."""
        return type(self)(initial={field.name: field.data for field in self})


class OutcomeForm(forms.Form):
    """What came of a fix that was tried."""

    fix = forms.CharField(
        label="Fix", max_length=24, widget=forms.TextInput(attrs={"placeholder": "FIX-3", "autocomplete": "off"})
    )
    outcome = forms.ChoiceField(label="What came of it?", choices=FixUse.Outcome.choices)
    minutes_to_effect = forms.IntegerField(
        label="Minutes until it took effect", min_value=0, max_value=100_000, required=False
    )
    note = forms.CharField(
        label="Note for the next reader", max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, fixes: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fixes = fixes

    def clean_fix(self) -> Fix:
        pk = Fix.pk_of_ref(self.cleaned_data["fix"])
        fix: Fix | None = self.fixes.filter(pk=pk).first() if pk is not None else None
        if fix is None:
            raise forms.ValidationError("There is no fix of that number. Its ref looks like FIX-3.")
        return fix


class TimelineEntryForm(forms.Form):
    """One moment. `after` is the moment before it; `candidates`: the two that a doubled hour may mean."""

    at = forms.CharField(
        label="When",
        help_text=moments.USAGE,
        max_length=60,
        error_messages={"required": "When was it?"},
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "placeholder": "14:05"}),
    )
    kind = forms.ChoiceField(choices=TimelineEntry.Kind.choices, initial=TimelineEntry.Kind.NOTE)
    text = forms.CharField(
        label="What happened",
        help_text="What was seen or done, and what was known at that moment.",
        max_length=10_000,
        error_messages={"required": "What happened?"},
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    evidence_url = forms.URLField(
        label="Evidence",
        help_text="A link to a graph, a log or a chat.",
        max_length=500,
        required=False,
        assume_scheme="https",
    )

    def __init__(self, *args: Any, after: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.after = after
        self.candidates: tuple[moments.Candidate, ...] = ()

    def clean_at(self) -> datetime:
        try:
            return moments.parse(self.cleaned_data["at"], zone=timezone.get_current_timezone(), after=self.after)
        except moments.TwiceThatDay as question:
            self.candidates = question.candidates
            raise forms.ValidationError(str(question)) from question
        except DomainError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


class VerdictForm(forms.Form):
    """What someone says of a suggestion."""

    verdict = forms.ChoiceField(choices=SuggestionVerdict.Verdict.choices)


class GlossaryForm(forms.Form):
    """Terms that mean the same."""

    terms = forms.CharField(
        label="Terms that mean the same",
        help_text="One per line, at least two.",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "k8s\nkubernetes", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, entry: GlossaryEntry | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entry = entry

    def clean_terms(self) -> str:
        return checked_terms(self.cleaned_data["terms"], but=self.entry and self.entry.pk)


def checked_terms(text: str, *, but: Any) -> str:
    """Tidied; a term that analysis drops whole is said, as it would never be found in a text."""
    try:
        members = GlossaryEntry.objects.group(text, but=but)
    except DomainError as refusal:
        raise forms.ValidationError(str(refusal)) from refusal
    if empty := [term for term in members if glossary.says_nothing(term)]:
        raise forms.ValidationError(f"Nothing to look for in: {empty[0]}")
    return "\n".join(members)


def _zones() -> list[Any]:
    """Zones by continent, for a list that can be looked through."""
    zones = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    regions = groupby(zones, key=lambda name: name.split("/")[0])
    by_region = [
        (region, [(name, name.split("/", 1)[1].replace("_", " ")) for name in names]) for region, names in regions
    ]
    return [("", "The site's"), ("UTC", "UTC"), *by_region]


class TimeZoneForm(forms.Form):
    """The zone in which this reader wants to see times."""

    time_zone = forms.ChoiceField(label="Time zone", choices=_zones, required=False)


def initial_of(incident: Incident) -> dict[str, Any]:
    """What the edit form starts with."""
    names = ("title", "symptoms", "error_excerpt", "environment", "severity", "detection_source", "started_at")
    services = [service.slug for service in incident.services.all()]
    return {name: getattr(incident, name) for name in names} | {"services": services}
