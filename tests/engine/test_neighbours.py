from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from depict_reco.engine import neighbours
from depict_reco.engine.neighbours import (
    Neighbours,
    age_weights,
    best_of_products,
    fit_cooccurrence,
    fit_crossed,
    fit_transitions,
    fit_two_steps,
    transition_counts,
)
from depict_reco.testing import groups_of


def related(model, item):
    """Return the related items of one item with their scores, best first."""
    row = slice(model.indptr[item], model.indptr[item + 1])
    return dict(zip(model.items[row].tolist(), model.scores[row].tolist(), strict=True))


def table(model):
    return [related(model, item) for item in range(len(model.indptr) - 1)]


def assert_equal(model, expected):
    np.testing.assert_array_equal(model.indptr, expected.indptr)
    np.testing.assert_array_equal(model.items, expected.items)
    np.testing.assert_array_equal(model.scores, expected.scores)


# Co-occurrence


def test_cooccurrence_by_hand():
    """Score c / (√(f_i · f_j) + 1) with groups of n items counted 1 / log2(n + 1).

    The group of three counts 1 / log2(4) = 1/2, that of two 1 / log2(3) = 0.6309.
    Frequencies: 0 and 1 are in both, 1.1309; 2 is in the first, 0.5.
    """
    model = fit_cooccurrence(groups_of([[0, 1, 2], [1, 0]], n_items=4))
    both, first = 0.5 + 1 / math.log2(3), 0.5
    expected = {1: both / (both + 1), 2: first / (math.sqrt(both * first) + 1)}
    assert related(model, 0) == pytest.approx(expected)
    assert list(related(model, 0)) == [1, 2]
    assert related(model, 2) == pytest.approx({0: expected[2], 1: expected[2]})
    assert related(model, 3) == {}


def test_cooccurrence_counts_an_item_once_per_group():
    once = fit_cooccurrence(groups_of([[0, 1, 2]], n_items=3))
    repeated = fit_cooccurrence(groups_of([[0, 1, 2], [1]], n_items=3))
    # the lengths of the groups differ, the pairs of the second are none
    assert related(once, 0).keys() == related(repeated, 0).keys() == {1, 2}


def test_cooccurrence_is_symmetric():
    model = fit_cooccurrence(groups_of([[0, 1], [2, 1], [0, 2, 1], [3, 0]], n_items=4))
    for item in range(4):
        for other, score in related(model, item).items():
            assert related(model, other)[item] == pytest.approx(score)


def test_shrinkage_draws_rare_pairs_down():
    rows = [[0, 1]] + [[2, 3]] * 20
    plain = fit_cooccurrence(groups_of(rows, n_items=4), shrinkage=0.0)
    shrunk = fit_cooccurrence(groups_of(rows, n_items=4), shrinkage=5.0)
    assert related(plain, 0)[1] == pytest.approx(1.0)
    assert related(plain, 2)[3] == pytest.approx(1.0)
    assert related(shrunk, 0)[1] < 0.2 < 0.7 < related(shrunk, 2)[3]


def test_weights_of_groups_count():
    rows, weights = [[0, 1], [0, 2]], np.array([1.0, 3.0], dtype=np.float32)
    model = fit_cooccurrence(
        groups_of(rows, n_items=3), weights=weights, normalise=0.0, shrinkage=0.0
    )
    assert related(model, 0)[2] == pytest.approx(3 * related(model, 0)[1])


def test_count_keeps_the_best():
    rows = [[0, 1]] * 3 + [[0, 2]] * 2 + [[0, 3]]
    model = fit_cooccurrence(groups_of(rows, n_items=4), count=2, normalise=0.0)
    assert list(related(model, 0)) == [1, 2]


# Views and purchases


def crossed_table(seen, wanted):
    seen, wanted = (sparse.csr_matrix(np.array(rows, dtype=np.float32)) for rows in (seen, wanted))
    return table(fit_crossed(seen, wanted))


