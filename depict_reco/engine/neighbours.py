"""Item-to-item models: a short ranked list of related items for each item.

``Neighbours`` is the common shape; the ``fit_…`` functions differ in what relates two items.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices
from depict_reco.engine.interactions import Groups
from depict_reco.engine.sparse import (
    Floats,
    Ints,
    Scored,
    ragged_positions,
    sum_by_item,
    top_per_row,
)

BLOCK = 2048
"""Rows of a matrix product that a thread makes at a time."""
MOST_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The related items of each item, best first: a ragged array with scores and evidence.

    ``indptr`` int64 (n_items + 1,), ``items`` int32 and ``scores`` float32 (total,).
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]

    @classmethod
    def from_matrix(cls, matrix: matrices.csr_matrix, *, count: int) -> Self:
        """Keep the ``count`` greatest entries of each row of an item x item matrix."""
        top = top_per_row(matrix, count)
        return cls(
            indptr=top.indptr.astype(np.int64),
            items=top.indices.astype(np.int32),
            scores=top.data.astype(np.float32),
        )

    def scores_of(self, items: Ints, weights: NDArray[np.float32] | None = None) -> Scored:
        """Sum the lists of several items, each times its weight (shape of ``items``)."""
        found, scores = self.listed(items, weights)
        if len(items) == 1:
            return Scored(found, scores)
        return sum_by_item(found, scores)

    def listed(
        self, items: Ints, weights: NDArray[np.float32] | None = None
    ) -> tuple[Ints, NDArray[np.float32]]:
        """Return the lists of several items, one after the other, each times its weight."""
        at, lengths = ragged_positions(self.indptr, items)
        scores = self.scores[at]
        return self.items[at], scores if weights is None else scores * weights.repeat(lengths)


def fit_cooccurrence(
    groups: Groups,
    *,
    count: int = 200,
    weights: NDArray[np.float32] | None = None,
    normalise: float = 0.5,
    shrinkage: float = 1.0,
) -> Neighbours:
    """Relate items that occur in the same groups: cosine that small numbers cannot inflate.

    The score is ``c / ((f_i · f_j) ** normalise + shrinkage)`` with the co-occurrence count ``c``
    and the frequencies ``f``. A group of n items counts 1 / log2(n + 1), since a long basket says
    little of any pair in it.

    Parameters
    ----------
    weights
        float32 (n_groups,), for instance a decay with age; default 1.
    """
    lengths = np.maximum(np.diff(groups.indptr), 1)
    per_group = (1.0 / np.log2(lengths + 1.0)).astype(np.float32)
    if weights is not None:
        per_group = per_group * weights
    plain = groups.incidence()
    weighted = plain.copy()
    weighted.data = np.repeat(per_group, np.diff(plain.indptr)).astype(np.float32)
    frequency = np.bincount(weighted.indices, weights=weighted.data, minlength=groups.n_items)
    scale = frequency**normalise

    def cosine(counts: Floats, rows: Ints, columns: Ints) -> Floats:
        return (counts / (scale[rows] * scale[columns] + shrinkage)).astype(np.float32)

    return best_of_products(plain.T.tocsr(), weighted, count=count, score=cosine)


def fit_crossed(
    seen: matrices.csr_matrix,
    wanted: matrices.csr_matrix,
    *,
    count: int = 200,
    shrinkage: float = 1.0,
) -> Neighbours:
    """Relate what was looked at to what was then wanted: views predict purchases.

    Cross-occurrence (after the correlated cross-occurrence of Apache Mahout): the cosine of
    ``fit_cooccurrence`` between two kinds of action in the same sessions.

    Parameters
    ----------
    seen, wanted
        float32 matrices (n_sessions, n_items) of 0 and 1, row by row of the same session.
    """
    lengths = np.maximum(np.diff(seen.indptr), 1)
    per_session = matrices.diags((1.0 / np.log2(lengths + 1.0)).astype(np.float32))
    weighted = (per_session @ wanted).tocsr()
    from_items = np.asarray((per_session @ seen).sum(axis=0)).ravel()
    to_items = np.asarray(weighted.sum(axis=0)).ravel()

    def cosine(counts: Floats, rows: Ints, columns: Ints) -> Floats:
        expected = np.sqrt(from_items[rows] * to_items[columns])
        return (counts / (expected + shrinkage)).astype(np.float32)

    return best_of_products(seen.T.tocsr(), weighted, count=count, score=cosine)


def transition_counts(
    sessions: Groups, *, weights: NDArray[np.float32] | None = None, reach: int = 10
) -> matrices.csr_matrix:
    """Count how often an item came after another in a session, the nearer the more.

    Sequential rules (Ludewig and Jannach, 2018): a pair ``d`` steps apart counts 1 / d, up to
    ``reach`` steps.

    Parameters
    ----------
    weights
        float32 (n_sessions,), for instance a decay with age; default 1.

    Returns
    -------
    float32 matrix (n_items, n_items) from the earlier item to the later one.
    """
    lengths = np.diff(sessions.indptr)
    owner = np.repeat(np.arange(len(sessions)), lengths)
    items, n = sessions.items, sessions.n_items
    per_group = np.ones(len(sessions), dtype=np.float32) if weights is None else weights
    total = matrices.csr_matrix((n, n), dtype=np.float32)
    for step in range(1, reach + 1):
        if len(items) <= step:
            break
        near = np.flatnonzero((owner[step:] == owner[:-step]) & (items[step:] != items[:-step]))
        if len(near) == 0:
            continue
        data = per_group[owner[near]] / np.float32(step)
        total = total + matrices.csr_matrix((data, (items[near], items[near + step])), shape=(n, n))
    return total.tocsr()


def fit_transitions(
    counts: matrices.csr_matrix, *, count: int = 200, backward: float = 0.0
) -> Neighbours:
    """Relate an item to those that came after it; ``backward`` is the weight of those before."""
    if backward > 0:
        counts = (counts + np.float32(backward) * counts.T.tocsr()).tocsr()
    return Neighbours.from_matrix(counts, count=count)


def fit_two_steps(neighbours: Neighbours, *, width: int = 60, count: int = 150) -> Neighbours:
    """Relate items that a walk of two steps leads to: the neighbours of the neighbours.

    A step goes to one of the ``width`` nearest neighbours, in proportion to its score
    (Cooper et al., 2014). It finds relations where no two shoppers ever did the same.
    """
    n = len(neighbours.indptr) - 1
    step = matrices.csr_matrix(
        (neighbours.scores, neighbours.items, neighbours.indptr), shape=(n, n)
    )
    totals = np.asarray(step.sum(axis=1)).ravel()
    step = matrices.diags(1.0 / np.maximum(totals, 1e-12)).astype(np.float32) @ step
    step = top_per_row(step.tocsr(), width)
    return best_of_products(step, step, count=count)


def age_weights(groups: Groups, half_life: float) -> NDArray[np.float32]:
    """Return weights, float32 (n_groups,), that halve every ``half_life`` shares of the time."""
    span = groups.times[-1] - groups.times[0] if len(groups) else 0.0
    if half_life <= 0 or span <= 0:
        return np.ones(len(groups), dtype=np.float32)
    age = (groups.times[-1] - groups.times) / span
    return (0.5 ** (age / half_life)).astype(np.float32)


def best_of_products(
    left: matrices.csr_matrix,
    right: matrices.csr_matrix,
    *,
    count: int,
    minimum: float = 0.0,
    score: Callable[[Floats, Ints, Ints], Floats] | None = None,
) -> Neighbours:
    """Return the ``count`` best entries above ``minimum`` in each row of left · right.

    The product is made in blocks of rows and never held as a whole; its diagonal is left out.
    ``score`` makes scores of the entries of a block, given their rows and columns. Blocks are made
    by as many threads as there are processors for this process, up to MOST_THREADS: multiplying
    and sorting do not hold the interpreter's lock.
    """

    def best_of_block(start: int) -> matrices.csr_matrix:
        part = (left[start : start + BLOCK] @ right).tocsr()
        rows = np.repeat(np.arange(start, start + part.shape[0]), np.diff(part.indptr))
        if score is not None:
            part.data = score(part.data, rows, part.indices)
        return top_per_row(_kept(part, (part.data > minimum) & (part.indices != rows)), count)

    with ThreadPoolExecutor(_threads()) as pool:
        parts = list(pool.map(best_of_block, range(0, left.shape[0], BLOCK)))
    lengths = np.concatenate([np.diff(part.indptr) for part in parts] or [np.empty(0, np.int64)])
    return Neighbours(
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        items=np.concatenate([p.indices for p in parts] or [np.empty(0)]).astype(np.int32),
        scores=np.concatenate([p.data for p in parts] or [np.empty(0)]).astype(np.float32),
    )


def _kept(matrix: matrices.csr_matrix, keep: NDArray[np.bool_]) -> matrices.csr_matrix:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = np.bincount(rows[keep], minlength=matrix.shape[0])
    indptr = np.concatenate(([0], np.cumsum(kept)))
    return matrices.csr_matrix((matrix.data[keep], matrix.indices[keep], indptr), matrix.shape)


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a container leaves of the machine
        return min(MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(MOST_THREADS, os.cpu_count() or 1)
