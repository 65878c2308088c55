"""Action items in tables and lists."""

from datetime import date

import pytest

from postmortems.importing.actions import LEFT_OVER, ActionReader
from postmortems.importing.base import ParsedAction
from postmortems.importing.blocks import blocks_of
from postmortems.importing.reading import lines_of


def read(text: str) -> ActionReader:
    reader = ActionReader()
    for block in blocks_of(lines_of(text)):
        reader.read(block)
    assert "".join(piece.raw for piece in reader.pieces) == text
    return reader


def only(text: str) -> ParsedAction:
    (action,) = read(text).actions
    return action


@pytest.mark.parametrize(
    "text",
    [
        "| Action item | Owner | Due date | Type | Priority | Status |\n|-|-|-|-|-|-|\n"
        "| Limit retries | Ann Lee | 2021-07-01 | mitigate | P1 | In progress |\n",
        "- Limit retries\n  - Owner: Ann Lee\n  - Due: 1 July 2021\n  - Type: mitigation\n  - Priority: high\n"
        "  - **Status:** WIP\n",
        "### Mitigation\n\n1. [P1] Limit retries (owner: Ann Lee) (in progress) due 2021-07-01\n",
    ],
)
def test_what_marks_an_action_is_read_from_columns_and_from_text(text: str) -> None:
    assert only(text) == ParsedAction(
        title="Limit retries",
        owner="Ann Lee",
        due_on=date(2021, 7, 1),
        kind="mitigate",
        priority="high",
        state="in_progress",
    )


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("- [x] Buy disks", "done"),
        ("- [ ] Buy disks", "open"),
        ("- Buy disks (done)", "done"),
        ("- [Verified] Buy disks", "verified"),
        ("- Buy disks \N{EM DASH} DONE", "done"),
        ("- Buy disks", "open"),
    ],
)
def test_the_state_is_read(text: str, state: str) -> None:
    action = only(text + "\n")

    assert (action.title, action.state) == ("Buy disks", state)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- Buy disks (won't do: too dear)", "too dear"),
        ("| Action | Status |\n|-|-|\n| Buy disks | n/a |", "Marked \N{LEFT DOUBLE QUOTATION MARK}n/a"),
    ],
)
def test_what_will_not_be_done_has_a_reason(text: str, reason: str) -> None:
    action = only(text + "\n")

    assert (action.title, action.state) == ("Buy disks", "wont_do")
    assert action.reason.startswith(reason)


@pytest.mark.parametrize(
    "text",
    ["- Buy disks @ann", "- @ann: Buy disks", "- Buy disks [ann]", "- Buy disks - owner: ann", "- [ann] Buy disks"],
)
def test_the_owner_is_read_in_any_shape(text: str) -> None:
    action = only(text + "\n")

    assert (action.title, action.owner) == ("Buy disks", "ann")


def test_words_in_brackets_that_are_no_marks_stay() -> None:
    action = only("- (Network) Ask Kim (she called for a meeting) about [the link](https://x.example/1)\n")

    assert action.title == "(Network) Ask Kim (she called for a meeting) about the link (https://x.example/1)"
    assert (action.owner, action.external_url) == ("", "https://x.example/1")


def test_a_mark_in_brackets_names_nobody() -> None:
    action = only("- [x] Buy disks [Done]\n")

    assert (action.title, action.owner, action.state) == ("Buy disks [Done]", "", "done")


def test_a_bold_start_is_the_title_and_the_rest_the_details() -> None:
    action = only("- **Limit retries**: They *pile up*.\n\n  A second paragraph.\n  - and a list\n")

    assert action.title == "Limit retries"
    assert action.details == "They pile up.\n\nA second paragraph.\n- and a list"


def test_a_parent_with_a_colon_groups_its_children() -> None:
    reader = read("- Prevent:\n  - Buy disks\n- Team blue:\n  - Sell tapes\n")

    assert [(action.title, action.kind, action.details) for action in reader.actions] == [
        ("Buy disks", "prevent", ""),
        ("Sell tapes", "prevent", "Team blue:"),
    ]


def test_columns_and_cells_that_are_not_understood_are_details() -> None:
    action = only(
        "| Action | Due | Ticket | Cost |\n|-|-|-|-|\n| Buy disks | Q3 | [OPS-7](https://t.example/7) | 3 \\| 4 |\n"
    )

    assert action.external_url == "https://t.example/7"
    assert action.details == "Due: Q3\nTicket: OPS-7 (https://t.example/7)\nCost: 3 | 4"


def test_a_ticket_with_its_state_behind_it_is_read() -> None:
    action = only("| Action Item | Bug |\n|-|-|\n| Buy disks | n/a **DONE** |\n")

    assert (action.state, action.details) == ("done", "")


def test_a_title_that_is_too_long_is_cut_and_kept_whole_in_the_details() -> None:
    text = "Buy disks for all of the machines. " + "And more of them. " * 60

    action = only(f"- {text}\n")

    assert action.title == "Buy disks for all of the machines."
    assert action.details == text.strip()


def test_text_between_the_items_stays_text() -> None:
    reader = read("We promise:\n\n- Buy disks\n\nThat is all there is to say.\n")

    assert [action.title for action in reader.actions] == ["Buy disks"]
    assert reader.actions[0].details == "We promise"
    assert [piece.raw for piece in reader.pieces if piece.place == LEFT_OVER] == ["That is all there is to say.\n"]


def test_empty_rows_and_items_are_no_actions() -> None:
    reader = read("-\n\n| Action | Owner |\n|-|-|\n| | |\n| | Ann |\n")

    assert reader.actions == []
    assert [piece.raw for piece in reader.pieces if piece.place == LEFT_OVER][-1] == "| | Ann |\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("- Alert on full disks", "detect"), ("- Document the restore", "process"), ("- Cap retries", "prevent")],
)
def test_the_kind_is_guessed_where_it_is_not_given(text: str, kind: str) -> None:
    assert only(text + "\n").kind == kind
