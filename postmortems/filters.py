"""The filters of the list pages. Each starts from the rows that the view says the reader may see."""

from datetime import date, timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from postmortems.models import (
    ActionItem,
    CauseCategory,
    Fix,
    Incident,
    Kind,
    Postmortem,
    Problem,
    Service,
    Severity,
    Tag,
    Team,
)
from postmortems.models.audit import key_of
from postmortems.models.fix import Freshness

SOON = timedelta(days=7)
AGES = (30, 90, 180, 365)  # days


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"


def choice(label: str, choices: Any, **kwargs: Any) -> Any:
    return django_filters.ChoiceFilter(label=label, choices=choices, empty_label="All", **kwargs)


def one_of(label: str, rows: Any, **kwargs: Any) -> Any:
    """`rows` have a name and a slug."""
    return django_filters.ModelChoiceFilter(
        label=label, queryset=rows.only("name", "slug"), to_field_name="slug", empty_label="All", **kwargs
    )


class TickInput(forms.CheckboxInput):
    """A tick on the page; a word in an address. A word that is neither yes nor no is left to the field to refuse."""

    WORDS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False, "": False}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        typed = data.get(name, False)
        return self.WORDS.get(typed.casefold(), typed) if isinstance(typed, str) else typed


class TickField(forms.NullBooleanField):
    widget = TickInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            raise forms.ValidationError("Say true or false.")
        return super().to_python(value)


class TickFilter(django_filters.BooleanFilter):
    field_class = TickField


class IncidentFilter(django_filters.FilterSet):
    """By state, severity, service and kind."""

    status = choice("Status", [("in_progress", "In progress"), *Incident.Status.choices], method="by_status")
    severity = choice("Severity", Severity.choices)
    services = one_of("Service", Service.objects.listed())
    kind = choice("Kind", Kind.choices)

    def by_status(self, rows: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        if value == "in_progress":
            return rows.filter(status__in=Incident.IN_PROGRESS)
        return rows.filter(status=value)


class PostmortemFilter(django_filters.FilterSet):
    """By state, severity, service, cause and tag."""

    status = choice("Status", Postmortem.Status.choices)
    severity = choice("Severity", Severity.choices)
    services = one_of("Service", Service.objects.listed())
    cause_category = choice("Cause", CauseCategory.choices)
    tags = one_of("Tag", Tag.objects.listed())


class FixFilter(django_filters.FilterSet):
    """By kind, state and service."""

    kind = choice("Kind", Fix.Kind.choices)
    state = choice("State", Fix.State.choices)
    services = one_of("Service", Service.objects.listed())
    freshness = choice("Freshness", Freshness.choices)


class ProblemFilter(django_filters.FilterSet):
    """By state and kind of cause."""

    state = choice("State", Problem.State.choices)
    cause_category = choice("Cause", CauseCategory.choices)


def _teams() -> list[tuple[str, str]]:
    return [("mine", "My teams"), *Team.objects.values_list("slug", "name")]


class ActionItemFilter(django_filters.FilterSet):
    """By state, date, team, service, severity, kind, priority, age and owner. The same for list, board and feeds.

    `request` needs no more than its `user`: whose items are "mine".
    """

    state = choice("State", [("unfinished", "Not finished"), *ActionItem.State.choices], method="by_state")
    due = choice("Due", [("late", "Late"), ("soon", "Within a week"), ("none", "No date")], method="by_due")
    team = choice("Team", _teams, method="by_team")
    services = one_of("Service", Service.objects.listed(), method="by_service")
    severity = choice("Severity", Severity.choices, method="by_severity")
    kind = choice("Kind", ActionItem.Kind.choices)
    priority = choice("Priority", ActionItem.Priority.choices)
    age = choice("Promised", [(str(days), f"Over {days} days ago") for days in AGES], method="by_age")
    owner = choice("Owner", [("nobody", "Nobody yet"), ("name", "A name without account")], method="by_owner")
    mine = TickFilter(label="Only mine", method="by_reader", widget=TickInput)

    def by_state(self, rows: Any, name: str, value: str) -> Any:
        return rows.unfinished() if value == "unfinished" else rows.filter(state=value)

    def by_due(self, rows: Any, name: str, value: str) -> Any:
        today = timezone.localdate()
        if value == "late":
            return rows.overdue(on=today)
        if value == "soon":
            return rows.unfinished().filter(due_on__range=(today, today + SOON))
        return rows.filter(due_on=None)

    def by_team(self, rows: Any, name: str, value: str) -> Any:
        teams = Team.objects.with_member(self.request.user) if value == "mine" else Team.objects.filter(slug=value)
        return rows.of_any_team(teams)

    def by_service(self, rows: Any, name: str, value: Service) -> Any:
        return rows.of_service(value)

    def by_severity(self, rows: Any, name: str, value: str) -> Any:
        return rows.of_severity(value)

    def by_age(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(created_at__lt=timezone.now() - timedelta(days=int(value)))

    def by_owner(self, rows: Any, name: str, value: str) -> Any:
        return rows.owned_by_a_name() if value == "name" else rows.filter(owner=None, owner_text="")

    def by_reader(self, rows: Any, name: str, value: bool) -> Any:
        return rows.owned_by(self.request.user) if value else rows


class NotificationFilter(django_filters.FilterSet):
    """Whether it was read."""

    state = choice("State", [("unread", "Not read yet"), ("read", "Read")], method="by_state")

    def by_state(self, rows: Any, name: str, value: str) -> Any:
        return rows.unread() if value == "unread" else rows.exclude(read_at=None)


class AuditFilter(django_filters.FilterSet):
    """By person, step, document and day."""

    person = django_filters.CharFilter(label="Person", method="by_person", max_length=150)
    action = django_filters.CharFilter(label="Step", field_name="action", lookup_expr="istartswith", max_length=60)
    document = django_filters.CharFilter(label="Document", method="by_document", max_length=40)
    since = django_filters.DateFilter(label="From", method="by_day", widget=DayInput)
    until = django_filters.DateFilter(label="To", method="by_day", widget=DayInput)

    def by_person(self, rows: Any, name: str, value: str) -> Any:
        return rows.by_person(value)

    def by_document(self, rows: Any, name: str, value: str) -> Any:
        """`PM-7`; whatever it is not, it is part of a name."""
        for model in (Incident, Postmortem, Fix):
            if (pk := model.pk_of_ref(value.strip())) is not None:
                return rows.filter(object_key=f"{model.search_kind}:{pk}")
        if (pk := ActionItem.pk_of_ref(value.strip())) is not None:
            return rows.filter(object_key=key_of(ActionItem(pk=pk)))
        return rows.filter(object_name__icontains=value)

    def by_day(self, rows: Any, name: str, value: date) -> Any:
        return rows.between(value, None) if name == "since" else rows.between(None, value)
