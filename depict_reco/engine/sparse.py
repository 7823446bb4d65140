"""Small operations on compressed rows that the models share.

A *ragged* array is a pair ``(indptr, values)`` as in scipy's CSR format: row ``r`` is
``values[indptr[r]:indptr[r + 1]]``. It may be memory-mapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices
from depict_reco.engine.slots import distinct

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of some items; every other item scores zero.

    ``items`` int32 array of shape (n,), distinct; ``scores`` float32 array of shape (n,).
    """

    items: Ints
    scores: Floats

    def evidence(self, weight: float = 1.0) -> Scored:
        """Return the roots of the scores over their maximum, with their signs, times ``weight``.

        The root makes the second and third of a list count for more beside its first: parts
        differ in how steeply their scores fall, and a sum must not belong to the steepest.
        """
        top = float(self.scores.max()) if len(self.scores) else 0.0
        if top <= 0.0:
            return EMPTY
        roots = np.sqrt(np.abs(self.scores) * np.float32(1.0 / top)) * np.float32(weight)
        return Scored(self.items, np.copysign(roots, self.scores))


_FEW = 16
"""Up to so many items, comparing with each of them beats sorting."""

_SOON_SORTED = 128
"""Up to so many items, sorting all of them beats looking for the best first."""

_CELLS = 1 << 20
"""Cells of a table that rows of a matrix are sorted in at a time; each takes 8 bytes."""

_LAST = np.iinfo(np.uint64).max
_SIGN, _MAGNITUDE, _HALF = np.uint32(31), np.uint32(0x7FFF_FFFF), np.uint64(32)

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
    ends = lengths.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    found: Ints = np.subtract(starts, ends - lengths).repeat(lengths)
    found += np.arange(total)
    return found


def sum_by_item(items: Ints, scores: Floats) -> Scored:
    """Add up scores per item; ``items`` may repeat."""
    if len(items) == 0:
        return EMPTY
    places, ranks = distinct(items, size=int(items.max()) + 1)
    sums = np.bincount(ranks, weights=scores, minlength=len(places))
    return Scored(items[places].astype(np.int32, copy=False), sums.astype(np.float32))


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
    keep = ~is_among(scored.items, items)
    return Scored(scored.items[keep], scored.scores[keep])


def is_among(items: Ints, wanted: Ints) -> NDArray[np.bool_]:
    """Return for each item whether it is one of those wanted."""
    if len(wanted) > _FEW:
        return np.isin(items, wanted)
    found = np.zeros(len(items), dtype=bool)
    for one in wanted.tolist():
        found |= items == one
    return found


def best(scored: Scored, count: int | None = None) -> Scored:
    """Return the ``count`` best items, best first; equal scores stand in the order of items.

    None for all of them.
    """
    if count is not None and len(scored.items) > _SOON_SORTED:
        # Everything that ties with the last one stays in, so that the cut is deterministic.
        scored = head(scored, count)
    order = np.lexsort((scored.items, -scored.scores))[:count]
    return Scored(scored.items[order], scored.scores[order])


def head(scored: Scored, count: int) -> Scored:
    """Return the ``count`` best items and all that tie with the last of them, in no order."""
    items, scores = scored.items, scored.scores
    if len(items) <= count:
        return scored
    last = np.partition(scores, len(scores) - count)[len(scores) - count]
    keep = (scores >= last).nonzero()[0]
    return Scored(items[keep], scores[keep])


def top_per_row(matrix: matrices.csr_matrix, count: int) -> matrices.csr_matrix:
    """Return a CSR matrix with only the ``count`` largest values of each row, largest first.

    Equal values stand in the order of their columns. Rows of the result are *not* sorted by
    column: their order is the ranking. The values are compared and returned as float32.

    Rows of like length are laid into one table and sorted at once, each entry as one number
    that holds both value and column: some ten times faster than row by row.
    """
    lengths = np.diff(matrix.indptr).astype(np.int64)
    starts = matrix.indptr[:-1].astype(np.int64)
    keys = _ranking_keys(matrix.data, matrix.indices)
    kept = np.minimum(lengths, count)
    indptr = np.concatenate(([0], np.cumsum(kept))).astype(np.int64)
    top = np.empty(indptr[-1], dtype=np.uint64)
    for rows, width in _rows_of_like_length(lengths):
        table = np.full((len(rows), width), _LAST, dtype=np.uint64)
        filled = np.arange(width) < lengths[rows, None]
        table[filled] = keys[spans(starts[rows], lengths[rows])]
        table.sort(axis=1)
        chosen = np.arange(min(count, width)) < kept[rows, None]
        top[spans(indptr[rows], kept[rows])] = table[:, :count][chosen]
    result = matrices.csr_matrix(matrix.shape, dtype=np.float32)
    result.data, result.indices = _values_and_columns(top)
    result.indptr = indptr
    return result


def _rows_of_like_length(lengths: Ints) -> Iterator[tuple[Ints, int]]:
    """Yield rows that a table of the same width holds, at most about _CELLS cells at a time."""
    _, exponents = np.frexp(lengths - 0.5)  # the width 2 ** exponent is the next power of two
    order = np.argsort(exponents, kind="stable")
    order = order[lengths[order] > 0]
    changes = np.flatnonzero(np.diff(exponents[order], prepend=-1))
    for start, end in pairwise(np.append(changes, len(order))):
        width = 1 << int(exponents[order[start]])
        step = max(1, _CELLS // width)
        for first in range(start, end, step):
            yield order[first : min(first + step, end)], width


def _ranking_keys(values: Floats, columns: Ints) -> NDArray[np.uint64]:
    """Return numbers that stand in the order of falling values, then of rising columns.

    The bits of a float that is not negative grow with it; those of a negative one fall with it.
    """
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # no negative zero
    rank = np.where(bits >> _SIGN, bits, bits ^ _MAGNITUDE)
    return (rank.astype(np.uint64) << _HALF) | columns.astype(np.uint64)


def _values_and_columns(keys: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return what the keys were made of."""
    rank = (keys >> _HALF).astype(np.uint32)
    bits = np.where(rank >> _SIGN, rank, rank ^ _MAGNITUDE)
    return bits.view(np.float32), keys.astype(np.uint32).astype(np.int32)
