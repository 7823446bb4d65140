"""What is bought again, by whom and when."""

from __future__ import annotations

import numpy as np
import pytest

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.repeat import DEFAULT_WEIGHTS, EVIDENCE, RepeatModel
from depict_reco.engine.sparse import best

DAY = 86_400.0
MILK, FRIDGE, COFFEE, FILTERS, TEA, POT = range(6)


def happened(rows, *, n_items=6):
    """Return purchases from rows of (day, shopper, item) or (day, shopper, item, action)."""
    rows = sorted((*row, Action.PURCHASE)[:4] for row in rows)
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Interactions(
        items=columns[:, 2].astype(np.int32),
        actions=columns[:, 3].astype(np.int8),
        sessions=np.full(len(columns), -1, dtype=np.int32),
        baskets=np.full(len(columns), -1, dtype=np.int32),
        shoppers=columns[:, 1].astype(np.int32),
        times=columns[:, 0] * DAY,
        n_items=n_items,
    )


def household(shopper, *, every=7, days=210, start=0):
    """Milk every week, and in the first week a fridge."""
    weeks = range(start, days, every)
    return [(day, shopper, MILK) for day in weeks] + [(start + every, shopper, FRIDGE)]


@pytest.fixture(scope="module")
def model():
    """Forty households; half drink coffee with filters every four weeks, half tea from a pot."""
    rows = []
    for shopper in range(40):
        rows += household(shopper, start=shopper % 7)
        pair = (COFFEE, FILTERS) if shopper % 2 else (TEA, POT)
        rows += [(day, shopper, item) for day in range(shopper % 28, 210, 28) for item in pair]
    return RepeatModel.fit(happened(rows))


def ask(model, *bought, count=10):
    """Return what is bought next by who bought (item, days ago), best first."""
    items = np.array([item for item, _ in bought], dtype=np.int32)
    ages = np.array([age for _, age in bought], dtype=np.float64)
    return best(model.scores(items, ages), count).items.tolist()


def chance(model, item, *bought):
    scored = model.scores(
        np.array([item for item, _ in bought], dtype=np.int32),
        np.array([age for _, age in bought], dtype=np.float64),
    )
    return float(scored.scores[scored.items == item][0])


def test_milk_is_bought_again_and_a_fridge_is_not(model):
    assert model.propensity[MILK] > 10 * model.propensity[FRIDGE]
    assert ask(model, (FRIDGE, 1), (MILK, 7))[0] == MILK
    assert ask(model, (FRIDGE, 1), (MILK, 7)).index(FRIDGE) > 1


def test_the_interval_of_a_product_is_its_own(model):
    assert model.interval[MILK] == pytest.approx(7, abs=0.5)
    assert model.interval[COFFEE] == pytest.approx(28, abs=3)
    # of a fridge, which nobody bought twice, the market's average is known and nothing else
    assert model.interval[FRIDGE] == pytest.approx(model.interval[MILK] * 1.3, rel=0.3)


def test_what_was_bought_an_hour_ago_is_less_due_than_after_its_interval(model):
    assert chance(model, MILK, (MILK, 0.05)) < chance(model, MILK, (MILK, 7))
    assert chance(model, COFFEE, (COFFEE, 2)) < chance(model, COFFEE, (COFFEE, 28))


def test_neighbours_speak_for_what_goes_with_it(model):
    assert ask(model, (COFFEE, 28), (MILK, 7), count=3)[2] == FILTERS
    assert ask(model, (TEA, 28), (MILK, 7), count=3)[2] == POT


def test_one_who_bought_nothing_is_told_nothing(model):
    assert ask(model) == []


def test_scores_are_chances(model):
    scored = model.scores(np.array([0, 3], dtype=np.int32), np.array([2.0, 5000.0]))
    assert (scored.items.dtype, scored.scores.dtype) == (np.int32, np.float32)
    assert len(set(scored.items.tolist())) == len(scored.items)
    assert ((scored.scores > 0) & (scored.scores < 1)).all()


def test_purchases_of_a_day_count_once_and_in_any_order(model):
    once = model.scores(np.array([0, 2], dtype=np.int32), np.array([7.0, 28.0]))
    often = model.scores(np.array([2, 0, 0, 2], dtype=np.int32), np.array([28.0, 7.0, 7.0, 28.0]))
    np.testing.assert_array_equal(once.items, often.items)
    np.testing.assert_array_equal(once.scores, often.scores)


def test_future_purchases_are_taken_as_of_today(model):
    assert 0 < chance(model, MILK, (MILK, -3.0)) < 1


def test_weights_are_learned_from_enough_visits_only(model):
    assert len(DEFAULT_WEIGHTS) == len(EVIDENCE) == len(model.weights)
    assert model.weights.tolist() != pytest.approx(DEFAULT_WEIGHTS)
    few = RepeatModel.fit(happened(household(0)))
    assert few.weights.tolist() == pytest.approx(DEFAULT_WEIGHTS)
    assert ask(few, (FRIDGE, 1), (MILK, 7))[0] == MILK


def test_what_came_back_was_not_bought():
    rows = [(1, 0, MILK), (2, 0, TEA), (3, 0, TEA, Action.RETURN), (1, 1, MILK)]
    model = RepeatModel.fit(happened(rows))
    assert model.shopper_items.tolist() == [MILK, MILK]


def test_strangers_and_lookers_buy_nothing():
    rows = [(1, -1, MILK), (2, 0, TEA, Action.VIEW), (2, 0, TEA, Action.CART)]
    model = RepeatModel.fit(happened(rows))
    assert len(model.shopper_items) == len(model.candidates) == 0
    assert ask(model, (TEA, 1)) == [TEA]


def test_nothing_happened():
    model = RepeatModel.fit(happened([], n_items=3))
    assert model.propensity.shape == model.interval.shape == (3,)
    assert ask(model, (1, 5)) == [1]
    assert RepeatModel.fit(happened([], n_items=0)).candidates.tolist() == []


def test_newest_buyers_stand_first_and_histories_newest_first():
    model = RepeatModel.fit(happened([(1, 3, MILK), (5, 0, MILK), (9, 0, TEA), (2, 7, TEA)]))
    # shoppers are numbered by their last purchase: 0 and above is nobody's, then 3, 7 and 0
    table = [
        model.shopper_items[start:end].tolist()
        for start, end in zip(model.shopper_indptr, model.shopper_indptr[1:], strict=False)
    ]
    assert [row for row in table if row] == [[MILK], [TEA], [TEA, MILK]]
    last = len(table) - 1
    assert model.buyers[: model.buyer_indptr[1]].tolist() == [last, last - 2]
    assert model.shopper_shares.tolist() == [1.0, 1.0, 0.5, 0.5]


def test_fits_are_deterministic(model):
    rows = [(day, shopper, (day * shopper) % 6) for day in range(60) for shopper in range(30)]
    one, two = (RepeatModel.fit(happened(rows)) for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    np.testing.assert_array_equal(one.buyers, two.buyers)
