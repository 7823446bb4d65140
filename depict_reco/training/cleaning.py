"""What must teach the models nothing: lines that came back, and visitors that are no people."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Action, Interactions

DAY = 86_400.0

LEAST_CAP = 500
"""Views and carts a day that everybody is granted."""
CAP_FACTOR = 20
"""A visitor may do this many times as much in a day as nine in ten visitors do."""


def within_reason(events: Interactions) -> NDArray[np.bool_]:
    """Return which events to keep: of a visitor's views and carts of one day, only the newest.

    What is too much is read off the shop's own visitors: CAP_FACTOR times what nine in ten of
    them do at most in a day. Purchases and returns stay, so that a great order stays whole.
    """
    keep = np.ones(len(events), dtype=bool)
    visitors = np.where(
        events.shoppers >= 0, events.shoppers, -2 - events.sessions.astype(np.int64)
    )
    looking = np.flatnonzero(
        ((events.actions == Action.VIEW) | (events.actions == Action.CART)) & (visitors != -1)
    )
    if len(looking) <= LEAST_CAP:
        return keep
    days = (events.times[looking] // DAY).astype(np.int64)
    order = np.lexsort((days, visitors[looking]))
    owner, day = visitors[looking][order], days[order]
    starts = np.flatnonzero(
        np.concatenate(([True], (owner[1:] != owner[:-1]) | (day[1:] != day[:-1])))
    )
    counts = np.diff(np.append(starts, len(order)))
    cap = max(LEAST_CAP, int(CAP_FACTOR * np.percentile(counts, 90, method="lower")))
    for run in np.flatnonzero(counts > cap):
        keep[looking[order[starts[run] : starts[run] + counts[run] - cap]]] = False
    return keep


def returned_lines(
    *,
    is_return: NDArray[np.bool_],
    items: NDArray[np.int32],
    orders: NDArray[np.int32],
    shoppers: NDArray[np.int32],
    pieces: NDArray[np.int32],
    n_items: int,
) -> NDArray[np.intp]:
    """Return which purchases were undone: their places among purchases and returns in time order.

    A return takes back the newest earlier line of its product in the order that it names, else of
    its shopper. A line is undone when as many pieces came back as were bought.
    """
    at = np.flatnonzero(is_return)
    if len(at) == 0:
        return at
    in_order = _pairs(orders, items, n_items)
    by_shopper = _pairs(shoppers, items, n_items)
    concerned = np.isin(in_order, in_order[at]) & (in_order >= 0)
    concerned |= np.isin(by_shopper, by_shopper[at]) & (by_shopper >= 0)
    left = pieces.astype(np.int64).copy()
    stacks: tuple[dict[int, list[int]], ...] = (defaultdict(list), defaultdict(list))
    undone: list[int] = []
    for place in np.flatnonzero(concerned).tolist():
        keys = (int(in_order[place]), int(by_shopper[place]))
        if not is_return[place]:
            for stack, key in zip(stacks, keys, strict=True):
                stack[key].append(place)
            continue
        named = [stack[key] for stack, key in zip(stacks, keys, strict=True) if key >= 0]
        lines = next((lines for lines in named if _open(lines, left)), [])
        back = max(int(left[place]), 1)
        while back > 0 and _open(lines, left):
            taken = min(back, int(left[lines[-1]]))
            left[lines[-1]] -= taken
            back -= taken
            if left[lines[-1]] <= 0:
                undone.append(lines.pop())
    return np.array(sorted(undone), dtype=np.intp)


def _open(lines: list[int], left: NDArray[np.int64]) -> bool:
    """Drop lines that came back under another name from the end; return whether any is left."""
    while lines and left[lines[-1]] <= 0:
        lines.pop()
    return bool(lines)


def _pairs(owners: NDArray[np.int32], items: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return one number for owner and item, -1 for nobody's."""
    return np.where(owners >= 0, owners.astype(np.int64) * n_items + items, -1)
