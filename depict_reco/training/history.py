"""Rows of events, which come in time order and in blocks, as the columns of Interactions.

Names of sessions, orders and shoppers are kept as their 64-bit hashes while reading, eight bytes
each, and numbered at the end: no text of an event outlives its block. That two of ten million
names share a hash has a chance of some three in a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.events.models import EventType
from depict_reco.training.cleaning import returned_lines, within_reason
from depict_reco.training.epoch import Epoch

SESSION_GAP = 30 * 60.0
"""Seconds of silence after which a shopper without session ids has begun another session."""
LONGEST_PAUSE = 6 * 3600.0
"""Seconds of silence within a session id. Depict's client keeps one for ever on a device: then it
names a shopper, who comes again another day for something else."""

ACTIONS = {
    EventType.PAGE_VIEW.value: Action.VIEW,
    EventType.CLICK.value: Action.VIEW,
    EventType.ADD_TO_CART.value: Action.CART,
    EventType.PURCHASE.value: Action.PURCHASE,
    EventType.RETURN.value: Action.RETURN,
}
"""Events that say what a shopper wants; that something was on the screen does not."""

COLUMNS = (
    "type", Epoch("time"), "session_id", "user_id", "product_id", "sku", "transaction_id",
    "quantity",
)  # fmt: skip
"""What is read of an event."""

_DTYPES = (np.int32, np.int8, np.float64, np.int64, np.int64, np.int64, np.int32)
_NONE = 0
"""The hash of an empty name."""
_ORDER = 0x5BD1_E995_27D4_EB2F
"""Tells the hash of an order's number from that of a session of the same name."""

Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was read of a market's events."""

    interactions: Interactions
    n_unknown: int
    """Events left out because the catalogue does not have their product."""
    n_runaway: int
    """Views and carts left out because no person does so much in a day."""


class HistoryReader:
    """Takes rows of COLUMNS, oldest first, block by block."""

    def __init__(self, items: Mapping[str, int], *, n_items: int) -> None:
        self._items = items
        self._n_items = n_items
        # per block: item, action, time, session, order, shopper, pieces
        self._blocks: list[tuple[NDArray[Any], ...]] = []
        self._n_unknown = 0

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take a block of rows."""
        if not rows:
            return
        types, times, sessions, users, products, skus, orders, pieces = zip(*rows, strict=True)
        items = self._find(products, skus)
        known = items >= 0
        self._n_unknown += len(rows) - int(known.sum())
        columns = (
            items,
            _column(map(ACTIONS.__getitem__, types), np.int8),
            _column(times, np.float64),
            _column(map(hash, sessions), np.int64),
            _column(map(hash, orders), np.int64),
            _column(map(hash, users), np.int64),
            _column(pieces, np.int32),
        )
        self._blocks.append(tuple(column[known] for column in columns))

    def history(self) -> History:
        """Return everything that was taken; the reader is empty afterwards."""
        blocks, self._blocks = self._blocks, []
        items, actions, times, sessions, orders, users, pieces = _joined(blocks)
        orders[orders != _NONE] ^= _ORDER
        shoppers = _numbers(_first_of_key(users))
        in_session = np.where(sessions != _NONE, sessions, orders)
        del users
        first = np.full(len(items), -1, dtype=np.int64)
        for names, known, pause in (
            (in_session, in_session != _NONE, LONGEST_PAUSE),
            (shoppers, (in_session == _NONE) & (shoppers >= 0), SESSION_GAP),
        ):
            rows = np.flatnonzero(known)
            first[rows] = rows[_first_of_visit(names[rows], times[rows], pause=pause)]
        del in_session
        # without an order's number, what was bought in one session was one order: the place of
        # its first event stands for it, which no hash of 64 bits is likely to equal
        in_order = np.where(orders != _NONE, orders, np.where(sessions != _NONE, first + 1, _NONE))
        del orders, sessions
        bought = actions == Action.PURCHASE
        baskets = np.full(len(items), -1, dtype=np.int32)
        sold = np.flatnonzero(bought | (actions == Action.RETURN))
        numbers = _numbers(_first_of_key(in_order[sold]))
        del in_order
        baskets[sold] = np.where(bought[sold], numbers, -1)
        back = returned_lines(
            is_return=~bought[sold], items=items[sold], orders=numbers, shoppers=shoppers[sold],
            pieces=pieces[sold], n_items=self._n_items,
        )  # fmt: skip
        baskets[sold[back]] = -1
        read = Interactions(
            items=items, actions=actions, sessions=_numbers(first), baskets=baskets,
            shoppers=shoppers, times=times, n_items=self._n_items,
        )  # fmt: skip
        kept = within_reason(read)
        return History(
            interactions=read if kept.all() else read.select(kept),
            n_unknown=self._n_unknown,
            n_runaway=len(read) - int(kept.sum()),
        )

    def _find(self, products: Sequence[str], skus: Sequence[str]) -> NDArray[np.int32]:
        """Return the item of each event, -1 for none; each of its two ids may be of either kind."""
        items = _column(map(self._items.get, products, repeat(-1)), np.int32)
        missing = np.flatnonzero(items < 0)
        if len(missing):
            names = [skus[at] for at in missing.tolist()]
            items[missing] = _column(map(self._items.get, names, repeat(-1)), np.int32)
        return items


def _column(values: Iterable[Any], dtype: Any) -> NDArray[Any]:
    return np.fromiter(values, dtype=dtype)


def _joined(blocks: list[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    """Return the columns of all blocks, which are emptied column by column to save memory."""
    columns: list[NDArray[Any]] = []
    rest = [list(block) for block in blocks]
    blocks.clear()
    for dtype in _DTYPES:
        parts = [block.pop(0) for block in rest]
        columns.append(np.concatenate(parts) if parts else np.empty(0, dtype=dtype))
    return columns


def _first_of_key(keys: Keys) -> NDArray[np.int64]:
    """Return, for each event, the first event with the same key, -1 where there is none."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.ones(len(keys), dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    first = np.empty(len(keys), dtype=np.int64)
    first[order] = order[np.maximum.accumulate(np.where(starts, np.arange(len(keys)), 0))]
    first[keys == _NONE] = -1
    return first


def _first_of_visit(
    names: NDArray[np.integer], times: NDArray[np.float64], *, pause: float
) -> NDArray[np.int64]:
    """Return, for each event, the first of the same name that no longer pause lies between."""
    order = np.argsort(names, kind="stable")
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (names[order][1:] != names[order][:-1]) | (np.diff(times[order]) > pause)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]
    return first


def _numbers(first: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return numbers 0, 1, 2, … in the order in which they come up first; -1 stays."""
    known = first >= 0
    begins = np.zeros(len(first), dtype=bool)
    begins[first[known]] = True
    numbers = (np.cumsum(begins) - 1).astype(np.int32)
    return np.where(known, numbers[first], np.int32(-1))
