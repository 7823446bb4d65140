from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from depict_reco.engine.content import ProductText
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.model import (
    BASKET_PARTS,
    NEXT_PARTS,
    SUBSTITUTE_PARTS,
    FitOptions,
    ShopModel,
    Weights,
    basket_groups,
    session_groups,
)
from depict_reco.engine.popularity import PRIORS
from depict_reco.engine.sessions import SessionOptions
from depict_reco.engine.sparse import best

pytestmark = pytest.mark.usefixtures("every_way_of_blending")

KETTLES, TEAS, CUPS = (0, 1, 2), (3, 4, 5), (6, 7, 8)


def happened(rows, *, n_items):
    """Return interactions from rows of (item, action, session, basket), one second apart."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Interactions(
        items=columns[:, 0].astype(np.int32),
        actions=columns[:, 1].astype(np.int8),
        sessions=columns[:, 2].astype(np.int32),
        baskets=columns[:, 3].astype(np.int32),
        shoppers=np.full(len(columns), -1, dtype=np.int32),
        times=np.arange(len(columns), dtype=np.float64),
        n_items=n_items,
    )


def planted(rounds=10):
    """Return a shop where kinds are compared by viewing, and a set of each kind is bought.

    Kettle 0 goes with tea 3 and cup 6, kettle 1 with tea 4 and cup 7, and so on.
    """
    rows, session, basket = [], 0, 0
    for _ in range(rounds):
        for kind in (KETTLES, TEAS, CUPS):
            for shift in range(3):
                rows += [(kind[(at + shift) % 3], Action.VIEW, session, -1) for at in range(3)]
                session += 1
        for bought in zip(KETTLES, TEAS, CUPS, strict=True):
            rows += [(item, Action.PURCHASE, session, basket) for item in bought]
            session, basket = session + 1, basket + 1
    return happened(rows, n_items=9)


def texts():
    return [
        ProductText(title=f"{name} {name}{number}", categories=(name,))
        for name in ("kettle", "tea", "cup")
        for number in range(3)
    ]


@pytest.fixture(scope="module")
def model():
    return ShopModel.fit(planted(), texts(), options=FitOptions())


def query(*items):
    return np.array(items, dtype=np.int32)


def as_dict(scored):
    return dict(zip(scored.items.tolist(), scored.scores.tolist(), strict=True))


def top(scored, count):
    return best(scored, count).items.tolist()


def test_substitutes_are_of_the_same_kind(model):
    for kind in (KETTLES, TEAS, CUPS):
        for item in kind:
            assert set(top(model.substitutes(query(item)), 2)) == set(kind) - {item}


def test_complements_are_of_the_same_set(model):
    for members in zip(KETTLES, TEAS, CUPS, strict=True):
        for item in members:
            assert set(top(model.complements(query(item)), 2)) == set(members) - {item}


def test_complements_of_two_complete_the_set(model):
    assert top(model.complements(query(0, 6)), 1) == [3]
    assert top(model.complements(query(4, 1)), 1) == [7]


def test_next_items_continue_the_session(model):
    assert top(model.next_items(query(0, 1)), 1) == [2]
    assert top(model.next_items(query(7, 8)), 1) == [6]


@pytest.mark.parametrize("ask", ["next_items", "complements", "substitutes"])
def test_answers_name_nothing_of_the_question(model, ask):
    answer = getattr(model, ask)(query(0, 4, 0))
    assert len(answer.items)
    assert not {0, 4} & set(answer.items.tolist())


@pytest.mark.parametrize("ask", ["next_items", "complements", "substitutes"])
def test_nothing_asked_nothing_answered(model, ask):
    assert len(getattr(model, ask)(query()).items) == 0


def test_parts_are_those_that_are_named(model):
    for parts, names, weights in (
        (model.next_parts(query(0)), NEXT_PARTS, Weights().next_items),
        (model.basket_parts(query(0)), BASKET_PARTS, Weights().complements),
        (model.substitute_parts(query(0)), SUBSTITUTE_PARTS, Weights().substitutes),
    ):
        assert len(parts) == len(names) == len(weights) - len(PRIORS)


def weighed(model, *, recent=0.0, lasting=0.0, **parts):
    weights = (*(parts.get(name, 0.0) for name in NEXT_PARTS), recent, lasting)
    return model.with_weights(replace(model.weights, next_items=weights))


def test_a_part_without_weight_is_silent(model):
    changed = weighed(model, content=1.0)
    assert set(changed.next_items(query(0)).items.tolist()) == {1, 2}
    assert model.weights == Weights(), "the model itself keeps its weights"


def test_chances_are_exponentials_of_the_weighed_evidence(model):
    together = as_dict(model.next_parts(query(0))[NEXT_PARTS.index("together")].evidence())
    answer = weighed(model, together=2.0).next_items(query(0))
    for item, chance in zip(answer.items.tolist(), answer.scores.tolist(), strict=True):
        assert chance == pytest.approx(math.exp(2.0 * (together[item] - 1.0)), rel=1e-5)


def test_priors_lift_and_lower_what_the_parts_name(model):
    priors = np.zeros((2, 9), dtype=np.float32)
    priors[0, 2] = 1.0
    priors[1, 1] = 0.5
    popularity = replace(model.popularity, priors=priors)
    changed = replace(weighed(model, content=1.0, recent=3.0, lasting=-2.0), popularity=popularity)
    plain = as_dict(weighed(model, content=1.0).next_items(query(0)))
    answer = as_dict(changed.next_items(query(0)))
    assert answer.keys() == plain.keys() == {1, 2}, "what no part names is not answered"
    assert answer[2] == 1.0
    assert answer[1] / answer[2] == pytest.approx(
        plain[1] / plain[2] * math.exp(-2.0 * 0.5 - 3.0), rel=1e-5
    )


def test_one_product_is_answered_with_weights_of_its_own(model):
    """Of two products the linear model speaks alone, of one the content."""
    names = (*BASKET_PARTS, *PRIORS)
    linear, content = (
        tuple(float(name == only) for name in names) for only in ("linear", "content")
    )
    changed = model.with_weights(replace(model.weights, complements=linear, companions=content))
    assert set(changed.complements(query(0)).items.tolist()) == {1, 2}
    assert top(changed.complements(query(0, 6)), 1) == [3]


def test_what_is_spoken_against_more_than_for_is_not_answered(model):
    """Kettles are never bought together: one in the basket speaks against the others."""
    weights = tuple(float(name == "linear") for name in (*BASKET_PARTS, *PRIORS))
    changed = model.with_weights(replace(model.weights, companions=weights))
    assert set(changed.complements(query(0)).items.tolist()) == {3, 6}


def test_long_sessions_are_cut():
    """What came before the newest items of a session does not count, and is not answered."""
    options = FitOptions(longest_session=2)
    model = ShopModel.fit(planted(), [ProductText()] * 9, options=options)
    long, short = model.next_items(query(3, 6, 0, 1)), model.next_items(query(0, 1))
    kept = ~np.isin(short.items, [3, 6])
    np.testing.assert_array_equal(long.items, short.items[kept])
    np.testing.assert_allclose(long.scores, short.scores[kept], rtol=1e-6)
    assert {3, 6} <= set(short.items.tolist())


def test_long_baskets_are_cut():
    model = ShopModel.fit(planted(), texts(), options=FitOptions(longest_basket=1))
    assert top(model.complements(query(4, 0)), 2) == top(model.complements(query(0)), 2)


def test_popularity_is_of_the_shop(model):
    # every item is viewed 30 times and bought 10 times, all within a few minutes
    assert model.popularity.popular == pytest.approx([130.0] * 9, rel=1e-3)


def test_fitted_content_is_taken_as_it_is(model):
    other = ShopModel.fit(planted(), (), options=FitOptions(), content=model.content)
    assert other.content is model.content


def test_progress_rises():
    shares = []
    ShopModel.fit(
        planted(1),
        texts(),
        options=FitOptions(),
        progress=lambda stage, share: shares.append((stage, share)),
    )
    assert [share for _, share in shares] == sorted(share for _, share in shares)
    assert all(stage and 0 <= share <= 1 for stage, share in shares)
    assert len({stage for stage, _ in shares}) == len(shares) > 3


def test_what_is_viewed_and_then_wanted_completes():
    """Without a single order of two, those who looked at 0 put 1 into their carts."""
    rows = []
    for session in range(30):
        rows += [(0, Action.VIEW, session, -1), (1, Action.CART, session, -1)]
        rows += [(2, Action.VIEW, session, -1)]
    model = ShopModel.fit(happened(rows, n_items=3), [ProductText()] * 3, options=FitOptions())
    only = tuple(float(name == "crossed") for name in (*BASKET_PARTS, *PRIORS))
    answer = model.with_weights(replace(model.weights, companions=only)).complements(query(0))
    assert answer.items.tolist() == [1]


# Groups


def test_sessions_are_of_two_items_and_without_returns():
    interactions = happened(
        [
            (0, Action.VIEW, 0, -1),
            (1, Action.CART, 0, -1),
            (2, Action.RETURN, 0, 0),
            (3, Action.VIEW, 1, -1),
            (4, Action.VIEW, -1, -1),
        ],
        n_items=5,
    )
    groups = session_groups(interactions)
    assert len(groups) == 1
    assert groups.row(0).tolist() == [0, 1]


def test_baskets_hold_each_item_once_and_no_returns():
    rows = [
        (0, Action.PURCHASE, 0, 0),
        (1, Action.PURCHASE, 0, 0),
        (0, Action.PURCHASE, 0, 0),
        (2, Action.RETURN, 0, 0),
        (3, Action.PURCHASE, 0, 1),
        (4, Action.VIEW, 0, -1),
    ]
    groups = basket_groups(happened(rows, n_items=5))
    assert [groups.row(index).tolist() for index in range(len(groups))] == [[0, 1], [3]]


# Storing


def test_arrays_and_settings_are_the_whole_model(model, tmp_path):
    settings = json.loads(json.dumps(model.settings()))
    for name, array in model.arrays().items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=False)
    mapped = {
        path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
        for path in tmp_path.glob("*.npy")
    }
    for arrays in (model.arrays(), mapped):
        copy = ShopModel.from_arrays(arrays, settings)
        assert copy.options == model.options
        assert copy.weights == model.weights
        assert copy.settings() == model.settings()
        assert copy.arrays().keys() == model.arrays().keys()
        for item in range(9):
            for ask in ("next_items", "complements", "substitutes"):
                found = getattr(copy, ask)(query(item, 4))
                expected = getattr(model, ask)(query(item, 4))
                np.testing.assert_array_equal(found.items, expected.items)
                np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(copy.popularity.popular, model.popularity.popular)


def test_other_options_and_weights_are_kept():
    options = FitOptions(neighbours=3, sessions=SessionOptions(neighbours=7, half_life=0.5))
    weights = replace(Weights(), substitutes=(0.0, 0.0, 1.0))
    model = ShopModel.fit(planted(1), texts(), options=options, weights=weights)
    copy = ShopModel.from_arrays(model.arrays(), json.loads(json.dumps(model.settings())))
    assert copy.options == options
    assert copy.sessions.options.neighbours == 7
    assert copy.weights == weights


def test_every_array_is_needed(model):
    """A model with an array missing, whichever, is refused with the array's name."""
    for name in model.arrays():
        arrays = model.arrays()
        del arrays[name]
        with pytest.raises(KeyError, match=name):
            ShopModel.from_arrays(arrays, model.settings())


