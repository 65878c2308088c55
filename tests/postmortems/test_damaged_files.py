"""Files that were damaged or edited by hand: what is wrong is said with file, line and place; nothing is half there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.broken_rules import broken_rule
from postmortems.exporting.files import json_lines, markdown_zip
from postmortems.importing.formats import Wanted
from postmortems.models import Incident, Postmortem, Tag
from postmortems.workflows.importing import Outcome
from tests.postmortems.importing import test_formats as formats
from tests.postmortems.test_exchange import empty, fill, run, undone, whole

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learn")]

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEAD = '{"record": "export", "version": 1}\n'
INCIDENT: dict[str, Any] = {
    **{"record": "incident", "ref": "INC-9", "title": "Disk full", "started_at": "2026-01-01T00:00:00+00:00"},
    **{"created_at": "2026-01-01T00:00:00+00:00"},
}
ACTION: dict[str, Any] = {"ref": "ACT-1", "title": "x", "created_at": "2026-01-01"}
WRONG: list[Any] = [
    *("x" * 36, "9" * 30, "", " ", "\0", "\ud800", "é", "x" * 5000, "0001-01-01T00:00:00+14:00", "9999-12-31"),
    *(10**30, -1, 1.5, True, None, float("nan"), [], {}, [1], [[1]], [None], [{}], {"a": 1}, "PM-999999999999999999"),
    *("alice", "published", "sev1", "2026-01-01", [[[[[[[[[[[[[[]]]]]]]]]]]]]]),
]


def spots(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every value in it."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from spots(value, (*path, key))


def spoil(record: Any, draw: Any) -> None:
    """One value of it becomes a wrong one."""
    *way, last = draw(st.sampled_from(list(spots(record))))
    for key in way:
        record = record[key]
    record[last] = draw(st.sampled_from(WRONG))


def unforeseen(outcomes: list[Outcome]) -> list[str]:
    return [one.reason for one in outcomes if "defect" in one.reason or "cannot be stored" in one.reason]


# --- any damage ---


@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
@pytest.mark.usefixtures("alice", "bob")
def test_whatever_is_wrong_in_an_export_is_foreseen(tmp_path: Path, force: bool) -> None:
    fill()
    lines = whole(json_lines).splitlines()
    path = tmp_path / "a.jsonl"
    if not force:
        empty()

    @given(data=st.data())
    @settings(SLOW, max_examples=4)
    def with_three_wrong_values(data: st.DataObject) -> None:
        records = [json.loads(line) for line in lines]
        for record in data.draw(st.permutations(records[1:]))[:3]:
            spoil(record, data.draw)
        path.write_text("\n".join(map(json.dumps, records)))

        with undone():
            outcomes = run(path, force=force)

            assert unforeseen(outcomes) == []
            assert [one for one in outcomes if one.state == "skipped" and not one.line] == []
            assert whole(json_lines)

    with_three_wrong_values()


PIECES = st.sampled_from(
    (
        *(b"\0", b"\xff\xfe", b"\xe9", b"\xed\xa0\x80", b"\r", b'"', b"---\n", b"```", b"<!--", b"[", b"}", b": "),
        *(b"1" * 400, b"0001-01-01T00:00+14:00", b"x" * 3000, b"| a |\n|---|\n", b"<td>", b"{code}", b"\xef\xbb\xbf"),
        *(b"\\ud800", b"&#0;"),
    )
)


def damaged(content: bytes, draw: Any) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(content)))
        end = begin + draw(st.sampled_from([0, 0, 3, 40]))
        content = content[:begin] + draw(PIECES) + content[end:]
    return content


@pytest.mark.usefixtures("alice", "bob")
def test_damage_in_a_zip_of_markdown_is_foreseen(tmp_path: Path) -> None:
    fill()
    archive = zipfile.ZipFile(io.BytesIO(whole(markdown_zip)))
    files = {name: archive.read(name) for name in archive.namelist()}
    empty()

    @given(data=st.data())
    @settings(SLOW, max_examples=4)
    def with_one_file_damaged(data: st.DataObject) -> None:
        victim = data.draw(st.sampled_from([name for name in files if "/files/" not in name]))
        with zipfile.ZipFile(tmp_path / "kb.zip", "w") as packed:
            for name, content in files.items():
                packed.writestr(name, damaged(content, data.draw) if name == victim else content)

        with undone():
            assert unforeseen(run(tmp_path / "kb.zip")) == []

    with_one_file_damaged()


SAMPLES = [
    formats.TestGitHub,
    formats.TestGitLab,
    formats.TestJira,
    formats.TestJiraTable,
    formats.TestConfluence,
    formats.TestIncidentTable,
]


@given(data=st.data(), sample=st.sampled_from(SAMPLES))
@settings(SLOW, max_examples=15)
def test_damage_in_a_file_of_another_tool_is_foreseen(tmp_path: Path, data: st.DataObject, sample: Any) -> None:
    content = sample.sample
    if sample.name.endswith(".json") and data.draw(st.booleans()):
        whole_of_it = json.loads(content)
        spoil(whole_of_it, data.draw)
        content = json.dumps(whole_of_it)
    path = tmp_path / sample.name
    path.write_bytes(damaged(content.encode(), data.draw))

    with undone():
        outcomes = run(path, wanted=Wanted(sample.form if data.draw(st.booleans()) else ""))

    assert unforeseen(outcomes) == []


# --- what is said ---


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"action_items": [ACTION | {"created_at": "noon"}]}, "action_items 1, created_at: "),
        ({"participants": [{"user": "alice"}]}, "participants 1, joined_at: is missing"),
        ({"participants": [{"user": None, "joined_at": "2026-01-01"}]}, "participants 1, user: is missing"),
        ({"status": "resolved"}, "against a rule: resolved incident has time"),
        ({"action_items": [ACTION | {"state": "wont_do"}]}, "action_items 1: against a rule: wont do has a reason"),
        ({"first_report": {"title": 7}}, "first_report, title: a text is expected"),
        ({"services": [""]}, "services: a name is empty"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at: '0001-01-01T00:00:00+14:00' is no moment"),
        ({"closed_at": "9999-12-31T00:00:00+00:00"}, "closed_at: '9999-12-31T00:00:00+00:00' lies too far away"),
        ({"timeline": [{"at": "2026-01-01", "text": ["a"]}]}, "timeline 1, text: one value is expected"),
        ({"severity": [[[[[[[[[[[[[[]]]]]]]]]]]]]]}, "nested more than 12 deep"),
        ({"environment": float("nan")}, "NaN is no number"),
    ],
)
def test_the_place_of_what_is_wrong_is_named_and_nothing_of_the_record_stays(
    tmp_path: Path, alice: Any, change: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "a.jsonl"
    good = {"record": "tag", "slug": "q", "name": "Q"}
    path.write_text(HEAD + json.dumps({**INCIDENT, **change}) + "\n" + json.dumps(good))

    wrong, right = run(path)

    assert reason in wrong.reason
    assert (wrong.state, wrong.line, right.state) == ("skipped", 2, "created")
    assert not Incident.objects.exists()


def test_a_value_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(HEAD + '{"record": "tag", "slug": "q", "name": "Q", "name": "R"}')

    (wrong,) = run(path)

    assert (wrong.line, wrong.reason) == (2, "no JSON: 'name' is given twice")


def test_a_dry_run_finds_what_is_wrong_with_the_values(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(HEAD + json.dumps({**INCIDENT, "severity": "sev7"}))

    (wrong,) = run(path, dry_run=True)

    assert wrong.reason.startswith("severity: Value 'sev7' is not a valid choice")


def test_a_field_that_nobody_reads_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(HEAD + json.dumps({**INCIDENT, "sevrity": "sev1"}))

    (created,) = run(path)

    assert created.note == "sevrity is no field, and was not read"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('severity: "sev2"', 'severity: "sev7"', 6, "severity: Value 'sev7'"),
        ('"kind": "detection"', '"kind": "guess"', 10, "timeline 2, kind: Value 'guess'"),
    ],
)
def test_a_markdown_record_is_refused_with_the_line_of_the_value(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    entries = '[{"at": "2026-01-01", "text": "a"}\n  - {"at": "2026-01-01", "text": "b", "kind": "detection"}'
    facts = 'ref: "PM-9"\ntitle: "A"\ncreated_at: "2026-01-01"\nseverity: "sev2"\ntags: []\ntimeline:\n  - '
    text = f"---\nkb_record: postmortem\n{facts}{entries[1:]}\n---\n"
    (tmp_path / "PM-9.md").write_text(text.replace(old, new))

    (wrong,) = run(tmp_path / "PM-9.md")

    assert wrong.reason.startswith(reason)
    assert wrong.line == line
    assert not Postmortem.objects.exists()


def test_half_a_character_in_an_issue_is_replaced_and_the_other_issues_are_read(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    issue: dict[str, Any] = formats.GITHUB[0]
    path.write_text(
        json.dumps(
            [{**issue, "body": "## Summary\n\nHalf \ud83d and \0."}, {**issue, "url": "https://x.org/8", "number": 8}]
        )
    )

    first, second = run(path)

    assert (first.state, second.state) == ("created", "created")
    assert "characters that are no text were replaced" in first.note
    assert "Half \N{REPLACEMENT CHARACTER}" in Postmortem.objects.get(pk=first.ref[3:]).text_of("summary")


def test_an_issue_that_is_too_long_and_a_line_that_is_no_json_leave_the_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "issues.ndjson"
    issue = formats.GITLAB[0]
    others = [{**issue, "iid": 8, "web_url": "x", "description": "y" * 2_000_001}, {**issue, "iid": 9, "web_url": "z"}]
    path.write_text("\n".join([json.dumps(issue), "{", *map(json.dumps, others)]))

    outcomes = run(path)

    assert [(one.state, one.line) for one in outcomes] == [
        *[("created", None), ("skipped", 2), ("skipped", 3), ("created", None)]
    ]
    assert outcomes[2].reason == "larger than 2 MB: not a postmortem"


def test_a_page_of_tags_alone_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("<body>" + "<p>x</p>" * 60_000)

    (wrong,) = run(path)

    assert "100,000 tags" in wrong.reason


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Title,Severity\nDisk full,P1\n" + "y" * 1_000_001 + ",P1\n", 3, "From here on nothing was read"),
        ('Title,Severity\nDisk full,P1\n"x"y,P1\n', 3, "From here on nothing was read"),
        ("Severity,Priority\nP1,P2\n", 1, "which column is the title?"),
    ],
)
def test_a_table_that_breaks_off_says_where_and_keeps_what_was_before(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)

    *before, wrong = run(path, wanted=Wanted("csv"))

    assert reason in wrong.reason
    assert wrong.line == line
    assert [one.state for one in before] == ["created"] * (line == 3)


# --- rules of the database, in words ---


def test_a_rule_is_told_by_its_name_or_column(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tags = [{"record": "tag", "slug": slug, "name": "Q"} for slug in ("q", "r")]
    path.write_text(HEAD + "\n".join(map(json.dumps, tags)))

    _, wrong = run(path)

    assert wrong.reason == "against a rule: one tag per name"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("UNIQUE constraint failed: postmortems_tag.slug", "slug is taken"),
        ('duplicate key value violates unique constraint "postmortems_tag_slug_key"\nDETAIL: x', "slug is taken"),
        ('duplicate key value violates unique constraint "one_tag_per_name"\nDETAIL: x', "one tag per name"),
        ("database is upset", "database is upset"),
    ],
)
def test_what_a_database_says_in_words(said: str, words: str) -> None:
    assert broken_rule(IntegrityError(said), Tag) == words
