"""Words like a word: what was perhaps meant."""

from collections.abc import Callable, Collection, Iterator

from rapidfuzz import process
from rapidfuzz.distance import OSA

LONG = 6  # letters; in shorter words two edits make any word of any other


def similar_words(word: str, known: Collection[str], frequency: Callable[[str], int], limit: int) -> list[str]:
    """Known words one or two edits away, nearest first, then by the documents that hold them; held by none: left out.

    An edit is a letter more, less or other, or two swapped (optimal string alignment).
    """
    by_distance: dict[int, list[str]] = {}
    for candidate, distance in _near(word, known):
        by_distance.setdefault(distance, []).append(candidate)
    found: list[str] = []
    for distance in sorted(by_distance):
        if len(found) < limit:
            held = {candidate: frequency(candidate) for candidate in by_distance[distance]}
            found += sorted(filter(held.__getitem__, held), key=lambda candidate: (-held[candidate], candidate))
    return found[:limit]


def _near(word: str, known: Collection[str]) -> Iterator[tuple[str, int]]:
    edits = 2 if len(word) >= LONG else 1
    near = process.extract(word, known, scorer=OSA.distance, score_cutoff=edits, limit=None)
    return ((candidate, int(distance)) for candidate, distance, _ in near if distance)
