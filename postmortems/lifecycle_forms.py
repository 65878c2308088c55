"""What people type while an incident goes on, and into a fix: validated and translated, nothing else."""

from datetime import datetime
from typing import Any

from django import forms

from postmortems.forms import MomentInput, OutcomeForm, shown_anywhere
from postmortems.models import Fix, Incident, Problem, Service, TimelineEntry
from postmortems.models.fix import MOST_MONTHS
from postmortems.models.incident import TITLE_LENGTH

TEXT_LENGTH = 10_000
FIX_LENGTH = 50_000


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
            field.validators = [shown_anywhere]

    def clean(self) -> dict[str, datetime | None]:
        return {name: as_it_was(value, self.initial.get(name)) for name, value in self.cleaned_data.items()}


def as_it_was(value: datetime | None, before: datetime | None) -> datetime | None:
    """The moment itself where only its seconds differ: the browser's field has none."""
    same = value and before and before.replace(second=0, microsecond=0) == value
    return before if same else value


def words_of(form: forms.Form) -> str:
    """What is wrong, in one line, for a message."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _text(label: str, help_text: str, *, rows: int, mono: bool = False) -> forms.CharField:
    attrs = {"rows": rows, **({"class": "mono", "spellcheck": "false", "autocapitalize": "off"} if mono else {})}
    widget = forms.Textarea(attrs=attrs)
    return forms.CharField(
        label=label, help_text=help_text, max_length=FIX_LENGTH, required=False, strip=not mono, widget=widget
    )


class FixForm(forms.Form):
    """A fix as the next reader will follow it."""

    title = forms.CharField(
        label="What helps?",
        max_length=TITLE_LENGTH,
        error_messages={"required": "Say in a few words what helps."},
        widget=forms.TextInput(attrs={"placeholder": "Recycle the connection pool", "autocomplete": "off"}),
    )
    kind = forms.ChoiceField(choices=Fix.Kind.choices, initial=Fix.Kind.MITIGATION)
    preconditions = _text("First check", "When this applies, and what to look at before.", rows=2)
    steps = _text("Steps", "What to do, in order. Markdown.", rows=6)
    commands = _text("Commands", "Lines to copy, as they are run.", rows=4, mono=True)
    risk = _text("Risk", "What can go wrong.", rows=2)
    undo = _text("To undo", "How to go back.", rows=2)
    problem = forms.ModelChoiceField(Problem.objects.none(), required=False, empty_label="None known")
    services = forms.ModelMultipleChoiceField(
        Service.objects.none(), to_field_name="slug", required=False, widget=forms.CheckboxSelectMultiple
    )
    confirm_every_months = forms.IntegerField(
        label="A confirmation holds for (months)", initial=6, min_value=1, max_value=MOST_MONTHS
    )
    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def __init__(self, *args: Any, problems: Any, services: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (("problem", problems), ("services", services)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells mypy so)
            field.queryset = rows

    def clean(self) -> dict[str, Any]:
        if not (self.cleaned_data.get("steps") or self.cleaned_data.get("commands")):
            self.add_error("steps", "Write down the steps, or the commands: the title alone helps nobody at 3 a.m.")
        return self.cleaned_data


def initial_of_fix(fix: Fix) -> dict[str, Any]:
    """What the edit form starts with."""
    return {**fix.content(), "seen": fix.fingerprint()}


class UseForm(OutcomeForm):
    """What came of this fix, in an incident that is named by its ref."""

    incident = forms.CharField(
        label="Incident", max_length=24, widget=forms.TextInput(attrs={"placeholder": "INC-3", "autocomplete": "off"})
    )
    field_order = ("incident", "outcome", "minutes_to_effect", "note")

    def __init__(self, *args: Any, incidents: Any, **kwargs: Any) -> None:
        super().__init__(*args, fixes=Fix.objects.none(), **kwargs)
        del self.fields["fix"]
        self.incidents = incidents

    def clean_incident(self) -> Incident:
        pk = Incident.pk_of_ref(self.cleaned_data["incident"].strip())
        incident: Incident | None = self.incidents.filter(pk=pk).first() if pk is not None else None
        if incident is None:
            raise forms.ValidationError("There is no incident of that number. Its ref looks like INC-3.")
        return incident
