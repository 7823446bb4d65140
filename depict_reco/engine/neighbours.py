"""Item-to-item models: a short ranked list of related items for each item.

``Neighbours`` is the common shape; the ``fit_…`` functions differ in what relates two items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from depict_reco.engine.interactions import Groups
from depict_reco.engine.sparse import (
    EMPTY,
    Floats,
    Ints,
    Scored,
    sum_by_item,
    top_per_row,
)

BLOCK = 4096
"""Rows of a matrix product that are made at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The related items of each item, best first: a ragged array with scores and evidence.

    ``indptr`` int64 (n_items + 1,), ``items`` int32 and ``scores`` float32 (total,).
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_matrix, *, count: int) -> Self:
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
        # a few rows: numpy's own ways to gather them cost more than a loop
        rows = [slice(*self.indptr[item : item + 2].tolist()) for item in items.tolist()]
        if len(rows) == 1:
            found, scores = self.items[rows[0]], self.scores[rows[0]]
        elif rows:
            found = np.concatenate([self.items[row] for row in rows])
            scores = np.concatenate([self.scores[row] for row in rows])
        else:
            return EMPTY.items, EMPTY.scores
        if weights is not None:
            lengths = [row.stop - row.start for row in rows]
            scores = scores * np.repeat(weights.astype(np.float32, copy=False), lengths)
        return found, scores


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
    seen: sparse.csr_matrix, wanted: sparse.csr_matrix, *, count: int = 200, shrinkage: float = 1.0
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
    per_session = sparse.diags((1.0 / np.log2(lengths + 1.0)).astype(np.float32))
    weighted = (per_session @ wanted).tocsr()
    from_items = np.asarray((per_session @ seen).sum(axis=0)).ravel()
    to_items = np.asarray(weighted.sum(axis=0)).ravel()

    def cosine(counts: Floats, rows: Ints, columns: Ints) -> Floats:
        expected = np.sqrt(from_items[rows] * to_items[columns])
        return (counts / (expected + shrinkage)).astype(np.float32)

    return best_of_products(seen.T.tocsr(), weighted, count=count, score=cosine)


def transition_counts(
    sessions: Groups, *, weights: NDArray[np.float32] | None = None, reach: int = 10
) -> sparse.csr_matrix:
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
    total = sparse.csr_matrix((n, n), dtype=np.float32)
    for step in range(1, reach + 1):
        if len(items) <= step:
            break
        near = np.flatnonzero((owner[step:] == owner[:-step]) & (items[step:] != items[:-step]))
        if len(near) == 0:
            continue
        data = per_group[owner[near]] / np.float32(step)
        total = total + sparse.csr_matrix((data, (items[near], items[near + step])), shape=(n, n))
    return total.tocsr()


def fit_transitions(
    counts: sparse.csr_matrix, *, count: int = 200, backward: float = 0.0
) -> Neighbours:
    """Relate an item to those that came after it; ``backward`` is the weight of those before."""
    if backward > 0:
        counts = (counts + np.float32(backward) * counts.T.tocsr()).tocsr()
    return Neighbours.from_matrix(counts, count=count)


def fit_ease(
    groups: Groups,
    *,
    count: int = 200,
    regularisation: float = 100.0,
    dropout: float = 0.0,
    max_items: int = 12_000,
    weights: NDArray[np.float32] | None = None,
) -> Neighbours:
    """Relate items by the linear model that predicts each item from the others of its group.

    EASE (Steck, 2019): with the Gram matrix G, P = (G + λI)⁻¹ and B = I - P / diag(P); with
    ``dropout`` d, λI + d · diag(G) in the place of λI, which is what training with part of each
    basket left out comes to (EDLAE; Steck, 2020). The inverse is dense, so only the
    ``max_items`` most frequent items take part; it needs 4 · max_items² bytes.

    Parameters
    ----------
    count
        Items kept per item: those that B speaks for and against most strongly.
    regularisation
        λ, greater than 0.
    dropout
        The odds of an item being left out; 0 or more.
    weights
        float32 (n_groups,), for instance a decay with age; default 1.

    Raises
    ------
    ValueError
        If ``regularisation`` is not positive.
    """
    if regularisation <= 0:
        raise ValueError(f"regularisation must be greater than 0, not {regularisation}")
    matrix = groups.incidence(None if weights is None else np.sqrt(weights))
    frequency = np.bincount(matrix.indices, minlength=groups.n_items)
    active = np.sort(np.argsort(-frequency, kind="stable")[:max_items])
    active = active[frequency[active] > 0]
    shape = (groups.n_items, groups.n_items)
    if len(active) < 2:
        return Neighbours.from_matrix(sparse.csr_matrix(shape, dtype=np.float32), count=count)
    inverse = _inverse_gram(matrix[:, active], regularisation, dropout)
    rows, columns, data = _strongest(inverse, min(count, len(active) - 1))
    result = sparse.csr_matrix((data, (active[rows], active[columns])), shape=shape)
    return Neighbours.from_matrix(result, count=count)


