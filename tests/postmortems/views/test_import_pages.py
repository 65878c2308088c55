"""Bringing in what an organisation has, on pages: choose, look, import; whatever the file is, the page says so."""

from __future__ import annotations

import io
import json
import re
import stat
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from postmortems.exporting.files import FORMATS
from postmortems.import_forms import FACTS
from postmortems.importing.metadata import LABELS
from postmortems.models import AuditEvent, Postmortem, User
from postmortems.search import THE_MACHINE
from postmortems.workflows import bringing, uploading
from postmortems.workflows.regular import TIMETABLE
from tests import factory
from tests.factory import NOON
from tests.postmortems.importing import test_formats as formats

pytestmark = pytest.mark.django_db

GOOD = b"# Disk full\n\n## Summary\n\nThe disk was full.\n\n## Resolution\n\nRemoved logs.\n"
UNKNOWN = b"Words;How bad;What it did\nDisk full;P1;Everything stood\nQueue stuck;P2;Mail was late\n"


@pytest.fixture
def client(admin: User) -> Client:
    return factory.signed_in(admin)


def choose(client: Client, name: str, content: bytes, **answers: str) -> Any:
    return client.post("/import/", {"file": SimpleUploadedFile(name, content), **answers})


def looked_at(client: Client, name: str, content: bytes, **answers: str) -> str:
    """The address of what was chosen."""
    answer = choose(client, name, content, **answers)
    assert answer.status_code == 302, answer.text
    return str(answer.url)


def bring(client: Client, address: str) -> Any:
    return client.post(address, {"step": "import"}, follow=True)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def counts(page: Any) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"<dt>([\w ]+)</dt><dd>(\d+)</dd>", page.text)}


def told(client: Client, address: str) -> str:
    """The report as CSV."""
    return client.get(f"{address}report.csv").getvalue().decode()


def kept(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "imports").glob("*/*"))


# --- three steps ---


