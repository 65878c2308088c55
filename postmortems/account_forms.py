"""What people type to get or give an account: validated, nothing else."""

from collections.abc import Sequence
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth import password_validation

from postmortems.models import Rhythm, Team, User, Weekday
from postmortems.roles import Role


class AddressForm(forms.Form):
    """Where the link goes."""

    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class InvitationForm(AddressForm):
    """Whom to invite, and what the account starts with."""

    role = forms.ChoiceField(help_text="What they may do. It can be changed later.")
    team = forms.ModelChoiceField(Team.objects.all(), required=False, empty_label="None")

    def __init__(self, *args: Any, gives: Sequence[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)  # noqa: S101  (tells mypy so)
        role.choices = [(each.value, each.value.capitalize()) for each in gives]
        role.initial = Role.AUTHOR.value


class AccountForm(forms.Form):
    """The name and password of a new account."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        help_text="Letters, digits and @ . + - _",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password1 = forms.CharField(
        label="Password",
        strip=False,
        help_text="Eight characters or more, and none that everybody uses.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="The same password again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_username(self) -> str:
        name: str = get_adapter().clean_username(self.cleaned_data["username"])
        return name

    def clean(self) -> dict[str, Any]:
        known = self.cleaned_data
        first, second = known.get("password1"), known.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two passwords differ.")
        elif first:
            self._check_password(first, User(username=known.get("username", ""), email=self.email))
        return known

    def _check_password(self, password: str, user: User) -> None:
        try:
            password_validation.validate_password(password, user)
        except forms.ValidationError as refusal:
            self.add_error("password1", refusal)


class ReminderForm(forms.Form):
    """How often one is reminded of action items."""

    rhythm = forms.ChoiceField(label="Reminders", choices=Rhythm.choices)
    weekday = forms.TypedChoiceField(label="Day, if weekly", choices=Weekday.choices, coerce=int)
