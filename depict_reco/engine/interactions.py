"""What shoppers did, as arrays: the input of every model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices


class Action(IntEnum):
    """Kinds of interaction that models know."""

    VIEW = 0
    CART = 1
    PURCHASE = 2
    RETURN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """Interactions of one market, in time order.

    Each array has shape (n,). Groups that an interaction does not belong to are -1.
    """

    items: NDArray[np.int32]
    actions: NDArray[np.int8]
    """Values of Action."""
    sessions: NDArray[np.int32]
    """What one shopper did in one go; ids need not be dense."""
    baskets: NDArray[np.int32]
    """Orders: purchases with the same number were bought together."""
    shoppers: NDArray[np.int32]
    """People, as far as they are known over several sessions."""
    times: NDArray[np.float64]
    """Seconds since the epoch, ascending."""
    n_items: int

    def __len__(self) -> int:
        return len(self.items)

    def select(self, mask: NDArray[np.bool_]) -> Interactions:
        """Return the interactions where ``mask`` (shape (n,)) is true."""
        return replace(
            self,
            items=self.items[mask],
            actions=self.actions[mask],
            sessions=self.sessions[mask],
            baskets=self.baskets[mask],
            shoppers=self.shoppers[mask],
            times=self.times[mask],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Sequences of items - sessions or baskets - in the order of their last interaction.

    ``indptr`` int64 (g + 1,), ``items`` int32 (total,), ``times`` float64 (g,): seconds of the
    last interaction. Row ``g`` of the ragged array is what happened, oldest first. ``done``
    uint8 (total,), where it is known: what was done with each item before the next one came, a
    bit ``1 << action`` each.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    times: NDArray[np.float64]
    n_items: int
    done: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def row(self, index: int) -> NDArray[np.int32]:
        """Return the items of one group."""
        return self.items[self.indptr[index] : self.indptr[index + 1]]

    def before(self, count: int) -> Groups:
        """Return the oldest ``count`` groups."""
        end = int(self.indptr[count])
        return replace(
            self,
            indptr=self.indptr[: count + 1],
            items=self.items[:end],
            times=self.times[:count],
            done=None if self.done is None else self.done[:end],
        )

    def incidence(self, weights: NDArray[np.float32] | None = None) -> matrices.csr_matrix:
        """Return the groups x items matrix: 1, or the weight of the group, where an item is in it.

        An item that occurs several times in a group counts once.
        """
        lengths = np.diff(self.indptr)
        data = np.ones(len(self.items), dtype=np.float32)
        matrix = matrices.csr_matrix(
            (data, self.items.copy(), self.indptr.copy()), shape=(len(self), self.n_items)
        )
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        if weights is not None:
            lengths = np.diff(matrix.indptr)
            matrix.data *= np.repeat(weights, lengths)
        return matrix


def group(
    keys: NDArray[np.int32],
    items: NDArray[np.int32],
    times: NDArray[np.float64],
    *,
    n_items: int,
    actions: NDArray[np.int8] | None = None,
    min_length: int = 1,
    max_length: int = 200,
    distinct: bool = False,
) -> Groups:
    """Gather interactions in time order into groups of equal key; -1 belongs to none.

    Immediate repetitions of an item are dropped, or all of them with ``distinct``. Of a group
    longer than ``max_length`` (a bot, a wholesale order) only the newest part is kept, groups
    with fewer than ``min_length`` items are left out. With ``actions``, those that were dropped
    as immediate repetitions stay known; together with ``distinct`` they raise ValueError.
    """
    if distinct and actions is not None:
        raise ValueError("What was done is kept of sequences, not of distinct items.")
    known = np.flatnonzero(keys >= 0)
    order = known[np.argsort(keys[known], kind="stable")]
    keys, items, times = keys[order], items[order], times[order]
    done = None if actions is None else (1 << actions[order]).astype(np.uint8)
    if distinct:
        pair = keys.astype(np.int64) * n_items + items
        _, first = np.unique(pair, return_index=True)
        keep = np.sort(first)
    else:
        same = (keys[1:] == keys[:-1]) & (items[1:] == items[:-1])
        keep = np.flatnonzero(np.concatenate((np.ones(min(1, len(keys)), dtype=bool), ~same)))
        if done is not None and len(keep):
            done = np.bitwise_or.reduceat(done, keep)
    keys, items, times = keys[keep], items[keep], times[keep]
    starts = np.flatnonzero(
        np.concatenate((np.ones(min(1, len(keys)), bool), keys[1:] != keys[:-1]))
    )
    ends = np.concatenate((starts[1:], [len(keys)])).astype(np.int64)
    lengths = ends - starts
    chosen = np.flatnonzero(lengths >= min_length)
    # Groups stand in the order of their last interaction, so that newer means a greater index.
    last = times[ends[chosen] - 1] if len(chosen) else np.empty(0)
    chosen = chosen[np.argsort(last, kind="stable")]
    ends, lengths = ends[chosen], np.minimum(lengths[chosen], max_length)
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    positions = np.arange(indptr[-1]) + np.repeat(ends - indptr[1:], lengths)
    return Groups(
        indptr=indptr,
        items=items[positions].astype(np.int32),
        times=times[ends - 1] if len(ends) else np.empty(0),
        n_items=n_items,
        done=None if done is None else done[positions],
    )


def crossed(interactions: Interactions) -> tuple[matrices.csr_matrix, matrices.csr_matrix]:
    """Return what was seen and what was wanted - put into a cart or bought - by session.

    Both are float32 matrices (n_sessions, n_items) of 0 and 1 over the sessions that have both.
    """
    known = interactions.sessions >= 0
    seen = known & (interactions.actions == Action.VIEW)
    wanted = known & np.isin(interactions.actions, (Action.CART, Action.PURCHASE))
    both = np.intersect1d(interactions.sessions[seen], interactions.sessions[wanted])
    both_ways = []
    for mask in (seen, wanted):
        mask = mask & np.isin(interactions.sessions, both)
        rows = np.searchsorted(both, interactions.sessions[mask])
        matrix = matrices.csr_matrix(
            (np.ones(len(rows), dtype=np.float32), (rows, interactions.items[mask])),
            shape=(len(both), interactions.n_items),
        )
        matrix.data[:] = 1.0
        both_ways.append(matrix)
    return both_ways[0], both_ways[1]
