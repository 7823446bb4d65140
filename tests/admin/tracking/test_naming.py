from __future__ import annotations

import uuid

import pytest

from depict_reco.admin.tracking.findings import Level
from depict_reco.models import Market, Product, RecommendationType, Tenant
from tests.admin.tracking.conftest import id_of


def test_nothing_is_wrong_with_what_is_known(market, kind, happen, found):
    pot = Product.objects.get()
    happen("page_view", product_id="pot")
    happen("element_visible", recommendation_id=id_of(pot, kind))
    happen("click", recommendation_id=id_of(pot, kind), product_id="pot")
    happen("add_to_cart", product_id="pot")
    happen("purchase", product_id="pot", sku="SKU-1", transaction_id="o1")
    assert found() == {}


def test_events_without_a_catalogue(market, happen, found):
    Product.objects.all().delete()
    happen("page_view", product_id="pot")
    assert list(found()) == ["no_catalogue"]


def test_unknown_products_are_told_apart_by_what_they_seem_to_be(market, happen, found):
    norway = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb"
    )
    Product.objects.create(market=norway, product_id="cup", title="Cup")
    for name in ("pots", "SKU-1", "cup", "what", "what", "else"):
        happen("page_view", product_id=name)
    findings = found()

    assert findings["group_ids"].examples == ("pots",)
    assert findings["group_ids"].title == "1 events name an item group instead of a product."
    assert findings["sku_as_id"].examples == ("SKU-1",)
    assert findings["other_market"].examples == ("cup",)
    assert "products of no." in findings["other_market"].advice
    assert findings["unknown_products"].examples == ("else", "what")
    assert findings["unknown_products"].title.startswith("3 of 6 events name products")
    assert len(findings) == 4


def test_products_of_another_tenant_are_not_told(market, happen, found):
    other = Tenant.objects.create(slug="rival", name="Rival")
    theirs = Market.objects.create(tenant=other, slug="se", currency="SEK", default_locale="sv")
    Product.objects.create(market=theirs, product_id="cup", title="Cup")
    happen("page_view", product_id="cup")
    assert list(found()) == ["unknown_products"]


@pytest.mark.parametrize(
    ("known", "level"), [(0, Level.ERROR), (19, Level.WARNING), (99, Level.NOTE)]
)
def test_few_unknown_products_matter_less(market, happen, found, known, level):
    happen("page_view", product_id="what")
    for _ in range(known):
        happen("page_view", product_id="pot")
    assert found()["unknown_products"].level == level


def test_skus_of_purchases_that_are_not_in_the_catalogue(market, happen, found):
    happen("page_view", product_id="pot")
    happen("purchase", sku="SKU-1", product_id="pot", transaction_id="o1")
    happen("purchase", sku="SKU-9", transaction_id="o1")
    finding = found()["unknown_skus"]

    assert finding.title == "1 of 2 purchases name SKUs that the catalogue does not have."
    assert finding.examples == ("SKU-9",)


@pytest.mark.parametrize(
    ("text", "cause"),
    [(str(uuid.UUID(int=7)), "SECRET_KEY"), ("pot", "data-recommendation-id")],
)
def test_ids_that_are_not_genuine(market, happen, found, text, cause):
    happen("page_view", product_id="pot")
    happen("element_visible", recommendation_id=text)
    finding = found()["unreadable_ids"]

    assert finding.examples == (text,)
    assert cause in finding.advice


def test_ids_of_another_tenant_are_said_to_be_so(market, happen, found):
    other = Tenant.objects.create(slug="rival", name="Rival")
    theirs = Market.objects.create(tenant=other, slug="se", currency="SEK", default_locale="sv")
    cup = Product.objects.create(market=theirs, product_id="cup", title="Cup")
    kind = RecommendationType.objects.create(
        tenant=other, name="similar", kind="product", strategy="substitutes"
    )
    happen("page_view", product_id="pot")
    happen("element_visible", recommendation_id=id_of(cup, kind))
    assert found()["other_tenant_ids"].level == Level.ERROR


def test_ids_of_another_market_are_said_to_be_so(market, kind, happen, found):
    norway = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb"
    )
    cup = Product.objects.create(market=norway, product_id="cup", title="Cup")
    happen("page_view", product_id="pot")
    happen("element_visible", recommendation_id=id_of(cup, kind))
    assert "other_market_ids" in found()
