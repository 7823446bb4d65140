from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depict_reco.engine.sessions import LONGEST, REACH, SessionNeighbours, SessionOptions
from depict_reco.testing import groups_of


def fitted(rows, *, n_items=10, **options):
    return SessionNeighbours.fit(
        groups_of(rows, n_items=n_items), options=SessionOptions(**options)
    )


def answer(model, *query):
    found = model.scores(np.array(query, dtype=np.int32))
    return dict(zip(found.items.tolist(), found.scores.tolist(), strict=True))


def test_only_sessions_that_share_an_item_vote():
    found = answer(fitted([[0, 1], [2, 3]]), 0)
    assert found.keys() == {0, 1}


def test_what_more_sessions_hold_scores_more():
    found = answer(fitted([[0, 1], [0, 1], [0, 2]]), 0)
    assert found[1] == pytest.approx(2 * found[2])


def test_what_stood_nearer_to_the_match_scores_more():
    found = answer(fitted([[0, 1, 2, 3]], distance_decay=2.0), 0)
    assert found[1] / found[2] == pytest.approx(math.exp(0.5))
    assert found[2] / found[3] == pytest.approx(math.exp(0.5))


def test_distance_is_counted_from_the_newest_item_of_the_query():
    # items 4 and 5 stand beside the match of 3, the newest, not beside that of 0
    found = answer(fitted([[0, 1, 2, 9, 4, 3, 5]]), 0, 3)
    assert found[4] == found[5] > found[1]


def test_the_last_place_of_an_item_is_its_match():
    found = answer(fitted([[0, 1, 2, 0, 3]]), 0)
    assert found[2] == found[3] > found[1]


def test_newer_items_of_the_query_weigh_more():
    model = fitted([[0, 1], [2, 3]], position_decay=1.0)
    first, last = answer(model, 0, 2), answer(model, 2, 0)
    assert first[3] / first[1] == pytest.approx(math.e)
    assert last[1] / last[3] == pytest.approx(math.e)


def test_rare_items_of_the_query_weigh_more():
    rows = [[0, 1], [2, 3], [2, 4], [2, 5]]
    # position does not count here; 0 is in one session of four, 2 in three
    found = answer(fitted(rows, position_decay=1e9), 2, 0)
    assert found[1] / found[3] == pytest.approx(math.log1p(4) / math.log1p(4 / 3))


def test_short_sessions_weigh_more():
    found = answer(fitted([[0, 1], [0, 2, 3, 4, 5, 6, 7, 8]]), 0)
    assert found[1] / found[2] == pytest.approx(2.0)  # √8 / √2


def test_forward_weighs_what_came_before_the_match():
    found = answer(fitted([[1, 0, 2]], forward=0.25), 0)
    assert found[1] == pytest.approx(0.25 * found[2])


def test_half_life_is_a_share_of_the_window():
    # three sessions at 0, 1 and 2 seconds: with half the window each is worth half the next
    found = answer(fitted([[0, 1], [0, 2], [0, 3]], half_life=0.5), 0)
    assert found[3] / found[2] == pytest.approx(2.0)
    assert found[3] / found[1] == pytest.approx(4.0)


def test_without_half_life_all_sessions_weigh_the_same():
    found = answer(fitted([[0, 1], [0, 2], [0, 3]], half_life=0.0), 0)
    assert found[1] == found[2] == found[3]


def test_postings_keep_the_newest_sessions():
    found = answer(fitted([[0, 1], [0, 2], [0, 3]], postings=2), 0)
    assert found.keys() == {0, 2, 3}


def test_neighbours_keep_the_most_similar_sessions():
    rows = [[0, 1, 2], [0, 1, 3], [0, 4, 5]]
    found = answer(fitted(rows, neighbours=2), 0, 1)
    assert found.keys() == {0, 1, 2, 3}


def test_budget_is_shared_out_among_the_items_of_the_query():
    """Two items of the query, two sessions to look at: the newest of each."""
    found = answer(fitted([[0, 1], [2, 3], [0, 4], [2, 5]], budget=2), 0, 2)
    assert found.keys() == {0, 2, 4, 5}
    assert answer(fitted([[0, 1], [0, 4]], budget=2), 0).keys() == {0, 1, 4}


def test_what_stood_far_from_the_match_does_not_vote():
    # five decays away is the last place that counts
    found = answer(fitted([[0, 1, 2, 3, 4, 5, 6, 7]], distance_decay=1.0), 0)
    assert found.keys() == {0, 1, 2, 3, 4, 5}


def test_the_longest_session():
    found = answer(fitted([[2, *[0, 1] * (LONGEST // 2)]]), 1)
    assert found[1] > found[0] > 0
    assert found.keys() == {0, 1}, "item 2 is the whole session away"


def test_a_longer_session_is_refused():
    with pytest.raises(ValueError, match="32768"):
        fitted([[0, 1] * (LONGEST // 2 + 1)])


def naive(rows, query, options):
    """Return the same scores, counted one by one."""
    holders = {}
    for number, row in enumerate(rows):
        for item in set(row):
            holders.setdefault(item, []).append(number)
    similarity, match = {}, {}
    for step, item in enumerate(query):
        held = holders.get(item, [])
        weight = math.exp(-(len(query) - 1 - step) / options.position_decay)
        weight *= math.log1p(len(rows) / max(len(held), 1))
        looked_at = min(options.postings, options.budget // len(query))
        for number in held[-looked_at:] if looked_at else []:
            similarity[number] = similarity.get(number, 0.0) + weight
            match[number] = max(at for at, other in enumerate(rows[number]) if other == item)
    scores = {}
    for number, value in similarity.items():
        row = rows[number]
        value /= math.sqrt(len(row))
        if options.half_life and len(rows) > 1:
            age = (len(rows) - 1 - number) / (len(rows) - 1)
            value *= 0.5 ** (age / options.half_life)
        for at, item in enumerate(row):
            distance = at - match[number]
            if abs(distance) > math.ceil(REACH * options.distance_decay):
                continue
            vote = value * math.exp(-abs(distance) / options.distance_decay)
            vote *= options.forward if distance < 0 else 1.0
            scores[item] = scores.get(item, 0.0) + vote
    return scores


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=12),
    query=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    options=st.builds(
        SessionOptions,
        postings=st.integers(1, 12),
        budget=st.sampled_from([6, 8000]),
        neighbours=st.just(100),
        position_decay=st.sampled_from([0.7, 2.0, 10.0]),
        distance_decay=st.sampled_from([0.2, 0.7, 3.0]),
        half_life=st.sampled_from([0.0, 0.3]),
        forward=st.sampled_from([0.0, 0.5, 1.0]),
    ),
)
def test_equals_counting_one_by_one(rows, query, options):
    model = SessionNeighbours.fit(groups_of(rows, n_items=10), options=options)
    assert answer(model, *query) == pytest.approx(naive(rows, query, options), rel=1e-4)
