"""Who bought what on which day: the purchases that repeat buying is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.sparse import Ints

_GOLDEN = (5**0.5 - 1) / 2
_PRIOR = 10.0
"""Purchases that the market's average counts in the propensity and interval of a product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """Purchases of known shoppers, by shopper, day and item; each item once a day.

    ``shoppers`` and ``items`` int32 (n,), ``days`` float64 (n,): whole days since the epoch.
    """

    shoppers: NDArray[np.int32]
    items: NDArray[np.int32]
    days: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.items)

    def select(self, mask: NDArray[np.bool_]) -> Purchases:
        """Return the purchases where ``mask`` (n,) is true."""
        return Purchases(shoppers=self.shoppers[mask], items=self.items[mask], days=self.days[mask])

    def n_visits(self) -> NDArray[np.int64]:
        """Return on how many days each shopper bought something, (greatest shopper + 1,)."""
        return np.bincount(self.shoppers[self._visit_starts()])

    def visits(self, *, since: float, limit: int) -> Iterator[tuple[slice, slice]]:
        """Yield about ``limit`` visits from a day on, evenly spread: what was before, and it.

        A shopper's first visit has nothing before it and is left out.
        """
        starts = self._visit_starts()
        ends = np.append(starts[1:], len(self))
        owner = self.shoppers[starts]
        first_of = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])[: len(owner)])
        begin = np.repeat(starts[first_of], np.diff(np.append(first_of, len(owner))))
        asked = np.flatnonzero((self.days[starts] >= since) & (starts > begin))
        if len(asked) > limit:
            # steps of the golden ratio fall in with no order of shoppers, as every n-th would
            drawn = np.arange(1, len(asked) + 1) * _GOLDEN % 1.0 < limit / len(asked)
            asked = asked[drawn]
        for visit in asked.tolist():
            yield slice(begin[visit], starts[visit]), slice(starts[visit], ends[visit])

    def _visit_starts(self) -> NDArray[np.intp]:
        change = (np.diff(self.shoppers) != 0) | (np.diff(self.days) != 0)
        return np.flatnonzero(np.append(np.ones(min(1, len(self)), dtype=bool), change))


def purchases_of(
    shoppers: Ints,
    items: Ints,
    days: NDArray[np.floating],
    *,
    returned: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    settled: NDArray[np.bool_],
) -> Purchases:
    """Gather the purchases of interactions, without what came back.

    A return takes back the same shopper's last purchase of the product before it, unless that is
    known to stand.

    Parameters
    ----------
    shoppers, items, days
        (n,), in time order; shopper -1 is nobody. Days since the epoch may have fractions.
    returned
        (n,): whether it is a return.
    kept
        (n,): whether it is a purchase or a return.
    settled
        (n,): whether it is a purchase that stands whatever came back after it.
    """
    known = np.flatnonzero(kept & (shoppers >= 0))
    order = known[np.lexsort((known, items[known], shoppers[known]))]
    owner, item, back = shoppers[order], items[order], returned[order]
    same = (owner[1:] == owner[:-1]) & (item[1:] == item[:-1])
    undone = np.append(same & back[1:], np.zeros(min(1, len(order)), dtype=bool))
    stays = ~back & (~undone | settled[order])
    owner, item, day = owner[stays], item[stays], np.floor(days[order][stays])
    order = np.lexsort((item, day, owner))
    owner, item, day = owner[order], item[order], day[order]
    repeated = (np.diff(owner) == 0) & (np.diff(item) == 0) & (np.diff(day) == 0)
    single = np.append(np.ones(min(1, len(owner)), dtype=bool), ~repeated)
    return Purchases(
        shoppers=owner[single].astype(np.int32),
        items=item[single].astype(np.int32),
        days=day[single].astype(np.float64),
    )


def habits(bought: Purchases, n_items: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how often and after how many days each product is bought again.

    Products of few buyers are drawn towards the market's average.
    """
    order = np.lexsort((bought.days, bought.items, bought.shoppers))
    shoppers, items, days = bought.shoppers[order], bought.items[order], bought.days[order]
    again = (shoppers[1:] == shoppers[:-1]) & (items[1:] == items[:-1])
    gaps = np.log(np.maximum(np.diff(days)[again], 1.0))
    repeated = items[1:][again]
    times = np.bincount(repeated, minlength=n_items).astype(np.float64)
    buyers = np.bincount(items, minlength=n_items) - times
    usual = float(gaps.mean()) if len(gaps) else np.log(30.0)
    sums = np.bincount(repeated, weights=gaps, minlength=n_items)
    interval = np.exp((sums + _PRIOR * usual) / (times + _PRIOR))
    average = times.sum() / max(float(buyers.sum()), 1.0)
    propensity = (times + _PRIOR * average) / (buyers + _PRIOR)
    return np.maximum(propensity, 1e-3).astype(np.float32), interval.astype(np.float32)


def log_shares(bought: Purchases, n_items: int, half_life: float) -> NDArray[np.float32]:
    """Return the logarithm of each product's share of the sales, which halve in ``half_life`` days.

    What never sold has that of a hundredth of a sale.
    """
    if not len(bought):
        return np.zeros(n_items, dtype=np.float32)
    ages = bought.days.max() - bought.days
    sales = np.bincount(bought.items, weights=0.5 ** (ages / half_life), minlength=n_items)
    return np.log((sales + 0.01) / sales.sum()).astype(np.float32)
