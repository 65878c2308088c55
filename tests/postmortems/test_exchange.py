"""Out and in again: what an export says, an empty knowledge base says after importing it, byte for byte."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.archives import Archive
from postmortems.exporting.files import FORMATS, csv_zip, json_lines, markdown_zip
from postmortems.exporting.shapes import SHAPES, Shape
from postmortems.importing import record_file
from postmortems.importing.base import Unreadable
from postmortems.models import (
    ActionItem,
    ApiToken,
    AuditEvent,
    Comment,
    Comparison,
    Fix,
    Incident,
    Participant,
    Postmortem,
    Problem,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    Service,
    Tag,
    Team,
    TimelineEntry,
    User,
)
from postmortems.models.revision import content_of
from postmortems.search import THE_MACHINE
from postmortems.workflows import attaching
from postmortems.workflows.importing import Options, Outcome, import_files
from tests import factory
from tests.factory import NOON
from tests.postmortems.canaries import Secret

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learn")]

NASTY = (
    "---\nfoo: bar\n---\n",
    "yes: no\n# Summary\n\n## Impact\n\ntext",
    "<!-- section: impact -->\n## Impact\n\nnot really\n\\<!-- section: summary -->",
    "  leading\n\n\ttabs\r\nCRLF\rCR\n\n\n",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{FIRE} \u2028 \u0085 \ufeff \x7f \x1b[31m \U0001fffe",
    "- [ ] &anchor *alias !!python/object 2021-02-30 null ~ 0x1F 1_000 : # '\" \\ \\n {{ x }} %",
)


def run(path: Path, **options: Any) -> list[Outcome]:
    return import_files([path], Options(at=NOON, **options)).outcomes


def whole(make: Callable[[Any], Iterator[bytes]], user: Any = THE_MACHINE) -> bytes:
    return b"".join(make(user))


class _Enough(Exception):
    """The world as it was before."""


@contextmanager
def undone() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            raise _Enough
    except _Enough:
        pass


def empty() -> None:
    """Accounts stay: they are no part of a copy."""
    for model in (ActionItem, TimelineEntry, Fix, Comment, Comparison):
        model.objects.all().delete()
    for other in (Postmortem, Incident, Problem, Service, Tag, Team):
        other.objects.all().delete()


def fill(texts: tuple[str, ...] = NASTY) -> Postmortem:
    """Something of each kind, with these texts wherever there is room."""
    said = [text.strip() or "x" for text in texts]
    line = [" ".join(text.split())[:90] or "x" for text in texts]
    alice, bob = User.objects.get(username="alice"), User.objects.get(username="bob")
    team = factory.team("Payments", alice, bob)
    Service.objects.filter(pk=factory.service("Checkout").pk).update(
        owner_team=team, description=said[0], aliases=line[:2]
    )
    problem = Problem.objects.create(title=line[1], discriminating_check=texts[1], cause_category="capacity")
    incident = factory.incident(
        line[2],
        **{"symptoms": texts[0], "error_excerpt": texts[3], "services": ("Checkout",), "severity": "sev1"},
        **{"reported_by": alice, "commander": bob, "status": "resolved", "resolved_at": NOON + timedelta(minutes=5)},
        **{"source": "prometheus", "dedup_key": line[4], "external_url": "https://example.org/?a=1&b=%20"},
    )
    incident.keep_first_report()
    lonely = factory.incident("Nothing else", visibility="restricted")
    lonely.members.add(bob)
    lonely.shared_with.add(team)
    Participant.objects.create(incident=incident, user=bob, joined_at=NOON, note=line[0])
    TimelineEntry.objects.create(incident=incident, at=NOON, text=texts[5] or "x", by=alice)
    factory.action_item(line[3], incident=incident, owner_text="Nobody Here", due_on=NOON.date())
    row = factory.postmortem(line[0], owner=alice, team=team, problem=problem, services=("Checkout", "Edge"))
    Postmortem.objects.filter(pk=row.pk).update(authors=line[1], source_url="https://example.org/a b", severity="sev2")
    row.tags.add(Tag.objects.called("Queue"), Tag.objects.called(line[4][:60]))
    row.incidents.add(incident)
    for key, body in zip(
        ("summary", "impact", "what_fixed_it", "prevention", "lessons", "narrative"), texts, strict=True
    ):
        row.write(key, body)
    TimelineEntry.objects.create(postmortem=row, at=NOON, text=texts[2] or "x", evidence_url="https://example.org")
    TimelineEntry.objects.create(postmortem=row, at=NOON - timedelta(hours=1), kind="detection", text=texts[1] or "x")
    done = {"state": "verified", "evidence": said[5], "verified_by": bob, "verified_at": NOON}
    factory.action_item(line[5], postmortem=row, owner=bob, details=texts[0], done_when=texts[3], **done)
    factory.action_item("Also here", postmortem=row, incident=incident)
    fix = factory.fix(line[4], postmortem=row, steps=texts[0], commands=texts[3], undo=texts[5], preconditions=texts[1])
    factory.fix_use(fix, incident, note=texts[2], minutes_to_effect=7, recorded_by=alice)
    alone = factory.fix("Alone", services=("Edge",), problem=problem, steps=texts[4], commands=texts[2], risk=texts[1])
    factory.verdict(incident, row, by=bob)
    factory.verdict(incident, alone, "not_similar")
    earlier = factory.postmortem("Earlier", sections={"summary": "It was down."})
    Comparison.objects.create(postmortem=row, earlier=earlier, verdict="same_symptom", how_to_tell=texts[1], at=NOON)
    attaching.attach(row, name="../grap h.png", content=b"\x89PNG\r\n\x1a\n", by=None, at=NOON)
    attaching.attach(row, name="notes.md", content=b"# Not a postmortem\n\n## Summary\n", by=None, at=NOON)
    revision = Revision.objects.create(postmortem=row, number=1, content=content_of(row), at=NOON, by=alice)
    Postmortem.objects.filter(pk=row.pk).update(revision=1)
    ReviewVerdict.objects.create(
        revision=revision, reviewer=bob, decision="approved", checklist={"impact": "yes"}, note=texts[0], at=NOON
    )
    ReviewRequest.objects.create(postmortem=row, reviewer=bob, requested_by=alice, requested_at=NOON)
    comment = Comment.objects.create(
        postmortem=row, section="summary", revision=1, body=texts[0] or "x", by=bob, at=NOON
    )
    Comment.objects.create(postmortem=row, revision=1, body=texts[1] or "x", by=alice, at=NOON, reply_to=comment)
    return row


def round_trip(form: str, folder: Path) -> tuple[bytes, bytes]:
    """(what an export says, what one says after an empty knowledge base has imported it)."""
    name, _, make = FORMATS[form]
    before = whole(make)
    path = folder / name
    path.write_bytes(before)
    empty()
    outcomes = run(path)
    assert [one for one in outcomes if one.state in ("skipped", "conflict")] == []
    return before, whole(make)


# --- there and back ---


@pytest.mark.usefixtures("alice", "bob")
def test_json_lines_make_the_same_knowledge_base(tmp_path: Path) -> None:
    fill()

    before, after = round_trip("jsonl", tmp_path)

    assert after.decode() == before.decode()
    kinds = [json.loads(line)["record"] for line in before.splitlines()]
    assert {*kinds} == {
        *("export", "team", "service", "tag", "problem", "incident", "postmortem", "fix", "comparison", "attachment")
    }


@pytest.mark.usefixtures("alice", "bob")
def test_markdown_makes_the_same_knowledge_base(tmp_path: Path) -> None:
    fill()

    before, after = round_trip("markdown", tmp_path)

    assert unpacked(after) == unpacked(before)
    assert after == before


@pytest.mark.usefixtures("alice", "bob")
def test_an_unpacked_export_is_read_as_the_zip_is(tmp_path: Path) -> None:
    fill()
    before = whole(markdown_zip)
    zipfile.ZipFile(io.BytesIO(before)).extractall(tmp_path / "kb")
    empty()

    outcomes = run(tmp_path / "kb")

    assert {one.reason for one in outcomes if one.state != "created"} == {"an attachment"}
    assert whole(markdown_zip) == before


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
LINES = st.lists(
    st.sampled_from(["---", "", "  - a: b", "## Impact", "\r", "<!-- section: impact -->", "x"]), max_size=6
)
TEXTS = st.one_of(WORDS, st.builds("\n".join, LINES), st.sampled_from(NASTY))


@pytest.mark.usefixtures("alice", "bob")
@given(texts=st.tuples(*[TEXTS] * 6), form=st.sampled_from(["jsonl", "markdown"]))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_come_back_as_they_were(tmp_path: Path, texts: tuple[str, ...], form: str) -> None:
    with undone():
        fill(texts)

        before, after = round_trip(form, tmp_path)

        assert after == before


@given(texts=st.tuples(*[TEXTS] * 6))
def test_a_record_is_read_from_its_file_as_it_was_written(texts: tuple[str, ...]) -> None:
    keys = ("summary", "impact", "detection", "trigger", "what_fixed_it", "lessons")
    sections = [{"key": key, "body": body} for key, body in zip(keys, texts, strict=True)]
    deep = [{"at": texts[0], "uses": [{"note": texts[1]}, {"note": None}]}]
    record = {"ref": "PM-1", "title": texts[2], "tags": list(texts), "timeline": deep, "sections": sections}

    found = record_file.read(record_file.write(record, "postmortem"))

    assert found.kind == "postmortem"
    assert found.record == record


def test_git_may_turn_the_ends_of_lines(tmp_path: Path) -> None:
    record = {"ref": "PM-1", "title": "A", "sections": [{"key": "summary", "body": "one\ntwo"}]}

    found = record_file.read(record_file.write(record, "postmortem").replace("\n", "\r\n"))

    assert found.record["sections"] == [{"key": "summary", "body": "one\r\ntwo"}]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\nkb_record: postmortem\nref: PM-1\n", 1, "does not end"),
        ("---\nkb_record: poem\n---\n", 2, "is none of"),
        ("---\nkb_record: fix\na: &x b\n---\n", 3, "anchors"),
        ("---\nkb_record: fix\na: !!python/none ''\n---\n", 3, "tags"),
        ('---\nkb_record: fix\na: "\\0"\n---\n', 3, "no text"),
        ("---\nkb_record: fix\na: b\na: c\n---\n", 4, "given twice"),
        ("---\nkb_record: fix\na: [[[[[[[[[1]]]]]]]]]\n---\n", 3, "nested"),
        ("---\nkb_record: fix\n---\n\n<!-- section: poem -->\n", 5, "no section"),
        ("---\nkb_record: fix\n---\n<!-- section: undo -->\na\n<!-- section: undo -->\n", 6, "twice"),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as refused:
        record_file.read(text)

    assert refused.value.line == line


# --- run twice, edited, forced ---


@pytest.mark.usefixtures("alice", "bob")
@pytest.mark.parametrize("form", ["jsonl", "markdown"])
def test_an_export_of_what_is_here_changes_nothing(tmp_path: Path, form: str) -> None:
    fill()
    name, _, make = FORMATS[form]
    (tmp_path / name).write_bytes(whole(make))
    before = whole(json_lines)

    outcomes = run(tmp_path / name, force=True)

    assert {one.state for one in outcomes} <= {"unchanged", "ignored"}
    assert whole(json_lines) == before


@pytest.mark.usefixtures("alice", "bob")
def test_what_was_edited_here_stays_unless_the_file_is_forced(tmp_path: Path) -> None:
    row = fill()
    path = tmp_path / "export.jsonl"
    path.write_bytes(before := whole(json_lines))
    row.write("summary", "Edited here.")

    (kept,) = [one for one in run(path) if one.state == "conflict"]
    edited = Postmortem.objects.get(pk=row.pk).text_of("summary")
    (forced,) = [one for one in run(path, force=True) if one.state == "updated"]

    assert kept.ref == forced.ref == row.ref
    assert "differs here (sections), and stays as it is (--force)" in kept.reason
    assert kept.line is not None
    assert edited == "Edited here."
    assert whole(json_lines) == before


@pytest.mark.usefixtures("alice", "bob")
def test_a_number_that_is_something_else_here_is_not_written_over(tmp_path: Path) -> None:
    row = fill()
    path = tmp_path / "export.jsonl"
    path.write_bytes(whole(json_lines))
    Postmortem.objects.filter(pk=row.pk).update(created_at=NOON - timedelta(days=400), title="Another")

    skipped = [one.reason for one in run(path, force=True) if one.state == "skipped"]

    assert f"{row.ref} is another postmortem here: Another" in skipped
    assert Postmortem.objects.get(pk=row.pk).title == "Another"


@pytest.mark.usefixtures("alice", "bob")
def test_a_dry_run_says_it_and_writes_nothing(tmp_path: Path) -> None:
    fill()
    path = tmp_path / "export.jsonl"
    path.write_bytes(whole(json_lines))
    empty()

    outcomes = run(path, dry_run=True)

    assert {one.state for one in outcomes} == {"created"}
    assert not Postmortem.objects.exists()
    assert not Service.objects.exists()


@pytest.mark.usefixtures("alice", "bob")
def test_new_rows_get_numbers_of_their_own_afterwards(tmp_path: Path) -> None:
    row = fill()
    round_trip("jsonl", tmp_path)

    new = factory.postmortem("New")

    assert new.pk > row.pk


@pytest.mark.usefixtures("alice", "bob")
def test_people_who_are_not_here_are_told_and_owners_of_actions_kept_as_text(tmp_path: Path) -> None:
    row = fill()
    lonely = Incident.objects.get(title="Nothing else")
    path = tmp_path / "export.jsonl"
    path.write_bytes(whole(json_lines))
    empty()
    User.objects.filter(username="bob").update(username="robert", email="")

    first = {one.ref: one for one in run(path)}
    again = {one.state for one in run(path)}

    assert "reviewer: bob is not here" in first[row.ref].note
    assert Postmortem.objects.get(pk=row.pk).owner == User.objects.get(username="alice")
    assert {*row.action_items.values_list("owner", "owner_text")} == {(None, "bob"), (None, "")}
    assert Incident.objects.get(pk=lonely.pk).visibility == "restricted"
    assert Incident.objects.get(pk=lonely.pk).members.count() == 0
    assert again == {"unchanged"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ('{"a": 1}', "no record"),
        ('{"record": "poem", "title": "x"}', "no kind of record"),
        ('{"record": "incident", "title": "x"}', "none of a incident"),
        ('{"record": "incident", "ref": "INC-9", "title": "a\\u0000b"}', "no text"),
        ('{"record": "incident", "ref": "INC-9", "title": "a", "severity": "sev7"}', "severity"),
        ('{"record": "incident", "ref": "INC-9", "title": "a", "started_at": "noon"}', "no moment"),
        ('{"record": "incident", "ref": "INC-9", "title": "a"}', "started_at: is missing"),
        ('{"record": "incident", "ref": "INC-9", "timeline": [7]}', "no record"),
        ('{"record": "tag", "slug": "x", "name": 7, "aliases": ["a"], "record2": []}', ""),
        ('{"record": "tag", "slug": "x", "name": "X", "aliases": {"a": 1}}', "aliases: a list is expected"),
        ('{"record": "comparison", "postmortem": "PM-8", "earlier": "PM-9", "at": "2026-01-01"}', "not here"),
        ('{"record": "attachment", "token": "x", "postmortem": "PM-9"}', "token"),
        ('{"record": "postmortem", "ref": "PM-9", "title": "a", "attachments": [{"token": "a"}]}', "token"),
    ],
)
def test_a_line_that_is_wrong_is_skipped_with_its_reason_and_the_others_are_read(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"record": "export", "version": 1}\n' + line + '\n{"record": "tag", "slug": "q", "name": "Q"}\n')

    wrong, right = run(path)

    assert reason in wrong.reason
    assert wrong.state == ("skipped" if reason else "created")
    assert right.state == "created"


def test_an_attachment_cannot_be_fetched_from_outside_the_export(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    folder = tmp_path / "kb"
    folder.mkdir()
    listed = '[{"token": "5ec2e7a0-0000-4000-8000-000000000001", "name": "a", "at": "2026-01-01", "file": "../secret"}]'
    facts = f"kb_record: postmortem\nref: PM-9\ntitle: A\ncreated_at: 2026-01-01\nattachments: {listed}"
    (folder / "PM-9.md").write_text(f"---\n{facts}\n---\n")

    (outcome,) = [one for one in run(folder) if one.file == "kb/PM-9.md"]

    assert outcome.state == "skipped"
    assert "is not there" in outcome.reason
    assert not Postmortem.objects.exists()


# --- what is in it, and for whom ---


def unpacked(content: bytes) -> dict[str, str]:
    archive = Archive(io.BytesIO(content))
    return {name: archive.read(name).decode(errors="replace") for name in archive.names}


@pytest.fixture
def restricted(alice: User, bob: User) -> Postmortem:
    row = fill()
    incident = factory.incident("zqxsecret incident", visibility="restricted", services=("zqxsecretservice",))
    incident.members.add(alice)
    hidden = factory.postmortem("zqxsecret", visibility="restricted", owner=alice, sections={"summary": "zqxsecret"})
    hidden.tags.add(Tag.objects.called("zqxsecrettag"))
    shut = factory.fix("zqxsecret fix", postmortem=row, visibility="restricted")
    factory.fix_use(Fix.objects.get(title="Alone"), incident, note="zqxsecret")
    factory.verdict(Incident.objects.exclude(pk=incident.pk).order_by("pk")[0], shut)
    Comparison.objects.create(postmortem=row, earlier=hidden, at=NOON, how_to_tell="zqxsecret")
    factory.action_item("zqxsecret", postmortem=row, incident=incident)
    return row


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_what_its_reader_may_see_and_nothing_else(
    restricted: Postmortem, charlie: User, form: str
) -> None:
    _, _, make = FORMATS[form]
    show = (lambda content: content.decode()) if form == "jsonl" else (lambda content: str(unpacked(content)))

    theirs, all_of_it = show(whole(make, charlie)), show(whole(make))

    assert "zqxsecret" in all_of_it
    assert "zqxsecret" not in theirs
    assert "Nothing else" not in theirs
    assert restricted.ref in theirs


def test_who_is_let_in_is_told_to_administrators_only(restricted: Postmortem, alice: User) -> None:
    theirs = [json.loads(line) for line in whole(json_lines, alice).splitlines()]

    assert not any({"members", "shared_with"} & record.keys() for record in theirs)
    assert any(record.get("title") == "zqxsecret" for record in theirs)


def test_the_review_is_in_the_export_of_those_who_may_read_it(
    restricted: Postmortem, alice: User, charlie: User
) -> None:
    def comments(user: User) -> list[Any]:
        found = [json.loads(line) for line in whole(json_lines, user).splitlines()]
        return next(record["comments"] for record in found if record.get("ref") == restricted.ref)

    assert len(comments(alice)) == 1
    assert comments(charlie) == []


def test_tables_open_in_a_spreadsheet_without_running_anything(alice: User) -> None:
    factory.incident("=HYPERLINK(1)", symptoms="seen")

    table = unpacked(whole(csv_zip))["incidents.csv"]

    (row,) = csv.DictReader(io.StringIO(table.removeprefix("\ufeff")))
    assert row["title"] == "'=HYPERLINK(1)"
    assert row["symptoms"] == "seen"


def test_names_of_files_lead_nowhere(tmp_path: Path) -> None:
    for title in ("../../static/x", "a/b", "CON", "é" * 200, "\x1b[31m"):
        row = factory.postmortem(title)
    attaching.attach(row, name="..\\..\\evil.sh", content=b"x", by=None, at=NOON)

    names = Archive(io.BytesIO(whole(markdown_zip))).names

    assert len([name for name in names if name.startswith("4-postmortems/PM-")]) == 5
    assert all(".." not in name and len(name) < 200 for name in names)


# --- page and command ---


@pytest.mark.parametrize("address", ["/export/markdown.zip", "/export/records.jsonl", "/export/tables.zip"])
def test_anybody_who_is_signed_in_takes_a_copy_and_it_is_written_down(alice: User, address: str) -> None:
    factory.postmortem("Disk full", sections={"summary": "Full."})

    answer = factory.signed_in(alice).get(address)
    content = b"".join(answer)

    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert content
    assert AuditEvent.objects.get(action="export.make").by == alice


@pytest.mark.parametrize("form", FORMATS)
def test_a_program_takes_what_its_account_may_see(restricted: Postmortem, charlie: User, form: str) -> None:
    _, content_type, make = FORMATS[form]
    expected = whole(make, charlie)
    secret = ApiToken.objects.issue(user=charlie, name="copy", scopes=["read"], at=timezone.now())[1]

    answer = Client().get(f"/api/v1/export/?format={form}", headers={"authorization": f"Bearer {secret}"})

    assert answer.status_code == 200
    assert answer["Content-Type"] == content_type
    assert b"".join(answer) == expected
    assert AuditEvent.objects.get(action="export.make").by == charlie


@pytest.mark.parametrize(
    ("scope", "query", "status"), [("read", "?format=poem", 400), ("write", "", 403), ("read", "", 200)]
)
def test_the_export_of_the_api_wants_a_form_and_the_scope_to_read(
    alice: User, scope: str, query: str, status: int
) -> None:
    secret = ApiToken.objects.issue(user=alice, name="copy", scopes=[scope], at=timezone.now())[1]
    headers = {"authorization": f"Bearer {secret}", "accept": "application/zip"}

    answer = Client().get(f"/api/v1/export/{query}", headers=headers)

    assert answer.status_code == status
    assert AuditEvent.objects.filter(action="export.make").exists() == (status == 200)


def test_asking_for_the_head_of_an_export_takes_no_copy(alice: User) -> None:
    answer = factory.signed_in(alice).head("/api/v1/export/")

    assert answer.status_code == 200
    assert not AuditEvent.objects.filter(action="export.make").exists()


def test_a_stranger_takes_nothing() -> None:
    answer = Client().get("/export/records.jsonl")

    assert answer.status_code == 302


def test_the_page_names_the_three(alice: User) -> None:
    page = factory.signed_in(alice).get("/export/").content.decode()

    assert all(name in page for name in ("/export/markdown.zip", "/export/records.jsonl", "/export/tables.zip"))


def test_the_command_writes_a_file_for_its_owner_and_over_none(
    tmp_path: Path, restricted: Postmortem, charlie: User
) -> None:
    path = tmp_path / "out.jsonl"

    call_command("export", str(path), format="jsonl", stdout=io.StringIO())

    assert path.stat().st_mode & 0o077 == 0
    assert path.read_bytes() == whole(json_lines)
    with pytest.raises(CommandError, match="there already"):
        call_command("export", str(path), format="jsonl")
    call_command("export", str(path), format="jsonl", user="charlie", replace=True, stdout=io.StringIO())
    assert "zqxsecret" not in path.read_text()
    with pytest.raises(CommandError, match="no account"):
        call_command("export", str(tmp_path / "x"), user="nobody")


def test_the_number_of_questions_does_not_grow_with_the_rows(alice: User, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        factory.postmortem(f"Down {number}", sections={"summary": "x"}, services=("Edge",))

    with django_assert_max_num_queries(70):
        whole(json_lines, alice)


# --- nothing is forgotten ---

# Of the site and not of what is known, of one person, or made of the rest again.
NOT_IN_A_COPY = {
    *("User", "ApiToken", "Invitation", "AuditEvent", "Watch", "Notification", "WorkingCopy", "SuggestionRun"),
    *("SuggestionOpening", "PostmortemTemplate", "TemplateSection", "PostmortemPolicy", "GlossaryEntry", "Alert"),
    *("AlertReceipt", "ActionDuePolicy", "Tracker", "SavedFilter", "KnowledgeGap", "IntakePolicy", "SigningKey"),
    *("KeptAnswer", "Reading", "ReminderChoice", "Digest", "SlackAccount", "Webhook", "WebhookDelivery"),
}
MADE_AGAIN = {"id", "search_version", "html", "steps_html", "symptoms_html", "file", "owner_text"}
OF_THE_IMPORT = {"fingerprint", "imported_at"}


def shapes(shape: Shape) -> Iterator[Shape]:
    yield shape
    for part in shape.parts.values():
        yield from shapes(part)


def test_every_table_and_field_is_in_a_copy_or_left_out_on_purpose() -> None:
    told: dict[Any, set[str]] = {}
    for shape in (each for whole in SHAPES for each in shapes(whole)):
        told.setdefault(shape.model, set()).update(shape.fields, {shape.home}, shape.inherits)

    for model in apps.get_app_config("postmortems").get_models():
        fields = {field.name for field in (*model._meta.concrete_fields, *model._meta.many_to_many)}
        assert model in told or model.__name__ in NOT_IN_A_COPY, f"{model.__name__}: a shape, or NOT_IN_A_COPY"
        if model in told:
            assert fields - told[model] <= MADE_AGAIN | OF_THE_IMPORT, model


def test_of_what_is_hidden_no_word_is_in_any_export(admin: User, charlie: User, alice: User, bob: User) -> None:
    opened = {"incident": factory.incident(), "postmortem": factory.postmortem(owner=bob), "fix": factory.fix()}
    secret = Secret(member=alice, former=charlie, team=factory.team("Insiders", alice), opened=opened)
    words = set(secret.words.values())

    for form, (_, _, make) in FORMATS.items():
        show = bytes.decode if form == "jsonl" else lambda content: str(unpacked(content))
        theirs, of_members = show(whole(make, charlie)), show(whole(make, alice))
        # Who is told of an action item is told with it; a record of one's own is one's own.
        assert {word for word in words if word in theirs} == set(), form
        assert {word for word in words if word in of_members}, form
