"""Files as tools and people really write them: read, or refused with a reason; nothing of them is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postmortems.importing.base import Unreadable
from postmortems.importing.incident_table import mapping_of
from postmortems.importing.json_file import listed, values_of
from postmortems.models import Postmortem
from postmortems.workflows.importing import Outcome
from tests.postmortems.importing.test_formats import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learn")]


def brought(tmp_path: Path, name: str, content: str | bytes) -> tuple[list[Outcome], list[Postmortem]]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    outcomes = run(path)
    return outcomes, [Postmortem.objects.get(pk=one.ref[3:]) for one in outcomes if one.state == "created"]


# --- tables ---


class TestTables:
    @pytest.mark.parametrize(
        "content",
        [
            "\ufeffTitle,Severity,Impact\nDisk full,P1,all\n",
            "Title;Severity;Impact\r\nDisk full;P1;all\r\n",
            "sep=;\nTitle;Severity;Impact\nDisk full;P1;all\n",
            '"sep=,"\r\nTitle,Severity,Impact\r\nDisk full,P1,all\r\n',
            "Title\tSeverity\tImpact\nDisk full\tP1\tall\n",
            "Title|Severity|Impact\nDisk full|P1|all\n",
            "\n\r\nTitle,Severity,Impact\nDisk full,P1,all\n",
            "Title,Severity,Impact\rDisk full,P1,all\r",
            "Title,Severity,Impact\nDisk full,P1,all,,\n",
            '"Title","Severity","Impact","x; y; z; and more"\n"Disk full","P1","all","1"\n',
            '"Title","Severity","Customer\nimpact"\n"Disk full","P1","all"\n',
            "Title\u00a0,\u200bSeverity, Impact \nDisk full,P1,all\n",
        ],
        ids=[
            "BOM",
            "semicolons",
            "Excel",
            "Excel quoted",
            "tabs",
            "pipes",
            "lines above",
            "CR",
            "cells too many",
            "quoted",
            "two lines",
            "spaces",
        ],
    )
    def test_a_table_is_read_however_it_is_written(self, tmp_path: Path, content: str) -> None:
        outcomes, rows = brought(tmp_path, "i.csv", content)

        assert [one.state for one in outcomes] == ["created"]
        assert (rows[0].title, rows[0].severity, rows[0].text_of("impact")) == ("Disk full", "sev1", "all")

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
    def test_in_the_encodings_of_spreadsheets(self, tmp_path: Path, encoding: str) -> None:
        content = "Title;Severity;Impact\nPlatte voll · König;P1;“alle”\n".encode(encoding)

        _, rows = brought(tmp_path, "i.csv", content)

        assert (rows[0].title, rows[0].text_of("impact")) == ("Platte voll · König", "“alle”")

    def test_quotes_go_over_lines_and_lines_are_counted_on(self, tmp_path: Path) -> None:
        content = '\nTitle,Severity,Impact\n"Disk\nfull",P1,"one\n\n""two"""\nonly one\n'

        outcomes, rows = brought(tmp_path, "i.csv", content)

        assert (rows[0].title, rows[0].text_of("impact")) == ("Disk full", 'one\n\n"two"')
        assert outcomes[1].line == 7

    def test_columns_of_one_name_and_of_none_are_kept(self, tmp_path: Path) -> None:
        content = "Title,Tags,Tags,Impact,Impact,,\nDisk full,a,b,one,two,lost?,\n"

        outcomes, rows = brought(tmp_path, "i.csv", content)

        assert {*rows[0].tags.values_list("name", flat=True)} == {"a", "b"}
        assert rows[0].text_of("impact") == "one\n\ntwo"
        assert "- column 6: lost?" in rows[0].text_of("supporting")
        assert "kept as text: column 6, column 7" in outcomes[0].note

    @pytest.mark.parametrize(
        ("dates", "day"),
        [
            (("04/05/2025", "25/05/2025"), "2025-05-04"),
            (("04/05/2025", "05/25/2025"), "2025-04-05"),
            (("04-05-2025", "25-05-2025"), "2025-05-04"),
            (("04.05.2025", "01.02.2025"), "2025-05-04"),
            (("04/05/2025 10:00", "25/05/2025"), "2025-05-04"),
        ],
    )
    def test_one_date_that_is_clear_tells_how_to_read_the_others(
        self, tmp_path: Path, dates: tuple[str, str], day: str
    ) -> None:
        content = "Title,Severity,Started\n" + "".join(f"Disk {n} full,P1,{date}\n" for n, date in enumerate(dates))

        _, rows = brought(tmp_path, "i.csv", content)

        found = rows[0].started_at.date() if rows[0].started_at else rows[0].text_of("supporting")
        assert day in str(found)

    @pytest.mark.parametrize("dates", [("04/05/2025", "05/04/2025"), ("04/05/2025", "25/05/2025", "05/25/2025")])
    def test_dates_that_can_be_read_in_two_ways_are_kept_as_text_and_told(
        self, tmp_path: Path, dates: tuple[str, ...]
    ) -> None:
        content = "Title,Impact,Date\n" + "".join(f"Disk {n} full,x,{date}\n" for n, date in enumerate(dates))

        outcomes, rows = brought(tmp_path, "i.csv", content)

        assert rows[0].occurred_on is None
        assert "04/05/2025" in rows[0].text_of("supporting")
        assert "04/05/2025 can be read in two ways" in outcomes[0].note

    def test_what_no_fact_can_be_made_of_is_kept_as_text(self, tmp_path: Path) -> None:
        content = "Title,Severity,Started,Resolution time,Environment\nDisk full,Kritisch,1712311200,45 min,EU\n"

        _, rows = brought(tmp_path, "i.csv", content)

        for said in ("Kritisch", "1712311200", "45 min", "EU"):
            assert said in rows[0].text_of("supporting")

    def test_the_same_title_on_two_days_is_two_incidents(self, tmp_path: Path) -> None:
        content = "Title,Severity,Date\nDisk full,P1,2025-03-01\nDisk full,P1,2025-04-01\n"

        assert len(brought(tmp_path, "i.csv", content)[1]) == 2

    def test_pagerduty_and_servicenow_are_known_by_their_columns(self, tmp_path: Path) -> None:
        pagerduty = (
            "id,description,service_name,created_on,resolved_on,urgency,team_name\n"
            "P1,Disk full,Database,2025-04-05T10:00:00+02:00,2025-04-05T11:00:00+02:00,high,SRE\n"
        )
        servicenow = (
            '"number","short_description","description","priority","opened_at","closed_at","cmdb_ci","close_notes"\n'
            '"INC1","Mail late","Since\nnoon","1","2025-04-05 10:00:00","2025-04-06 11:00:00","mq","Purged"'
        )

        _, (one,) = brought(tmp_path, "pagerduty.csv", pagerduty)
        _, (two,) = brought(tmp_path, "servicenow.csv", servicenow)

        assert (one.title, one.severity, one.services.get().name) == ("Disk full", "sev2", "Database")
        assert one.started_at and one.started_at.isoformat() == "2025-04-05T08:00:00+00:00"
        assert (two.title, two.severity, two.text_of("summary")) == ("Mail late", "sev1", "Since\nnoon")
        assert (two.text_of("what_fixed_it"), bool(two.ended_at)) == ("Purged", True)

    def test_without_a_row_it_is_told(self, tmp_path: Path) -> None:
        outcomes, _ = brought(tmp_path, "i.csv", "Title,Severity,Impact\n\n")

        assert [one.reason for one in outcomes] == ["no rows below the names of the columns"]

    def test_a_mapping_takes_columns_with_commas(self) -> None:
        assert mapping_of('title=Words,impact="What, exactly"') == {"Words": "title", "What, exactly": "impact"}

    def test_a_text_that_is_long_and_has_one_line_is_no_table(self, tmp_path: Path) -> None:
        outcomes, _ = brought(tmp_path, "i.csv", "x" * 1_500_000)

        assert [one.state for one in outcomes] == ["skipped"]


