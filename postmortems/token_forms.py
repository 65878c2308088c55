"""What people type to make a token, or an account for a program: validated, nothing else."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils import timezone

from postmortems.models import Scope, Team
from postmortems.roles import Role

DAYS = [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked")]


class TokenForm(forms.Form):
    """What a token is called, what it is good for, and for how long."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        error_messages={"required": "Name the script or the machine: you will want to know later which one it was."},
        widget=forms.TextInput(attrs={"placeholder": "Deploy script", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What may it do?",
        help_text="Never more than the account it belongs to.",
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one."},
    )
    days = forms.ChoiceField(label="Good for", choices=DAYS, initial="90", required=False)

    def clean(self) -> dict[str, Any]:
        known = self.cleaned_data
        days = known.pop("days", "")
        known["expires_at"] = timezone.now() + timedelta(days=int(days)) if days else None
        return known


class ProgramForm(forms.Form):
    """The account of a program: its name, what it may do, where it belongs."""

    name = forms.CharField(
        max_length=150,
        help_text="Letters, digits and @ . + - _",
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs={"placeholder": "alertmanager", "autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, role.value.capitalize()) for role in Role if role is not Role.ADMINISTRATOR],
        initial=Role.AUTHOR.value,
        help_text="An author declares incidents; a reader only asks.",
    )
    teams = forms.ModelMultipleChoiceField(
        queryset=Team.objects.all(), to_field_name="slug", required=False, widget=forms.CheckboxSelectMultiple
    )
