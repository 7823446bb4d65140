from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.interactions import Action, Interactions, crossed, group
from depict_reco.testing import groups_of


def rows_of(groups):
    return [groups.row(index).tolist() for index in range(len(groups))]


def grouped(keys, items, times=None, **options):
    times = range(len(keys)) if times is None else times
    return group(
        np.array(keys, dtype=np.int32),
        np.array(items, dtype=np.int32),
        np.array(list(times), dtype=np.float64),
        n_items=10,
        **options,
    )


def test_groups_keep_the_order_of_time():
    groups = grouped([7, 3, 7, 3], [1, 2, 3, 4])
    assert rows_of(groups) == [[1, 3], [2, 4]]
    assert groups.times.tolist() == [2.0, 3.0]
    assert groups.indptr.dtype == np.int64
    assert groups.items.dtype == np.int32
    assert groups.times.dtype == np.float64
    assert groups.n_items == 10


def test_groups_stand_in_the_order_of_their_last_interaction():
    # group 0 begins first and ends last
    groups = grouped([0, 1, 1, 0], [1, 2, 3, 4], times=[10, 20, 30, 40])
    assert rows_of(groups) == [[2, 3], [1, 4]]
    assert groups.times.tolist() == [30.0, 40.0]


def test_immediate_repetitions_are_dropped_and_later_ones_kept():
    assert rows_of(grouped([0] * 6, [5, 5, 5, 6, 5, 5])) == [[5, 6, 5]]


def test_a_repetition_across_groups_is_none():
    assert rows_of(grouped([0, 1], [5, 5])) == [[5], [5]]


def test_distinct_keeps_the_first_of_each_item():
    assert rows_of(grouped([0] * 5, [5, 6, 5, 7, 6], distinct=True)) == [[5, 6, 7]]


def test_long_groups_lose_their_oldest_part():
    groups = grouped([0] * 5, [1, 2, 3, 4, 5], max_length=3)
    assert rows_of(groups) == [[3, 4, 5]]
    assert groups.times.tolist() == [4.0]


def test_short_groups_are_left_out():
    groups = grouped([0, 1, 1, 2, 2], [1, 2, 3, 4, 4], min_length=2)
    # group 2 names one item twice in a row: that is one
    assert rows_of(groups) == [[2, 3]]


def test_key_minus_one_belongs_to_no_group():
    assert rows_of(grouped([-1, 0, -1, 0], [1, 2, 3, 4])) == [[2, 4]]
    assert len(grouped([-1, -1], [1, 2])) == 0


@pytest.mark.parametrize("distinct", [False, True])
def test_nothing_makes_no_groups(distinct):
    groups = grouped([], [], distinct=distinct)
    assert len(groups) == 0
    assert groups.indptr.tolist() == [0]
    assert groups.items.dtype == np.int32
    assert groups.incidence().shape == (0, 10)


def naive_groups(keys, items, min_length, max_length, distinct):
    rows = {}
    for time, (key, item) in enumerate(zip(keys, items, strict=True)):
        if key < 0:
            continue
        row = rows.setdefault(key, [])
        if not row or (item not in [i for _, i in row] if distinct else row[-1][1] != item):
            row.append((time, item))
    kept = [row for row in rows.values() if len(row) >= min_length]
    kept.sort(key=lambda row: row[-1][0])
    return [[item for _, item in row[-max_length:]] for row in kept]


@given(
    rows=st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), max_size=40),
    min_length=st.integers(1, 3),
    max_length=st.integers(3, 6),
    distinct=st.booleans(),
)
def test_groups_equal_those_made_one_by_one(rows, min_length, max_length, distinct):
    keys, items = [key for key, _ in rows], [item for _, item in rows]
    groups = grouped(keys, items, min_length=min_length, max_length=max_length, distinct=distinct)
    assert rows_of(groups) == naive_groups(keys, items, min_length, max_length, distinct)


