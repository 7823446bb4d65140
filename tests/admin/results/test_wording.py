from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from depict_reco.admin.results import wording
from depict_reco.admin.results.choice import step_of
from depict_reco.analytics.figures import Change, Figures, Period, Row
from depict_reco.analytics.reports import Step


def row(hits: int, trials: int) -> Row:
    return Row(label="", now=Figures(clicks=hits, visible=trials), before=Figures())


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, "\N{EN DASH}"), (0.0, "0 %"), (0.00004, "0.00 %"), (0.0377, "3.77 %"),
        (0.1, "10.0 %"), (0.98765, "98.8 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_percent(part, text):
    assert wording.percent(part) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00 SEK"), ("999.5", "999.50 SEK"), ("1234567.8", "1,234,568 SEK"),
     ("-2000", "-2,000 SEK")],
)  # fmt: skip
def test_money(amount, text):
    assert wording.money(Decimal(amount), "SEK") == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (2.0, 1.0, "+100 %"), (1.0, 2.0, "\N{MINUS SIGN}50 %"), (1.0, 1.0, "±0.0 %"),
        (1.05, 1.0, "+5.0 %"), (1.0, 0.0, ""), (None, 1.0, ""), (1.0, None, ""),
    ],
)  # fmt: skip
def test_relative(now, before, text):
    assert wording.relative(Change(now=now, before=before)) == text


def test_bars_are_compared_with_the_longest():
    rows = [row(50, 1000), row(25, 1000), row(1, 2)]
    longest = wording.longest_of(rows[:2], "click_rate")

    assert longest == pytest.approx(0.0653, abs=1e-4)  # the upper end of the first interval
    assert wording.rate(rows[1], "click_rate", longest=longest).bar == ("38.3", "26.0", "30.1")
    assert wording.longest_of(rows, "click_rate") == pytest.approx(0.9055, abs=1e-3)


@pytest.mark.parametrize("rows", [[], [row(0, 0)], [row(0, 10)]])
def test_without_a_rate_there_are_no_bars(rows):
    longest = wording.longest_of(rows, "click_rate")
    assert longest is None
    assert all(wording.rate(one, "click_rate", longest=longest).bar is None for one in rows)


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, Step.DAY), (92, Step.DAY), (93, Step.WEEK), (400, Step.WEEK), (401, Step.MONTH)],
)
def test_long_periods_are_drawn_in_longer_steps(days, step):
    end = date(2026, 5, 10)
    assert step_of(Period(start=end - timedelta(days=days - 1), end=end)) == step
