"""Real shops' feeds, read from the folder of data where there is one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from depict_reco.feeds.importer import import_products
from depict_reco.models import Category, Product

FEEDS = {
    "feeds/google_merchant_socks_au_251_variants.xml": (251, 0),
    "feeds/google_merch_store_products.jsonl": (316, 0),
    "feeds/google_products_some_invalid.jsonl": (2, 1),
    "feeds/shopify_apparel.csv": (22, 0),
    "feeds/shopify_home-and-garden.csv": (21, 0),
    "feeds/shopify_jewelery.csv": (23, 0),
    "amazon_cellphones_2014_relations.csv.gz": (10_429, 0),
    "myntra_catalogue.csv.gz": (12_491, 0),
}


@pytest.mark.parametrize("name", FEEDS)
def test_every_product_of_a_real_feed_is_taken_once(name, data, market):
    first = import_products(market, str(data / name))
    assert (first.status, first.created, first.rejected) == ("succeeded", *FEEDS[name])
    again = import_products(market, str(data / name))
    assert (again.changed, again.unchanged, again.rejected) == (False, *FEEDS[name])


def test_socks(data, market):
    import_products(market, str(data / "feeds/google_merchant_socks_au_251_variants.xml"))
    sock = Product.objects.get(product_id="222")
    assert sock.title.startswith("90 Percent Fine Merino Wool")
    assert (sock.item_group_id, sock.brand, sock.quantity) == ("123", "Humphrey Law", 3)
    assert (sock.price, sock.currency, sock.in_stock) == (Decimal("30.7"), "AUD", True)
    assert sock.page_url.endswith("?sku=49C-SM-CH&setCurrencyId=1")
    assert sock.attributes["colour"] == "Charcoal"
    assert [x.category_id for x in sock.categories.all()] == ["Socks > Bed Socks"]
    assert Category.objects.get(category_id="Socks").children.count() > 3
    assert Product.objects.get(product_id="394").in_stock is False


def test_jewellery(data, market):
    import_products(market, str(data / "feeds/shopify_jewelery.csv"))
    black = Product.objects.get(product_id="chain-bracelet:Black")
    assert (black.price, black.sale_price) == (Decimal("44.99"), Decimal("42.99"))
    assert (black.in_stock, black.item_group_id) == (False, "chain-bracelet")
    assert black.image_url.endswith("/7-chakra-bracelet_925x.jpg")
    assert len(black.additional_image_urls) == 1
    assert black.attributes == {"tags": ["Beads"], "color": "Black"}


def test_what_is_wrong_with_the_invalid_ones(data, market):
    result = import_products(market, str(data / "feeds/google_products_some_invalid.jsonl"))
    assert [(x.line, x.field, x.reason) for x in result.rejections] == [
        (1, "availability", "'INVALID_VALUE' is no word for an availability")
    ]


@pytest.mark.great
def test_a_great_catalogue(data, market):
    source = str(data / "hm_articles.csv.gz")
    result = import_products(market, source, full=True)
    assert (result.created, result.rejected) == (105_542, 0)
    product = Product.objects.get(product_id="108775015")
    assert (product.title, product.attributes["colour_group_name"]) == ("Strap top", "Black")
    assert [x.name for x in product.categories.all()] == ["Vest top"]
