from __future__ import annotations

import pytest

from depict_reco.analytics.statistics import Rate, differ


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # reference values of Wilson's interval from published tables
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (30, 1000, 0.0211, 0.0425),
    ],
)
def test_interval(hits, trials, low, high):
    rate = Rate(hits=hits, trials=trials)
    assert rate.low == pytest.approx(low, abs=1e-4)
    assert rate.high == pytest.approx(high, abs=1e-4)


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (3, 0), (4, 3)])
def test_no_rate_where_there_is_none(hits, trials):
    rate = Rate(hits=hits, trials=trials)
    assert (rate.value, rate.low, rate.high) == (None, None, None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((100, 1000), (150, 1000), True),
        ((100, 1000), (110, 1000), False),
        ((1, 10), (9, 10), True),  # five expected hits and misses on each side: just enough
        ((1, 9), (8, 9), None),
        ((0, 1000), (1, 1000), None),
        ((0, 0), (1, 1000), None),
    ],
)
def test_difference(one, other, expected):
    first, second = (Rate(hits=hits, trials=trials) for hits, trials in (one, other))
    assert differ(first, second) is expected
    assert differ(second, first) is expected


def test_nothing_is_said_of_rates_of_different_things():
    def rate(hits, basis):
        return Rate(hits=hits, trials=1000, basis=basis)

    assert differ(rate(100, "seen"), rate(150, "seen")) is True
    assert differ(rate(100, "seen"), rate(150, "served")) is None
    assert differ(rate(100, "mixed"), rate(150, "mixed")) is None
