"""A shop with counters of two days, and the same two days of the period before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from depict_reco.models import (
    DailyCounter,
    Market,
    RecommendationType,
    Rollup,
    ServedCount,
    Tenant,
)

LAST = date(2026, 5, 10)
DAYS = {"start": "2026-05-09", "end": "2026-05-10"}


@pytest.fixture
def market(db) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")


@pytest.fixture
def rollup(market) -> Rollup:
    at = datetime(2026, 5, 10, 12, tzinfo=UTC)
    return Rollup.objects.create(live=True, time_zone="Europe/Stockholm", advanced_at=at)


@pytest.fixture
def kind(market) -> RecommendationType:
    return RecommendationType.objects.create(
        tenant=market.tenant, name="similar", kind="product", strategy="substitutes"
    )


@pytest.fixture
def count(market, rollup, kind):
    """Store a counter of some days ago."""

    def store(ago: int = 0, **values) -> DailyCounter:
        values = {
            "market": market,
            "type_pk": kind.pk,
            "type_name": "similar",
            "position": 1,
            "currency": "SEK",
            **values,
        }
        return DailyCounter.objects.create(rollup=rollup, day=LAST - timedelta(days=ago), **values)

    return store


@pytest.fixture
def figures(market, kind, count):
    """Return nothing; there are 4,000 seen and 200 clicked now, and 4,000 and 100 before."""
    for ago, clicks in ((0, 120), (1, 80), (2, 60), (3, 40)):
        count(ago, visible=2000, clicks=clicks, direct_carts=clicks // 4)
        ServedCount.objects.create(
            market=market, day=LAST - timedelta(days=ago), type_pk=kind.pk, type_name="similar",
            position=1, served=3000,
        )  # fmt: skip
    count(0, direct_orders=10, direct_revenue=Decimal(1000), assisted_revenue=Decimal("50.5"),
          position=2)  # fmt: skip
    count(0, type_pk=0, type_name="", position=0, other_orders=40,
          other_revenue=Decimal("8949.5"))  # fmt: skip
