"""Which engine answers, and by which numbers: what a recorded suggestion must say, to be compared with later ones."""

import hashlib

from kb.search import engine
from postmortems.search import ranking


def version(*more: object) -> str:
    """The engine's name and a digest of the ranking's numbers, and of `more`: another digest, another ranking."""
    lines = (ranking.STRONG, ranking.enough(1), ranking.enough(1000))
    numbers = repr((ranking.FIELD_BOOSTS, ranking.TUNING, lines, more))
    return f"{engine.backend().name} {hashlib.blake2b(numbers.encode(), digest_size=4).hexdigest()}"