class TestSteps:
    @pytest.mark.parametrize("sample", ["GitHub", "GitLab", "Jira", "JiraTable", "Confluence", "IncidentTable"])
    def test_each_format_is_looked_at_and_imported(self, client: Client, sample: str) -> None:
        of = getattr(formats, f"Test{sample}")
        address = looked_at(client, of.name, of.sample.encode())

        look = client.get(address)
        before = Postmortem.objects.count()
        result = bring(client, address)

        row = Postmortem.objects.get(title="Checkout down")
        assert (before, counts(look)["created"], counts(result)["created"]) == (0, 1, 1)
        assert "Checkout down" in look.text
        assert f'href="{row.get_absolute_url()}"' in result.text
        assert (row.severity, row.status) == ("sev1", "published")

    @pytest.mark.parametrize(("name", "content"), [("a.md", GOOD), ("pm.zip", zipped(**{"pm/a.md": GOOD}))])
    def test_markdown_comes_as_a_file_or_a_zip(self, client: Client, name: str, content: bytes) -> None:
        address = looked_at(client, name, content)

        bring(client, address)

        assert Postmortem.objects.get().text_of("summary") == "The disk was full."

    @pytest.mark.parametrize("form", ["markdown", "jsonl"])
    def test_our_own_export_comes_back(self, client: Client, form: str) -> None:
        factory.postmortem("Kept", sections={"summary": "It was down."})
        name, _, make = FORMATS[form]
        content = b"".join(make(THE_MACHINE))
        Postmortem.objects.all().delete()

        result = bring(client, looked_at(client, name, content))

        assert counts(result)["created"] >= 1
        assert Postmortem.objects.get().title == "Kept"

    def test_a_second_time_nothing_changes(self, client: Client) -> None:
        bring(client, looked_at(client, "a.md", GOOD))

        look = client.get(looked_at(client, "a.md", GOOD))

        assert (counts(look)["created"], counts(look)["unchanged"]) == (0, 1)
        assert "There is nothing to import" in look.text

    def test_who_clicks_twice_imports_once(self, client: Client) -> None:
        address = looked_at(client, "a.md", GOOD)

        first, second = bring(client, address), bring(client, address)

        assert counts(first) == counts(second)
        assert AuditEvent.objects.filter(action="import.upload").count() == 1
        assert Postmortem.objects.count() == 1

    def test_while_it_is_read_a_second_click_is_told_so(self, client: Client, admin: User) -> None:
        address = looked_at(client, "a.md", GOOD)
        known = bringing.kept(address.split("/")[2], by=admin)  # type: ignore[arg-type]

        with bringing._alone(known.folder):
            answer = bring(client, address)
            again = client.post(address, {"step": "look", "form": "", "status": "draft"})
            page = client.get(address)

        assert "is being read just now" in answer.text
        assert "it goes on without you" in page.text
        assert "it goes on without you" not in client.get(address).text
        assert (again.status_code, "is being read just now" in again.text) == (400, True)
        assert not Postmortem.objects.exists()

    def test_the_program_imports_the_same_as_the_same(self, client: Client) -> None:
        client.put("/api/v1/imports/a.md", GOOD)

        look = client.get(looked_at(client, "a.md", GOOD))

        assert counts(look)["unchanged"] == 1

    def test_as_drafts_if_that_is_wanted(self, client: Client) -> None:
        address = looked_at(client, "a.md", GOOD)

        client.post(address, {"step": "look", "form": "", "status": "draft"})
        bring(client, address)

        assert Postmortem.objects.get().status == "draft"

    def test_an_edit_made_here_stays_unless_the_file_shall_win(self, client: Client) -> None:
        bring(client, looked_at(client, "a.md", GOOD))
        Postmortem.objects.get().write("lessons", "Ours.")
        address = looked_at(client, "a.md", GOOD.replace(b"full.", b"full again."))
        refused = client.get(address)

        client.post(address, {"step": "look", "form": "", "status": "published", "force": "on"})
        bring(client, address)

        assert "was edited here since the last import" in refused.text
        assert Postmortem.objects.get().text_of("summary") == "The disk was full again."

    def test_what_is_security_comes_in_restricted(self, client: Client, charlie: User) -> None:
        bring(client, looked_at(client, "a.md", b"---\nkind: security\n---\n" + GOOD))

        row = Postmortem.objects.get()
        assert row.visibility == "restricted"
        assert factory.signed_in(charlie).get(row.get_absolute_url()).status_code == 404

    def test_each_fault_has_its_line_and_the_rest_comes(self, client: Client) -> None:
        table = b"Title,Severity,Impact\nDisk full,P1,all\nonly one\n,P2,x\n"

        result = bring(client, looked_at(client, "i.csv", table))

        assert (counts(result)["created"], counts(result)["skipped"]) == (1, 2)
        assert ">line 3</td>" in result.text
        assert "1 cells below 3 columns" in result.text and "a row without a title" in result.text

    def test_of_many_the_first_are_shown_and_all_are_in_the_report(self, client: Client) -> None:
        table = "Title,Severity,Impact\n" + "".join(f"Disk {n} full,P1,x\n" for n in range(150))

        address = looked_at(client, "i.csv", table.encode())
        page = client.get(address)
        report = told(client, address)

        assert counts(page)["created"] == 150
        assert (page.text.count("<li>Disk"), "The first 100 are shown" in page.text) == (100, True)
        assert report.count("created,line ") == 150

    def test_a_cell_of_the_report_is_no_formula(self, client: Client) -> None:
        address = looked_at(client, "i.csv", b"Title,Severity,Impact\n=cmd(),P1,x\n")

        assert "'=cmd()" in told(client, address)

    def test_the_page_asks_few_questions(self, client: Client, django_assert_max_num_queries: Any) -> None:
        address = looked_at(client, "a.md", GOOD)

        with django_assert_max_num_queries(12):
            client.get(address)


# --- columns ---


