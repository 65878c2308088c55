"""What people type while an incident goes on, and into a fix: validated and translated, nothing else."""

from datetime import datetime
from typing import Any

from django import forms

from postmortems.forms import MomentInput
from postmortems.models import Incident, TimelineEntry

TEXT_LENGTH = 10_000


class UpdateForm(forms.Form):
    """One entry of the timeline."""

    text = forms.CharField(
        label="What is known or done now?",
        max_length=TEXT_LENGTH,
        error_messages={"required": "Write what you see or did: one line is enough."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    kind = forms.ChoiceField(
        choices=TimelineEntry.Kind.choices, initial=TimelineEntry.Kind.NOTE, required=False, label="Kind"
    )
    evidence_url = forms.URLField(
        label="Evidence",
        max_length=500,
        required=False,
        assume_scheme="https",
        help_text="A graph, a log, a dashboard.",
    )

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or str(TimelineEntry.Kind.NOTE)


class ReleaseForm(forms.Form):
    """What was looked at and found innocent."""

    note = forms.CharField(
        label="What did you find in order?",
        help_text="Nobody needs to look there again.",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "The database: load and locks as always"}),
    )


class ReasonForm(forms.Form):
    """Why. The model decides whether it is needed."""

    reason = forms.CharField(
        label="Reason", max_length=TEXT_LENGTH, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class TimesForm(forms.Form):
    """The milestones of an incident, in the reader's zone; those that its state has reached."""

    started_at = forms.DateTimeField(label="Started")
    detected_at = forms.DateTimeField(label="Detected", required=False)
    acknowledged_at = forms.DateTimeField(label="Acknowledged", required=False)
    mitigated_at = forms.DateTimeField(label="Mitigated", required=False)
    resolved_at = forms.DateTimeField(label="Resolved")
    closed_at = forms.DateTimeField(label="Closed")

    def __init__(self, data: Any, *, incident: Incident) -> None:
        before = {name: getattr(incident, name) for name in Incident.MILESTONES}
        super().__init__(data, initial=before)
        if not incident.is_over:
            del self.fields["resolved_at"]
        if incident.status != Incident.Status.CLOSED:
            del self.fields["closed_at"]
        for field in self.fields.values():
            field.widget = MomentInput()

    def clean(self) -> dict[str, datetime | None]:
        return {name: as_it_was(value, self.initial.get(name)) for name, value in self.cleaned_data.items()}


def as_it_was(value: datetime | None, before: datetime | None) -> datetime | None:
    """The moment itself where only its seconds differ: the browser's field has none."""
    same = value and before and before.replace(second=0, microsecond=0) == value
    return before if same else value


def words_of(form: forms.Form) -> str:
    """What is wrong, in one line, for a message."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)
