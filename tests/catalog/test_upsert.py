"""The one write path of products."""

from __future__ import annotations

from decimal import Decimal

import pytest

from depict_reco.catalog.records import KEEP, ProductRecord
from depict_reco.catalog.upsert import RowStatus, deactivate_products, upsert_products
from depict_reco.models import Category, Market, Product, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(
        tenant=tenant, slug="se", name="Sweden", currency="SEK", default_locale="sv-SE"
    )


def shirt(**values: object) -> ProductRecord:
    given = {"product_id": "shirt-1", "title": "Blue shirt", "price": Decimal("100")} | values
    return ProductRecord(**given)  # type: ignore[arg-type]


def revision(market: Market) -> int:
    market.refresh_from_db()
    return market.catalog_revision


def test_creates_then_leaves_alone_then_updates(market: Market) -> None:
    first = upsert_products(market, [shirt(category_ids=["Clothes > Shirts", "new"])])
    product = Product.objects.get()
    assert [x.status for x in first.outcomes] == [RowStatus.CREATED]
    assert first.outcomes[0].pk == product.pk
    assert (product.title, product.price, product.active) == ("Blue shirt", Decimal(100), True)
    assert product.revision == revision(market) == 2
    assert set(product.categories.values_list("category_id", "name", "parent__category_id")) == {
        ("Clothes > Shirts", "Shirts", "Clothes"),
        ("new", "new", None),
    }

    again = upsert_products(market, [shirt(category_ids=["new", "Clothes > Shirts"])])
    assert [x.status for x in again.outcomes] == [RowStatus.UNCHANGED]
    assert revision(market) == 2

    third = upsert_products(market, [shirt(price=Decimal("90"), category_ids=["new"])])
    assert [x.status for x in third.outcomes] == [RowStatus.UPDATED]
    changed = Product.objects.get()
    assert (changed.pk, changed.price, changed.revision) == (product.pk, Decimal(90), 3)
    assert changed.first_seen_at == product.first_seen_at
    assert changed.updated_at > product.updated_at
    assert list(changed.categories.values_list("category_id", flat=True)) == ["new"]
