from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.metrics import Tally, rank_of
from depict_reco.engine.sparse import EMPTY, Scored


def scored(pairs):
    return Scored(
        np.array(list(pairs), dtype=np.int32), np.array(list(pairs.values()), dtype=np.float32)
    )


def test_rank_counts_what_is_better():
    answer = scored({7: 3.0, 4: 2.0, 9: 1.0})
    assert rank_of(7, answer, 100) == 1
    assert rank_of(4, answer, 100) == 2
    assert rank_of(9, answer, 100) == 3


def test_equal_scores_share_the_average_of_their_ranks():
    answer = scored({1: 5.0, 2: 3.0, 3: 3.0, 4: 3.0, 5: 1.0})
    assert rank_of(3, answer, 100) == 3  # of 2, 3 and 4
    assert rank_of(2, scored({1: 1.0, 2: 1.0}), 100) == 1.5


def test_what_is_not_named_shares_the_last_places():
    # 3 of 10 are named: the others share the ranks 4 … 10
    assert rank_of(9, scored({1: 3.0, 2: 2.0, 3: 1.0}), 10) == 7
    assert rank_of(0, EMPTY, 9) == 5


def test_a_score_of_zero_names_nothing():
    assert rank_of(2, scored({1: 1.0, 2: 0.0}), 9) == 5.5  # of 2 … 9


@given(
    scores=st.dictionaries(st.integers(0, 11), st.integers(0, 3)),
    target=st.integers(0, 11),
)
def test_rank_equals_that_in_the_full_catalogue(scores, target):
    full = [scores.get(item, 0) for item in range(12)]
    better = sum(score > full[target] for score in full)
    equal = sum(score == full[target] for score in full)
    places = range(better + 1, better + equal + 1)
    assert rank_of(target, scored(scores), 12) == sum(places) / len(places)


def tally_of(*ranks):
    tally = Tally()
    tally.ranks.extend(ranks)
    return tally


def test_measures_by_hand():
    tally = tally_of(1.0, 4.0, 10.0, 21.0)
    assert tally.hit_rate(1) == 0.25
    assert tally.hit_rate(10) == 0.75
    assert tally.mrr(20) == pytest.approx((1 + 1 / 4 + 1 / 10) / 4)
    assert tally.mrr(5) == pytest.approx((1 + 1 / 4) / 4)
    ndcg = (1 + 1 / math.log2(5) + 1 / math.log2(11)) / 4
    assert tally.ndcg(20) == pytest.approx(ndcg)


def test_a_tie_across_the_limit_is_no_hit():
    assert tally_of(20.5).hit_rate(20) == 0.0
    assert tally_of(20.0).hit_rate(20) == 1.0


def test_nothing_asked():
    report = Tally().report(10)
    assert report["questions"] == 0
    assert set(report.values()) == {0}


def test_report():
    tally = Tally()
    tally.add(7, scored({7: 1.0, 8: 0.5}), 10)
    tally.add(3, scored({8: 1.0}), 10)
    tally.add(3, EMPTY, 10)
    assert tally.report(10) == {
        "questions": 3,
        "hr@5": 0.3333,
        "hr@10": 1.0,
        "hr@20": 1.0,
        "mrr@20": round((1 + 1 / 6 + 1 / 5.5) / 3, 4),
        "ndcg@20": round((1 + 1 / math.log2(7) + 1 / math.log2(6.5)) / 3, 4),
        "coverage": 0.2,
        "fallback": 0.3333,
    }


def test_coverage_counts_only_what_is_shown():
    tally = Tally()
    tally.add(0, scored({item: float(item) for item in range(1, 6)}), 10, shown=2)
    assert tally.shown == {4, 5}
