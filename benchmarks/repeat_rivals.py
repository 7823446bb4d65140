"""The methods that repeat buying is usually answered with, written from their papers.

Each is fitted on the lines of the past and scores all items for a customer's history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

DAY = 86_400.0

Vector = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one customer bought, oldest first: arrays of shape (n,)."""

    times: NDArray[np.float64]
    orders: NDArray[np.int64]
    items: NDArray[np.int64]
    asked: float
    """When the next basket came, in seconds since the epoch."""

    def select(self, mask: NDArray[np.bool_], *, asked: float) -> History:
        return History(
            times=self.times[mask], orders=self.orders[mask], items=self.items[mask], asked=asked
        )

    def baskets(self) -> tuple[NDArray[np.intp], NDArray[np.int64], int]:
        """Return how many baskets ago (0 is the last) each line was, the items, and how many.

        An item stands once in a basket.
        """
        _, first, owner = np.unique(self.orders, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(self.times[first], kind="stable"))[owner]
        _, once = np.unique(self.orders * (self.items.max() + 1) + self.items, return_index=True)
        return len(first) - 1 - rank[once], self.items[once], len(first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Everything that was bought, in time order: arrays of shape (n,)."""

    times: NDArray[np.float64]
    shoppers: NDArray[np.int64]
    orders: NDArray[np.int64]
    items: NDArray[np.int64]
    n_items: int

    def before(self, time: float) -> Lines:
        """Return what was bought before a time."""
        end = int(np.searchsorted(self.times, time))
        return replace(
            self,
            times=self.times[:end],
            shoppers=self.shoppers[:end],
            orders=self.orders[:end],
            items=self.items[:end],
        )

    def by_shopper(self) -> Iterator[History]:
        """Yield what each customer bought."""
        order = np.argsort(self.shoppers, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(self.shoppers[order])) + 1):
            yield History(
                times=self.times[part],
                orders=self.orders[part],
                items=self.items[part],
                asked=float(self.times[-1]),
            )

    def popularity(self, days: float) -> Vector:
        """Return in how many orders of the last days each item was."""
        new = self.times > self.times[-1] - days * DAY
        pairs = np.unique(self.orders[new] * self.n_items + self.items[new])
        return np.bincount(pairs % self.n_items, minlength=self.n_items).astype(np.float64)


Fit = Callable[[Lines], Callable[[History], Vector]]


def variants() -> Mapping[str, Sequence[Fit]]:
    """Return each rival with the variants that its users would try."""
    return {
        "top": [_top(days) for days in (30, 90, 365)],
        "personal top": [_counter(decay=1.0, days=0)],
        "personal top, then top": [_counter(decay=1.0, days=days) for days in (30, 365)],
        "decayed counter, then top": [
            _counter(decay=decay, days=days)
            for decay, days in product((0.6, 0.7, 0.8, 0.9, 0.95), (30, 365))
        ],
        "TIFU-KNN": [
            _tifu(near=near, within=0.9, across=across, alpha=alpha, groups=groups)
            for near, across, alpha, groups in product((100, 300), (0.7, 0.9), (0.5, 0.7), (3, 7))
        ],
        "UP-CF": [
            _up_cf(recent=recent, power=power)
            for recent, power in product((5, 25, 1000), (1, 5, 10, 50))
        ],
    }


def _named(fit: Fit, name: str) -> Fit:
    fit.__doc__ = name
    return fit


def _top(days: int) -> Fit:
    def fit(lines: Lines) -> Callable[[History], Vector]:
        scores = lines.popularity(days)
        return lambda history: scores

    return _named(fit, f"{days} days")


def _counter(*, decay: float, days: int) -> Fit:
    """Count baskets, ties and what was never bought by the popularity of the last days."""

    def fit(lines: Lines) -> Callable[[History], Vector]:
        rest = lines.popularity(days) if days else np.zeros(lines.n_items)
        rest = rest / max(rest.max(), 1.0) * 1e-3

        def answer(history: History) -> Vector:
            ago, items, _ = history.baskets()
            return np.bincount(items, weights=decay**ago, minlength=lines.n_items) + rest

        return answer

    return _named(fit, f"decay {decay}, top of {days} days")


def _tifu(*, near: int, within: float, across: float, alpha: float, groups: int) -> Fit:
    """TIFU-KNN (Hu, He, Gao and Zhang, 2020).

    Baskets are cut into ``groups`` groups of equal length, the oldest may be shorter. Baskets lose
    a factor ``within`` per step in their group, groups ``across`` per group; both are averaged. A
    shopper's vector is blended with the mean of the ``near`` nearest ones by Euclid's distance.
    """

    def vector(history: History, n_items: int) -> Vector:
        ago, items, count = history.baskets()
        size = -(-count // groups)
        steps = np.arange(count)
        members = np.minimum(size, count - steps // size * size)
        weights = within ** (steps % size) * across ** (steps // size) / members / -(-count // size)
        return np.bincount(items, weights=weights[ago], minlength=n_items)

    def fit(lines: Lines) -> Callable[[History], Vector]:
        table = sparse.csr_matrix(np.stack([vector(h, lines.n_items) for h in lines.by_shopper()]))
        squares = np.asarray(table.multiply(table).sum(axis=1)).ravel()

        def answer(history: History) -> Vector:
            own = vector(history, lines.n_items)
            nearest = np.argpartition(squares - 2 * (table @ own), near)[:near]
            return alpha * own + (1 - alpha) * np.asarray(table[nearest].mean(axis=0)).ravel()

        return answer

    return _named(fit, f"k {near}, {across}, alpha {alpha}, {groups} groups")


def _up_cf(*, recent: int, power: int, alpha: float = 0.25) -> Fit:
    """UP-CF (Faggioli, Polato and Aiolli, 2020).

    A shopper's popularity of an item is the share of the last ``recent`` baskets that hold it.
    Shoppers add theirs, weighed by asymmetric cosine of all that was bought to a power.
    """

    def share(history: History, n_items: int) -> Vector:
        ago, items, count = history.baskets()
        newest = ago < recent
        return np.bincount(items[newest], minlength=n_items) / min(recent, count)

    def fit(lines: Lines) -> Callable[[History], Vector]:
        people = list(lines.by_shopper())
        shares = sparse.csr_matrix(np.stack([share(h, lines.n_items) for h in people])).T.tocsr()
        sets = sparse.csr_matrix(
            np.stack([np.bincount(np.unique(h.items), minlength=lines.n_items) for h in people])
        )
        lengths = np.asarray(sets.sum(axis=1)).ravel()

        def answer(history: History) -> Vector:
            own = np.unique(history.items)
            has = np.bincount(own, minlength=lines.n_items)
            alike = (sets @ has) / (len(own) ** alpha * lengths ** (1 - alpha))
            return share(history, lines.n_items) + shares @ alike**power

        return answer

    return _named(fit, f"last {recent} baskets, q {power}")
