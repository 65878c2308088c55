"""The editor's form, and what a new postmortem is begun with. Validated and translated; nothing is saved here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from kb import markdown
from postmortems import blameless, sections
from postmortems.blameless import Hint
from postmortems.models import (
    CauseCategory,
    Environment,
    Kind,
    Postmortem,
    PostmortemTemplate,
    Service,
    Severity,
    User,
)
from postmortems.models.catalogue import NAME_LENGTH
from postmortems.models.incident import TITLE_LENGTH

TEXT_LENGTH = 100_000  # of a section: forty pages
MOST_TAGS = 30
UNKNOWN = ("", "Not known")
PREFIX = "section_"


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _services() -> "forms.ModelMultipleChoiceField[Service]":
    return forms.ModelMultipleChoiceField(
        queryset=Service.objects.none(),
        to_field_name="slug",
        label="Services",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


def _day(on: Any) -> Any:
    if on and on > timezone.localdate():
        raise forms.ValidationError("This lies in the future. When did it happen?")
    return on


class BeginForm(forms.Form):
    """A postmortem of something that was never declared as an incident."""

    title = forms.CharField(
        label="What happened?",
        max_length=TITLE_LENGTH,
        error_messages={"required": "Say in a few words what happened."},
        widget=forms.TextInput(attrs={"placeholder": "Checkout lost its database connections", "autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        choices=[
            (Kind.SERVICE, "Service: something people use did not work as it should."),
            (Kind.SECURITY, "Security: only you and administrators will see it until you share it."),
            (Kind.NEAR_MISS, "Near miss: nothing broke, and it almost did."),
            (Kind.EXERCISE, "Exercise: we broke it on purpose."),
        ],
        initial=Kind.SERVICE,
        widget=forms.RadioSelect,
    )
    severity = forms.ChoiceField(choices=[UNKNOWN, *Severity.choices], required=False)
    occurred_on = forms.DateField(label="Day it happened", required=False, widget=DayInput)
    services = _services()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["services"].queryset = Service.objects.in_use()  # type: ignore[attr-defined]

    def clean_occurred_on(self) -> Any:
        return _day(self.cleaned_data["occurred_on"])


@dataclass(frozen=True)
class Part:
    """A section in the editor: its field, its question, and whether it is out of the way while it is empty."""

    key: str
    title: str
    prompt: str
    is_required: bool
    is_folded: bool
    field: forms.BoundField

    @property
    def hints(self) -> list[Hint]:
        return blameless.hints(str(self.field.value() or ""))


class SectionField(forms.CharField):
    """Markdown. What cannot be formatted is refused here, where it was written, and not when it is saved."""

    def __init__(self, title: str, prompt: str) -> None:
        area = forms.Textarea(attrs={"rows": 5, "class": "growing", "spellcheck": "true"})
        super().__init__(
            label=title, help_text=prompt, max_length=TEXT_LENGTH, required=False, strip=False, widget=area
        )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {}  # no maxlength: browsers cut what is pasted there without a word

    def to_python(self, value: Any) -> str:
        # Browsers post CRLF; a merge by lines needs one kind of line end.
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n").rstrip()

    def validate(self, value: Any) -> None:
        super().validate(value)
        if len(value) <= TEXT_LENGTH:
            try:
                markdown.render(value)
            except markdown.TooComplex as refusal:
                raise forms.ValidationError(str(refusal)) from refusal


class EditorForm(forms.Form):
    """A postmortem as text: its facts and a field for each section. `base`: the revision that it was begun from."""

    title = forms.CharField(
        label="Title", max_length=TITLE_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    kind = forms.ChoiceField(choices=Kind.choices)
    severity = forms.ChoiceField(choices=[UNKNOWN, *Severity.choices], required=False)
    environment = forms.ChoiceField(choices=[UNKNOWN, *Environment.choices], required=False)
    cause_category = forms.ChoiceField(label="Cause", choices=[UNKNOWN, *CauseCategory.choices], required=False)
    occurred_on = forms.DateField(label="Day it happened", required=False, widget=DayInput)
    owner = forms.CharField(
        label="Owner",
        help_text="One person, by user name.",
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off", "spellcheck": "false"}),
    )
    tags = forms.CharField(
        label="Tags",
        help_text="With commas between them.",
        max_length=1000,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    services = _services()
    note = forms.CharField(
        label="What changed?",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "Impact is known", "autocomplete": "off"}),
    )
    base = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    copy = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, postmortem: Postmortem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = PostmortemTemplate.objects.closest_to(kind=postmortem.kind, severity=postmortem.severity)
        own = {row.key: row for row in self.template.sections.all()} if self.template else {}
        self.required = {key for key, row in own.items() if row.is_required}
        self.asked = set(own) or {key for key in sections.KEYS if key != "narrative"}
        for section in sections.SECTIONS:
            prompt = own[section.key].prompt if section.key in own else ""
            self.fields[PREFIX + section.key] = SectionField(section.title, prompt or section.prompt)
        offered = (Service.objects.in_use() | Service.objects.filter(postmortems=postmortem)).distinct()
        self.fields["services"].queryset = offered  # type: ignore[attr-defined]
        self.postmortem = postmortem

    @property
    def parts(self) -> list[Part]:
        """The sections in reading order. Those that the template does not ask for are folded until they have text."""
        return [
            Part(
                section.key,
                section.title,
                str(self.fields[PREFIX + section.key].help_text),
                section.key in self.required,
                section.key not in self.asked and not str(field.value() or "").strip() and not field.errors,
                field,
            )
            for section in sections.SECTIONS
            for field in [self[PREFIX + section.key]]
        ]

    @property
    def people(self) -> QuerySet[User]:
        """Who is likely to own it: offered while one types a name."""
        near = Q(teams=self.postmortem.team_id) if self.postmortem.team_id else Q(pk=self.postmortem.owner_id)
        return User.objects.filter(near, is_active=True, is_integration=False).distinct().order_by("username")[:50]

    def clean_occurred_on(self) -> Any:
        return _day(self.cleaned_data["occurred_on"])

    def clean_tags(self) -> list[str]:
        names = [" ".join(name.split()) for name in self.cleaned_data["tags"].split(",")]
        tags = sorted({name.casefold(): name for name in names if name}.values())
        if len(tags) > MOST_TAGS or any(len(tag) > NAME_LENGTH for tag in tags):
            raise forms.ValidationError(f"At most {MOST_TAGS} tags of {NAME_LENGTH} characters each.")
        return tags

    def clean_owner(self) -> str:
        name: str = self.cleaned_data["owner"].strip()
        if name and not User.objects.filter(username=name, is_active=True, is_integration=False).exists():
            raise forms.ValidationError("There is nobody of that user name.")
        return name

    def changes(self) -> dict[str, Any]:
        """The content that was posted. What the page did not have is not said to be empty."""
        posted = {name: value for name, value in self.cleaned_data.items() if name in self.data}
        facts = {name: posted[name] for name in FACTS if name in posted}
        if "occurred_on" in facts:
            facts["occurred_on"] = facts["occurred_on"].isoformat() if facts["occurred_on"] else ""
        # No box ticked is no key posted.
        services = sorted(service.slug for service in self.cleaned_data["services"])
        texts = {name.removeprefix(PREFIX): text for name, text in posted.items() if name.startswith(PREFIX)}
        return facts | {"services": services, "sections": texts}

    def typed(self) -> dict[str, Any]:
        """As it was posted, for a working copy."""
        left_out = {"csrfmiddlewaretoken", "preview", "copy", "base"}
        posted: Any = self.data  # a QueryDict: a form is bound to nothing else here
        return {name: posted.getlist(name) for name in posted if name not in left_out}


FACTS = ("title", "kind", "severity", "environment", "cause_category", "occurred_on", "owner", "tags")


def initial_of(content: Mapping[str, Any], *, base: int) -> dict[str, Any]:
    """What the editor starts with."""
    texts = {PREFIX + key: body for key, body in content["sections"].items()}
    return {**content, "tags": ", ".join(content["tags"]), "base": base, **texts}


def as_posted(typed: Mapping[str, Any], *, base: int, copy: str) -> QueryDict:
    """A working copy, back as if it were posted now."""
    posted = QueryDict(mutable=True)
    for name, values in typed.items():
        posted.setlist(name, [str(value) for value in values])
    posted["base"], posted["copy"] = str(base), copy
    return posted


class RestoreForm(forms.Form):
    """The revision that was the newest for whoever decided to go back."""

    newest = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