class TestColumns:
    def test_columns_that_are_not_known_are_asked_for(self, client: Client) -> None:
        page = client.get(looked_at(client, "i.csv", UNKNOWN))

        assert counts(page)["created"] == 0
        assert "Say below which column is what" in page.text
        assert "Disk full · Queue stuck" in page.text

    def test_what_is_said_of_them_is_looked_at_and_imported(self, client: Client) -> None:
        address = looked_at(client, "i.csv", UNKNOWN)
        said = {"column-0": "title", "column-1": "severity", "column-2": "impact", "form": "", "status": "published"}

        look = client.post(address, {"step": "look", **said}, follow=True)
        bring(client, address)

        row = Postmortem.objects.get(title="Disk full")
        assert counts(look)["created"] == 2
        assert (row.severity, row.text_of("impact")) == ("sev1", "Everything stood")
        assert '<option value="impact" selected>' in look.text

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ({"column-0": "title", "column-1": "title"}, "Two columns for &#x27;title&#x27;"),
            ({"column-1": "severity"}, "Which column is the title?"),
            ({"column-0": "poem"}, "Select a valid choice"),
            ({"column-0": "title", "form": "poem"}, "Select a valid choice"),
            ({"column-0": "title", "status": "poem"}, "Select a valid choice"),
        ],
    )
    def test_what_cannot_be_is_said_and_the_answers_stay(
        self, client: Client, said: dict[str, str], error: str
    ) -> None:
        address = looked_at(client, "i.csv", UNKNOWN)

        answer = client.post(address, {"form": "", "status": "draft", "column-2": "impact", **said})

        assert (answer.status_code, error in answer.text) == (400, True)
        assert '<option value="impact" selected>' in answer.text
        assert counts(client.get(address))["created"] == 0

    def test_known_columns_are_chosen_already_and_can_be_kept_as_text(self, client: Client) -> None:
        address = looked_at(client, "i.csv", b"Title,Priority,Impact\nDisk full,P1,all\n")
        page = client.get(address).text
        said = {"column-0": "title", "column-1": "", "column-2": "impact", "form": "", "status": "published"}

        client.post(address, said)
        bring(client, address)

        row = Postmortem.objects.get()
        assert all(f'<option value="{name}" selected>' in page for name in ("title", "severity", "impact"))
        assert (row.severity, "Priority: P1" in row.text_of("supporting")) == ("", True)

    def test_two_columns_may_be_one_text(self, client: Client) -> None:
        address = looked_at(client, "i.csv", b"Title,A,B\nDisk full,one,two\n")
        said = {"column-0": "title", "column-1": "impact", "column-2": "impact", "form": "csv", "status": "published"}

        client.post(address, said)
        bring(client, address)

        text = Postmortem.objects.get().text_of("impact")
        assert "one" in text and "two" in text

    def test_the_names_of_columns_are_no_html(self, client: Client) -> None:
        page = client.get(looked_at(client, "i.csv", b"<b>x</b>,y\n<script>,2\n")).text

        assert "<b>x</b>" not in page and "&lt;script&gt;" in page

    def test_a_thousand_columns_are_no_error(self, client: Client) -> None:
        header = ",".join(["Title", *(f"c{n}" for n in range(900))])
        address = looked_at(client, "i.csv", f"{header}\nDown{',x' * 900}\n".encode())

        answer = client.post(address, {"form": "", "status": "draft", "column-0": "title"}, follow=True)

        assert counts(answer)["created"] == 1

    def test_each_fact_has_a_word(self) -> None:
        assert {*FACTS} == {*LABELS}


# --- what should not come ---


def bomb() -> bytes:
    return zipped(**{"a.md": b"\0" * 5_000_000})


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.md")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


