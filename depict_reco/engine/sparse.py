"""Small operations on compressed rows that the models share.

A *ragged* array is a pair ``(indptr, values)`` as in scipy's CSR format: row ``r`` is
``values[indptr[r]:indptr[r + 1]]``. It may be memory-mapped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of some items; every other item scores zero.

    ``items`` int32 array of shape (n,), distinct; ``scores`` float32 array of shape (n,).
    """

    items: Ints
    scores: Floats

    def scaled(self, weight: float) -> Scored:
        """Return the scores divided by their maximum and multiplied by ``weight``."""
        if not len(self.scores):
            return self
        top = float(self.scores.max())
        if top <= 0.0:
            return EMPTY
        return Scored(self.items, self.scores * np.float32(weight / top))


_DENSE = 4
"""Adding into one slot per item beats sorting from about one value in this many items on."""

_FEW = 16
"""Up to so many items, comparing with each of them beats sorting."""

EMPTY = Scored(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))


def ragged_positions(indptr: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Return where the values of some rows lie, row after row, and how many each row has.

    ``rows`` int array of shape (r,). Returns ``positions`` (sum of lengths,) and ``lengths`` (r,).
    """
    starts = np.asarray(indptr[rows], dtype=np.int64)
    lengths = np.asarray(indptr[rows + 1], dtype=np.int64) - starts
    return spans(starts, lengths), lengths


def spans(starts: Ints, lengths: Ints) -> Ints:
    """Return the numbers of several spans, one after the other: start, start + 1, …"""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def sum_by_item(items: Ints, scores: Floats) -> Scored:
    """Add up scores per item; ``items`` may repeat."""
    if len(items) == 0:
        return EMPTY
    if len(items) * _DENSE > (size := int(items.max()) + 1):
        sums = np.bincount(items, weights=scores, minlength=size)
        found = np.flatnonzero(np.bincount(items, minlength=size))
        return Scored(found.astype(np.int32), sums[found].astype(np.float32))
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sums = np.add.reduceat(scores[order], starts)
    return Scored(ordered[starts].astype(np.int32), sums.astype(np.float32))


def blend(parts: list[Scored]) -> Scored:
    """Add up several scorings of items."""
    parts = [part for part in parts if len(part.items)]
    if len(parts) <= 1:
        return parts[0] if parts else EMPTY
    return sum_by_item(
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def without(scored: Scored, items: Ints) -> Scored:
    """Return the scores without those of some items."""
    if len(items) <= _FEW:
        keep = (scored.items[:, None] != items).all(axis=1)
    else:
        keep = ~np.isin(scored.items, items)
    return Scored(scored.items[keep], scored.scores[keep])


def best(scored: Scored, count: int) -> Scored:
    """Return the ``count`` best items, best first; equal scores stand in the order of items."""
    items, scores = scored.items, scored.scores
    if len(items) > count:
        # Everything that ties with the last one stays in, so that the cut is deterministic.
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        keep = np.flatnonzero(scores >= last)
        items, scores = items[keep], scores[keep]
    order = np.lexsort((items, -scores))[:count]
    return Scored(items[order], scores[order])


def top_per_row(matrix: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """Return a CSR matrix with only the ``count`` largest values of each row, largest first.

    Equal values stand in the order of their columns. Rows of the result are *not* sorted by
    column: their order is the ranking.
    """
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    lengths = np.diff(indptr)
    keep = np.ones(len(data), dtype=bool)
    for row in np.flatnonzero(lengths > count):
        start, end = indptr[row], indptr[row + 1]
        values = data[start:end]
        last = np.partition(values, end - start - count)[end - start - count]
        keep[start:end] = values > last
        equal = np.flatnonzero(values == last)
        room = count - np.count_nonzero(keep[start:end])
        if len(equal) > room:
            equal = equal[np.argsort(indices[start + equal], kind="stable")[:room]]
        keep[start + equal] = True
    lengths = np.minimum(lengths, count)
    indices, data = indices[keep], data[keep]
    rows = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((indices, -data, rows))
    result = sparse.csr_matrix(matrix.shape, dtype=matrix.dtype)
    result.data, result.indices = data[order], indices[order]
    result.indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    return result
