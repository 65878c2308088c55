"""What people type into an action item, and about several of them: validated and translated, nothing else."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from postmortems.filters import ActionItemFilter, DayInput
from postmortems.models import ActionItem, User

TEXT_LENGTH = 10_000
QUERY_LENGTH = 1000


class OwnerField(forms.CharField):
    """One person by user name; empty is None. The workflow says who may own what."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"list": "people", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(max_length=150, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> User | None:
        name = super().clean(value).strip()
        if not name:
            return None
        person = User.objects.filter(username__iexact=name, is_active=True, is_integration=False).first()
        if person is None:
            raise forms.ValidationError(f"There is nobody with the user name {name}.")
        return person


def _text(label: str, help_text: str = "", *, rows: int = 3, error: str = "") -> forms.CharField:
    """`error`: what to say where it is missing; a field without one may be empty."""
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=TEXT_LENGTH,
        required=bool(error),
        widget=forms.Textarea(attrs={"rows": rows}),
        error_messages={"required": error},
    )


class ItemForm(forms.Form):
    """What is promised, and how anyone can tell that it holds."""

    title = forms.CharField(
        label="What will be done?",
        max_length=500,
        error_messages={"required": "Say in a few words what will be done."},
        widget=forms.TextInput(attrs={"placeholder": "Alert before the pool is exhausted", "autocomplete": "off"}),
    )
    done_when = _text(
        "Done when",
        "How anyone can tell that it holds: a test, a dashboard, an exercise.",
        rows=2,
        error="Say how anyone can tell that it is done: somebody else will verify it by that.",
    )
    kind = forms.ChoiceField(choices=ActionItem.Kind.choices, initial=ActionItem.Kind.PREVENT)
    priority = forms.ChoiceField(choices=ActionItem.Priority.choices, initial=ActionItem.Priority.MEDIUM)
    details = _text("Details", rows=4)
    ticket = forms.CharField(
        label="Ticket",
        help_text="In another tracker: OPS-12, acme/shop#4, or its address.",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class NewItemForm(ItemForm):
    """A new one also has an owner and a date; later these have steps of their own."""

    owner = OwnerField(label="Owner", help_text="One person, by user name.", required=False)
    due_on = forms.DateField(
        label="Due",
        help_text="Empty: as the policy says for its severity and priority.",
        required=False,
        widget=DayInput,
    )
    field_order = ("title", "done_when", "kind", "priority", "owner", "due_on", "ticket", "details")


class EvidenceForm(forms.Form):
    """What shows that it holds."""

    evidence = _text("What shows it?", "A link to the change, a test, a dashboard.")


class WhyForm(forms.Form):
    """Why. The workflow says whether it is needed, and of whom."""

    reason = _text("Reason")


class DateForm(WhyForm):
    """Another date, and why."""

    due_on = forms.DateField(label="Due", help_text="Empty: no date.", required=False, widget=DayInput)
    field_order = ("due_on", "reason")


class AssignForm(forms.Form):
    """One owner, or nobody."""

    owner = OwnerField(label="Owner", help_text="One person, by user name. Empty: nobody.", required=False)


class IdentifyForm(forms.Form):
    """Whose account a written name is."""

    user = OwnerField(label="Who is it?", error_messages={"required": "Say whose account it is."})


class ManyForm(forms.Form):
    """What changes for all of them."""

    owner = OwnerField(label="New owner", help_text="By user name. Empty: each keeps theirs.", required=False)
    due_on = forms.DateField(
        label="New due date", help_text="Empty: each keeps its own.", required=False, widget=DayInput
    )
    reason = _text("Reason", "Needed where a date changes.", rows=2)

    def clean(self) -> dict[str, Any]:
        known = self.cleaned_data
        if not self.errors and not known.get("owner") and not known.get("due_on"):
            raise forms.ValidationError("Say what changes: the owner, the date, or both.")
        if known.get("due_on") and not known.get("reason", "").strip():
            self.add_error("reason", "Why does the date change? Whoever waits for it will ask.")
        return known


class SaveForm(forms.Form):
    """A list that one wants to come back to."""

    name = forms.CharField(label="Name", max_length=100, error_messages={"required": "Give the list a name."})
    query = forms.CharField(required=False, max_length=2 * QUERY_LENGTH, widget=forms.HiddenInput)
    is_shared = forms.BooleanField(label="For everybody", required=False)

    def clean_query(self) -> str:
        query = known_filters(QueryDict(self.cleaned_data["query"]))
        if len(query) > QUERY_LENGTH:
            raise forms.ValidationError("These are too many filters to keep.")
        return query


def known_filters(typed: QueryDict) -> str:
    """The filters of the list and nothing else, as a query string: in one order, each once, without the empty ones."""
    known = QueryDict(mutable=True)
    for name in ActionItemFilter.base_filters:
        if (value := typed.get(name)) or (name == "state" and name in typed):  # an empty state: all of them
            known[name] = value or ""
    return known.urlencode()


def likely_owners(user: Any) -> QuerySet[User]:
    """Offered while one types a name: the people of one's own teams."""
    people = User.objects.filter(teams__in=user.teams.all(), is_active=True, is_integration=False)
    return people.distinct().order_by("username")[:50]
