"""Who bought what on which day: the purchases that repeat buying is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.sparse import Ints

_GOLDEN = (5**0.5 - 1) / 2


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
