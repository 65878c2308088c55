"""Whole documents: the usual templates, and that nothing of them is lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems.importing.base import FIELD, STRUCTURE, ParsedPostmortem, Unreadable
from postmortems.importing.markdown_file import parse
from postmortems.sections import KEYS

# Our own incidents, in the shapes of templates that are widely used.
LABELS_AT_THE_TOP = """\
# Basket lost its items (incident #12)

**Date:** 2023-03-04

**Authors:** dana, kim

**Status:** Complete, action items in progress

**Summary:** Baskets were empty for 40 minutes after a push of configuration.

**Impact:** About 12,000 baskets.

**Root Causes:** The size of the pool was mistyped. It was read as zero.

**Trigger:** Push of configuration 881.

**Resolution:** Configuration 881 was reverted.

```
deploy rollback basket --to 880
```

**Detection:** Pager: more than 5 % of requests failed.

## Action Items

| Action Item | Type | Owner | Bug |
| ----------- | ---- | ----- | --- |
| Validate sizes of pools | prevent | dana | n/a **DONE** |

## Lessons Learned

### What went well

* The pager fired within a minute

### What went wrong

* Nobody was allowed to push

### Where we got lucky

* It was a Sunday

## Timeline

2023-03-04 (*all times PST*)

* 23:51 Configuration pushed
* 00:10 Configuration reverted

## Supporting information

Graph: <https://graphs.example/basket>
"""
HEADINGS_ONLY = """\
## Overview

The queue stood still.

## What Happened

On 3 May 2022 the broker ran out of disk.

## Contributing Factors

- Nobody watched the disk

## Resolution

Old segments were deleted.

## Impact

|  |  |
| --- | --- |
| Customers | 100 |

## Responders

- Ann
- Bob

## Timeline

| Time (UTC) | Event |
|---|---|
| 10:00 | Broker stops |

## How'd We Do?

### What Went Well?

- Fast

### What Didn't Go So Well?

- Slow pages

## Action Items

- [ ] Alert on disk (@ann) due 2022-06-01

## Messaging

### Internal Email

Dear all, it is over.
"""
TABLE_OF_DETAILS = """\
Sign-in was slow
================

Incident details
----------------

| Field | Value |
|---|---|
| Severity | SEV-2 |
| Incident date | 2022-02-03 |
| Team | Identity |
| Affected services | Sign-in, Sessions |
| Weather | rainy |

Leadup
------
A migration ran.

Fault
-----
The index was dropped.

5 whys
------
1. Why? A slow query

Recovery
--------
The index was built again.

## Corrective actions
1. Guard migrations - owner: Lee
"""
MORGUE = """\
---
title: Mail went out twice
start_time: 2020-11-05T10:00:00Z
end_time: 2020-11-05T11:30:00Z
severity: 3
tags: [mail, queue]
status: draft
contact: ops@example.org
links:
  chat: https://chat.example/1
---

# Summary

A worker was counted twice.

# What happened

It sent every mail again.

# Remediation items

