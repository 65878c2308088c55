"""What the insights are asked for: a period, a team, a service."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from postmortems.filters import DayInput
from postmortems.insights.scope import Scope
from postmortems.models import Service, Team

USUAL = 365  # days
LONGEST = 3660  # ten years: each month is one row
THINKABLE = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


class ScopeForm(forms.Form):
    """A GET form, so that the address is the state. What cannot be read is said, and the usual period is shown."""

    since = forms.DateField(label="From", required=False, widget=DayInput, validators=THINKABLE)
    until = forms.DateField(label="To", required=False, widget=DayInput, validators=THINKABLE)
    team = forms.ChoiceField(label="Team", required=False)
    service = forms.ChoiceField(label="Service", required=False)

    def __init__(self, asked: Any, *, today: date) -> None:
        usual = {"since": str(today - timedelta(days=USUAL - 1)), "until": str(today)}
        super().__init__(usual | {name: value for name, value in asked.items() if value}, auto_id="scope_%s")
        self.today = today
        self.teams = {team.slug: team for team in Team.objects.order_by("name")}
        self.services = {service.slug: service for service in Service.objects.listed().order_by("name")}
        for name, rows in (("team", self.teams), ("service", self.services)):
            choices = [("", "All"), *((slug, str(row)) for slug, row in rows.items())]
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        known = super().clean() or {}
        first, last = known.get("since"), known.get("until")
        if first and last and first > last:
            self.add_error("until", "The period ends before it begins.")
        elif first and last and (last - first).days > LONGEST:
            self.add_error("since", "Ten years at most.")
        return known

    def scope(self) -> Scope:
        """What was asked for; where something was refused, the usual period of everything."""
        if not self.is_valid():
            return Scope(self.today - timedelta(days=USUAL - 1), self.today)
        known = self.cleaned_data
        team, service = self.teams.get(known["team"]), self.services.get(known["service"])
        return Scope(known["since"], known["until"], team, service)
