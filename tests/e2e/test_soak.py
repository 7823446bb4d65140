"""Ten seconds in which everything happens at once; ``make bench-soak`` is the ten minutes."""

from __future__ import annotations

import time

import pytest

from tests.e2e.installation import Shoppers
from tests.e2e.processes import wait_until

pytestmark = pytest.mark.faults

SECONDS = 10.0

ROUND = """
from pathlib import Path
from depict_reco.artifacts.publish import roll_back
from depict_reco.tasks import import_feed, train_market
market = Market.objects.get(tenant__slug="acme")
shown = Product.objects.filter(market=market, active=True, hidden=False)
names = shown.values_list("product_id", flat=True)
feed = Path({folder!r}) / "soak.csv"
feed.write_text("product_id,title,price\\n" + "".join(
    f"{{name}},{{name.title()}},{price}\\n" for name in names
))
result = import_feed(str(feed), market=market).updated
{more}
"""


def test_feed_training_publishing_and_rolling_back_under_load(installation):
    def everything(price, more=""):
        return installation.do(
            ROUND.format(folder=str(installation.folder), price=price, more=more)
        )

    everything(1000)
    for server in installation.servers:
        wait_until(
            lambda server=server: (
                {one["price"] for one in installation.displays(server)} == {"1000.00"}
            ),
            seconds=3,
            what="the first feed",
        )
    end = time.monotonic() + SECONDS
    rounds = 0
    with Shoppers(installation, one_price=True) as shoppers:
        while time.monotonic() < end:
            rounds += 1
            changed = everything(
                1000 + rounds, more="train_market(market)" if rounds % 2 else "roll_back(market)"
            )
            assert changed > 20
    assert not shoppers.problems, shoppers.problems[:3]
    assert not shoppers.dropped
    assert shoppers.degraded == set()
    assert rounds >= 4
    assert shoppers.answers > 500