- Make sending idempotent
"""
DOCUMENTS = (LABELS_AT_THE_TOP, HEADINGS_ONLY, TABLE_OF_DETAILS, MORGUE)


def words(*texts: object) -> set[str]:
    return set(re.findall(r"[^\W_]+", " ".join(map(str, texts)).lower()))


def stored_words(parsed: ParsedPostmortem) -> set[str]:
    """What a reader can find in the sections, rows and fields."""
    fields = [
        parsed.title,
        parsed.authors,
        parsed.team,
        parsed.status,
        parsed.severity.replace("sev", "sev "),
        parsed.occurred_on,
    ]
    moments = [f"{moment:%Y %m %d %H %M %S}" for moment in (parsed.started_at, parsed.ended_at) if moment]
    rows = [f"{entry.at:%Y %m %d %H %M} {entry.text}" for entry in parsed.timeline]
    rows += [f"{row.title} {row.details} {row.owner} {row.due_on} {row.state} {row.kind}" for row in parsed.actions]
    return words(*fields, *moments, *rows, *parsed.sections.values(), *parsed.tags, *parsed.services)


# Names of what the fields above hold, and one word for what they hold: a ticket that is `n/a` and `DONE`.
UNDERSTOOD = words(
    "date authors status severity team services affected incident owner due title tags start time end n a"
)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_the_pieces_are_the_source_and_every_word_is_stored(text: str) -> None:
    parsed = parse(text, "file")

    assert "".join(piece.raw for piece in parsed.pieces) == text
    told = words(
        *(piece.raw.replace("T1", " 1").replace("00Z", "00") for piece in parsed.pieces if piece.place != STRUCTURE)
    )
    assert told - stored_words(parsed) - UNDERSTOOD == set()


@pytest.mark.parametrize("text", DOCUMENTS)
def test_line_endings_change_nothing_but_themselves(text: str) -> None:
    unix = parse(text, "file")

    for ending in ("\r\n", "\r"):
        other = parse(text.replace("\n", ending), "file")

        assert "".join(piece.raw for piece in other.pieces) == text.replace("\n", ending)
        assert vars(other) | {"pieces": ()} == vars(unix) | {"pieces": ()}


def test_labels_above_the_headings_are_sections_and_fields() -> None:
    parsed = parse(LABELS_AT_THE_TOP, "file")

    assert parsed.title == "Basket lost its items (incident #12)"
    assert parsed.authors == "dana, kim"
    assert parsed.status == "published"
    assert str(parsed.occurred_on) == "2023-03-04"
    assert parsed.sections["impact"] == "About 12,000 baskets."
    assert parsed.sections["contributing_factors"] == "The size of the pool was mistyped. It was read as zero."
    assert parsed.sections["worked_well"] == "* The pager fired within a minute"
    assert parsed.sections["didnt_work"] == "* Nobody was allowed to push"
    assert parsed.sections["lucky"] == "* It was a Sunday"
    assert parsed.sections["supporting"].startswith("**Status:** Complete, action items in progress")
    assert "narrative" not in parsed.sections
    assert [f"{entry.at:%d %H:%M %z}" for entry in parsed.timeline] == ["04 23:51 -0800", "05 00:10 -0800"]
    (fix,) = parsed.fixes
    assert (fix.title, fix.kind) == ("Configuration 881 was reverted", "rollback")
    assert fix.commands == "deploy rollback basket --to 880"


def test_headings_are_sections_and_what_has_no_home_is_narrative() -> None:
    parsed = parse(HEADINGS_ONLY, "2022-05-03-queue-stood-still")

    assert parsed.title == "The queue stood still"
    assert parsed.authors == "Responders: Ann, Bob"
    assert parsed.sections["narrative"] == "## What Happened\n\nOn 3 May 2022 the broker ran out of disk."
    assert parsed.sections["supporting"] == "### Internal Email\n\nDear all, it is over."
    assert parsed.sections["didnt_work"] == "- Slow pages"
    assert [entry.at.isoformat() for entry in parsed.timeline] == ["2022-05-03T10:00:00+00:00"]
    assert (parsed.actions[0].title, parsed.actions[0].owner) == ("Alert on disk", "ann")


def test_a_table_of_details_is_fields_and_what_is_left_is_kept() -> None:
    parsed = parse(TABLE_OF_DETAILS, "file")

    assert (parsed.title, parsed.severity, parsed.team) == ("Sign-in was slow", "sev2", "Identity")
    assert parsed.services == ("Sign-in", "Sessions")
    assert parsed.sections["supporting"] == "Incident details\n----------------\n\n- **Weather:** rainy"
    assert parsed.sections["trigger"] == "Leadup\n------\n\nA migration ran."
    assert parsed.sections["contributing_factors"].endswith("5 whys\n------\n\n1. Why? A slow query")
    assert parsed.actions[0].owner == "Lee"


def test_front_matter_is_fields_and_keys_we_do_not_know_are_kept() -> None:
    parsed = parse(MORGUE, "file")

    assert (parsed.title, parsed.severity, parsed.status) == ("Mail went out twice", "sev3", "draft")
    assert parsed.tags == ("mail", "queue")
    assert str(parsed.started_at) == "2020-11-05 10:00:00+00:00"
    assert str(parsed.ended_at) == "2020-11-05 11:30:00+00:00"
    assert parsed.sections["supporting"] == (
        "- Contact: ops@example.org\n```yaml\nlinks:\n  chat: https://chat.example/1\n```"
    )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: From front matter\n---\n# From the heading\n\nText.", "From front matter"),
        ("# From the heading\n\nText.", "From the heading"),
        ("---\nsummary: The summary begins. It goes on.\n---\nText.", "The summary begins"),
        ("Version 1.2 of the text begins, e.g. here. It goes on.", "Version 1.2 of the text begins, e.g. here"),
        ("## Timeline\n\n- 2021-06-22 08:21 Full\n", "Disk was full"),
        ("# Summary\n\nNo title at all.", "No title at all"),
    ],
)
def test_the_title_is_found(text: str, title: str) -> None:
    assert parse(text, "2021-06-22-disk_was_full").title == title


def test_a_second_title_is_kept() -> None:
    parsed = parse("---\ntitle: One\n---\n# Another\n\n## Summary\n\nText.", "file")

    assert parsed.sections["narrative"] == "# Another"


def test_a_document_without_headings_is_narrative() -> None:
    parsed = parse("---\nsummary: Short.\n---\n\nFirst.\n\nSecond: and\nthird.\n", "file")

    assert parsed.sections == {"summary": "Short.", "narrative": "First.\n\nSecond: and\nthird."}


def test_a_single_paragraph_is_its_own_summary() -> None:
    assert parse("Only this is known.\n", "file").sections == {"summary": "Only this is known."}


def test_headings_in_code_and_comments_are_text() -> None:
    body = "```\n## Impact\n```\n\n    ## Impact\n\n<!--\n## Impact\n-->\n\ntext"

    parsed = parse(f"# T\n\n## Summary\n\n{body}\n", "file")

    assert parsed.sections == {"summary": body}


def test_unknown_headings_stay_in_their_section_or_in_the_narrative_in_order() -> None:
    parsed = parse(
        "# T\n\n## Odd one\n\nA\n\n## Impact\n\nB\n\n### In Europe\n\nC\n\n## Odd two\n\nD\n\n### Below\n\nE\n", "file"
    )

    assert parsed.sections["impact"] == "B\n\n### In Europe\n\nC"
    assert parsed.sections["narrative"] == "## Odd one\n\nA\n\n## Odd two\n\nD\n\n### Below\n\nE"


def test_headings_inside_a_timeline_and_inside_action_items_are_phases_and_groups() -> None:
    parsed = parse(
        "# T\n\n## Timeline\n\n### Detection\n\n- 2021-05-03 08:21 Full\n\n### Resolution\n\n- 08:46 Freed\n\n"
        "## Action items\n\n### Prevention\n\n- Cap the queue\n\n### Detection\n\n- Look at it\n",
        "file",
    )

    assert [entry.text for entry in parsed.timeline] == ["Detection: Full", "Resolution: Freed"]
    assert [(action.title, action.kind) for action in parsed.actions] == [
        ("Cap the queue", "prevent"),
        ("Look at it", "detect"),
    ]
    assert parsed.sections == {}


def test_a_section_that_comes_twice_is_joined_below_its_second_heading() -> None:
    parsed = parse("# T\n\n## Root cause\n\nA\n\n## Contributing factors\n\nB\n", "file")

    assert parsed.sections["contributing_factors"] == "A\n\n## Contributing factors\n\nB"


def test_definitions_go_where_they_are_used() -> None:
    parsed = parse(
        "# T\n\n## Summary\n\nSee [it][pm-1].\n\n## Lessons\n\nWell.\n\n[PM-1]: https://x.example/1\n[^2]: Not used.\n",
        "file",
    )

    assert parsed.sections["summary"] == "See [it][pm-1].\n\n[PM-1]: https://x.example/1"
    assert parsed.sections["lessons"] == "Well."
    assert parsed.sections["supporting"] == "- \\[^2]: Not used."


def test_an_address_that_is_none_is_kept_as_text() -> None:
    parsed = parse("---\ntitle: T\nurl: javascript:alert(1)\n---\nText.", "file")

    assert parsed.source_url == ""
    assert parsed.sections["supporting"] == "- Url: javascript:alert(1)"


def test_a_visibility_nobody_knows_is_refused_and_not_taken_for_open() -> None:
    with pytest.raises(Unreadable, match="visibility") as refused:
        parse("---\ntitle: T\nvisibility: top\n---\nText.", "file")

    assert refused.value.line == 3


def test_what_is_said_first_counts_and_the_other_is_kept() -> None:
    parsed = parse("---\nteam: Blue\n---\n# T\n\n- Team: Red\n- Severity: S1\n- Sev: S2\n\n## Impact\n\nText.", "file")

    assert (parsed.team, parsed.severity) == ("Blue", "sev1")
    assert parsed.sections["supporting"] == "- Team: Red\n- Sev: S2"


def test_an_end_before_the_start_is_kept_as_text_only() -> None:
    parsed = parse("---\nstart: 2021-05-03 08:00\nend: 2021-05-03 07:00\n---\nText.", "file")

    assert parsed.ended_at is None
    assert parsed.sections["supporting"] == "- End: 2021-05-03T07:00:00+00:00"


def test_the_text_does_not_say_who_may_see_it() -> None:
    parsed = parse("# T\n\n- Visibility: open\n- Uuid: 1\n\n## Summary\n\nText.", "file")

    assert (parsed.visibility, parsed.uuid) == ("", "")


@pytest.mark.parametrize("text", ["", " \n\n", "---\n---\n", "***\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="empty"):
        parse(text, "file")


LINES = st.sampled_from(
    [
        *(
            "# Title",
            "## Summary",
            "## Timeline",
            "## Action items",
            "### Detection",
            "## Odd",
            "Summary",
            "=====",
            "-----",
        ),
        *(
            "",
            "  ",
            "text",
            "- item",
            "  - child",
            "1. one",
            "* [x] done @ann",
            "- **Owner:** ann",
            "-",
            "    code",
            "\tcode",
        ),
        *(
            "| Time | Event |",
            "|---|---|",
            "| 2021-06-22 08:21 | x |",
            "| a |",
            "08:21 - x",
            "- 09:10 y",
            "**Impact:** z",
        ),
        *(
            "Date: 2021-06-22",
            "- Severity: SEV1",
            "**Date:** 2021",
            "```",
            "~~~",
            "<!-- a",
            "-->",
            "[a]: b",
            "[^1]: c",
            "***",
        ),
        *(
            "All times in CET",
            "2021-06-22",
            "---",
            "...",
            "key: value",
            "title: &x",
            "## Attendees",
            "## Stats",
            "> quote",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"]))))
def test_nothing_is_lost_of_any_document(lines: list[tuple[str, str]]) -> None:
    text = "".join(line + ending for line, ending in lines)

    try:
        parsed = parse(text, "file")
    except Unreadable:
        return

    assert "".join(piece.raw for piece in parsed.pieces) == text
    assert set(parsed.sections) <= set(KEYS)
    assert parsed.title
    for piece in parsed.pieces:
        if piece.place in KEYS:
            assert words(piece.raw) <= words(parsed.sections[piece.place])


def test_a_blank_line_between_a_definition_and_the_title_makes_no_section() -> None:
    parsed = parse("[a]: b\n\n# Title\n```\n[a]: b\n", "file")

    assert {piece.place for piece in parsed.pieces} & set(KEYS) == set(parsed.sections)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse(text, "file")
    except Unreadable:
        return

    assert "".join(piece.raw for piece in parsed.pieces) == text
    assert {piece.place for piece in parsed.pieces} <= {*KEYS, FIELD, STRUCTURE, "timeline", "actions"}