def test_an_array_of_another_version_is_no_part_of_the_model(model):
    arrays = model.arrays() | {"unknown": np.zeros(3)}
    assert "unknown" not in ShopModel.from_arrays(arrays, model.settings()).arrays()


def test_settings_of_another_version_are_refused(model):
    settings = model.settings()
    settings["options"] = settings["options"] | {"colour": "red"}
    with pytest.raises(TypeError, match="colour"):
        ShopModel.from_arrays(model.arrays(), settings)


# Little data


def test_a_shop_without_history_has_content_alone():
    model = ShopModel.fit(happened([], n_items=9), texts(), options=FitOptions())
    assert set(top(model.substitutes(query(0)), 5)) == {1, 2}
    assert set(top(model.next_items(query(3)), 5)) == {4, 5}
    assert model.popularity.popular.tolist() == [0.0] * 9


def test_a_shop_with_one_product():
    rows = [(0, Action.PURCHASE, session, session) for session in range(3)]
    model = ShopModel.fit(
        happened(rows, n_items=1), [ProductText(title="mug")], options=FitOptions()
    )
    for ask in ("next_items", "complements", "substitutes"):
        assert len(getattr(model, ask)(query(0)).items) == 0


def test_a_shop_without_products():
    model = ShopModel.fit(happened([], n_items=0), [], options=FitOptions())
    assert len(model.next_items(query()).items) == 0
    assert ShopModel.from_arrays(model.arrays(), model.settings()).n_items == 0
