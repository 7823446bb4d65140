from __future__ import annotations

import numpy as np
import pytest

from depict_reco.engine.interactions import Action
from depict_reco.engine.purchases import purchases_of


def bought(rows, *, settled=()):
    """Gather rows of (shopper, item, day, action), some of which are known to stand."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    actions = columns[:, 3]
    return purchases_of(
        columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32),
        columns[:, 2],
        returned=actions == Action.RETURN,
        kept=actions >= Action.PURCHASE,
        settled=np.isin(np.arange(len(columns)), settled),
    )


def listed(purchases):
    return list(
        zip(
            purchases.shoppers.tolist(), purchases.items.tolist(), purchases.days.tolist(),
            strict=True,
        )
    )  # fmt: skip


BUY, BACK, VIEW = Action.PURCHASE, Action.RETURN, Action.VIEW


def test_an_item_counts_once_a_day_and_views_and_strangers_never():
    found = bought(
        [(1, 5, 3.1, BUY), (0, 5, 3.2, BUY), (1, 5, 3.9, BUY), (1, 4, 3.9, BUY), (1, 6, 4.0, VIEW),
         (-1, 5, 4.0, BUY), (1, 5, 4.0, BUY)]
    )  # fmt: skip
    assert listed(found) == [(0, 5, 3.0), (1, 4, 3.0), (1, 5, 3.0), (1, 5, 4.0)]
    assert (found.shoppers.dtype, found.items.dtype) == (np.int32, np.int32)


def test_a_return_takes_back_the_last_purchase_before_it():
    found = bought(
        [(0, 1, 1, BUY), (0, 1, 5, BUY), (0, 2, 5, BUY), (1, 1, 5, BUY), (0, 1, 6, BACK),
         (0, 1, 9, BUY), (1, 3, 9, BACK)]
    )  # fmt: skip
    assert listed(found) == [(0, 1, 1.0), (0, 2, 5.0), (0, 1, 9.0), (1, 1, 5.0)]


def test_a_return_of_a_part_takes_nothing_back():
    rows = [(0, 1, 1, BUY), (0, 1, 6, BACK)]
    assert listed(bought(rows)) == []
    assert listed(bought(rows, settled=[0])) == [(0, 1, 1.0)]


def test_nothing_bought():
    found = bought([])
    assert len(found) == 0
    assert found.n_visits().tolist() == []
    assert list(found.visits(since=0, limit=5)) == []
    assert len(bought([(0, 1, 1, BUY), (0, 1, 2, BACK)])) == 0


def visits(rows, *, since, limit=100):
    purchases = bought(rows)
    return [
        (purchases.items[before].tolist(), purchases.items[visit].tolist())
        for before, visit in purchases.visits(since=since, limit=limit)
    ]


def test_visits_know_what_the_same_shopper_bought_before():
    rows = [(0, 1, 1, BUY), (0, 2, 1, BUY), (1, 9, 2, BUY), (0, 3, 4, BUY), (0, 1, 6, BUY),
            (0, 4, 6, BUY), (1, 8, 6, BUY), (2, 7, 6, BUY)]  # fmt: skip
    assert visits(rows, since=4) == [
        ([1, 2], [3]),
        ([1, 2, 3], [1, 4]),
        ([9], [8]),
    ]
    assert visits(rows, since=5) == [([1, 2, 3], [1, 4]), ([9], [8])]
    assert visits(rows, since=7) == []
    assert bought(rows).n_visits().tolist() == [3, 2, 1]


@pytest.mark.parametrize("limit", [1, 10, 50])
def test_many_visits_are_drawn_evenly(limit):
    rows = [(shopper, 1, day, BUY) for shopper in range(100) for day in (0, 1)]
    assert len(visits(rows, since=0, limit=limit)) == pytest.approx(limit, abs=1)