# --- Jira ---


def test_jiras_columns_that_are_there_many_times(tmp_path: Path) -> None:
    content = (
        "Summary,Issue key,Issue id,Status,Priority,Created,Resolved,Component/s,Component/s,Labels,Labels,Labels,"
        "Description,Comment,Comment,Attachment,Custom field (Severity)\n"
        'Checkout down,OPS-1,1,Done,Highest,04/Mar/25 10:00 AM,04/Mar/25 11:30 AM,checkout,payments,a,,b,"h2. Summary\n'
        'Pool ""full""; {code:java}\nx;y\n{code}","04/Mar/25 10:05 AM;jane;one; two","04/Mar/25 10:06 AM;bob;x\ny",'
        "04/Mar/25 10:05 AM;jane;graph.png;https://jira/x,SEV2\n"
    )

    _, (row,) = brought(tmp_path, "jira.csv", content)

    assert {*row.services.values_list("name", flat=True)} == {"checkout", "payments"}
    assert {*row.tags.values_list("name", flat=True)} == {"a", "b"}
    assert (row.severity, 'Pool "full"' in row.text_of("summary")) == ("sev2", True)
    assert "one; two" in row.text_of("narrative") and "x\ny" in row.text_of("narrative")


def jira(key: str) -> dict[str, Any]:
    return {"key": key, "fields": {"summary": f"Down {key}", "description": "h2. Summary\n\nx"}}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (json.dumps(jira("O-1")), 1),
        (json.dumps({"issues": [jira("O-1")]}) + json.dumps({"issues": [jira("O-2")]}), 2),
        (json.dumps([{"issues": [jira("O-1")]}, {"issues": [jira("O-2")]}], indent=1), 2),
        (json.dumps([jira("O-1"), jira("O-2")]), 2),
    ],
    ids=["one issue", "answers one after the other", "answers in a list", "a list"],
)
def test_jiras_answers_however_they_were_put_together(tmp_path: Path, content: str, count: int) -> None:
    assert len(brought(tmp_path, "search.json", content)[1]) == count


