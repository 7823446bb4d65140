from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.model import session_groups
from depict_reco.engine.occurrences import Count, Occurrences
from depict_reco.engine.sessions import SessionNeighbours, SessionOptions
from depict_reco.testing import groups_of

TEA, POT, CUP, MUG = range(4)
VIEW, CART, BUY, BACK = Action.VIEW, Action.CART, Action.PURCHASE, Action.RETURN

# item, action, session, basket; one second apart
HISTORY = [
    (TEA, VIEW, 0, -1), (POT, VIEW, 0, -1), (CUP, VIEW, 0, -1), (TEA, VIEW, 0, -1),
    (TEA, VIEW, 1, -1), (POT, CART, 1, -1), (POT, BUY, 1, 0), (TEA, BUY, 1, 0),
    (TEA, BUY, 2, 1), (TEA, BUY, 2, 1), (CUP, BUY, 2, 1),
    (TEA, VIEW, 3, -1),
    (TEA, BUY, 4, 2), (CUP, BACK, 4, 2),
    (POT, VIEW, 5, -1), (TEA, VIEW, 5, -1), (POT, VIEW, 5, -1), (TEA, VIEW, 5, -1),
    (POT, VIEW, 5, -1),
]  # fmt: skip


def happened(rows, *, n_items=4):
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


def fitted(rows, *, n_items=4):
    interactions = happened(rows, n_items=n_items)
    sessions = session_groups(interactions)
    index = SessionNeighbours.fit(sessions, options=SessionOptions(postings=1))
    return Occurrences.fit(interactions, sessions), index


@pytest.mark.parametrize(
    ("item", "other", "both", "of"),
    # tea was bought in the baskets 0, 1 and 2, where it stands twice in one and the cup of
    # another came back
    [(TEA, POT, 1, 3), (TEA, CUP, 1, 3), (POT, TEA, 1, 1), (CUP, POT, 0, 1), (MUG, TEA, 0, 0)],
)
def test_baskets_counted_by_hand(item, other, both, of):
    assert fitted(HISTORY)[0].in_baskets(item, other) == Count(both=both, of=of)


@pytest.mark.parametrize(
    ("item", "other", "expected"),
    [
        # visit 3 and what is left of visit 4 are of tea alone, and say nothing of another item
        (TEA, POT, Count(both=3, of=4, viewed=2)),
        (POT, TEA, Count(both=3, of=3, viewed=2)),
        (TEA, CUP, Count(both=2, of=4, viewed=1)),
        (TEA, MUG, Count(both=0, of=4, viewed=0)),
        (MUG, TEA, Count(both=0, of=0, viewed=0)),
    ],
)
def test_visits_counted_by_hand(item, other, expected):
    occurrences, sessions = fitted(HISTORY)
    assert occurrences.in_sessions(item, other, sessions) == expected


@pytest.mark.parametrize(
    ("item", "other", "expected"),
    [
        # after tea came the pot in the visits 0, 1 (into the cart) and 5 (twice), the cup in 2
        (TEA, POT, Count(both=3, of=4, viewed=2)),
        (TEA, CUP, Count(both=1, of=4, viewed=0)),
        (POT, TEA, Count(both=2, of=3, viewed=1)),
        (POT, CUP, Count(both=1, of=3, viewed=1)),
        (CUP, TEA, Count(both=1, of=1, viewed=1)),  # in visit 2 nothing came after the cup
        (MUG, POT, Count(both=0, of=0, viewed=0)),
    ],
)
def test_what_came_next_counted_by_hand(item, other, expected):
    occurrences, sessions = fitted(HISTORY)
    assert occurrences.next_in_sessions(item, other, sessions) == expected


@pytest.mark.parametrize(
    ("item", "other", "expected"),
    [
        # tea was looked at in the visits 0, 1 and 5; the pot was wanted in 1, the tea there, too
        (TEA, POT, Count(both=1, of=3)),
        (POT, TEA, Count(both=0, of=2)),
        (CUP, TEA, Count(both=0, of=1)),
    ],
)
def test_what_was_wanted_after_a_look_counted_by_hand(item, other, expected):
    occurrences, sessions = fitted(HISTORY)
    assert occurrences.wanted_in_sessions(item, other, sessions) == expected


def test_what_was_bought_right_after_a_look_at_it_counts_as_both():
    rows = [(TEA, VIEW, 0, -1), (POT, VIEW, 0, -1), (POT, CART, 0, -1), (POT, BUY, 0, 0)]
    occurrences, sessions = fitted(rows)
    assert occurrences.wanted_in_sessions(TEA, POT, sessions) == Count(both=1, of=1)
    assert occurrences.in_sessions(TEA, POT, sessions) == Count(both=1, of=1, viewed=1)


def test_large_baskets_are_counted_whole():
    """A model cuts a wholesaler's order; a figure about orders does not."""
    order = [(item, BUY, 0, 0) for item in range(300)]
    occurrences, _ = fitted(order, n_items=300)
    assert occurrences.in_baskets(0, 299) == Count(both=1, of=1)


def test_sessions_without_actions_cannot_be_counted():
    sessions = groups_of([[0, 1]], n_items=2)
    with pytest.raises(ValueError, match="must know what was done"):
        Occurrences.fit(happened([], n_items=2), sessions)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([VIEW, VIEW, CART, BUY, BACK]),
        st.integers(-1, 4),
        st.integers(-1, 3),
    ),
    max_size=40,
)


def visits_of(rows):
    """Return the visits as lists of (item, what was done), without repetitions in a row."""
    visits = {}
    for item, action, session, _ in rows:
        if session < 0 or action == BACK:
            continue
        steps = visits.setdefault(session, [])
        if steps and steps[-1][0] == item:
            steps[-1][1].add(action)
        else:
            steps.append((item, {action}))
    return [steps for steps in visits.values() if len(steps) >= 2]


def those_with(visits, item, *actions):
    """Return the visits in which one of some actions was done with an item, by number."""
    return {
        number
        for number, steps in enumerate(visits)
        if any(one == item and done & set(actions) for one, done in steps)
    }


@given(ROWS)
def test_figures_are_those_of_counting_one_by_one(rows):
    occurrences, sessions = fitted(rows)
    visits = visits_of(rows)
    baskets = {}
    for item, action, _, basket in rows:
        if basket >= 0 and action != BACK:
            baskets.setdefault(basket, set()).add(item)
    for item, other in permutations(range(4), 2):
        mine = [basket for basket in baskets.values() if item in basket]
        assert occurrences.in_baskets(item, other) == Count(
            both=sum(other in basket for basket in mine), of=len(mine)
        )
        anything = (VIEW, CART, BUY)
        having, seeing = those_with(visits, item, *anything), those_with(visits, item, VIEW)
        assert occurrences.in_sessions(item, other, sessions) == Count(
            both=len(having & those_with(visits, other, *anything)),
            of=len(having),
            viewed=len(seeing & those_with(visits, other, VIEW)),
        )
        assert occurrences.wanted_in_sessions(item, other, sessions) == Count(
            both=len(seeing & those_with(visits, other, CART, BUY)), of=len(seeing)
        )
        after = [
            [follower for (one, _), follower in pairwise(steps) if one == item] for steps in visits
        ]
        assert occurrences.next_in_sessions(item, other, sessions) == Count(
            both=sum(any(one == other for one, _ in found) for found in after),
            of=sum(bool(found) for found in after),
            viewed=sum(
                any(one == other and VIEW in done for one, done in found) for found in after
            ),
        )
