"""Merging two edits of one text, line by line: what does not collide is kept of both, what collides is said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kb.text_diff import matching_blocks

Lines = Sequence[str]


@dataclass(frozen=True)
class Merge:
    """The merged text. Where both changed the same lines it holds both variants, theirs first."""

    text: str
    collides: bool


def merge(base: str, mine: str, theirs: str) -> Merge:
    lines: list[str] = []
    collides = False
    for old, my, their in _chunks(base.split("\n"), mine.split("\n"), theirs.split("\n")):
        if my == their or their == old:
            lines += my
        elif my == old:
            lines += their
        else:
            collides = True
            lines += _both(my, their)
    return Merge("\n".join(lines), collides)


def _chunks(base: Lines, mine: Lines, theirs: Lines) -> Iterator[tuple[Lines, Lines, Lines]]:
    """The three texts cut at the lines that all three have; those lines are pieces of their own."""
    to_mine, to_theirs = _places(base, mine), _places(base, theirs)
    at = at_mine = at_theirs = 0
    for n in range(len(base)):
        if n in to_mine and n in to_theirs:
            my, their = to_mine[n], to_theirs[n]
            yield base[at:n], mine[at_mine:my], theirs[at_theirs:their]
            yield base[n : n + 1], mine[my : my + 1], theirs[their : their + 1]
            at, at_mine, at_theirs = n + 1, my + 1, their + 1
    yield base[at:], mine[at_mine:], theirs[at_theirs:]


def _places(base: Lines, other: Lines) -> dict[int, int]:
    return {a + n: b + n for a, b, length in matching_blocks(base, other) for n in range(length)}


def _both(mine: Lines, theirs: Lines) -> list[str]:
    """Both variants, an empty line between them; lines they begin or end with alike stand there once."""
    shorter = min(len(mine), len(theirs))
    head = next((n for n in range(shorter) if mine[n] != theirs[n]), shorter)
    tail = next((n for n in range(shorter - head) if mine[-1 - n] != theirs[-1 - n]), shorter - head)
    my, their = mine[head : len(mine) - tail], theirs[head : len(theirs) - tail]
    between = [""] if my and their else []
    return [*mine[:head], *their, *between, *my, *mine[len(mine) - tail :]]
