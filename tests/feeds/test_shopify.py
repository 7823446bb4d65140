from __future__ import annotations

import csv
import io

import pytest

from depict_reco.feeds.readers.shopify import is_shopify, read_shopify
from depict_reco.feeds.readers.tables import read_table

COLUMNS = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Variant SKU",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Barcode",
    "Image Src",
    "Image Position",
    "Variant Image",
    "Status",
    "Google Shopping / Gender",
    "Color (product.metafields.shopify.color-pattern)",
]


def rows(*lines: dict[str, str]) -> list[dict[str, object]]:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    read = read_shopify(read_table(io.StringIO(text.getvalue(), newline="")))
    return [dict(row.values) for row in read]


SHIRT = {
    "Handle": "shirt",
    "Title": "Shirt",
    "Body (HTML)": "<p>Soft &amp; <b>blue</b></p>",
    "Vendor": "Acme",
    "Type": "Shirts",
    "Tags": "men, new",
    "Published": "true",
    "Option1 Name": "Size",
    "Option1 Value": "S",
    "Variant Price": "50",
    "Variant Inventory Tracker": "shopify",
    "Variant Inventory Qty": "2",
    "Variant Inventory Policy": "deny",
    "Image Src": "https://img/1",
    "Image Position": "1",
}


def test_the_variants_of_a_product_are_products_of_one_group():
    small, large = rows(
        SHIRT | {"Variant SKU": "SH-S", "Variant Barcode": "'123", "Google Shopping / Gender": "x"},
        {"Handle": "shirt", "Option1 Value": "L", "Variant Price": "60", "Variant Image": "v"}
        | {"Image Src": "https://img/3", "Image Position": "3"},
        {"Handle": "shirt", "Image Src": "https://img/2", "Image Position": "2"},
    )
    images = ["https://img/1", "https://img/2", "https://img/3"]
    assert small == {
        "item_group_id": "shirt",
        "title": "Shirt",
        "description": "Soft & blue",
        "brand": "Acme",
        "category_ids": ["Shirts"],
        "image_url": images,
        "page_url": "/products/shirt",
        "active": True,
        "tags": ["men", "new"],
        "gender": "x",
        "product_id": "SH-S",
        "sku": "SH-S",
        "quantity": "2",
        "price": "50",
        "original_price": "",
        "gtin": "123",
        "size": "S",
    }
    assert large["product_id"] == "shirt:L"
    assert large["title"] == "Shirt"
    assert large["image_url"] == ["v", *images]
    assert (large["price"], large["size"], large["availability"]) == ("60", "L", True)


def test_a_sku_that_several_variants_share_is_no_product_id():
    first = SHIRT | {"Variant SKU": "X"}
    second = {"Handle": "shirt", "Option1 Value": "L", "Variant SKU": "X", "Variant Price": "1"}
    assert [(row["product_id"], row["sku"]) for row in rows(first, second)] == [
        ("shirt:S", "X"),
        ("shirt:L", "X"),
    ]


def test_a_product_without_variants_is_named_by_its_handle():
    plain = SHIRT | {"Option1 Name": "Title", "Option1 Value": "Default Title"}
    (row,) = rows(plain)
    assert row["product_id"] == "shirt"
    assert "title" in row
    assert "size" not in row


@pytest.mark.parametrize(
    ("change", "active"),
    [
        ({}, True),
        ({"Published": "false"}, False),
        ({"Published": ""}, True),
        ({"Status": "draft"}, False),
        ({"Status": "archived"}, False),
        ({"Status": "active"}, True),
    ],
)
def test_what_is_not_published_is_not_active(change, active):
    assert rows(SHIRT | change)[0]["active"] is active


def stock(*lines: dict[str, str]) -> list[tuple[object, object]]:
    return [(row.get("quantity"), row.get("availability")) for row in rows(*lines)]


def test_stock_that_is_tracked():
    none = SHIRT | {"Variant Inventory Qty": "0"}
    assert stock(none) == [("0", None)]
    assert stock(none | {"Variant Inventory Policy": "continue"}) == [("0", "in stock")]
    assert stock(none | {"Variant Inventory Qty": ""}) == [(None, True)]


def test_stock_that_is_not_tracked():
    untracked = SHIRT | {"Variant Inventory Tracker": "", "Variant Inventory Qty": "0"}
    other = untracked | {"Handle": "other"}
    assert stock(untracked, other) == [(None, True), (None, True)]
    # Quantities that somebody keeps all the same do count.
    assert stock(untracked, other | {"Variant Inventory Qty": "3"}) == [("0", None), ("3", None)]


def test_a_metafield_is_an_attribute():
    name = "Color (product.metafields.shopify.color-pattern)"
    assert rows(SHIRT | {name: "blue"})[0]["color"] == "blue"


def test_broken_rows_pass_through_and_columns_stay_within_reach():
    text = "Handle,Title,Variant Price,SEO Title\na,A,1,seo\nb,B\nc,C,3,\n"
    first, broken, last = read_shopify(read_table(io.StringIO(text)))
    ids = [row.values.get("product_id") for row in (first, broken, last)]
    assert sorted(map(str, ids)) == ["None", "a", "c"]
    assert [row.line for row in (first, broken, last) if row.reason] == [3]
    seo = [row.unread.get("seo title") for row in (first, broken, last)]
    assert "seo" in seo


@pytest.mark.parametrize(
    ("header", "shopify"),
    [
        ("Handle,Title,Variant Price", True),
        ('"Handle";"Option1 Name"', True),
        ("Title,URL handle,Variant price", True),
        ("handle,title,price", False),
        ("id,variant price", False),
    ],
)
def test_exports_of_shopify_are_known_by_their_header(header, shopify):
    assert is_shopify(header) is shopify
