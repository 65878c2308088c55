"""Segments are merged often enough that a search asks few, and seldom enough that a save is quick."""

import pytest

from kb.search import merging
from kb.search.merging import AT_ONCE, FEW, SMALL


def after_saves(count: int, start: tuple[int, ...] = ()) -> tuple[list[int], list[int]]:
    """How many segments there were after each of so many saves of one document; how many documents it copied."""
    sizes, segments, copies = list(start), [], []
    for _ in range(count):
        sizes.append(1)
        chosen = merging.at_once(sizes)
        copies.append(sum(sizes[number] for number in chosen))
        sizes = [size for number, size in enumerate(sizes) if number not in chosen] + [copies[-1]] * bool(chosen)
        segments.append(len(sizes))
    return segments, copies


def after_the_job(sizes: list[int]) -> list[int]:
    while chosen := merging.beside(sizes):
        total = sum(sizes[number] for number in chosen)
        sizes = [size for number, size in enumerate(sizes) if number not in chosen] + [total] * bool(total)
    return sorted(sizes)


def test_a_few_segments_are_left_alone() -> None:
    assert merging.at_once([10_000, *[1] * FEW]) == []


def test_one_small_segment_too_many_merges_the_small_ones() -> None:
    assert merging.at_once([10_000, *[1] * (FEW + 1)]) == list(range(1, FEW + 2))


def test_empty_segments_always_go() -> None:
    assert merging.at_once([5, 0, 7]) == [1]
    assert 1 in merging.beside([5, 0, 7])
    assert merging.beside([0]) == [0]


def test_the_job_merges_what_is_small_beside_the_rest() -> None:
    assert merging.beside([10_000, 64, 70, 80]) == [1, 2, 3]
    assert merging.beside([300, 64, 70, 80]) == [1, 2, 3, 0]
    assert merging.beside([10_000]) == []


def test_the_job_merges_first_what_a_save_could_merge_meanwhile() -> None:
    assert merging.beside([9_000, 8_000, 3, 2]) == [3, 2]
    assert merging.beside([9_000, 8_000, 5]) == [1, 0]


@pytest.mark.parametrize("sizes", [[6_000] * 16, [1] * 40, [50_000, 50_000, *[500] * 9, *[3] * 8]])
def test_the_job_leaves_few_segments(sizes: list[int]) -> None:
    assert len(after_the_job(sizes)) <= 3


@pytest.mark.parametrize("start", [(), (10_000,), (6_000, 4_000), (6_000,) * 16])
def test_a_save_never_copies_much_and_seldom_anything(start: tuple[int, ...]) -> None:
    _, copies = after_saves(5000, start)

    assert max(copies) <= AT_ONCE
    assert sorted(copies)[int(len(copies) * 0.85)] == 0
    assert sum(copies) <= 5000 * 6


def test_thousands_of_saves_without_a_job_leave_few_segments() -> None:
    segments, _ = after_saves(5000, (10_000,))

    assert max(segments) <= 2 * FEW + 5000 // (AT_ONCE // 2) + 1


def test_small_is_less_than_what_a_save_may_copy() -> None:
    assert (FEW + 1) * SMALL < AT_ONCE
