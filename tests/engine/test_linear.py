from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depict_reco.engine import linear
from depict_reco.engine.linear import Gram, basket_weights
from depict_reco.testing import groups_of


def ease(groups, *, count=200, regularisation=1.0, dropout=0.0, **options):
    return Gram.of(groups, **options).ease(
        count=count, regularisation=regularisation, dropout=dropout
    )


def related(model, item):
    """Return the related items of one item with their scores, best first."""
    row = slice(model.indptr[item], model.indptr[item + 1])
    return dict(zip(model.items[row].tolist(), model.scores[row].tolist(), strict=True))


def assert_equal(model, expected):
    np.testing.assert_array_equal(model.indptr, expected.indptr)
    np.testing.assert_array_equal(model.items, expected.items)
    np.testing.assert_array_equal(model.scores, expected.scores)


def dense_ease(rows, n_items, regularisation, dropout=0.0):
    matrix = np.zeros((len(rows), n_items))
    for number, row in enumerate(rows):
        matrix[number, row] = 1.0
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(
        gram + regularisation * np.eye(n_items) + dropout * np.diag(np.diag(gram))
    )
    model = -inverse / np.diag(inverse)
    np.fill_diagonal(model, 0.0)
    return model


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.integers(0, 7), min_size=1, max_size=5, unique=True), min_size=2, max_size=15
    ),
    regularisation=st.sampled_from([1.0, 10.0, 100.0]),
    dropout=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_ease_equals_the_dense_formula(rows, regularisation, dropout):
    groups = groups_of(rows, n_items=8)
    model = ease(groups, regularisation=regularisation, dropout=dropout)
    expected = dense_ease(rows, 8, regularisation, dropout)
    found = np.zeros((8, 8))
    for item in range(8):
        for other, score in related(model, item).items():
            found[item, other] = score
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_ease_speaks_against_items_as_well():
    """Of 0 with 1 and 0 with 2, one makes the other less likely; by hand -1/5 with λ = 1."""
    model = ease(groups_of([[0, 1], [0, 2]], n_items=3), regularisation=1.0)
    assert related(model, 1) == pytest.approx({0: 0.5, 2: -0.2})


def test_ease_names_nothing_that_it_knows_nothing_of():
    model = ease(groups_of([[0, 1], [2, 3]], n_items=4), regularisation=1.0)
    assert related(model, 0).keys() == {1}
    assert not (model.scores == 0).any()


def test_ease_leaves_rare_items_out():
    rows = [[0, 1], [0, 1], [0, 2], [1, 2], [3, 0]]
    model = ease(groups_of(rows, n_items=5), max_items=3, regularisation=1.0)
    assert related(model, 3) == {}
    assert 3 not in related(model, 0)
    assert related(model, 0).keys() == {1, 2}


def test_ease_keeps_the_best():
    rows = [[0, 1]] * 5 + [[0, 2]] * 3 + [[0, 3]]
    full = ease(groups_of(rows, n_items=4), regularisation=1.0)
    short = ease(groups_of(rows, n_items=4), regularisation=1.0, count=1)
    assert list(related(full, 0)) == [1, 2, 3]
    assert list(related(short, 0)) == [1]


def test_ease_weighs_groups():
    rows = [[0, 1], [0, 2]]
    weights = np.array([1.0, 9.0], dtype=np.float32)
    model = ease(groups_of(rows, n_items=3), regularisation=1.0, weights=weights)
    assert related(model, 0)[2] > 2 * related(model, 0)[1]


def test_ease_takes_some_items_however_rare_and_others_of_ten_groups():
    groups = groups_of([[0, 1]] * 12 + [[2, 3]] * 10 + [[4, 5]] * 9, n_items=7)
    assert Gram.of(groups, rare_items=3).active.tolist() == [0, 1, 2, 3]
    assert Gram.of(groups, rare_items=5).active.tolist() == [0, 1, 2, 3, 4]
    assert Gram.of(groups, rare_items=9).active.tolist() == [0, 1, 2, 3, 4, 5]
    assert Gram.of(groups, rare_items=3, max_items=2).active.tolist() == [0, 1]


def test_ease_overwrites_the_counts_only_if_told_to():
    random = np.random.default_rng(2)
    gram = Gram.of(groups_of([random.permutation(9)[:4].tolist() for _ in range(60)], n_items=9))
    counts = gram.counts.copy()
    first = gram.ease(count=5, regularisation=2.0)
    np.testing.assert_array_equal(gram.counts, counts)
    assert_equal(gram.ease(count=5, regularisation=2.0, overwrite=True), first)
    assert not np.array_equal(gram.counts, counts)


@pytest.mark.parametrize("block", [1, 3, 10])
def test_ease_is_the_same_in_blocks(monkeypatch, block):
    random = np.random.default_rng(2)
    groups = groups_of([random.permutation(20)[:4].tolist() for _ in range(60)], n_items=20)
    whole = ease(groups, regularisation=5.0, count=7)
    monkeypatch.setattr(linear, "BLOCK", block)
    assert_equal(ease(groups, regularisation=5.0, count=7), whole)


def test_ease_needs_the_memory_that_it_states():
    random = np.random.default_rng(2)
    n = 1500
    groups = groups_of(random.integers(0, n, (n, 8)).tolist(), n_items=n)
    tracemalloc.start()
    try:
        Gram.of(groups).ease(count=20, regularisation=1.0, overwrite=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 14 * n**2


@pytest.mark.parametrize("regularisation", [0.0, -1.0])
def test_ease_needs_regularisation(regularisation):
    with pytest.raises(ValueError, match="regularisation"):
        ease(groups_of([[0, 1]], n_items=2), regularisation=regularisation)


def test_ease_of_one_item_says_nothing():
    assert ease(groups_of([[2], [2]], n_items=3)).indptr.tolist() == [0, 0, 0, 0]


def test_basket_weights_halve_with_time_and_have_a_mean_of_one():
    weights = basket_weights(groups_of([[0], [0], [0]], n_items=1), 0.5)
    assert weights.mean() == pytest.approx(1.0)
    assert weights / weights[2] == pytest.approx([0.25, 0.5, 1.0])


def test_a_basket_of_four_counts_half_of_one():
    weights = basket_weights(groups_of([[0, 1, 2, 3], [0]], n_items=4), 0.0)
    assert weights == pytest.approx([2 / 3, 4 / 3])


def test_basket_weights_of_one_moment_are_equal():
    assert basket_weights(groups_of([[0]], n_items=1), 0.5) == pytest.approx([1.0])
    assert len(basket_weights(groups_of([], n_items=1), 0.5)) == 0