BAD: dict[str, tuple[str, bytes, dict[str, str], str]] = {
    "bomb": ("a.zip", bomb(), {}, "times as large once unpacked"),
    "out of its folder": ("a.zip", zipped(**{"../../a.md": GOOD}), {}, "leads elsewhere"),
    "a link": ("a.zip", linked(), {}, "a link or a device"),
    "no zip": ("a.zip", b"PK\x03\x04 nothing", {}, "not a zip archive"),
    "binary": ("a.md", b"\x00\x01\x02", {}, "a binary file"),
    "no text at all": ("a.md", b"\x81\x8d\x8f\x90", {}, "not UTF-8 or Windows-1252"),
    "wrong format": ("a.json", b'[{"number": 1}]', {"form": "jira-json"}, "no issue of Jira"),
    "another format": ("a.md", GOOD, {"form": "issues"}, "no JSON"),
    "no issues": ("a.json", b'{"a": 1}', {}, "none of the formats"),
    "half of it": ("a.json", b'[{"number": 7, "title": "x"', {}, "no JSON: Expecting"),
    "blank": ("a.md", b" \n\n", {}, ">empty</td>"),
    "a zip of nothing": ("a.zip", zipped(), {}, "an empty archive"),
    "a zip of pictures": ("a.zip", zipped(**{"a.png": b"x"}), {}, "not a Markdown file (.png)"),
    "no issue in a list": ("a.json", b"[]", {}, "nothing is listed in it"),
    "a table without rows": ("a.csv", b"Title,Severity,Impact\n", {}, "no rows below the names"),
}


