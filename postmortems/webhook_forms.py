"""What administrators type about a webhook: validated, nothing else."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Q

from kb import outgoing
from postmortems.models import User, WebhookEvent, WebhookFormat

EVENTS = [choice for choice in WebhookEvent.choices if choice[0] != WebhookEvent.TEST]


if TYPE_CHECKING:  # generic for mypy only
    ModelChoiceField = forms.ModelChoiceField[User]
else:
    from django.forms import ModelChoiceField


class AccountField(ModelChoiceField):
    """By name, as people know them."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} (program)" if obj.is_integration else f"{obj} (you)"


class WebhookForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="For the log: #incidents in Slack.")
    url = forms.CharField(label="Address", max_length=2000, widget=forms.URLInput(attrs={"autocomplete": "off"}))
    format = forms.ChoiceField(label="Format", choices=WebhookFormat.choices)
    events = forms.MultipleChoiceField(label="Tell it when", choices=EVENTS, widget=forms.CheckboxSelectMultiple)
    account = AccountField(
        User.objects.none(),
        label="On behalf of",
        empty_label=None,
        help_text="It is told of what this account may see, and nothing else. A reader program sees what is open.",
    )

    def __init__(self, *args: Any, reader: User, chosen: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = self.fields["account"]
        assert isinstance(account, forms.ModelChoiceField)  # noqa: S101  (tells mypy so)
        offered = Q(is_integration=True) | Q(pk=reader.pk) | Q(pk=chosen.pk if chosen else reader.pk)
        account.queryset = User.objects.filter(offered, is_active=True).order_by("-is_integration", "username")

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            outgoing.check(url)
        except outgoing.Refused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return url
