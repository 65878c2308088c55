"""Which documents match a node, what each of them scores, and what each term adds to that, on arrays.

Term at a time: the postings of a term are added to the score of every document at once, instead of asking a tree of
objects document by document. The score is BM25F as Whoosh computes it (`whoosh.scoring.BM25F`): over all documents,
deleted ones included until they are merged away, and with lengths rounded to one byte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from kb.search.base import IDENTIFIERS, SURFACE, AllOf, AnyOf, Node, Not, Phrase, Prefix, Term
from kb.search.segments import K1, Floats, Ids, Mask, Snapshot

BRANCHES = (AnyOf, AllOf, Not)
PREFIXED = (SURFACE, IDENTIFIERS)  # where a prefix is looked for
MOST_EXPANSIONS = 500  # a prefix that begins more tokens than this stands for the most frequent of them


class Part(NamedTuple):
    """What a term adds: `factor` x `shares[i]` to the score of the i-th document."""

    term: Term
    factor: float
    shares: npt.NDArray[np.floating]


class Leaf(NamedTuple):
    """The documents that match a node without children, and what its terms add to their scores."""

    ids: Ids
    parts: Sequence[Part]


class Scorer:
    """Matches and scores of one query; each posting list is scored once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._leaves: dict[Node, Leaf] = {}

    def matches(self, node: Node) -> tuple[Mask, Floats]:
        """Which documents match, and their scores: 0 where they do not."""
        mask = np.zeros(self._snapshot.size, np.bool_)
        scores = np.zeros(self._snapshot.size, np.float64)
        self._add(node, mask, scores)
        return mask, scores

    def parts(self, node: Node, docs: Sequence[int]) -> list[tuple[tuple[Term, float], ...]]:
        """For each of these documents what each term added, most first; they sum up to its score."""
        nodes = node.nodes if isinstance(node, AnyOf) else ()
        rows = self._rows_of_terms(nodes, docs) if _are_terms(nodes) else self._rows(node, docs)
        return [tuple(sorted(row, key=lambda part: -part[1])) for row in rows]

    def _rows(self, node: Node, docs: Sequence[int]) -> list[list[tuple[Term, float]]]:
        _, shares = self._shares(node, np.asarray(docs, np.int32))
        rows: list[list[tuple[Term, float]]] = [[] for _ in docs]
        for term, values in shares.items():
            for at in values.nonzero()[0].tolist():
                rows[at].append((term, float(values[at])))
        return rows

    def _rows_of_terms(self, terms: Sequence[Term], docs: Sequence[int]) -> list[list[tuple[Term, float]]]:
        """The same for a suggestion: one pass over all postings takes less time than seventy look-ups."""
        leaves = [leaf for leaf in map(self._leaf, terms) if len(leaf.ids)]
        rows: list[list[tuple[Term, float]]] = [[] for _ in docs]
        row_of = np.full(self._snapshot.size, -1, np.int16)
        row_of[list(docs)] = np.arange(len(docs))
        first = 0
        found = row_of.take(np.concatenate([leaf.ids for leaf in leaves])) if leaves else row_of[:0]
        held = np.flatnonzero(found >= 0)
        bounds = held.searchsorted(np.cumsum([0, *(len(leaf.ids) for leaf in leaves)])).tolist()
        for leaf, start, end in zip(leaves, bounds, bounds[1:], strict=False):
            (part,) = leaf.parts
            at = held[start:end]
            values = np.multiply(part.shares.take(at - first), part.factor, dtype=np.float64)
            for row, value in zip(found[at].tolist(), values.tolist(), strict=True):
                rows[row].append((part.term, value))
            first += len(leaf.ids)
        return rows

    # --- nodes over all documents

    def _add(self, node: Node, mask: Mask, scores: Floats) -> None:
        if isinstance(node, AnyOf):
            leaves = [self._leaf(child) for child in node.nodes if not isinstance(child, BRANCHES)]
            _add_leaves(leaves, mask, scores)
            for child in node.nodes:
                if isinstance(child, BRANCHES):
                    self._add(child, mask, scores)
        elif isinstance(node, AllOf):
            matching, added = self._all_of(node.nodes)
            mask |= matching
            scores += np.where(matching, added, 0.0)
        elif isinstance(node, Not):
            mask |= ~self.matches(node.node)[0]
        else:
            _add_leaves([self._leaf(node)], mask, scores)

    def _all_of(self, nodes: Sequence[Node]) -> tuple[Mask, Floats]:
        """The scores are right where all nodes match."""
        matching = np.ones(self._snapshot.size, np.bool_)
        scores = np.zeros(self._snapshot.size, np.float64)
        for node in nodes:
            mask = np.zeros(self._snapshot.size, np.bool_)
            self._add(node, mask, scores)
            matching &= mask
        return matching, scores

    # --- nodes over a few documents, by term

    def _shares(self, node: Node, docs: Ids) -> tuple[Mask, dict[Term, Floats]]:
        """The same as `matches`, with what each term adds."""
        if isinstance(node, Not):
            return ~self._shares(node.node, docs)[0], {}
        if not isinstance(node, AnyOf | AllOf):
            leaf = self._leaf(node)
            held, at = _look_up(leaf.ids, docs)
            found = [{part.term: part.factor * _picked(part.shares, held, at)} for part in leaf.parts]
            return held, _summed(found)
        children = [self._shares(child, docs) for child in node.nodes]
        masks, shares = [mask for mask, _ in children], _summed([found for _, found in children])
        if isinstance(node, AnyOf):
            return np.any(masks, axis=0) if masks else np.zeros(len(docs), np.bool_), shares
        matching = np.all(masks, axis=0) if masks else np.ones(len(docs), np.bool_)
        return matching, {term: np.where(matching, values, 0.0) for term, values in shares.items()}

    # --- leaves

    def _leaf(self, node: Term | Phrase | Prefix) -> Leaf:
        if node not in self._leaves:
            self._leaves[node] = self._read(node)
        return self._leaves[node]

    def _read(self, node: Term | Phrase | Prefix) -> Leaf:
        if isinstance(node, Term):
            return self._term(node)
        return self._phrase(node) if isinstance(node, Phrase) else self._prefix(node)

    def _term(self, term: Term) -> Leaf:
        """weight x idf x tf x (K1 + 1) / (tf + K1 x ((1 - B) + B x length / average length))."""
        ids, shares = self._snapshot.saturated(term.channel, term.token)
        factor = term.weight * idf(self._snapshot.size, len(ids)) * (K1 + 1) if len(ids) else 0.0
        return Leaf(ids, [Part(term, factor, shares)])

    def _phrase(self, phrase: Phrase) -> Leaf:
        ids = self._snapshot.phrase(phrase.tokens)
        parts = []
        for stem in phrase.tokens:
            holders, (part,) = self._leaf(Term(stem))
            parts.append(part._replace(shares=_picked(part.shares, *_look_up(holders, ids))))
        return Leaf(ids, parts)

    def _prefix(self, prefix: Prefix) -> Leaf:
        holders = [self._snapshot.beginning_with(channel, prefix.start, MOST_EXPANSIONS) for channel in PREFIXED]
        ids = np.unique(np.concatenate(holders))
        return Leaf(ids, [Part(Term(prefix.start, SURFACE), 1.0, np.ones(len(ids)))])


