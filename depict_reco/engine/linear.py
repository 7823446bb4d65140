"""The linear model of baskets: how much each item of a basket speaks for each other one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices
from depict_reco.engine.interactions import Groups
from depict_reco.engine.neighbours import Neighbours, age_weights
from depict_reco.engine.sparse import Floats, Ints

BLOCK = 512
"""Rows of a matrix that are worked on at a time."""
MAX_ITEMS = 20_000
"""Most items that take part; the memory grows with the square of it, the time with the cube."""
RARE_ITEMS = 12_000
"""Of these, so many take part however rare they are."""
LEAST_GROUPS = 10
"""Groups that the others must be in, to be worth their time and memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gram:
    """How often each two items met in a basket: all that the linear model is made of.

    ``counts`` float32 (n, n), symmetric, of the n ``active`` items among 0 … n_items - 1.
    """

    counts: NDArray[np.float32]
    active: Ints
    n_items: int

    @classmethod
    def of(
        cls,
        groups: Groups,
        *,
        max_items: int = MAX_ITEMS,
        rare_items: int = RARE_ITEMS,
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Count the most frequent items; needs 4 · n² bytes.

        Parameters
        ----------
        max_items, rare_items
            The most that take part; past ``rare_items`` of them only those of LEAST_GROUPS groups.
        weights
            float32 (n_groups,), for instance a decay with age; default 1.
        """
        matrix = groups.incidence(None if weights is None else np.sqrt(weights))
        frequency = np.bincount(matrix.indices, minlength=groups.n_items)
        best = np.argsort(-frequency, kind="stable")[:max_items]
        needed = np.where(np.arange(len(best)) < rare_items, 1, LEAST_GROUPS)
        active = np.sort(best[frequency[best] >= needed])
        matrix = matrix[:, active]
        counts = np.empty((len(active), len(active)), dtype=np.float32)
        transposed = matrix.T.tocsr()
        for start in range(0, len(active), BLOCK):
            rows = slice(start, start + BLOCK)
            counts[rows] = (transposed[rows] @ matrix).toarray()
        return cls(counts=counts, active=active, n_items=groups.n_items)

    def ease(
        self, *, count: int, regularisation: float, dropout: float = 0.0, overwrite: bool = False
    ) -> Neighbours:
        """Relate items by the linear model that predicts each item from the others of its group.

        EASE (Steck, 2019): with the Gram matrix G, P = (G + λI)⁻¹ and B = I - P / diag(P); with
        ``dropout`` d, λI + d · diag(G) in the place of λI, which is what training with part of
        each basket left out comes to (EDLAE; Steck, 2020). The inverse is dense.

        Parameters
        ----------
        count
            Items kept per item: those that B speaks for and against most strongly.
        regularisation
            λ, greater than 0.
        dropout
            The odds of an item being left out; 0 or more.
        overwrite
            Work in the memory of ``counts``, which are then lost, rather than in as much again.

        Raises
        ------
        ValueError
            If ``regularisation`` is not positive.
        """
        if regularisation <= 0:
            raise ValueError(f"regularisation must be greater than 0, not {regularisation}")
        shape = (self.n_items, self.n_items)
        active = self.active
        if len(active) < 2:
            return Neighbours.from_matrix(matrices.csr_matrix(shape, dtype=np.float32), count=count)
        matrix = self.counts if overwrite else self.counts.copy()
        diagonal = matrix.diagonal() * np.float32(1.0 + dropout) + np.float32(regularisation)
        matrix[np.diag_indices_from(matrix)] = diagonal
        rows, columns, data = _strongest(_inverted(matrix), min(count, len(active) - 1))
        result = matrices.csr_matrix((data, (active[rows], active[columns])), shape=shape)
        return Neighbours.from_matrix(result, count=count)


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


def _inverted(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inverse of a symmetric matrix, in its place; only its upper triangle counts."""
    from scipy.linalg import lapack  # loaded late, as the matrices are

    # transposed it is the same in LAPACK's order of columns, and need not be copied
    factor, _ = lapack.spotrf(matrix.T, lower=0, clean=0, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=0, overwrite_c=1)
    return inverse


def _strongest(inverse: NDArray[np.float32], keep: int) -> tuple[Ints, Ints, Floats]:
    """Return rows, columns and values of the ``keep`` entries of each row of B furthest from 0.

    Row i of B is what item i speaks for, and what it speaks against as well, which is half of
    what the model has learned. Zeros are left out.
    """
    diagonal = inverse.diagonal().copy()
    parts = []
    for start in range(0, len(inverse), BLOCK):
        block = slice(start, start + BLOCK)
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