class TestBadFiles:
    @pytest.mark.parametrize("name", BAD)
    def test_the_page_says_what_is_wrong_and_nothing_is_written(self, client: Client, name: str) -> None:
        file, content, answers, said = BAD[name]
        page = client.get(looked_at(client, file, content, **answers))

        assert page.status_code == 200
        assert said in page.text
        assert "There is nothing to import" in page.text
        assert not Postmortem.objects.exists()

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.md", b"", "This file is empty"),
            ("a.docx", b"PK", "Files that end in .docx are not read"),
            ("a.exe", b"MZ", "Files that end in .exe are not read"),
        ],
    )
    def test_what_is_not_taken_is_said_and_not_kept(
        self, client: Client, data_dir: Path, name: str, content: bytes, said: str
    ) -> None:
        answer = choose(client, name, content)

        assert (answer.status_code, said in answer.text) == (400, True)
        assert kept(data_dir) == []

    def test_nothing_chosen(self, client: Client) -> None:
        answer = client.post("/import/", {})

        assert (answer.status_code, "Choose a file first" in answer.text) == (400, True)

    def test_too_large(self, client: Client, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("postmortems.import_forms.MAX_BYTES", 10)

        answer = choose(client, "a.md", GOOD)

        assert (answer.status_code, "Split it" in answer.text) == (400, True)
        assert kept(data_dir) == []

    def test_larger_than_it_said(self, client: Client, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uploading, "MAX_BYTES", 10)

        answer = choose(client, "a.md", GOOD)

        assert (answer.status_code, "import it with the command instead" in answer.text) == (400, True)
        assert kept(data_dir) == []

    def test_a_full_disk_is_said(self, client: Client, data_dir: Path) -> None:
        (data_dir / "imports").write_text("in the way")

        answer = choose(client, "a.md", GOOD)

        assert (answer.status_code, "cannot be kept here" in answer.text) == (400, True)

    @pytest.mark.parametrize(
        "name", ["../../etc/passwd.md", ".hidden.md", "\u202egnp.md", "停" * 150 + ".md", "a\0b.md", "état.md"]
    )
    def test_no_name_leads_elsewhere(self, client: Client, data_dir: Path, name: str) -> None:
        bring(client, looked_at(client, name, GOOD))

        assert Postmortem.objects.count() == 1
        assert {path.name for path in data_dir.iterdir()} >= {"imports"}
        assert not list(data_dir.parent.glob("*.md"))

    def test_a_text_that_is_not_utf8_is_read_and_it_is_said(self, client: Client) -> None:
        page = client.get(looked_at(client, "a.md", GOOD.replace(b"disk", "dïsk".encode("cp1252"))))

        assert "read as Windows-1252" in page.text
        assert counts(page)["created"] == 1

    def test_half_characters_in_an_export_are_told(self, client: Client) -> None:
        record = {"record": "tag", "slug": "q\ud83d", "name": "Q"}
        other = {"record": "incident", "ref": "INC-\ud83d", "title": "\ud83d\0"}

        content = "\n".join(map(json.dumps, [record, other])).encode()
        address = looked_at(client, "a.jsonl", content)
        page = client.get(address)
        program = client.put("/api/v1/imports/a.jsonl", content)

        assert counts(page)["skipped"] == 2
        assert told(client, address).count("skipped") == 2
        assert len(program.json()["skipped"]) == 2


# --- whose it is ---


class TestWhose:
    def test_somebody_elses_file_is_not_there(self, client: Client) -> None:
        address = looked_at(client, "a.md", GOOD)
        other = factory.signed_in(factory.user("ada", roles=("administrator",)))

        answers = [other.get(address), bring(other, address), other.get(f"{address}report.csv")]

        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert not Postmortem.objects.exists()

    def test_one_that_never_was_is_the_same(self, client: Client) -> None:
        assert client.get(f"/import/{uuid4()}/").status_code == 404

    def test_who_is_no_administrator_any_more_is_refused(self) -> None:
        ada = factory.user("ada", roles=("administrator",))
        client = factory.signed_in(ada)
        address = looked_at(client, "a.md", GOOD)

        ada.give_roles("author")

        assert client.get(address).status_code == 403
        assert bring(client, address).status_code == 403

    def test_a_form_of_another_site_imports_nothing(self, admin: User) -> None:
        address = looked_at(factory.signed_in(admin), "a.md", GOOD)
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin)

        assert choose(client, "a.md", GOOD).status_code == 403
        assert bring(client, address).status_code == 403
        assert not Postmortem.objects.exists()

    def test_it_is_kept_for_a_day_and_its_text_only_until_it_is_imported(self, client: Client, data_dir: Path) -> None:
        address = looked_at(client, "a.md", GOOD)
        (folder,) = kept(data_dir)
        before = list(folder.glob("upload/*"))
        bring(client, address)
        now = timezone.now()

        gone = [bringing.forget(at=now), bringing.forget(at=now + timedelta(hours=25))]

        assert (len(before), list(folder.glob("upload/*")), gone) == (1, [], [0, 1])
        assert kept(data_dir) == []
        assert client.get(address).status_code == 404
        assert bringing.forget_files in [work.task for work in TIMETABLE]

    def test_of_one_person_the_last_five_are_kept(self, client: Client, data_dir: Path) -> None:
        addresses = [looked_at(client, f"{n}.md", GOOD) for n in range(6)]

        assert len(kept(data_dir)) == 5
        assert client.get(addresses[-1]).status_code == 200

    def test_nobody_else_on_the_machine_reads_it(self, client: Client, data_dir: Path) -> None:
        looked_at(client, "a.md", GOOD)

        assert {oct(folder.stat().st_mode & 0o777) for folder in kept(data_dir)} == {"0o700"}

    def test_what_is_half_written_down_is_gone(self, client: Client, data_dir: Path) -> None:
        address = looked_at(client, "a.md", GOOD)
        (kept(data_dir)[0] / "state.json").write_text("{")

        assert client.get(address).status_code == 404


# --- where it is found ---


class TestWhereItIsFound:
    @pytest.mark.parametrize("page", ["/", "/postmortems/", "/export/"])
    def test_administrators_are_led_there(self, client: Client, page: str) -> None:
        assert client.get(page).text.count('href="/import/"') >= 2  # the menu, and the page itself

    @pytest.mark.parametrize("page", ["/", "/postmortems/", "/export/"])
    def test_others_are_not(self, alice: User, page: str) -> None:
        assert 'href="/import/"' not in factory.signed_in(alice).get(page).text

    def test_others_are_told_who_can(self, alice: User) -> None:
        assert "An administrator can" in factory.signed_in(alice).get("/postmortems/").text


def test_keeping_is_by_the_clock_that_is_given(admin: User) -> None:
    bringing.keep("a.md", [GOOD], by=admin, at=NOON)

    assert bringing.forget(at=NOON + timedelta(hours=23)) == 0
    assert bringing.forget(at=NOON + timedelta(hours=25)) == 1