def _are_terms(nodes: Sequence[Node]) -> TypeGuard[Sequence[Term]]:
    """Terms only, at least one, and none of them twice."""
    return bool(nodes) and all(isinstance(node, Term) for node in nodes) and len(set(nodes)) == len(nodes)


def _add_leaves(leaves: Sequence[Leaf], mask: Mask, scores: Floats) -> None:
    """All at once: one pass over the postings of fifty terms takes less time than fifty steps of Python."""
    parts = [(leaf.ids, part) for leaf in leaves if len(leaf.ids) for part in leaf.parts]
    if not parts:
        return
    ids = np.concatenate([ids for ids, _ in parts])
    values, end = np.empty(len(ids), np.float64), 0
    for held, part in parts:
        start, end = end, end + len(held)
        np.multiply(part.shares, part.factor, out=values[start:end], dtype=np.float64)
    added = np.bincount(ids, values, len(scores))
    scores += added
    if all(part.factor > 0 for _, part in parts):
        mask |= added > 0  # quicker than by the postings
    else:
        mask[ids] = True


def _summed(shares: Sequence[Mapping[Term, Floats]]) -> dict[Term, Floats]:
    total: dict[Term, Floats] = {}
    for found in shares:
        for term, values in found.items():
            total[term] = total[term] + values if term in total else values
    return total


def _look_up(holders: Ids, docs: Ids) -> tuple[Mask, npt.NDArray[np.intp]]:
    """Which of these documents are holders, and at which place among them."""
    at = np.searchsorted(holders, docs)
    held = at < len(holders)
    held[held] = holders[at[held]] == docs[held]
    return held, at


def _picked(values: npt.NDArray[np.floating], held: Mask, at: npt.NDArray[np.intp]) -> Floats:
    picked = np.zeros(len(held))
    picked[held] = values[at[held]]
    return picked


def idf(documents: int, frequency: int) -> float:
    return math.log(documents / (frequency + 1)) + 1
