"""One word or phrase as typed -> the node that finds it. Which words belong together is `query.py`'s matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kb.search import analysis
from kb.search.base import IDENTIFIERS, PARTS, AllOf, AnyOf, Node, Not, Phrase, Prefix, Term
from kb.search.folding import fold, plain
from kb.search.identifiers import PIECE, whole_name

MIN_PREFIX = 3  # letters; fewer begin too many words to say anything

_PREFIX = re.compile(r"[(\[{'\"]*(?P<start>\w[\w.:/\\~+#%-]*)\*[)\]}'\",.;:]*")


def run_node(run: str) -> Node | None:
    """For what stood between two spaces: its names and words, all of them, or the prefix it is. None: nothing in it.

    `10.0.0.1:5432` is found as that address, or by all four numbers; `ConnPool` as that name, as that word, or by the
    words `conn` and `pool`.
    """
    if (found := _PREFIX.fullmatch(run)) and sum(map(str.isalnum, found["start"])) >= MIN_PREFIX:
        return Prefix(fold(found["start"])[: analysis.MAX_WORD])
    nodes = [node for piece in PIECE.findall(plain(run)) if (node := _piece_node(piece))]
    return all_of(nodes) if nodes else None


def phrase_node(text: str) -> Node | None:
    stems = analysis.words(text)
    if len(stems) > 1:
        return Phrase(tuple(stems))
    return Term(stems[0]) if stems else None


def _piece_node(piece: str) -> Node | None:
    words = [node for word in analysis.WORD.findall(piece) if (node := _word_node(word))]
    name = whole_name(piece)
    if not words:
        return None
    return any_of([Term(name, IDENTIFIERS), all_of(words)]) if name else all_of(words)


def _word_node(word: str) -> Node | None:
    """A compound name is also found by all of its parts, and any word as a part of a compound name."""
    stems, _, parts = analysis.analysed_word(word)
    if len(stems) > 1:  # CJK: the pairs of characters overlap, so side by side they are the text itself
        return Phrase(stems)
    if not stems:
        return None
    if len(parts) > 1:
        return any_of([Term(stems[0]), all_of([_word_or_part(part) for part in parts])])
    return _word_or_part(stems[0])


def _word_or_part(stem: str) -> Node:
    return AnyOf((Term(stem), Term(stem, PARTS)))


# --- putting nodes together ----------------------------------------------------------------------------------------


def all_of(nodes: Iterable[Node]) -> Node:
    """`AllOf`, without what would say nothing: repetitions, shells within shells, a shell around one node."""
    distinct = tuple(
        dict.fromkeys(part for node in nodes for part in (node.nodes if isinstance(node, AllOf) else [node]))
    )
    return distinct[0] if len(distinct) == 1 else AllOf(distinct)


def any_of(nodes: Iterable[Node]) -> Node:
    """`AnyOf`, likewise."""
    distinct = tuple(
        dict.fromkeys(part for node in nodes for part in (node.nodes if isinstance(node, AnyOf) else [node]))
    )
    return distinct[0] if len(distinct) == 1 else AnyOf(distinct)


def leaves(node: Node) -> Iterator[Term | Phrase | Prefix]:
    """What the node wants, word by word; nothing that it does not want."""
    if isinstance(node, AllOf | AnyOf):
        for inner in node.nodes:
            yield from leaves(inner)
    elif not isinstance(node, Not):
        yield node
