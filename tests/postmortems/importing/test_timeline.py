"""Timelines in the shapes people give them."""

from datetime import UTC, date, datetime

import pytest

from postmortems.importing.blocks import blocks_of
from postmortems.importing.reading import lines_of
from postmortems.importing.timeline import LEFT_OVER, TimelineReader

DAY = date(2021, 6, 22)


def told(text: str, day: date | None = DAY) -> TimelineReader:
    reader = TimelineReader(day)
    for block in blocks_of(lines_of(text)):
        reader.read(block)
    assert "".join(piece.raw for piece in reader.pieces) == text
    return reader


def entries(reader: TimelineReader) -> list[tuple[str, str]]:
    return [(f"{entry.at.astimezone(UTC):%d %H:%M}", entry.text) for entry in reader.entries]


def left_over(reader: TimelineReader) -> str:
    return "".join(piece.raw for piece in reader.pieces if piece.place == LEFT_OVER)


@pytest.mark.parametrize(
    "text",
    [
        "| Time | Event |\n|---|---|\n| 2021-06-22 08:21 | Disk full |\n| 2021-06-22 08:46 | Freed |\n",
        "| Date | Time (UTC) | What happened |\n|-|-|-|\n| 2021-06-22 | 08:21 | Disk full |\n| | 08:46 | Freed |\n",
        "- 08:21 Disk full\n- **08:46**: Freed\n",
        "* [08:21] Disk full\n\n* 08:46 UTC \N{EN DASH} Freed\n",
        "08:21 - Disk full\n8:46am: Freed\n",
        "- 2021-06-22\n  - 08:21 Disk full\n  - 08:46 Freed\n",
        "2021-06-22 (*all times UTC*)\n\n* 08:21 Disk full\n* 08:46 Freed\n",
        "All times in CET.\n\n- 09:21 Disk full\n- 09:46 Freed\n",
        "### 22 June\n\n1. 08:21: Disk full\n2. 08:46: Freed\n",
    ],
)
def test_a_timeline_is_read_in_any_shape(text: str) -> None:
    reader = told(text)

    assert entries(reader) == [("22 08:21", "Disk full"), ("22 08:46", "Freed")]
    assert left_over(reader) == ""


def test_times_without_a_date_stay_text() -> None:
    reader = told("- 08:21 Disk full\n", day=None)

    assert reader.entries == []
    assert left_over(reader) == "- 08:21 Disk full\n"


def test_a_clock_that_goes_back_a_long_way_is_the_next_day() -> None:
    reader = told("- 23:50 Down\n- 00:10 Up\n- 00:05 Someone remembers\n- 09:00 Review\n")

    assert [at for at, _ in entries(reader)] == ["22 23:50", "23 00:10", "23 00:05", "23 09:00"]


def test_prose_between_the_times_stays_text_in_its_place() -> None:
    reader = told("First the short story.\n\n- 08:21 Disk full\n- Nobody looked.\n- 08:46 Freed\n")

    assert len(reader.entries) == 2
    assert left_over(reader) == "First the short story.\n- Nobody looked.\n"


def test_rows_that_cannot_be_read_stay_a_table() -> None:
    head = "| Time | Event |\n|---|---|\n"
    reader = told(f"{head}| 2021-06-22 08:21 | Disk full |\n| 20211-06-22 08:46 | Freed |\n")

    assert entries(reader) == [("22 08:21", "Disk full")]
    assert left_over(reader) == f"{head}| 20211-06-22 08:46 | Freed |\n"


def test_what_stands_beside_a_time_is_kept_in_front_of_the_text() -> None:
    reader = told(
        "| Time | Event |\n|---|---|\n"
        "| ~2021-06-22 08:21 | About then |\n"
        "| 2021-06-22 09:00 - 11:00 | Search |\n"
        "| 2021-06-22 | That day |\n"
    )

    assert entries(reader) == [
        ("22 08:21", "~2021-06-22 08:21: About then"),
        ("22 09:00", "2021-06-22 09:00 - 11:00: Search"),
        ("22 09:00", "2021-06-22: That day"),
    ]


def test_other_columns_and_wrapped_lines_belong_to_the_entry() -> None:
    table = told("| Time | Event | Who |\n|-|-|-|\n| 08:21 | Disk *full* | Ann |\n")
    wrapped = told("08:21 Disk\nfull\n")
    nested = told("- 08:21 Disk full\n  - on `db-1`\n")

    assert table.entries[0].text == "Disk full\nWho: Ann"
    assert wrapped.entries[0].text == "Disk\nfull"
    assert nested.entries[0].text == "Disk full\n- on `db-1`"


def test_the_first_link_is_the_evidence() -> None:
    reader = told("- 08:21 See [the graph](https://graphs.example/1) and more\n")

    assert reader.entries[0].evidence_url == "https://graphs.example/1"
    assert reader.entries[0].text == "See the graph (https://graphs.example/1) and more"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Pager: alert on queue depth", "detection"),
        ("Status page updated", "communication"),
        ("Rolled back the release", "action"),
        ("Root cause identified", "diagnosis"),
        ("Everyone had lunch", "note"),
    ],
)
def test_the_kind_is_told_by_its_words(text: str, kind: str) -> None:
    assert told(f"- 08:21 {text}\n").entries[0].kind == kind


def test_a_zone_beside_a_time_counts_for_the_times_below() -> None:
    reader = told("- 08:21 PST Disk full\n- 09:00 Freed\n")

    assert reader.entries[0].at == datetime(2021, 6, 22, 16, 21, tzinfo=UTC)
    assert reader.entries[1].at == datetime(2021, 6, 22, 17, 0, tzinfo=UTC)
