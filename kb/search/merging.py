"""Which segments to merge: every commit adds one, every search asks all of them, and copying costs time."""

from collections.abc import Sequence

# A document takes some 0.3 ms to copy. A save that makes more than FEW segments of at most SMALL documents merges
# those, and one that makes more than FEW of at most AT_ONCE / 2 some of them: never more than AT_ONCE documents, which
# takes no longer than a blink. All else is the job's, which lets others save while it merges.
SMALL, FEW, AT_ONCE = 64, 8, 1_000


def at_once(sizes: Sequence[int]) -> list[int]:
    """Numbers of the segments that a save merges into one, by how many living documents each has; empty ones go."""
    empty, ascending = _in_order(sizes)
    small = [number for number in ascending if sizes[number] <= SMALL]
    medium = [number for number in ascending if SMALL < sizes[number] <= AT_ONCE // 2]
    if len(small) > FEW:
        return empty + small
    return empty + (_longest_run(medium, sizes, patience=1, most=AT_ONCE) if len(medium) > FEW else [])


def beside(sizes: Sequence[int]) -> list[int]:
    """The same for the job. What a save could merge meanwhile comes first, and by itself: that is done in no time."""
    empty, ascending = _in_order(sizes)
    bigger = [number for number in ascending if sizes[number] > SMALL]
    quick = _longest_run(ascending, sizes, patience=4, most=AT_ONCE)
    return empty + (quick or _longest_run(bigger, sizes, patience=4, most=sum(sizes)))


def _in_order(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """The empty ones, and the others from the smallest to the biggest."""
    ascending = sorted(range(len(sizes)), key=sizes.__getitem__)
    return [number for number in ascending if not sizes[number]], [number for number in ascending if sizes[number]]


def _longest_run(ascending: Sequence[int], sizes: Sequence[int], *, patience: int, most: int) -> list[int]:
    """Neighbours in size, none of which is more than `patience` times all smaller ones of the run; two or more.

    The logarithmic method (Bentley & Saxe 1980, "Decomposable searching problems"): like with like, so that a document
    is copied about log(n) times in all.
    """
    longest: list[int] = []
    run: list[int] = []
    for number in ascending:
        total = sum(sizes[other] for other in run)
        if sizes[number] > patience * total or total + sizes[number] > most:
            run = []
        run.append(number)
        longest = max(longest, run, key=len).copy()
    return longest if len(longest) > 1 else []
