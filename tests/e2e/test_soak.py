"""Ten seconds in which everything happens at once; ``make bench-soak`` is the ten minutes."""

from __future__ import annotations

import pytest

from benchmarks.soak import JOBS, Scales, Work
from tests.e2e.installation import Shoppers
from tests.e2e.processes import wait_until

pytestmark = pytest.mark.faults

SECONDS = 10.0


def test_feed_training_publishing_and_rolling_back_under_load(installation):
    work = Work(installation)
    work.do("feed import")
    for server in installation.servers:
        wait_until(
            lambda server=server: (
                {one["price"] for one in installation.displays(server)} == {"1000.00"}
            ),
            seconds=30,
            what="the first feed",
        )
    with Shoppers(installation, one_price=True) as shoppers, Scales(installation) as scales:
        work.go_on(SECONDS)
    assert not shoppers.problems, shoppers.problems[:3]
    assert not shoppers.dropped
    assert shoppers.degraded == set()
    assert scales.grown() == []
    assert set(work.spent) == set(JOBS)
    assert work.rounds >= 2
    assert min(work.updated) > 20
    assert shoppers.answers > 50
