"""Which segments to merge: every commit adds one, every search asks all of them, and copying costs time."""

from collections.abc import Sequence

# A document takes 1 or 2 ms to copy. Up to FEW segments of at most SMALL documents are merged by the save that makes
# one too many; the rest is the job's, unless nobody runs it and there are more than MANY. Saves wait to be found while
# the job merges: it takes no more than BIG documents at a time.
SMALL, FEW, MANY, BIG = 64, 8, 12, 20_000


def worth_merging(sizes: Sequence[int], *, thoroughly: bool) -> list[int]:
    """Numbers of the segments to merge into one, by how many living documents each has; empty ones always go.

    By the logarithmic method (Bentley & Saxe 1980, "Decomposable searching problems"): like with like, so that a
    document is copied about log(n) times in all.
    """
    empty = [number for number, size in enumerate(sizes) if not size]
    ascending = sorted((number for number, size in enumerate(sizes) if size), key=sizes.__getitem__)
    small = [number for number in ascending if sizes[number] <= SMALL]
    if thoroughly or len(ascending) > MANY:
        chosen = _longest_run(ascending, sizes, patience=4 if thoroughly else 1)
    else:
        chosen = small if len(small) > FEW else []
    return empty + (chosen if len(chosen) > 1 else [])


def _longest_run(ascending: Sequence[int], sizes: Sequence[int], *, patience: int) -> list[int]:
    """Neighbours in size, none of which is more than `patience` times all smaller ones of the run."""
    longest: list[int] = []
    run: list[int] = []
    for number in ascending:
        total = sum(sizes[other] for other in run)
        if sizes[number] > patience * total or total + sizes[number] > BIG:
            run = []
        run.append(number)
        longest = max(longest, run, key=len).copy()
    return longest