# --- GitHub ---


def issue(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Down {number}",
        "body": "## Summary\n\nx",
        "html_url": f"https://x.org/{number}",
    }


ONE, TWO, THREE = (issue(number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("i.json", json.dumps([ONE, TWO]) + json.dumps([THREE])),
        ("i.json", json.dumps([ONE, TWO], indent=2) + "\r\n" + json.dumps([THREE], indent=2) + "\n"),
        ("i.json", json.dumps([[ONE, TWO], [THREE]])),
        ("i.json", "\n".join(json.dumps(each, indent=2) for each in (ONE, TWO, THREE))),
        ("i.ndjson", json.dumps([ONE, TWO]) + "\n" + json.dumps([THREE])),
        ("i.json", "\ufeff" + json.dumps({"total_count": 3, "items": [ONE, TWO, THREE]})),
        ("i.json", json.dumps({"data": {"repository": {"issues": {"nodes": [ONE, TWO, THREE]}}}})),
    ],
    ids=["paginate", "paginate, indented", "slurp", "objects", "a list a line", "search", "GraphQL"],
)
def test_pages_of_issues_however_they_were_put_together(tmp_path: Path, name: str, content: str) -> None:
    _, rows = brought(tmp_path, name, content)

    assert [row.title for row in rows] == ["Down 1", "Down 2", "Down 3"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps([ONE])[:-9], "no JSON: "),
        (json.dumps([ONE]) + json.dumps([TWO])[:-9], "no JSON: "),
        ("[]", "nothing is listed in it"),
        ("", "an empty file"),
        ('{"message": "Bad credentials"}', "none of the formats"),
    ],
)
def test_an_answer_that_broke_off_or_holds_nothing_says_so(tmp_path: Path, content: str, reason: str) -> None:
    outcomes, _ = brought(tmp_path, "i.json", content)

    assert [(one.state, reason in one.reason) for one in outcomes] == [("skipped", True)]


