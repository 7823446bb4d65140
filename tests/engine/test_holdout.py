from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from depict_reco.engine.content import ProductText
from depict_reco.engine.holdout import (
    accuracy,
    basket_questions,
    companion_questions,
    measure,
    next_questions,
    split_by_time,
    tune,
    tuned_options,
    tuned_weights,
)
from depict_reco.engine.interactions import Action
from depict_reco.engine.model import FitOptions, ShopModel, Weights
from depict_reco.engine.sparse import EMPTY, Scored
from depict_reco.testing import groups_of
from tests.engine.test_model import happened


def shop(n_sessions, *, n_items=20):
    """Return sessions in which item i is followed by i + 1, then bought together in pairs."""
    rows = []
    for session in range(n_sessions):
        first = session % (n_items - 2)
        rows += [(first + step, Action.VIEW, session, -1) for step in range(3)]
        pair = session % (n_items // 2)
        rows += [
            (item, Action.PURCHASE, n_sessions + session, session)
            for item in (pair, pair + n_items // 2)
        ]
    return happened(rows, n_items=n_items)


def asked(questions):
    return [(known.tolist(), target) for known, target in questions]


# Split


def test_nothing_of_the_held_out_time_is_in_the_training():
    interactions = shop(100)
    split = split_by_time(interactions)
    assert split.train.times.max() < split.time
    assert split.sessions.times.min() >= split.time
    assert split.baskets.times.min() >= split.time
    held = int((interactions.times >= split.time).sum())
    assert len(split.train) + held == len(interactions)
    assert held / len(interactions) == pytest.approx(0.1, abs=0.02)
    assert len(split.sessions) == pytest.approx(20, abs=2)  # of 200, orders included


def test_share_is_held_out():
    split = split_by_time(shop(100), share=0.4)
    assert len(split.sessions) == pytest.approx(80, abs=2)


def test_a_session_across_the_border_is_asked_about_only_as_far_as_it_is_new():
    """19 sessions of two, then one of four that the border cuts in the middle of another."""
    rows = [(item, Action.VIEW, session, -1) for session in range(19) for item in (0, 1)]
    long = [(item, Action.VIEW, 50, -1) for item in (5, 6)]
    late = [(item, Action.VIEW, 51, -1) for item in (2, 3)]
    end = [(item, Action.VIEW, 50, -1) for item in (7, 8)]
    split = split_by_time(happened(rows + long + late + end, n_items=10), share=0.1)
    # the border is the end of the 19th of the 21 sessions: item 1 of the last short one
    rows_of = [split.sessions.row(at).tolist() for at in range(len(split.sessions))]
    assert rows_of == [[2, 3], [5, 6, 7, 8]]
    assert not {5, 6, 7, 8, 2, 3} & set(split.train.items.tolist())


@pytest.mark.parametrize("n_sessions", [0, 1, 9])
def test_too_few_sessions_are_not_split(n_sessions):
    assert split_by_time(shop(n_sessions)) is None


def test_sessions_of_one_moment_are_not_split():
    interactions = shop(50)
    interactions.times[:] = 7.0
    assert split_by_time(interactions) is None


# Questions


def test_each_position_is_asked_about():
    questions = asked(next_questions(groups_of([[1, 2, 3], [4, 5]], n_items=6), 100))
    assert questions == [([1], 2), ([1, 2], 3), ([4], 5)]


def test_what_was_seen_is_never_the_answer():
    questions = asked(next_questions(groups_of([[1, 2, 1, 3]], n_items=6), 100))
    assert questions == [([1], 2), ([1, 2, 1], 3)]


def test_as_many_positions_are_asked_about_as_there_may_be():
    """What stood in the session before is no question, and takes no question's place."""
    sessions = groups_of([[1, 2, 1, 2, 1, 2, 1, 2]] * 10, n_items=3)
    assert len(list(next_questions(sessions, 10))) == 10


def test_each_item_of_a_basket_is_left_out_once():
    questions = asked(basket_questions(groups_of([[1, 2, 3], [4]], n_items=6), 100))
    assert sorted(questions) == [([1, 2], 3), ([1, 3], 2), ([2, 3], 1)]


def test_long_and_short_baskets_ask_equally_often():
    baskets = groups_of([list(range(10)), [10, 11]] * 50, n_items=12)
    questions = list(basket_questions(baskets, 100))
    assert len(questions) == 100
    assert sum(target >= 10 for _, target in questions) == 50
    assert len({target for _, target in questions}) > 5


def test_a_basket_of_few_asks_five_times_at_most():
    questions = asked(basket_questions(groups_of([list(range(10))], n_items=10), 1000))
    assert len(questions) == len({target for _, target in questions}) == 5
    assert all(sorted([*known, target]) == list(range(10)) for known, target in questions)


def test_companions_are_two_items_of_one_basket():
    baskets = groups_of([list(range(at, at + 5)) for at in range(0, 500, 5)], n_items=500)
    questions = asked(companion_questions(baskets, 100))
    assert len(questions) == 100
    assert all(len(known) == 1 and known[0] // 5 == target // 5 for known, target in questions)
    steps = [(target - known[0]) % 5 for known, target in questions]
    assert all(steps.count(step) >= 10 for step in (1, 2, 3, 4))


def test_baskets_of_two_ask_as_pages_and_as_baskets():
    questions = asked(companion_questions(groups_of([[1, 2], [3]], n_items=4), 1))
    assert questions == [([1], 2)] * 2 or questions == [([2], 1)] * 2


def test_questions_are_limited_and_spread():
    """Sessions of one length are not always asked about the same position of theirs."""
    questions = list(next_questions(groups_of([[0, 1, 2, 3, 4]] * 100, n_items=5), 62))
    assert 58 <= len(questions) <= 66
    targets = [target for _, target in questions]
    assert all(targets.count(item) >= 8 for item in (1, 2, 3, 4))


def test_questions_of_baskets_are_limited_and_spread():
    questions = list(basket_questions(groups_of([[0, 1, 2, 3]] * 100, n_items=4), 50))
    assert len(questions) == 50
    targets = [target for _, target in questions]
    assert all(targets.count(item) >= 8 for item in range(4))


@pytest.mark.parametrize("ask", [next_questions, basket_questions])
def test_nothing_happened_nothing_asked(ask):
    assert list(ask(groups_of([], n_items=4), 10)) == []
    assert list(ask(groups_of([[1]], n_items=4), 10)) == []


# Measuring


def test_measure_ranks_among_what_is_not_in_the_question():
    """Of 10 items 2 are known: a silent model puts the answer in the middle of 8."""
    question = (np.array([1, 2, 1], dtype=np.int32), 5)
    report = measure([question], lambda known: EMPTY, 10)
    assert report["questions"] == 1
    assert report["hr@5"] == 1.0
    assert report["mrr@20"] == pytest.approx(1 / 4.5, abs=1e-4)
    assert report["fallback"] == 1.0


def test_measure_asks_the_model():
    questions = [(np.array([item], dtype=np.int32), item + 1) for item in range(4)]

    def next_one(known):
        return Scored(known + np.int32(1), np.ones(1, dtype=np.float32))

    report = measure(questions, next_one, 100)
    assert report["hr@5"] == report["mrr@20"] == report["ndcg@20"] == 1.0
    assert report["coverage"] == 0.04
    assert report["fallback"] == 0.0


# Tuning


def parts_of(known):
    """A part that is wrong, and one that knows that item i is followed by i + 1."""
    following = known[-1:] + np.int32(1)
    one = np.ones(1, dtype=np.float32)
    return [Scored(following + np.int32(7), one), Scored(following, one)]


NO_PRIORS = np.empty((0, 70), dtype=np.float32)


def test_tune_trusts_the_part_that_knows():
    questions = [(np.array([item], dtype=np.int32), item + 1) for item in range(60)]
    wrong, right = tune(questions, parts_of, (1.0, 0.05), NO_PRIORS)
    assert right > wrong


def test_few_questions_teach_nothing():
    questions = [(np.array([item], dtype=np.int32), item + 1) for item in range(49)]
    assert tune(questions, parts_of, (1.0, 0.05), NO_PRIORS) == (1.0, 0.05)


def test_tuning_and_measuring_of_a_shop_whose_past_repeats():
    split = split_by_time(shop(600))
    options = tuned_options(FitOptions(), split)
    model = ShopModel.fit(split.train, [ProductText()] * 20, options=options)
    weights = tuned_weights(model, split)
    assert len(weights.next_items) == len(model.weights.next_items)
    assert len(weights.complements) == len(model.weights.complements)
    report = accuracy(model.with_weights(weights), split)
    assert report["next"]["hr@5"] == 1.0
    assert report["basket"]["mrr@20"] == 1.0
    assert report["next"]["questions"] > 50


def test_tuning_is_deterministic():
    split = split_by_time(shop(300))
    model = ShopModel.fit(split.train, [ProductText()] * 20, options=FitOptions())
    assert tuned_weights(model, split) == tuned_weights(model, split)


def test_the_newer_half_measures_and_does_not_teach():
    """What happens in the newer half of the held-out time changes neither options nor weights."""
    interactions = shop(600)
    split = split_by_time(interactions)
    middle = min(
        float(groups.times[len(groups) // 2])
        for groups in (split.sessions, split.baskets, split.views)
    )
    elsewhere = np.random.default_rng(0).permutation(20).astype(np.int32)
    changed = np.where(
        interactions.times >= middle, elsewhere[interactions.items], interactions.items
    )
    other = split_by_time(replace(interactions, items=changed))
    assert other.time == split.time
    model = ShopModel.fit(split.train, [ProductText()] * 20, options=FitOptions())
    older = (split.sessions.before(10), other.sessions.before(10))
    np.testing.assert_array_equal(older[0].items, older[1].items)
    assert accuracy(model, other)["basket"]["hr@5"] < accuracy(model, split)["basket"]["hr@5"]
    assert tuned_options(FitOptions(), other) == tuned_options(FitOptions(), split)
    assert tuned_weights(model, other) == tuned_weights(model, split)
    taught = tuned_weights(model, other, everything=True)
    assert taught != tuned_weights(model, split, everything=True)


def test_a_shop_without_baskets_keeps_what_concerns_them():
    interactions = shop(300)
    split = split_by_time(interactions.select(interactions.actions == Action.VIEW))
    assert len(split.baskets) == 0
    assert tuned_options(FitOptions(), split) == FitOptions()
    model = ShopModel.fit(split.train, [ProductText()] * 20, options=FitOptions())
    assert tuned_weights(model, split).complements == Weights().complements
    assert accuracy(model, split)["basket"]["questions"] == 0


def test_what_is_looked_at_next_is_learned_to_be_the_substitute():
    interactions = shop(2000)
    split = split_by_time(interactions)
    # all products read alike, so that only the views tell them apart
    texts = [ProductText(title="same words")] * interactions.n_items
    model = ShopModel.fit(split.train, texts, options=FitOptions())
    model = model.with_weights(tuned_weights(model, split))
    best = model.substitutes(np.array([5]))
    assert best.items[np.argmax(best.scores)] == 6


def test_orders_alone_do_not_say_what_is_a_substitute():
    interactions = shop(400)
    orders = interactions.select(interactions.actions == Action.PURCHASE)
    split = split_by_time(orders)
    model = ShopModel.fit(split.train, [ProductText()] * orders.n_items, options=FitOptions())
    assert tuned_weights(model, split).substitutes == Weights().substitutes
