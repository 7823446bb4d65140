from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.training.cleaning import DAY, LEAST_CAP, returned_lines, within_reason


def undone(*lines):
    """Return what is taken back of lines of (kind, item, order, shopper, pieces)."""
    kinds, items, orders, shoppers, pieces = zip(*lines, strict=True)
    found = returned_lines(
        is_return=np.array([kind == "return" for kind in kinds]),
        items=np.array(items, np.int32),
        orders=np.array(orders, np.int32),
        shoppers=np.array(shoppers, np.int32),
        pieces=np.array(pieces, np.int32),
        n_items=10,
    )
    return found.tolist()


def test_a_return_names_its_order():
    assert undone(("buy", 1, 0, 5, 1), ("buy", 1, 1, 5, 1), ("return", 1, 0, 5, 1)) == [0]


def test_without_its_order_the_newest_line_of_the_shopper_goes():
    lines = (("buy", 1, 0, 5, 1), ("buy", 1, 1, 5, 1), ("buy", 1, 2, 6, 1))

    assert undone(*lines, ("return", 1, -1, 5, 1)) == [1]
    # a number that no order has, as of a credit note, says nothing
    assert undone(*lines, ("return", 1, 9, 5, 1)) == [1]


def test_two_returns_take_two_lines():
    lines = (("buy", 1, 0, 5, 1), ("buy", 1, 1, 5, 1))

    assert undone(*lines, ("return", 1, -1, 5, 1), ("return", 1, -1, 5, 1)) == [0, 1]
    assert undone(*lines, ("return", 1, -1, 5, 2)) == [0, 1]


def test_a_line_of_which_some_was_kept_stays():
    bought = ("buy", 1, 0, 5, 12)

    assert undone(bought, ("return", 1, 0, 5, 2)) == []
    assert undone(bought, ("return", 1, 0, 5, 2), ("return", 1, 0, 5, 10)) == [0]


@pytest.mark.parametrize(
    "other",
    [
        ("return", 2, 0, 5, 1),  # another product
        ("return", 1, -1, 6, 1),  # another shopper
        ("return", 1, -1, -1, 1),  # nobody's
    ],
)
def test_what_came_back_of_others_changes_nothing(other):
    assert undone(("buy", 1, 0, 5, 1), other) == []


def test_what_was_bought_after_the_return_stays():
    assert undone(("return", 1, -1, 5, 1), ("buy", 1, 0, 5, 1)) == []


def test_a_line_that_came_back_by_its_order_cannot_come_back_by_its_shopper():
    assert undone(
        ("buy", 1, 0, 5, 1), ("return", 1, 0, 5, 1), ("return", 1, -1, 5, 1), ("buy", 1, 1, 5, 1)
    ) == [0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "return"]), st.integers(0, 2), st.integers(-1, 2),
            st.integers(-1, 2), st.integers(-1, 3),
        ),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_only_lines_that_were_bought_are_undone_and_each_once(lines):
    found = undone(*lines)

    assert found == sorted(set(found))
    assert all(lines[place][0] == "buy" for place in found)
    returned = {item for kind, item, *_ in lines if kind == "return"}
    assert {lines[place][1] for place in found} <= returned


def looked(counts, *, actions=None, sessions=None, day=0.0):
    """Return views of shoppers 0, 1, …, so many of each, all in one day."""
    shoppers = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    n = len(shoppers)
    return Interactions(
        items=np.zeros(n, np.int32),
        actions=np.full(n, Action.VIEW, np.int8) if actions is None else actions,
        sessions=np.full(n, -1, np.int32) if sessions is None else sessions,
        baskets=np.full(n, -1, np.int32),
        shoppers=shoppers if sessions is None else np.full(n, -1, np.int32),
        times=day * DAY + np.arange(n) * 0.5,
        n_items=1,
    )


def test_of_a_runaway_the_newest_stay():
    keep = within_reason(looked([5, LEAST_CAP + 3, 7]))

    assert np.flatnonzero(~keep).tolist() == [5, 6, 7]


def test_what_is_too_much_is_read_off_the_shop():
    """Where everybody looks at a hundred products a day, two thousand are allowed."""
    keep = within_reason(looked([100] * 30 + [2003]))

    assert np.flatnonzero(~keep).tolist() == [3000, 3001, 3002]


def test_an_order_of_any_size_stays_whole():
    n = 3 * LEAST_CAP
    assert within_reason(looked([n, 1], actions=np.full(n + 1, Action.PURCHASE, np.int8))).all()


def test_a_session_stands_for_a_shopper_who_is_not_known():
    n = LEAST_CAP + 1
    sessions = np.repeat([0, 1], [n, 1]).astype(np.int32)

    assert (~within_reason(looked([n, 1], sessions=sessions))).sum() == 1
    assert within_reason(looked([n, 1], sessions=np.full(n + 1, -1, np.int32))).all()


def test_every_day_counts_for_itself():
    n = LEAST_CAP
    events = looked([n, n])
    days = np.repeat([0.0, DAY], n) + np.arange(2 * n) * 0.5
    same = Interactions(
        items=events.items, actions=events.actions, sessions=events.sessions,
        baskets=events.baskets, shoppers=np.zeros(2 * n, np.int32), times=days, n_items=1,
    )  # fmt: skip

    assert within_reason(same).all()
