"""What people type to review, publish, compare and curate: validated and translated, nothing else."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from postmortems.models import CauseCategory, Comment, Comparison, Fix, Postmortem, Problem, ReviewVerdict, User
from postmortems.models.review import CHECKLIST, NO, YES
from postmortems.sections import choices

TEXT_LENGTH = 20_000
ANSWERS = [(YES, "Yes"), (NO, "No")]


def lines(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class RequestForm(forms.Form):
    """Who is asked to review."""

    # By user name: a number can be longer than a database takes.
    reviewers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(), to_field_name="username", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, candidates: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reviewers"].queryset = candidates  # type: ignore[attr-defined]


class VerdictForm(forms.Form):
    """What a reviewer decides of the revision that was shown."""

    revision = forms.IntegerField(min_value=0, max_value=1_000_000, widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note to the authors",
        help_text="What should change, or what made it good. Markdown is not needed.",
        max_length=TEXT_LENGTH,
        required=False,
        widget=lines(4),
    )
    decision = forms.ChoiceField(
        choices=ReviewVerdict.Decision.choices, error_messages={"required": "Approve, or ask for changes."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for question in CHECKLIST:
            self.fields[f"check_{question.key}"] = forms.ChoiceField(
                label=question.text, help_text=question.hint, choices=ANSWERS, required=False, widget=forms.RadioSelect
            )

    @property
    def questions(self) -> list[forms.BoundField]:
        return [self[f"check_{question.key}"] for question in CHECKLIST]

    @property
    def answers(self) -> dict[str, str]:
        """Key of the question -> yes or no, of those that were answered."""
        given = {question.key: self.cleaned_data.get(f"check_{question.key}", "") for question in CHECKLIST}
        return {key: answer for key, answer in given.items() if answer}


class CommentForm(forms.Form):
    """A remark on a section or on the whole, or a reply to one."""

    body = forms.CharField(max_length=TEXT_LENGTH, error_messages={"required": "Write what you want to say."})
    section = forms.ChoiceField(choices=[("", "The whole"), *choices()], required=False)
    reply_to = forms.ModelChoiceField(Comment.objects.none(), required=False)

    def __init__(self, *args: Any, comments: QuerySet[Comment], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reply_to"].queryset = comments  # type: ignore[attr-defined]

    @property
    def place(self) -> str:
        """Which of the many forms of a page it is: the id of a comment, else the key of a section."""
        return str(self["reply_to"].data or self["section"].data or "")


class CompareForm(forms.Form):
    """How a postmortem compares with one that it looks like."""

    verdict = forms.ChoiceField(
        label="Compared with this one, it is",
        choices=[choice for choice in Comparison.Verdict.choices if choice[0] != Comparison.Verdict.UNDECIDED],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one, or decide later."},
    )
    title = forms.CharField(
        label="What the problem is called",
        help_text="For the same cause, if it has no name yet. Everyone who may see either of the two will read it.",
        max_length=300,
        required=False,
    )
    how_to_tell = forms.CharField(
        label="How can one tell it from its look-alikes?",
        help_text="A check that can be done at 3 a.m.: what to look at, and what it shows. Whoever sees one reads it.",
        max_length=5000,
        required=False,
        widget=lines(2),
    )


class ProblemForm(forms.Form):
    """What several postmortems have in common."""

    title = forms.CharField(max_length=300, error_messages={"required": "Name the cause in a few words."})
    cause_category = forms.ChoiceField(
        label="Kind of cause", choices=[("", "Not known yet"), *CauseCategory.choices], required=False
    )
    discriminating_check = forms.CharField(
        label="How can one tell it from its look-alikes?",
        help_text="What to look at, and what it shows when it is this and when it is not. `Commands` in backticks.",
        max_length=5000,
        required=False,
        widget=lines(5),
    )


class StateForm(forms.Form):
    """What is known of a problem by now."""

    state = forms.ChoiceField(choices=Problem.State.choices)


class LinkForm(forms.Form):
    """Which postmortem or fix, by its ref."""

    ref = forms.CharField(
        label="Postmortem or fix",
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": "PM-7 or FIX-3", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, reader: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader

    def clean_ref(self) -> Postmortem | Fix:
        ref = self.cleaned_data["ref"].strip()
        rows: list[Any] = [Postmortem, Fix]
        for model in rows:
            pk = model.pk_of_ref(ref)
            row: Postmortem | Fix | None = pk and model.objects.visible_to(self.reader).filter(pk=pk).first()
            if row:
                return row
        raise forms.ValidationError("There is no postmortem or fix of that number. Its ref looks like PM-7 or FIX-3.")


class MergeForm(forms.Form):
    """Which problem turned out to be the same."""

    ref = forms.CharField(
        label="The other problem",
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": "PRB-2", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, reader: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader

    def clean_ref(self) -> Problem:
        pk = Problem.pk_of_ref(self.cleaned_data["ref"].strip())
        problem = Problem.objects.visible_to(self.reader).filter(pk=pk).first() if pk is not None else None
        if problem is None:
            raise forms.ValidationError("There is no problem of that number. Its ref looks like PRB-2.")
        return problem