def _inverse_gram(
    matrix: sparse.csr_matrix, regularisation: float, dropout: float
) -> NDArray[np.float32]:
    """Return (G + λI + d · diag(G))⁻¹ of the columns; only its upper triangle counts."""
    n = matrix.shape[1]
    gram = np.empty((n, n), dtype=np.float32)
    transposed = matrix.T.tocsr()
    for start in range(0, n, BLOCK // 8):
        rows = slice(start, start + BLOCK // 8)
        gram[rows] = (transposed[rows] @ matrix).toarray()
    diagonal = gram.diagonal() * np.float32(1.0 + dropout) + np.float32(regularisation)
    gram[np.diag_indices_from(gram)] = diagonal
    # G is symmetric: transposed it is the same in LAPACK's order, and is overwritten in place.
    factor, _ = linalg.lapack.spotrf(gram.T, lower=0, clean=0, overwrite_a=1)
    inverse, _ = linalg.lapack.spotri(factor, lower=0, overwrite_c=1)
    return inverse


def _strongest(
    inverse: NDArray[np.float32], keep: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return rows, columns and values of the ``keep`` entries of each row of B furthest from 0.

    Row i of B is what item i speaks for, and what it speaks against as well, which is half of
    what the model has learned. Zeros are left out.
    """
    diagonal = inverse.diagonal().copy()
    parts = []
    for start in range(0, len(inverse), BLOCK // 8):
        block = slice(start, start + BLOCK // 8)
        model = np.triu(inverse[block], start) + np.tril(inverse.T[block], start - 1)
        model /= -diagonal
        here = np.arange(len(model))
        model[here, here + start] = 0.0
        top = np.argpartition(-np.abs(model), keep - 1, axis=1)[:, :keep]
        data = np.take_along_axis(model, top, axis=1).ravel()
        known = np.flatnonzero(data)
        parts.append((np.repeat(here + start, keep)[known], top.ravel()[known], data[known]))
    rows, columns, values = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def fit_two_steps(neighbours: Neighbours, *, width: int = 60, count: int = 150) -> Neighbours:
    """Relate items that a walk of two steps leads to: the neighbours of the neighbours.

    A step goes to one of the ``width`` nearest neighbours, in proportion to its score
    (Cooper et al., 2014). It finds relations where no two shoppers ever did the same.
    """
    n = len(neighbours.indptr) - 1
    step = sparse.csr_matrix((neighbours.scores, neighbours.items, neighbours.indptr), shape=(n, n))
    totals = np.asarray(step.sum(axis=1)).ravel()
    step = sparse.diags(1.0 / np.maximum(totals, 1e-12)).astype(np.float32) @ step
    step = top_per_row(step.tocsr(), width)
    return best_of_products(step, step, count=count)


def age_weights(groups: Groups, half_life: float) -> NDArray[np.float32]:
    """Return weights, float32 (n_groups,), that halve every ``half_life`` shares of the time."""
    span = groups.times[-1] - groups.times[0] if len(groups) else 0.0
    if half_life <= 0 or span <= 0:
        return np.ones(len(groups), dtype=np.float32)
    age = (groups.times[-1] - groups.times) / span
    return (0.5 ** (age / half_life)).astype(np.float32)


def basket_weights(groups: Groups, half_life: float) -> NDArray[np.float32]:
    """Return what each group counts in the linear model, float32 (n_groups,).

    The weight halves with every ``half_life`` shares of the time that the groups span, unless
    that is 0, and falls with the root of the length: a long basket says little of any pair in
    it. The mean is 1, so that the strength of a regularisation keeps its meaning.
    """
    if len(groups) == 0:
        return np.empty(0, dtype=np.float32)
    weights = age_weights(groups, half_life) / np.sqrt(np.maximum(np.diff(groups.indptr), 1))
    return (weights / weights.mean()).astype(np.float32)


def best_of_products(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    *,
    count: int,
    minimum: float = 0.0,
    score: Callable[[Floats, Ints, Ints], Floats] | None = None,
) -> Neighbours:
    """Return the ``count`` best entries above ``minimum`` in each row of left · right.

    The product is made in blocks of rows and never held as a whole; its diagonal is left out.
    ``score`` makes scores of the entries of a block, given their rows and columns.
    """
    parts = []
    for start in range(0, left.shape[0], BLOCK):
        part = (left[start : start + BLOCK] @ right).tocsr()
        rows = np.repeat(np.arange(start, start + part.shape[0]), np.diff(part.indptr))
        if score is not None:
            part.data = score(part.data, rows, part.indices)
        part = _kept(part, (part.data > minimum) & (part.indices != rows))
        parts.append(top_per_row(part, count))
    lengths = np.concatenate([np.diff(part.indptr) for part in parts] or [np.empty(0, np.int64)])
    return Neighbours(
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        items=np.concatenate([p.indices for p in parts] or [np.empty(0)]).astype(np.int32),
        scores=np.concatenate([p.data for p in parts] or [np.empty(0)]).astype(np.float32),
    )


def _kept(matrix: sparse.csr_matrix, keep: NDArray[np.bool_]) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = np.bincount(rows[keep], minlength=matrix.shape[0])
    indptr = np.concatenate(([0], np.cumsum(kept)))
    return sparse.csr_matrix((matrix.data[keep], matrix.indices[keep], indptr), matrix.shape)