def test_what_was_seen_leads_to_what_was_wanted():
    """Two sessions of one view each: item 0 was seen twice, item 1 was wanted after it once."""
    found = crossed_table([[1, 0, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]])
    # cosine 1 / (sqrt(2 · 1) + 1), and nothing leads back
    assert found == [pytest.approx({1: 1 / (2**0.5 + 1), 2: 1 / (2**0.5 + 1)}), {}, {}]


def test_wanting_what_was_seen_says_nothing_of_others():
    assert crossed_table([[1, 0]], [[1, 0]]) == [{}, {}]


def test_who_looks_at_much_says_little():
    found = crossed_table([[1, 0, 0, 0], [0, 1, 1, 0]], [[0, 0, 0, 1], [0, 0, 0, 1]])
    assert found[0][3] > found[1][3] == found[2][3]


def test_nothing_crossed():
    empty = sparse.csr_matrix((0, 2), dtype=np.float32)
    assert table(fit_crossed(empty, empty)) == [{}, {}]


# Transitions


def transitions(rows, *, n_items, backward=0.0, **options):
    counts = transition_counts(groups_of(rows, n_items=n_items), **options)
    return fit_transitions(counts, backward=backward)


def test_transitions_lead_forward():
    model = transitions([[0, 1], [0, 1], [0, 2]], n_items=3)
    assert related(model, 0) == {1: 2.0, 2: 1.0}
    assert related(model, 1) == {}


def test_transitions_fade_with_the_distance():
    model = transitions([[0, 1, 2, 3]], n_items=4)
    assert related(model, 0) == pytest.approx({1: 1.0, 2: 1 / 2, 3: 1 / 3})


def test_transitions_end_with_their_reach():
    model = transitions([[0, 1, 2, 3]], n_items=4, reach=2)
    assert related(model, 0) == {1: 1.0, 2: 0.5}
    assert related(transitions([[0, 1, 2, 3]], n_items=4, reach=1), 0) == {1: 1.0}


def test_transitions_do_not_leave_the_session():
    model = transitions([[0, 1], [2, 3]], n_items=4)
    assert table(model) == [{1: 1.0}, {}, {3: 1.0}, {}]


def test_transitions_backward():
    model = transitions([[0, 1]], n_items=2, backward=0.25)
    assert table(model) == [{1: 1.0}, {0: 0.25}]


def test_transitions_to_oneself_are_none():
    model = transitions([[0, 1, 0]], n_items=2)
    assert table(model) == [{1: 1.0}, {0: 1.0}]


def test_transitions_weigh_sessions():
    weights = np.array([1.0, 0.5], dtype=np.float32)
    model = transitions([[0, 1], [0, 2]], n_items=3, weights=weights)
    assert related(model, 0) == {1: 1.0, 2: 0.5}


# Products of matrices, blocks


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=9),
    count=st.integers(1, 9),
    minimum=st.sampled_from([0.0, 3.0]),
)
def test_best_of_products_equals_the_whole_product(values, count, minimum):
    left = np.array(values, dtype=np.float32)
    matrix = sparse.csr_matrix(left)
    model = best_of_products(matrix, matrix.T.tocsr(), count=count, minimum=minimum)
    product = (left @ left.T).tolist()
    for item, row in enumerate(product):
        candidates = [o for o, score in enumerate(row) if o != item and score > minimum]
        expected = sorted(candidates, key=lambda other: (-row[other], other))[:count]
        assert list(related(model, item)) == expected
        assert list(related(model, item).values()) == [row[other] for other in expected]


def test_best_of_products_of_nothing():
    empty = sparse.csr_matrix((0, 3), dtype=np.float32)
    model = best_of_products(empty, empty.T.tocsr(), count=5)
    assert model.indptr.tolist() == [0]
    assert model.items.dtype == np.int32
    assert model.scores.dtype == np.float32


