"""Merging two edits of one text: nothing of either is lost, whatever they did."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kb.three_way import merge

# Few different lines, so that they repeat and move: that is where merges go wrong.
TEXTS = st.lists(st.sampled_from(["", "a", "b", "c", "- a", "d d"]), max_size=12).map("\n".join)
# Lines that stand there once: an edit between them has one place only.
NUMBERED = st.integers(5, 30).map(lambda many: [f"line {n}" for n in range(many)])


@given(TEXTS, TEXTS)
def test_one_edit_alone_is_taken_whole(base: str, edited: str) -> None:
    for mine, theirs in ((edited, base), (base, edited), (edited, edited)):
        merged = merge(base, mine, theirs)

        assert (merged.text, merged.collides) == (edited, False)


@given(TEXTS, TEXTS, TEXTS)
def test_no_line_that_somebody_wrote_is_dropped(base: str, mine: str, theirs: str) -> None:
    merged = Counter(merge(base, mine, theirs).text.split("\n"))

    for edited in (mine, theirs):
        written = Counter(edited.split("\n")) - Counter(base.split("\n"))
        assert written.keys() <= merged.keys(), (written, merged)


@given(TEXTS, TEXTS, TEXTS)
def test_a_collision_shows_all_lines_of_both_unless_the_other_took_them_out(base: str, mine: str, theirs: str) -> None:
    merged = merge(base, mine, theirs)
    kept = set(base.split("\n")) & set(mine.split("\n")) & set(theirs.split("\n"))

    assert kept <= set(merged.text.split("\n"))


@given(NUMBERED, st.data())
def test_edits_with_a_line_between_them_both_survive(base: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(base) - 3))
    second = data.draw(st.integers(first + 2, len(base) - 1))
    mine, theirs = list(base), list(base)
    mine[first] = data.draw(st.sampled_from(["mine", "mine\nand more", ""]))
    theirs[second] = data.draw(st.sampled_from(["theirs", "theirs\nand more", ""]))

    merged = merge("\n".join(base), "\n".join(mine), "\n".join(theirs))

    wanted = list(base)
    wanted[first], wanted[second] = mine[first], theirs[second]
    assert (merged.text, merged.collides) == ("\n".join(wanted), False)


@given(TEXTS, TEXTS, TEXTS)
def test_whose_edit_came_first_does_not_change_whether_they_collide(base: str, mine: str, theirs: str) -> None:
    assert merge(base, mine, theirs).collides == merge(base, theirs, mine).collides


def test_both_variants_of_a_collision_stand_one_after_the_other() -> None:
    base, mine, theirs = "Start\nIt was down.\nEnd", "Start\nIt was slow.\nEnd", "Start\nIt was away.\nEnd"

    merged = merge(base, mine, theirs)

    assert merged.collides
    assert merged.text == "Start\nIt was away.\n\nIt was slow.\nEnd"


def test_two_first_texts_collide() -> None:
    assert merge("", "Mine", "Theirs").text == "Theirs\n\nMine"


def test_a_text_of_one_repeated_line_is_merged_at_all() -> None:
    base = "\n".join(["x"] * 40_000)

    merged = merge(base, f"{base}\nmine", f"theirs\n{base}")

    assert "mine" in merged.text and "theirs" in merged.text
