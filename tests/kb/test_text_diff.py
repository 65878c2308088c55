"""What changed between two texts, for reading."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kb import text_diff
from kb.text_diff import Piece

TEXTS = st.text(st.sampled_from("ab \n.-\u00e9"), max_size=60)


def said(pieces: object) -> str:
    return "".join(piece.text for piece in pieces)  # type: ignore[attr-defined]


@given(TEXTS, TEXTS)
def test_each_side_is_its_whole_text(before: str, after: str) -> None:
    rows = text_diff.rows(before, after)

    assert "\n".join(said(row.before) for row in rows if row.before or not row.after).strip("\n") == before.strip("\n")
    assert "\n".join(said(row.after) for row in rows if row.after or not row.before).strip("\n") == after.strip("\n")


@given(TEXTS, TEXTS)
def test_one_flow_holds_both_texts(before: str, after: str) -> None:
    for row in text_diff.rows(before, after):
        assert said(piece for piece in row.inline if piece.kind != "new") == said(row.before)
        assert said(piece for piece in row.inline if piece.kind != "gone") == said(row.after)


@given(TEXTS)
def test_a_text_is_the_same_as_itself(text: str) -> None:
    assert all(row.is_same for row in text_diff.rows(text, text))


def test_only_the_word_that_changed_is_marked() -> None:
    (first, changed) = text_diff.rows("Same.\nThe pool was full today.", "Same.\nThe pool was empty today.")

    assert first.is_same
    assert changed.inline == [
        Piece("same", "The pool was"),
        Piece("gone", " full"),
        Piece("new", " empty"),
        Piece("same", " today."),
    ]


def test_texts_too_much_alike_are_compared_more_coarsely() -> None:
    before, after = "a " * 40_000, "b " + "a " * 39_000 + "b"

    (row,) = text_diff.rows(before, after)

    assert said(row.before) == before and said(row.after) == after
