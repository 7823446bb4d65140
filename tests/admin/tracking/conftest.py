"""A market with a catalogue, and short ways to let events happen there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from depict_reco.admin.tracking.findings import Finding
from depict_reco.admin.tracking.page import findings_of
from depict_reco.admin.tracking.sample import take_sample
from depict_reco.models import Event, Market, Product, RecommendationType, Tenant
from depict_reco.serving.tracking import recommendation_ids

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def market(db) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    market = Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")
    Product.objects.create(
        market=market, product_id="pot", sku="SKU-1", item_group_id="pots", title="Teapot"
    )
    return market


@pytest.fixture
def kind(market) -> RecommendationType:
    return RecommendationType.objects.create(
        tenant=market.tenant, name="similar", kind="product", strategy="substitutes"
    )


@pytest.fixture
def happen(market) -> Callable[..., Event]:
    """Store an event of a while ago that arrived at once."""

    def store(type_: str, *, ago: float = 60, late: float = 1, **values) -> Event:
        time = NOW - timedelta(seconds=ago)
        values = {"session_id": "s1", "market": market, **values}
        return Event.objects.create(
            tenant=values["market"].tenant,
            type=type_,
            time=time,
            received_at=time + timedelta(seconds=late),
            deduplication_id=str(Event.objects.count()),
            **values,
        )

    return store


@pytest.fixture
def found(market) -> Callable[[], dict[str, Finding]]:
    """Return the findings about the market by their codes."""
    return lambda: {one.code: one for one in findings_of(take_sample(market, now=NOW))}


def id_of(product: Product, kind: RecommendationType, *, position: int = 0) -> str:
    """Return a recommendation id as an answer would have had it."""
    ids = recommendation_ids([product.pk] * (position + 1), type_pk=kind.pk, now=NOW)
    return ids[position]
