from __future__ import annotations

import numpy as np
import pytest

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.popularity import DAY, Popularity


def fitted(rows, *, n_items=4, **options):
    """Fit on rows of (day, item, action)."""
    rows = sorted(rows, key=lambda row: row[0])
    none = np.full(len(rows), -1, dtype=np.int32)
    return Popularity.fit(
        Interactions(
            items=np.array([row[1] for row in rows], dtype=np.int32),
            actions=np.array([row[2] for row in rows], dtype=np.int8),
            sessions=none,
            baskets=none,
            shoppers=none,
            times=np.array([row[0] * DAY for row in rows], dtype=np.float64),
            n_items=n_items,
        ),
        **options,
    )


def views(item, days):
    return [(day, item, Action.VIEW) for day in days]


def test_popularity_halves_with_the_half_life():
    model = fitted([*views(0, [0]), *views(1, [30]), *views(2, [60])], half_life=30.0)
    assert model.popular.tolist() == [0.25, 0.5, 1.0, 0.0]
    assert model.popular.dtype == model.trending.dtype == np.float32


def test_a_session_counts_once_however_often_it_looks():
    rows = [(0, 0, Action.VIEW)] * 99 + [(1, 1, Action.VIEW)] * 3 + [(1, 1, Action.CART)] * 2
    none = np.full(len(rows), -1, dtype=np.int32)
    interactions = Interactions(
        items=np.array([row[1] for row in rows], dtype=np.int32),
        actions=np.array([row[2] for row in rows], dtype=np.int8),
        sessions=np.array([0] * 99 + [1, 2, 3, 1, 1], dtype=np.int32),
        baskets=none,
        shoppers=none,
        times=np.array([row[0] * DAY for row in rows], dtype=np.float64),
        n_items=2,
    )

    # one view of yesterday; three views and one cart of today
    assert Popularity.fit(interactions, half_life=1.0).popular.tolist() == [0.5, 7.0]


def test_purchases_count_more_than_carts_and_those_more_than_views():
    model = fitted([(0, 0, Action.VIEW), (0, 1, Action.CART), (0, 2, Action.PURCHASE)])
    assert model.popular.tolist() == [1.0, 4.0, 10.0, 0.0]


def test_a_return_takes_a_purchase_back():
    model = fitted([(0, 0, Action.PURCHASE), (0, 0, Action.RETURN), (0, 1, Action.VIEW)])
    assert model.popular[0] == 0.0


def test_more_returns_than_purchases_are_nothing_not_less():
    model = fitted([(0, 0, Action.RETURN), (0, 1, Action.VIEW)])
    assert model.popular[0] == 0.0
    assert not np.signbit(model.popular).any()
    assert model.trending[0] == 0.0


def test_what_rises_trends_before_what_is_steady():
    # in the last two weeks the steady product has still more views than the rising one
    steady = views(0, np.linspace(0, 100, 400))
    rising = views(1, np.linspace(90, 100, 30))
    fading = views(2, np.linspace(0, 60, 150))
    model = fitted([*steady, *rising, *fading])
    assert model.popular[0] > model.popular[1]
    assert model.trending[1] > model.trending[0] > model.trending[2]


def test_two_sales_are_no_trend():
    steady = views(0, np.linspace(0, 100, 1000))
    model = fitted([*steady, *views(1, [99.0, 100.0])], n_items=2)
    assert model.trending[0] > model.trending[1]


def test_nothing_happened():
    model = fitted([], n_items=3)
    assert model.popular.tolist() == model.trending.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("days", [[5.0], [5.0, 5.0, 5.0]])
def test_everything_at_one_moment(days):
    model = fitted(views(1, days))
    assert model.popular[1] == len(days)
    assert model.trending[1] > 0
    assert np.isfinite(model.trending).all()
    assert np.isfinite(model.popular).all()


def test_priors_are_roots_of_what_is_wanted_of_late_and_all_along():
    """Product 0 was wanted four times at the start, product 1 once at the end of 100 days."""
    model = fitted([*views(0, [0] * 4), *views(1, [100])])
    recent, lasting = model.priors
    # the weight halves every 2 days, or every 50
    assert recent[:2].tolist() == pytest.approx([2 * 0.5**25, 1.0], abs=1e-6)
    assert lasting[:2].tolist() == pytest.approx([1.0, 1.0])
    assert recent.dtype == np.float32


def test_priors_of_nothing_are_zero():
    assert fitted([]).priors.tolist() == [[0.0] * 4] * 2
