"""Words like a word: what was perhaps meant."""

from collections.abc import Callable, Iterable, Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

LONG = 6  # letters; in shorter words two edits make any word of any other


def similar_words(
    word: str, vocabularies: Iterable[Sequence[str]], frequency: Callable[[str], int], limit: int
) -> list[str]:
    """Known words one or two edits away, nearest first, then by the documents that hold them; held by none: left out.

    An edit is a letter more, less or other, or two swapped (optimal string alignment).
    """
    near = _near(word, vocabularies)
    found: list[str] = []
    for edits in sorted(set(near.values())):
        if len(found) < limit:
            held = {known: frequency(known) for known in near if near[known] == edits}
            found += sorted(filter(held.__getitem__, held), key=lambda known: (-held[known], known))
    return found[:limit]


def _near(word: str, vocabularies: Iterable[Sequence[str]]) -> dict[str, int]:
    """Known words, but not this one -> edits."""
    most = 2 if len(word) >= LONG else 1
    return {
        known: int(edits)
        for vocabulary in vocabularies
        for known, edits, _ in process.extract(word, vocabulary, scorer=OSA.distance, score_cutoff=most, limit=None)
        if edits
    }
