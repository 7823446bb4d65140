"""What will this shopper buy again? A decayed personal counter with neighbours.

Milk is due again within a week, a fridge is not: how often a product is bought again at all, and
after how long, is learned from everybody who bought it. What these say of a shopper, beside the
shopper's own counts and what similar shoppers buy, is weighed by a logistic model that is fitted
on the shop's own newest visits. A *visit* is a day on which a shopper bought something.

The ideas: counting with decay (TIFU-KNN; Hu et al., 2020), shares of neighbours by asymmetric
cosine (UP-CF; Faggioli, Polato and Aiolli, 2020), repeat consumption by propensity and gap
(Anderson et al., 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.logistic import fit_logistic
from depict_reco.engine.popularity import DAY
from depict_reco.engine.purchases import Purchases, habits, log_shares, purchases_of
from depict_reco.engine.sparse import (
    EMPTY,
    Ints,
    Scored,
    best,
    ragged_positions,
    spans,
    sum_by_item,
)

EVIDENCE = (
    "owned", "count", "visits", "days", "steady", "share", "early", "late", "propensity",
    "popular", "recent", "neighbours", "owned neighbours", "constant",
)  # fmt: skip
"""What is weighed, in the order of ``weights``; all but the first are logarithms or shares."""
DEFAULT_WEIGHTS = (0.0, 0.3, 0.3, 0.2, 0.2, 0.3, 0.4, -0.1, 0.4, 0.0, 0.4, 0.4, -0.2, 0.0)
"""Where a shop has too few visits to learn from."""

HISTORY = 400
"""Newest purchases of a shopper that are worth asking with; older ones hardly count any more."""

_HALF_LIFE, _RECENT = 90.0, 14.0
"""Days in which the weight of a sale halves, in what is popular and what is popular of late."""
_STEP = 0.8
"""What a purchase still counts one visit later."""
_SOONEST = 0.5
"""Days: the least age of a purchase."""
_BUYERS, _BUDGET = 300, 10_000
"""Newest buyers kept per product, and looked at in all."""
_LONGEST, _ASKED = 200, 100
"""Newest products kept per shopper, and looked at in a question."""
_NEIGHBOURS, _ALPHA, _POWER = 100, 0.25, 3
"""Shoppers that vote, how lopsided their cosine is, and the power of it that their votes count."""
_VOTED = 200
"""Products of the neighbours that are scored."""
_CANDIDATES = 50
"""Most popular products that are scored for everybody."""
_HELD_OUT, _QUESTIONS, _FEWEST = 0.15, 500, 50
"""Share of the purchases that weights are learned from, in at most so many visits and no fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatModel:
    """How each product is bought again, and who bought what.

    ``propensity`` float32 (n_items,): purchases per buyer after the first. ``interval`` float32
    (n_items,): typical days between two of them. ``popular`` and ``recent`` float32 (n_items,):
    logarithm of the share of decayed sales. ``buyer_indptr`` int64 (n_items + 1,) and ``buyers``
    int32: per product its newest buyers. ``shopper_indptr`` int64 (n_shoppers + 1,),
    ``shopper_items`` int32 and ``shopper_shares`` float32: what a shopper bought, newest first,
    and in which share of the visits. ``candidates`` int32: the most popular products.
    ``weights`` float32 (len(EVIDENCE),).
    """

    propensity: NDArray[np.float32]
    interval: NDArray[np.float32]
    popular: NDArray[np.float32]
    recent: NDArray[np.float32]
    buyer_indptr: NDArray[np.int64]
    buyers: NDArray[np.int32]
    shopper_indptr: NDArray[np.int64]
    shopper_items: NDArray[np.int32]
    shopper_shares: NDArray[np.float32]
    candidates: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def fit(cls, interactions: Interactions) -> Self:
        """Fit on the purchases of known shoppers; weights are learned from their newest visits.

        Each visit of the newest part is a question: which products did it bring, of those that a
        model of the older part would consider?
        """
        bought = purchases_of(
            interactions.shoppers,
            interactions.items,
            interactions.times / DAY,
            returned=interactions.actions == Action.RETURN,
            kept=interactions.actions >= Action.PURCHASE,
            # who read the events has compared pieces, and took out of its order what came back
            settled=interactions.baskets >= 0,
        )
        model = cls._counted(bought, interactions.n_items)
        if not len(bought):
            return model
        cut = np.floor(np.quantile(bought.days, 1 - _HELD_OUT))
        past = cls._counted(bought.select(bought.days < cut), interactions.n_items)
        rows, answers = past._lessons(bought, cut)
        if len(rows) < _FEWEST:
            return model
        weights = fit_logistic(rows, answers, prior=model.weights)
        return replace(model, weights=weights)

    def scores(self, items: Ints, ages: NDArray[np.floating]) -> Scored:
        """Score what a shopper may buy next, bought before or not.

        Parameters
        ----------
        items
            int (n,): what the shopper bought; each purchase counts, once a day.
        ages
            (n,): days since each purchase.

        Returns
        -------
        Scored
            The chance that the product is in the next basket, between 0 and 1.
        """
        if len(items) == 0:
            return EMPTY
        found, evidence = self._evidence(items, np.asarray(ages, dtype=np.float64))
        chance = 1.0 / (1.0 + np.exp(-np.clip(evidence @ self.weights, -30.0, 30.0)))
        return Scored(found, chance.astype(np.float32))

    @classmethod
    def _counted(cls, bought: Purchases, n_items: int) -> Self:
        """Return the model of some purchases, with the default weights."""
        propensity, interval = habits(bought, n_items)
        popular = log_shares(bought, n_items, _HALF_LIFE)
        sold = np.flatnonzero(np.bincount(bought.items, minlength=n_items))
        most = sold[np.argsort(-popular[sold], kind="stable")[:_CANDIDATES]]
        histories = _histories(bought)
        buyer_indptr, buyers = _buyers(*histories[:2], n_items=n_items)
        return cls(
            propensity=propensity,
            interval=interval,
            popular=popular,
            recent=log_shares(bought, n_items, _RECENT),
            buyer_indptr=buyer_indptr,
            buyers=buyers,
            shopper_indptr=histories[0],
            shopper_items=histories[1],
            shopper_shares=histories[2],
            candidates=most.astype(np.int32),
            weights=np.array(DEFAULT_WEIGHTS, dtype=np.float32),
        )

    def _lessons(
        self, bought: Purchases, cut: float
    ) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
        """Return the evidence before visits from ``cut`` on, and which of it they confirmed."""
        rows, answers = [], []
        for history, visit in bought.visits(since=cut, limit=_QUESTIONS):
            ages = bought.days[visit.start] - bought.days[history]
            found, evidence = self._evidence(bought.items[history], ages)
            rows.append(evidence)
            answers.append(np.isin(found, bought.items[visit]))
        return rows, answers

    def _evidence(
        self, items: Ints, ages: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return what may be bought, int32 (c,), and what speaks for it, (c, len(EVIDENCE))."""
        days, visit = np.unique(np.floor(ages), return_inverse=True)
        own, at = np.unique(items, return_inverse=True)
        pairs = np.unique(at * len(days) + visit, return_index=True)[1]
        at, back, ages = at[pairs], visit[pairs], np.maximum(ages[pairs], _SOONEST)
        last = np.full(len(own), np.inf)
        np.minimum.at(last, at, ages)
        near = best(self.neighbours(own[np.argsort(last, kind="stable")[:_ASKED]]), _VOTED)
        found = np.unique(np.concatenate((own, near.items, self.candidates))).astype(np.int32)
        mine = np.searchsorted(found, own)
        votes = np.zeros(len(found))
        votes[np.searchsorted(found, near.items)] = near.scores
        votes = np.log(votes + 1e-3)
        table = np.zeros((len(found), len(EVIDENCE)))
        table[mine, :9] = self._habit_of(own, at, ages, back, last)
        table[:, 9], table[:, 10], table[:, 11] = self.popular[found], self.recent[found], votes
        table[mine, 12] = votes[mine]
        table[:, 13] = 1.0
        return found, table

    def _habit_of(
        self, own: Ints, at: Ints, ages: NDArray[np.float64], back: Ints, last: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the first nine columns of the evidence for what the shopper has bought."""
        count = np.bincount(at).astype(np.float64)
        steady = np.bincount(at, weights=_STEP**back)
        typical = float(np.exp(np.log(self.interval[own]).mean()))
        fresh = np.bincount(at, weights=0.5 ** (ages / typical))
        since = np.ones(len(own))
        np.maximum.at(since, at, back + 1.0)
        due = np.log(last / self.interval[own])
        columns = (
            np.ones(len(own)),
            np.log(count),
            np.log(steady + 0.03) - np.log(0.03),
            np.log(fresh + 0.03) - np.log(0.03),
            steady,
            np.log(count / since),
            np.minimum(due, 0.0),
            np.maximum(due, 0.0),
            np.log(self.propensity[own]),
        )
        return np.stack(columns, axis=1)

    def neighbours(self, own: Ints) -> Scored:
        """Return in which share of their visits similar shoppers buy what, the nearer the more.

        ``own`` int (n,): what the shopper has bought, each product once, the newest first.
        """
        starts = self.buyer_indptr[own]
        most = max(_BUDGET // max(len(own), 1), 1)
        at = spans(starts, np.minimum(self.buyer_indptr[own + 1] - starts, most))
        shared = sum_by_item(self.buyers[at], np.ones(len(at), dtype=np.float32))
        if not len(shared.items):
            return EMPTY
        lengths = self.shopper_indptr[shared.items + 1] - self.shopper_indptr[shared.items]
        alike = shared.scores / (len(own) ** _ALPHA * lengths ** (1 - _ALPHA))
        others = shared.items
        if len(others) > _NEIGHBOURS:
            nearest = np.argpartition(-alike, _NEIGHBOURS)[:_NEIGHBOURS]
            others, alike = others[nearest], alike[nearest]
        trust = alike**_POWER
        trust = trust / trust.sum()
        positions, counts = ragged_positions(self.shopper_indptr, others)
        votes = self.shopper_shares[positions] * np.repeat(trust, counts)
        return sum_by_item(self.shopper_items[positions], votes.astype(np.float32))


def _histories(
    bought: Purchases,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return the ragged table of what each shopper bought, newest first, and how steadily.

    Shoppers stand in the order of their last purchase, so that a greater number means a newer one.
    """
    empty = np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    if not len(bought):
        return empty
    shoppers, visits = bought.shoppers, bought.n_visits()
    newest = np.full(int(shoppers.max()) + 1, -np.inf)
    np.maximum.at(newest, shoppers, bought.days)
    ranks = np.empty(len(newest), dtype=np.int64)
    ranks[np.argsort(newest, kind="stable")] = np.arange(len(newest))
    order = np.lexsort((-bought.days, bought.items, shoppers))
    owner, items = shoppers[order], bought.items[order]
    first = np.flatnonzero(
        np.concatenate(([True], (owner[1:] != owner[:-1]) | (items[1:] != items[:-1])))
    )
    counts = np.diff(np.concatenate((first, [len(order)])))
    owner, items, days = owner[first], items[first], bought.days[order][first]
    shares = counts / visits[owner]
    order = np.lexsort((items, -days, ranks[owner]))
    rank, items, shares = ranks[owner[order]], items[order], shares[order]
    lengths = np.bincount(rank, minlength=len(newest))
    place = np.arange(len(rank)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = place < _LONGEST
    indptr = np.concatenate(([0], np.cumsum(np.minimum(lengths, _LONGEST)))).astype(np.int64)
    return indptr, items[kept].astype(np.int32), shares[kept].astype(np.float32)


def _buyers(
    indptr: NDArray[np.int64], items: NDArray[np.int32], *, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the ragged table of who bought each product, the newest shoppers first."""
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((-owner, items))
    frequency = np.bincount(items, minlength=n_items)
    place = np.arange(len(items)) - np.repeat(np.cumsum(frequency) - frequency, frequency)
    kept = np.minimum(frequency, _BUYERS)
    ends = np.concatenate(([0], np.cumsum(kept))).astype(np.int64)
    return ends, owner[order][place < _BUYERS].astype(np.int32)
