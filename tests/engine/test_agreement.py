"""How alike two rankings are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.agreement import overlap, rank_biased_overlap

rankings = st.lists(st.integers(0, 30), unique=True, max_size=20)


@pytest.mark.parametrize(
    ("first", "second", "k", "expected"),
    [
        ("abc", "cab", 3, 1.0),
        ("abcd", "abxy", 4, 0.5),
        ("abcd", "abxy", 2, 1.0),
        ("ab", "abcd", 4, 0.5),
        ("ab", "ab", 10, 1.0),
        ("", "ab", 2, 0.0),
        ("", "", 5, None),
    ],
)
def test_overlap_takes_no_notice_of_the_order(first, second, k, expected):
    assert overlap(list(first), list(second), k=k) == expected


def test_rank_biased_overlap_by_hand():
    # of two places, agreement is 0 at the first and 1 at the second, and goes on as 1
    # (1-p)/p * (0*p + 1*p^2) + 1*p^2 = .5*.5 + .25 for p = .5
    assert rank_biased_overlap("ab", "ba", p=0.5) == pytest.approx(0.5)
    # agreement 1, 1/2, then extrapolated as 1/2: (.5 + .125) + .125
    assert rank_biased_overlap("ab", "ac", p=0.5) == pytest.approx(0.75)
    # uneven: X_1 = 1; at depth 2 nothing more is in common, but what the short one lacks is
    # taken to agree as before: 0.5 + (1/2 + 1*1/(1*2)) * .25 + ((1-1)/2 + 1) * .25
    assert rank_biased_overlap("a", "ab", p=0.5) == pytest.approx(1.0)


def test_the_first_places_weigh_most():
    ends = rank_biased_overlap("abcdefghij", "abcdefghxy")
    beginnings = rank_biased_overlap("abcdefghij", "xycdefghij")
    assert ends > beginnings > 0.4


@given(rankings, rankings, st.floats(0.05, 0.99))
def test_it_is_a_share_and_has_no_direction(first, second, p):
    found = rank_biased_overlap(first, second, p=p)
    if not first and not second:
        assert found is None
        return
    assert -1e-9 <= found <= 1 + 1e-9
    assert found == pytest.approx(rank_biased_overlap(second, first, p=p))
    if not set(first) & set(second):
        assert found == 0


@given(rankings.filter(bool), st.floats(0.05, 0.99))
def test_a_ranking_agrees_with_itself(ranking, p):
    assert rank_biased_overlap(ranking, ranking, p=p) == pytest.approx(1)


@pytest.mark.parametrize("p", [0, 1, -1, 2])
def test_p_is_a_chance(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        rank_biased_overlap("a", "a", p=p)