def test_before_keeps_the_oldest():
    groups = groups_of([[1], [2, 3], [4]], n_items=5)
    assert rows_of(groups.before(2)) == [[1], [2, 3]]
    assert groups.before(2).times.tolist() == [0.0, 1.0]
    assert rows_of(groups.before(0)) == []


def test_incidence_counts_an_item_once():
    groups = groups_of([[0, 2, 0], [1]], n_items=3)
    assert groups.incidence().toarray().tolist() == [[1, 0, 1], [0, 1, 0]]
    weighted = groups.incidence(np.array([0.5, 2.0], dtype=np.float32))
    assert weighted.toarray().tolist() == [[0.5, 0, 0.5], [0, 2, 0]]
    assert weighted.dtype == np.float32
    assert groups.items.tolist() == [0, 2, 0, 1], "the groups are left as they are"


def test_select_keeps_the_columns_together():
    interactions = Interactions(
        items=np.array([4, 5, 6], dtype=np.int32),
        actions=np.array([Action.VIEW, Action.CART, Action.RETURN], dtype=np.int8),
        sessions=np.array([1, 2, 3], dtype=np.int32),
        baskets=np.array([-1, 7, 8], dtype=np.int32),
        shoppers=np.array([9, -1, 9], dtype=np.int32),
        times=np.array([1.0, 2.0, 3.0]),
        n_items=10,
    )
    some = interactions.select(interactions.actions != Action.CART)
    assert len(interactions) == 3
    assert len(some) == 2
    assert some.items.tolist() == [4, 6]
    assert some.actions.tolist() == [0, 3]
    assert some.sessions.tolist() == [1, 3]
    assert some.baskets.tolist() == [-1, 8]
    assert some.shoppers.tolist() == [9, 9]
    assert some.times.tolist() == [1.0, 3.0]
    assert some.n_items == 10


def test_crossed_are_sessions_that_looked_and_wanted():
    rows = [
        (0, Action.VIEW, 7),
        (0, Action.VIEW, 7),
        (1, Action.CART, 7),
        (2, Action.PURCHASE, 7),
        (2, Action.VIEW, 8),
        (1, Action.PURCHASE, 9),
        (0, Action.VIEW, -1),
        (1, Action.CART, -1),
        (2, Action.VIEW, 3),
        (2, Action.RETURN, 3),
    ]
    items, actions, sessions = (np.array(column) for column in zip(*rows, strict=True))
    none = np.full(len(rows), -1, dtype=np.int32)
    seen, wanted = crossed(
        Interactions(
            items=items.astype(np.int32),
            actions=actions.astype(np.int8),
            sessions=sessions.astype(np.int32),
            baskets=none,
            shoppers=none,
            times=np.arange(len(rows), dtype=np.float64),
            n_items=3,
        )
    )
    assert seen.toarray().tolist() == [[1.0, 0.0, 0.0]]
    assert wanted.toarray().tolist() == [[0.0, 1.0, 1.0]]


def test_groups_know_what_was_done_with_each_item():
    actions = np.array([0, 2, 1, 0, 2, 0], dtype=np.int8)
    groups = grouped([1, 0, 0, 1, 1, 0], [4, 7, 7, 5, 5, 8], actions=actions)
    assert rows_of(groups) == [[4, 5], [7, 8]]
    assert groups.done.tolist() == [0b1, 0b101, 0b110, 0b1]
    assert groups.before(1).done.tolist() == [0b1, 0b101]
    assert grouped([1, 1], [4, 5]).before(1).done is None


def test_groups_that_are_cut_know_what_was_done_in_what_is_kept():
    actions = np.array([0, 1, 2], dtype=np.int8)
    groups = grouped([1, 1, 1], [4, 5, 6], actions=actions, max_length=2)
    assert groups.done.tolist() == [0b10, 0b100]


def test_what_was_done_is_not_known_of_distinct_items():
    with pytest.raises(ValueError, match="sequences"):
        grouped([1], [4], actions=np.zeros(1, dtype=np.int8), distinct=True)
