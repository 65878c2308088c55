"""What is chosen for an import: the file, then how it is read. Validated, nothing else."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.text import Truncator

from postmortems import sections
from postmortems.importing.base import Unreadable
from postmortems.importing.folders import COLLECTIONS, MARKDOWN
from postmortems.importing.incident_table import Preview, columns_with_title
from postmortems.models import Postmortem
from postmortems.workflows.bringing import Answers
from postmortems.workflows.uploading import MAX_BYTES

ENDINGS = (".zip", *MARKDOWN, ".txt", *COLLECTIONS)
FORMATS = (
    ("", "Find out by itself"),
    ("markdown", "Markdown"),
    ("export", "Our own export, as JSON Lines"),
    ("issues", "Issues of GitHub or GitLab, as JSON"),
    ("jira-csv", "Jira, as CSV"),
    ("jira-json", "Jira, as JSON"),
    ("confluence", "Pages of Confluence, as HTML"),
    ("csv", "A table of incidents, as CSV"),
)
STATUSES = (
    (Postmortem.Status.PUBLISHED, "Published: everybody finds them at once, but for restricted ones"),
    (Postmortem.Status.DRAFT, "Drafts: administrators and their teams see them, until they are published"),
)
# What a column of a table may be, but for sections.
FACTS = {
    **{"title": "Title", "uuid": "Number or key", "severity": "Severity", "services": "Services", "tags": "Tags"},
    **{"start": "Began", "end": "Ended", "date": "Day", "status": "Status", "published": "Published on"},
    **{"authors": "Authors", "team": "Team", "kind": "Kind", "environment": "Environment"},
    **{"cause_category": "Category of the cause", "url": "Link to the source", "visibility": "Who may see it"},
}
KEPT_AS_TEXT = ("", "Keep as text")
COLUMN_CHOICES = (
    KEPT_AS_TEXT,
    ("Facts", tuple(FACTS.items())),
    ("Texts", tuple((section.key, section.title) for section in sections.SECTIONS)),
)
# A form takes a thousand fields. Columns behind these are known by their names.
MOST_COLUMNS = 300


class FileForm(forms.Form):
    """The first step."""

    file = forms.FileField(
        label="File",
        help_text=f"A zip, or {', '.join(COLLECTIONS[:-1])} or .md; up to {MAX_BYTES // 1_000_000} MB. "
        "Several files, or a whole folder: as a zip.",
        error_messages={"required": "Choose a file first.", "empty": "This file is empty. Choose another one."},
        widget=forms.FileInput(attrs={"accept": ",".join(ENDINGS)}),
    )
    form = forms.ChoiceField(label="Format", choices=FORMATS, required=False)

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        name = file.name or ""
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(
                f"At most {MAX_BYTES // 1_000_000} MB at a time. Split it, or use manage.py import_postmortems."
            )
        if PurePath(name).suffix.lower() not in ("", *ENDINGS):
            raise forms.ValidationError(
                f"Files that end in {PurePath(name).suffix[:20]} are not read. Save it as one of: {', '.join(ENDINGS)}."
            )
        return file


class AnswersForm(forms.Form):
    """The second step. Of a table, each column has a field of its own: `column-0` is the first one."""

    form = forms.ChoiceField(label="Format", choices=FORMATS, required=False)
    status = forms.ChoiceField(
        label="What does not say whether it is published becomes",
        choices=STATUSES,
        widget=forms.RadioSelect,
        help_text="Front matter may say it, and an issue that is open becomes a draft.",
    )
    force = forms.BooleanField(
        label="The file wins over edits that were made here",
        required=False,
    )

    def __init__(self, *args: Any, answers: Answers, table: Preview | None, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": answers.as_json(), **kwargs})
        self.answers, self.table = answers, table
        guessed = {**table.fields(), **answers.mapping} if table else {}
        self.columns = list(table.samples)[:MOST_COLUMNS] if table else []
        for number, column in enumerate(self.columns):
            self.fields[f"column-{number}"] = forms.ChoiceField(
                label=column, choices=COLUMN_CHOICES, initial=guessed[column], required=False
            )

    def rows(self) -> list[tuple[Any, list[str]]]:
        """Each column's field, and its first values."""
        return [
            (self[f"column-{number}"], [Truncator(sample).chars(50) for sample in self.table.samples[column]])
            for number, column in enumerate(self.columns)
            if self.table
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        mapping = {column: given.get(f"column-{number}", "") for number, column in enumerate(self.columns)}
        if self.table and given.get("form") in ("", "csv") and not self.errors:
            try:
                columns_with_title(list(self.table.samples), mapping)
            except Unreadable as error:
                raise forms.ValidationError(f"{error.reason[:1].upper()}{error.reason[1:]}") from error
        given["mapping"] = mapping
        return given

    def chosen(self) -> Answers:
        given = self.cleaned_data
        return Answers(given["form"], given["status"], given["force"], given["mapping"])