def test_values_one_after_the_other_are_told_with_their_lines() -> None:
    assert list(values_of('{"a": 1}\n\n[1,\n2] 3\n')) == [({"a": 1}, 1), ([1, 2], 3), (3, 4)]
    with pytest.raises(Unreadable) as refused:
        list(values_of('{"a": 1}\n{"b'))
    assert refused.value.line == 2


def test_a_list_is_found_below_known_names_only() -> None:
    assert listed({"data": {"items": [[1], 2]}}, "items", "data") == [1, 2]
    assert listed({"other": [1]}, "items") is None
    endless: dict[str, Any] = {}
    endless["data"] = endless
    assert listed(endless, "data") is None


# --- Confluence ---

PAGE = """<html><head><title>OPS : Checkout down</title></head><body><div id="main-content" class="wiki-content">
<div class="confluence-information-macro confluence-information-macro-warning"><p class="title">Warning</p>
<div class="confluence-information-macro-body"><p>Do not restart.</p></div></div>
<div class="table-wrap"><table><colgroup><col/></colgroup><tbody><tr><th>Severity</th><td>SEV1</td></tr>
<tr><th>Date:</th><td><time datetime="2025-03-04">04 Mar 2025</time></td></tr><tr><th>Shoe size</th><td>44</td></tr>
<tr><th>Services</th><td><ul><li>Checkout</li><li>Pay|ments</li></ul></td></tr></tbody></table></div>
<h2 id="x-Summary">Summary</h2><p>The pool was <span class="status-macro aui-lozenge">FULL</span>.</p>
<h2>Resolution</h2><div class="code panel pdl"><div class="codeContent"><pre>kubectl  rollout
  a|b</pre></div></div>
<h2>Impact</h2><table><tr><th>Who</th><th>What</th></tr><tr><td>a|b</td><td>all</td></tr></table>
<h2>Action items</h2>
<ul class="inline-task-list"><li class="checked"><span>Add an alert</span></li><li>Raise it</li></ul>
<div class="expand-container"><div class="expand-control"><span>Click here to expand...</span></div>
<div class="expand-content"><p>Told inside</p></div></div><![if !supportLists]><p>end</p><![endif]></div>
<div class="pageSection group"><h2 id="attachments">Attachments:</h2>graph.png</div></body></html>"""


def test_a_page_with_macros_tables_and_tasks(tmp_path: Path) -> None:
    _, (row,) = brought(tmp_path, "Checkout_77.html", PAGE)

    text = "\n".join(row.sections.values_list("body", flat=True))
    assert (row.severity, str(row.occurred_on)) == ("sev1", "2025-03-04")
    assert {*row.services.values_list("name", flat=True)} == {"Checkout", "Pay|ments"}
    assert "kubectl  rollout\n  a|b" in row.text_of("what_fixed_it")
    assert r"| a\|b | all |" in row.text_of("impact")
    assert [(item.title, item.state) for item in row.action_items.order_by("pk")] == [
        ("Add an alert", "done"),
        ("Raise it", "open"),
    ]
    for kept in ("> Do not restart.", "FULL", "Told inside", "end", "Shoe size"):
        assert kept in text
    for dropped in ("supportLists", "Click here", "graph.png", "SEV1"):
        assert dropped not in text


def test_a_page_without_a_body_is_read(tmp_path: Path) -> None:
    _, (row,) = brought(tmp_path, "a.html", "<h1>Disk full</h1><h2>Summary</h2><p>It was.</p>")

    assert row.text_of("summary") == "It was."