@pytest.mark.parametrize("block", [1, 3, 7])
def test_blocks_change_nothing(monkeypatch, block):
    random = np.random.default_rng(1)
    rows = [random.permutation(20)[: random.integers(1, 7)].tolist() for _ in range(60)]
    groups = groups_of(rows, n_items=20)
    matrix = groups.incidence().T.tocsr()
    whole = fit_cooccurrence(groups, count=5)
    product = best_of_products(matrix, matrix.T.tocsr(), count=5)
    monkeypatch.setattr(neighbours, "BLOCK", block)
    assert_equal(fit_cooccurrence(groups, count=5), whole)
    assert_equal(best_of_products(matrix, matrix.T.tocsr(), count=5), product)


# Two steps


def test_two_steps_by_hand():
    """From 0 half of the steps lead to 1 and half to 2; from 1 all to 3, from 2 all to 3 or 4."""
    matrix = np.zeros((5, 5), dtype=np.float32)
    matrix[0, [1, 2]] = 5.0
    matrix[1, 3] = 7.0
    matrix[2, [3, 4]] = [3.0, 1.0]
    model = fit_two_steps(Neighbours.from_matrix(sparse.csr_matrix(matrix), count=5))
    assert related(model, 0) == pytest.approx({3: 0.5 + 0.5 * 0.75, 4: 0.5 * 0.25})
    assert related(model, 1) == related(model, 3) == {}


def test_two_steps_take_the_nearest_only():
    matrix = np.zeros((4, 4), dtype=np.float32)
    matrix[0, [1, 2]] = [3.0, 1.0]
    matrix[1, 3] = matrix[2, 0] = 1.0
    model = fit_two_steps(Neighbours.from_matrix(sparse.csr_matrix(matrix), count=5), width=1)
    assert related(model, 0) == pytest.approx({3: 0.75})
    assert related(model, 2) == pytest.approx({1: 0.75})


# Weights by age


def test_age_weights_halve_with_time():
    groups = groups_of([[0], [0], [0]], n_items=1)
    assert age_weights(groups, 0.5).tolist() == [0.25, 0.5, 1.0]
    assert age_weights(groups, 0.0).tolist() == [1.0, 1.0, 1.0]
    assert age_weights(groups_of([[0]], n_items=1), 0.5).tolist() == [1.0]
    assert age_weights(groups_of([], n_items=1), 0.5).tolist() == []


# The lists of several items


def lists():
    matrix = sparse.csr_matrix(
        np.array([[0, 3, 1, 0], [2, 0, 0, 1], [0, 0, 0, 0], [4, 0, 0, 0]], dtype=np.float32)
    )
    return Neighbours.from_matrix(matrix, count=5)


def scores_of(query, weights=None):
    found = lists().scores_of(
        np.array(query, dtype=np.int32),
        None if weights is None else np.array(weights, dtype=np.float32),
    )
    return dict(zip(found.items.tolist(), found.scores.tolist(), strict=True))


def test_lists_are_added_up():
    assert scores_of([0]) == {1: 3.0, 2: 1.0}
    assert scores_of([1, 3]) == {0: 6.0, 3: 1.0}
    assert scores_of([1, 1]) == {0: 4.0, 3: 2.0}
    assert scores_of([2]) == {}
    assert scores_of([]) == {}


def test_lists_are_weighed():
    assert scores_of([1, 3], [1.0, 0.5]) == {0: 4.0, 3: 1.0}
    assert scores_of([0], [2.0]) == {1: 6.0, 2: 2.0}


def test_lists_keep_the_best_in_order():
    model = Neighbours.from_matrix(sparse.csr_matrix(np.array([[1.0, 3.0, 2.0]])), count=2)
    assert model.items.tolist() == [1, 2]
    assert model.scores.tolist() == [3.0, 2.0]
    assert model.indptr.tolist() == [0, 2]
