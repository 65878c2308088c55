"""Segments are merged often enough that a search asks few, and seldom enough that a save is quick."""

import pytest

from kb.search.merging import BIG, FEW, MANY, SMALL, worth_merging


def after_saves(count: int, start: tuple[int, ...] = ()) -> tuple[list[int], int, int]:
    """The sizes of the segments after so many saves of one document; how many there were at most; documents copied."""
    sizes, most, copied = list(start), 0, 0
    for _ in range(count):
        chosen = worth_merging(sizes, thoroughly=False)
        merged = sum(sizes[number] for number in chosen)
        sizes = [size for number, size in enumerate(sizes) if number not in chosen] + [merged + 1]
        most, copied = max(most, len(sizes)), copied + merged
    return sizes, most, copied


def test_a_few_segments_are_left_alone() -> None:
    assert worth_merging([10_000, *[1] * FEW], thoroughly=False) == []


def test_one_small_segment_too_many_merges_the_small_ones() -> None:
    assert worth_merging([10_000, *[1] * (FEW + 1)], thoroughly=False) == list(range(1, FEW + 2))


def test_empty_segments_always_go() -> None:
    assert worth_merging([5, 0, 7], thoroughly=False) == [1]
    assert 1 in worth_merging([5, 0, 7], thoroughly=True)


def test_the_job_merges_what_is_small_beside_the_rest() -> None:
    assert worth_merging([10_000, 64, 70, 80], thoroughly=True) == [1, 2, 3]
    assert worth_merging([300, 64, 70, 80], thoroughly=True) == [1, 2, 3, 0]
    assert worth_merging([10_000], thoroughly=True) == []


def test_the_job_takes_no_more_than_it_can_do_in_half_a_minute() -> None:
    chosen = worth_merging([6_000] * 16, thoroughly=True)

    assert 1 < len(chosen) * 6_000 <= BIG


@pytest.mark.parametrize("start", [(), (10_000,), (6_000, 4_000)])
def test_thousands_of_saves_without_a_job_leave_few_segments(start: tuple[int, ...]) -> None:
    _, most, copied = after_saves(5000, start)

    assert most <= MANY + 4  # a few more, each bigger than all smaller ones together
    assert copied <= 5000 * 6


def test_a_save_seldom_copies_much() -> None:
    sizes: list[int] = [10_000]
    copies = []
    for _ in range(640):
        chosen = worth_merging(sizes, thoroughly=False)
        copies.append(sum(sizes[number] for number in chosen))
        sizes = [size for number, size in enumerate(sizes) if number not in chosen] + [copies[-1] + 1]

    assert sorted(copies)[int(len(copies) * 0.95)] <= SMALL
