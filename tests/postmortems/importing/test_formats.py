"""The contract of every format: a new one is a class of three lines, and a sample."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from postmortems.importing.base import Unreadable
from postmortems.importing.formats import FORMATS, Wanted
from postmortems.importing.incident_table import columns_of
from postmortems.importing.jira_markup import from_tree, from_wiki
from postmortems.importing.told import sorted_labels
from postmortems.models import Postmortem
from postmortems.workflows.importing import Options, Outcome, import_files
from tests import factory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learn")]

BODY = "## Summary\n\nThe pool was exhausted.\n\n## Resolution\n\nRecycled the pool."
GITHUB = [
    {
        **{"number": 7, "title": "Checkout down", "body": BODY, "state": "CLOSED", "author": {"login": "ann"}},
        **{"labels": [{"name": "sev1"}, {"name": "service/checkout"}, {"name": "postmortem"}]},
        **{"url": "https://github.com/a/b/issues/7", "createdAt": "2026-01-02T03:04:05Z"},
        **{"closedAt": "2026-01-02T04:00:00Z", "comments": [{"author": {"login": "bo"}, "body": "Seen again."}]},
    },
    {"number": 8, "title": "A pull request", "pull_request": {"url": "x"}},
]
GITLAB = [
    {
        **{"iid": 7, "title": "Checkout down", "description": BODY, "state": "closed", "author": {"username": "ann"}},
        **{
            "labels": ["severity::1", "service::checkout", "postmortem"],
            "web_url": "https://gitlab.com/a/b/-/issues/7",
        },
        **{"created_at": "2026-01-02T03:04:05.123Z", "closed_at": "2026-01-02T04:00:00.000Z"},
        **{"notes": [{"note": "Seen again.", "author": {"name": "bo"}}, {"note": "closed", "system": True}]},
    }
]
WIKI = "h2. Summary\n\nThe pool was *exhausted*.\n\nh2. Resolution\n\n{code}\nrestart\n{code}\nRecycled the pool."
JIRA_FIELDS = {
    **{"summary": "Checkout down", "description": WIKI, "priority": {"name": "High"}, "labels": ["sev1", "postmortem"]},
    **{
        "components": [{"name": "checkout"}],
        "created": "2026-01-02T03:04:05.000+0000",
        "reporter": {"displayName": "ann"},
    },
    **{"resolutiondate": "2026-01-02T04:00:00.000+0000", "resolution": {"name": "Done"}},
    **{"comment": {"comments": [{"author": {"displayName": "bo"}, "body": "Seen again."}]}},
}
JIRA = {"issues": [{"key": "OPS-7", "self": "https://jira.example.org/rest/api/2/issue/1", "fields": JIRA_FIELDS}]}
JIRA_CSV = (
    "Issue key,Summary,Description,Priority,Labels,Labels,Component/s,Created,Resolved,Reporter,Comment\n"
    'OPS-7,Checkout down,"' + WIKI + '",High,sev1,postmortem,checkout,02/Jan/26 3:04 AM,02/Jan/26 4:00 AM,ann,'
    '"02/Jan/26 5:00 AM;bo;Seen again."\n'
)
TABLE = (  # with a line break in a cell
    "Incident ID;Short text;Started;Ended;Severity;Service;Tags;Scope;Resolution;Summary of it;Shoe size\n"
    'I-7;Checkout down;2026-01-02 03:04 UTC;2026-01-02 04:00 UTC;P1;checkout;postmortem;All;"Recycled\nthe pool";x;44\n'
)
PAGE = """<!doctype html><html><head><title>OPS : Checkout down</title><meta name="ajs-page-id" content="12345">
<script>alert(1)</script><style>p {}</style></head><body><div><span id="title-text">OPS : Checkout down
</span></div><div class="page-metadata">Created by ann</div><div id="main-content" class="wiki-content">
<div class="toc-macro">Contents</div><table><tr><th>Severity</th><td>SEV1</td></tr></table>
<h2>Summary</h2><p>The pool was <b>full</b>.<script>steal()</script><img src="https://t.example/p.gif"></p>
<h2>Resolution</h2><p>Recycled the <a href="Pool_77.html">pool</a>. <a href="javascript:x()">now</a></p>
<img src="attachments/1/graph.png" alt="graph"><!-- secret --></div>
<div class="pageSection">Attachments: none</div></body></html>"""


def run(path: Path, **options: Any) -> list[Outcome]:
    return import_files([path], Options(at=factory.NOON, **options)).outcomes


class ImporterContract:
    """`sample`: the incident "Checkout down", its sections `summary` and `what_fixed_it`, as the tool writes it."""

    name = ""
    sample = ""
    form = ""
    mapping: dict[str, str] = {}

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / self.name
        file.write_text(self.sample)
        return file

    def run(self, file: Path, **options: Any) -> list[Outcome]:
        return run(file, **{"wanted": Wanted(mapping=self.mapping), **options})

    def test_it_becomes_a_postmortem_with_its_sections(self, file: Path) -> None:
        created = [one for one in self.run(file) if one.state == "created"]

        row = Postmortem.objects.get(title="Checkout down")
        assert [one.ref for one in created] == [row.ref]
        assert "pool" in row.text_of("what_fixed_it")
        assert row.status == "published"

    def test_its_severity_is_known(self, file: Path) -> None:
        self.run(file)

        assert Postmortem.objects.get(title="Checkout down").severity == "sev1"

    def test_the_second_time_nothing_changes(self, file: Path) -> None:
        first = self.run(file)
        second = self.run(file)

        assert [one.state for one in second] == [one.state.replace("created", "unchanged") for one in first]
        assert Postmortem.objects.count() == 1

    def test_a_change_is_brought_up_to_date(self, file: Path) -> None:
        self.run(file)
        file.write_text(self.sample.replace("Checkout down", "Checkout was down"))

        changed = [one for one in self.run(file) if one.state != "ignored"]

        # A table without ids knows its rows by their titles.
        assert [one.state for one in changed] == ["updated"]
        assert [*Postmortem.objects.values_list("title", flat=True)] == ["Checkout was down"]

    def test_an_edit_made_here_is_kept(self, file: Path) -> None:
        self.run(file)
        Postmortem.objects.get().write("lessons", "Ours.")
        file.write_text(self.sample.replace("Checkout down", "Checkout was down"))

        states = {one.state for one in self.run(file)}

        assert "conflict" in states
        assert Postmortem.objects.get().text_of("lessons") == "Ours."

    def test_a_dry_run_writes_nothing(self, file: Path) -> None:
        states = {one.state for one in self.run(file, dry_run=True)}

        assert "created" in states
        assert not Postmortem.objects.exists()

    def test_it_is_read_out_of_a_zip(self, file: Path, tmp_path: Path) -> None:
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"space/{self.name}", self.sample)

        self.run(path, wanted=Wanted(self.form if self.mapping else "", self.mapping))

        assert Postmortem.objects.get().title == "Checkout down"

    @pytest.mark.portable
    def test_it_is_recognised_and_by_no_other(self) -> None:
        fitting = [name for name, form in FORMATS.items() if Path(self.name).suffix in form.ENDINGS]

        assert next(name for name in fitting if self.mapping or FORMATS[name].recognises(self.sample)) == (
            "jira-csv" if self.mapping else self.form
        )

    def test_half_of_it_is_refused_or_read_and_nothing_breaks(self, file: Path) -> None:
        for cut in range(0, len(self.sample), max(1, len(self.sample) // 5)):
            file.write_text(self.sample[:cut])

            outcomes = self.run(file, dry_run=True)

            assert not any("defect" in one.reason for one in outcomes), outcomes

    def test_nothing_that_runs_comes_in(self, file: Path) -> None:
        file.write_text(self.sample.replace("Recycled", "<script>alert(1)</script><img src=x onerror=y>Recycled"))
        self.run(file)

        html = "".join(Postmortem.objects.get().sections.values_list("html", flat=True))
        assert "<script" not in html
        assert "<img" not in html


class TestGitHub(ImporterContract):
    name, form = "issues.json", "issues"
    sample = json.dumps(GITHUB)


class TestGitLab(ImporterContract):
    name, form = "issues.ndjson", "issues"
    sample = "\n".join(map(json.dumps, GITLAB))


class TestJira(ImporterContract):
    name, form = "search.json", "jira-json"
    sample = json.dumps(JIRA)


class TestJiraTable(ImporterContract):
    name, form = "jira.csv", "jira-csv"
    sample = JIRA_CSV


class TestConfluence(ImporterContract):
    name, form = "Checkout-down_12345.html", "confluence"
    sample = PAGE


class TestIncidentTable(ImporterContract):
    name, form = "incidents.csv", "csv"
    sample = TABLE.replace("Short text", "Title")


# --- what each makes of its own ---


@pytest.mark.portable
def test_labels_become_severity_services_and_tags() -> None:
    labels = ["P2", "severity: high", "service/checkout", "component: Edge", "team payments", "2"]

    assert sorted_labels(labels) == ("sev2", ["checkout", "Edge"], ["severity: high", "team payments", "2"])


def test_facts_of_an_issue_and_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "issues.json"
    file.write_text(json.dumps([{**GITHUB[0], "state": "OPEN", "closedAt": None}, *GITHUB[1:]]))

    outcomes = run(file)

    row = Postmortem.objects.get()
    assert row.status == "draft"
    assert row.source_url == "https://github.com/a/b/issues/7"
    assert [*row.services.values_list("name", flat=True)] == ["checkout"]
    assert [*row.tags.values_list("name", flat=True)] == ["postmortem"]
    assert row.started_at and row.started_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert "Seen again." in row.text_of("narrative")
    assert ("8", "a pull request, not an issue") in [(one.file.partition("#")[2], one.reason) for one in outcomes]


@pytest.mark.portable
def test_wiki_markup_becomes_markdown() -> None:
    text = "h3. Title\n* one\n** two\n# first\n[here|https://x.org/a]\n{{cmd -x}}\n"
    text += "||a||b||\n|1|2|\n{noformat}\n*raw*\n{noformat}"

    said = from_wiki(text)

    assert (
        "### Title\n- one\n  - two\n1. first\n[here](https://x.org/a)\n`cmd -x`\n| a | b |\n| --- | --- |\n|1|2|"
        in said
    )
    assert "```\n*raw*\n```" in said


@pytest.mark.portable
def test_a_tree_of_atlassian_becomes_markdown() -> None:
    def text(said: str, *marks: str) -> dict[str, Any]:
        return {"type": "text", "text": said, "marks": [{"type": mark} for mark in marks]}

    paragraph = {"type": "paragraph", "content": [text("It was "), text("full", "strong")]}
    tree = {
        "type": "doc",
        "content": [
            {"type": "heading", "attrs": {"level": 2}, "content": [text("Summary")]},
            paragraph,
            {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph]}]},
            {"type": "codeBlock", "content": [text("df -h")]},
            {"type": "unheardOf", "content": [text("kept")]},
        ],
    }

    assert from_tree(tree) == "## Summary\n\nIt was **full**\n\n- It was **full**\n\n```\ndf -h\n```\n\nkept"


def test_columns_are_mapped_by_hand_by_name_and_the_rest_is_told(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text(TABLE)
    out = io.StringIO()

    call_command("import_postmortems", str(file), map='title="Short text",summary="Summary of it"', stdout=out)

    row = Postmortem.objects.get()
    assert "columns: Short text → title" in out.getvalue()
    assert "kept as text: Shoe size" in out.getvalue()
    assert row.text_of("summary") == "x"
    assert "- Shoe size: 44" in row.text_of("supporting")
    assert row.started_at and row.started_at.isoformat() == "2026-01-02T03:04:00+00:00"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("title=Nope", "no column 'Nope'"),
        ("poem=Severity,title=Short text", "no field 'poem'"),
        ("", "which column is the"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(tmp_path: Path, mapping: str, reason: str) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text(
        TABLE.replace("Summary of it", "Other").replace("Short text", "Words" if not mapping else "Short text")
    )
    out = io.StringIO()

    with pytest.raises(CommandError):
        call_command("import_postmortems", str(file), map=mapping, stdout=out)

    assert reason in out.getvalue()


@pytest.mark.portable
def test_a_mapping_that_is_no_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="names no column"):
        call_command("import_postmortems", str(tmp_path), map="title")


def test_a_row_that_does_not_fit_is_skipped_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text("Title,Severity,Impact\nDisk full,P1,all\nonly one\n,P2,x\n")

    outcomes = run(file)

    assert [(one.state, one.line, one.reason) for one in outcomes] == [
        ("created", None, ""),
        ("skipped", 3, "1 cells below 3 columns"),
        ("skipped", 4, "a row without a title"),
    ]


@pytest.mark.portable
def test_a_field_without_a_mapping_is_no_column() -> None:
    with pytest.raises(Unreadable):
        columns_of(["A"], {"B": "title"})


def test_a_page_keeps_its_text_and_nothing_that_runs_or_watches(tmp_path: Path) -> None:
    file = tmp_path / "Checkout-down_12345.html"
    file.write_text(PAGE)

    run(file)

    row = Postmortem.objects.get()
    texts = "\n".join(row.sections.values_list("body", flat=True)) + row.imported_file.text
    assert "Recycled the pool. now" in texts
    assert "(picture: graph)" in texts
    for left_out in ("alert", "steal", "t.example", "javascript", "secret", "Created by", "Contents", "Attachments"):
        assert left_out not in texts


def test_other_json_html_and_csv_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "pm"
    folder.mkdir()
    for name, text in (("package.json", '{"a": 1}'), ("x.html", "<p>Hi</p>"), ("x.csv", "a,b\n1,2\n"), ("y.json", "{")):
        (folder / name).write_text(text)

    states = {one.file: (one.state, one.reason) for one in run(folder)}

    assert {state for state, _ in states.values()} == {"ignored"}


@pytest.mark.parametrize("name", ["../a.md", "/a.md", "C:\\a.md"])
@pytest.mark.portable
def test_a_zip_that_leads_out_is_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.md", "# Good\n\n## Summary\n\nText.\n")
        archive.writestr(name, "x")

    (outcome, *_) = run(path)

    assert outcome.state == "skipped"
    assert not Postmortem.objects.exists()


@pytest.mark.portable
def test_a_page_nested_too_deep_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.html"
    file.write_text("<body>" + "<div>" * 50_000 + "x")

    (outcome,) = run(file)

    assert (outcome.state, outcome.reason) == ("skipped", "nested too deep")


@pytest.mark.portable
def test_json_nested_too_deep_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 200_000)

    (outcome,) = run(file)

    assert outcome.state == "skipped"
    assert "defect" not in outcome.reason
