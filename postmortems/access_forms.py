"""Who may see a document, and what people may do: what is typed, validated."""

from typing import Any

from django import forms

from postmortems.models import Team, User, Visibility
from postmortems.roles import Role

SEEN_BY = {
    Visibility.OPEN: "Open: everyone who is signed in",
    Visibility.RESTRICTED: "Restricted: only the people and teams below, and administrators",
}


class AccessForm(forms.Form):
    """Open or restricted, and to whom."""

    visibility = forms.ChoiceField(label="Who may see it?", choices=list(SEEN_BY.items()), widget=forms.RadioSelect)
    members = forms.CharField(
        label="People",
        help_text="User names, one per line or with commas between them.",
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "none"}),
    )
    teams = forms.ModelMultipleChoiceField(
        queryset=Team.objects.all(),
        to_field_name="slug",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Whoever is on the team at that moment.",
    )
    may_lock_out = forms.BooleanField(label="I will not see it myself any more, and mean it", required=False)

    def clean_members(self) -> list[User]:
        names = dict.fromkeys(self.cleaned_data["members"].replace(",", " ").split())
        known = {person.username: person for person in User.objects.filter(username__in=names)}
        if unknown := [name for name in names if name not in known]:
            raise forms.ValidationError(f"Nobody has the user name {unknown[0]}.")
        return list(known.values())


def access_of(row: Any) -> dict[str, Any]:
    """What the form starts with."""
    members = "\n".join(row.members.order_by("username").values_list("username", flat=True))
    return {"visibility": row.visibility, "members": members, "teams": [team.slug for team in row.shared_with.all()]}


class PersonForm(forms.Form):
    """What somebody may do, where they belong, and whether they may come in."""

    roles = forms.MultipleChoiceField(
        choices=[(role.value, role.value.capitalize()) for role in Role],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Nobody without a role is shut out: they read.",
    )
    teams = forms.ModelMultipleChoiceField(
        queryset=Team.objects.all(), to_field_name="slug", required=False, widget=forms.CheckboxSelectMultiple
    )
    is_active = forms.BooleanField(label="May sign in", required=False)
