"""Products over the management API: lists and filters, single ones, bulk."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from depict_reco.models import Category, Market, Product
from tests.api.management.conftest import ROOT

URL = f"{ROOT}/products"


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["product_id"] for row in answer.json()["results"]]


def catalog_revision(market: Market) -> int:
    return Market.objects.get(pk=market.pk).catalog_revision


def test_a_product_as_it_is_shown(acme, api):
    product = acme.rows["products"]
    Product.objects.filter(pk=product.pk).update(
        sale_price="79.9", quantity=3, attributes={"colour": "blue"}, brand="Kettle & Co"
    )
    product.refresh_from_db()

    assert api.get(acme.url("products")).json() == {
        "id": product.pk,
        "tenant": "acme",
        "market": "se",
        "product_id": "pot",
        "sku": "",
        "item_group_id": "",
        "main_product_id": "",
        "title": "Teapot",
        "description": "",
        "brand": "Kettle & Co",
        "category_ids": ["tea"],
        "price": "99.5000",
        "sale_price": "79.9000",
        "currency": "",
        "image_url": "",
        "additional_image_urls": [],
        "page_url": "",
        "in_stock": True,
        "quantity": 3,
        "attributes": {"colour": "blue"},
        "texts": {},
        "hidden": False,
        "active": True,
        "first_seen_at": product.first_seen_at.isoformat().replace("+00:00", "Z"),
        "updated_at": product.updated_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.fixture
def shelf(acme) -> None:
    fi = Market.objects.create(
        tenant=acme.tenant, slug="fi", currency="EUR", default_locale="fi-FI"
    )
    rows = [
        {"product_id": "a/b", "title": "Blue Cup", "brand": "Kettle", "price": 10, "sku": "S-1"},
        {"product_id": "☕", "title": "Red cup", "price": 20, "sale_price": 12, "in_stock": False},
        {"product_id": " c", "title": "Spoon", "price": None, "hidden": True},
        {"product_id": "d", "title": "Tray", "price": 30, "active": False, "item_group_id": "g"},
    ]
    for row in rows:
        Product.objects.create(market=acme.market, **row)
    Product.objects.create(market=fi, product_id="d", title="Tarjotin", price=3)
    Product.objects.filter(product_id="pot").update(updated_at=timezone.now() - timedelta(days=9))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["pot", "a/b", "☕", " c", "d", "d"]),
        ({"market": "se"}, ["pot", "a/b", "☕", " c", "d"]),
        ({"market": "fi"}, ["d"]),
        ({"market": "no"}, []),
        ({"tenant": "acme", "market": "fi"}, ["d"]),
        ({"product_id": "a/b"}, ["a/b"]),
        ({"product_id": "☕"}, ["☕"]),
        ({"product_id": " c"}, [" c"]),
        ({"sku": "S-1"}, ["a/b"]),
        ({"item_group_id": "g"}, ["d"]),
        ({"category": "tea"}, ["pot"]),
        ({"brand": "KETTLE"}, ["a/b"]),
        ({"price_min": "12"}, ["pot", "☕", "d"]),
        ({"price_max": "12.00"}, ["a/b", "☕", "d"]),
        ({"price_min": "10", "price_max": "20", "market": "se"}, ["a/b", "☕"]),
        ({"in_stock": "false"}, ["☕"]),
        ({"in_stock": "true", "market": "fi"}, ["d"]),
        ({"hidden": "true"}, [" c"]),
        ({"active": "false"}, ["d"]),
        ({"q": "cup"}, ["a/b", "☕"]),
        ({"q": "S-1"}, ["a/b"]),
        ({"q": "a/b"}, ["a/b"]),
        ({"q": "cup", "price_max": "11"}, ["a/b"]),
        ({"updated_since": "2000-01-01T00:00:00Z", "q": "teapot"}, ["pot"]),
        ({"unknown": "ignored", "q": "tray"}, ["d"]),
    ],
)
def test_filters(acme, api, shelf, query, expected):
    assert ids(api.get(URL, query)) == expected


def test_updated_since(acme, api, shelf):
    since = (timezone.now() - timedelta(days=1)).isoformat()

    assert ids(api.get(URL, {"updated_since": since})) == ["a/b", "☕", " c", "d", "d"]


@pytest.mark.parametrize(
    "query",
    [
        {"price_min": "cheap"}, {"price_min": "-1"}, {"price_max": "1e99"}, {"price_max": "NaN"},
        {"in_stock": "maybe"}, {"updated_since": "yesterday"}, {"q": "a\0b"},
        {"updated_since": "0001-01-01T00:00:00+14:00"},
        {"updated_since": "9999-12-31T23:59:59-14:00"},
        {"page_size": "0"}, {"page_size": "1001"}, {"page_size": "-1"}, {"page_size": "²"},
        {"page_size": "9" * 99}, {"page_size": ""},
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_refused(acme, api, query):
    answer = api.get(URL, query)

    assert (answer.status_code, list(answer.json())) == (400, list(query))


def test_pages_by_cursor_show_each_row_once(acme, api, shelf):
    seen, url = [], f"{URL}?page_size=4"
    while url:
        page = api.get(url).json()
        assert len(page["results"]) <= 4
        seen += [row["product_id"] for row in page["results"]]
        url = page["next"]

    assert seen == ["pot", "a/b", "☕", " c", "d", "d"]


@pytest.mark.parametrize(
    "cursor", ["x", "cD1hYmM=", "cD0x", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", ""]
)
def test_a_cursor_that_is_none_of_ours_breaks_nothing(acme, api, cursor):
    # "p=abc", "p=1" and a position larger than any key
    assert api.get(URL, {"cursor": cursor}).status_code in (200, 404)


@pytest.mark.parametrize(
    "pk", ["0", "999999999999999999", "9" * 30, "-1", "abc", "²", "1.0", "%20"]
)
def test_an_id_that_there_is_not(acme, api, pk):
    answer = api.get(f"{URL}/{pk}")

    assert (answer.status_code, answer.json().keys()) == (404, {"detail"})


def test_a_change_goes_to_serving_and_keeps_the_rest(acme, api):
    before = catalog_revision(acme.market)

    answer = api.patch(
        acme.url("products"),
        {"price": 80, "sale_price": "70.5", "hidden": True, "category_ids": ["Kitchen > Pots"]},
    )

    assert answer.status_code == 200
    assert answer.json()["sale_price"] == "70.5000"
    assert answer.json()["category_ids"] == ["Kitchen > Pots"]
    product = Product.objects.get()
    assert (product.title, product.price, product.hidden) == ("Teapot", Decimal(80), True)
    assert product.revision == catalog_revision(acme.market) == before + 1
    assert Category.objects.get(category_id="Kitchen > Pots").parent.category_id == "Kitchen"


def test_a_change_of_nothing_changes_nothing(acme, api):
    before = catalog_revision(acme.market)

    assert api.patch(acme.url("products"), {"title": "Teapot"}).status_code == 200
    assert api.patch(acme.url("products"), {}).status_code == 200
    assert catalog_revision(acme.market) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"price": -1}, "price"),
        ({"price": "NaN"}, "price"),
        ({"quantity": 2**70}, "quantity"),
        ({"currency": "kr"}, "currency"),
        ({"attributes": {"a": "\0"}}, "attributes"),
        ({"attributes": [1]}, "attributes"),
        ({"texts": {"sv-SE": {"title": "\0"}}}, "texts"),
        ({"texts": {"sv-SE": "Kanna"}}, "texts"),
        ({"image_url": "a\0"}, "image_url"),
        ({"category_ids": [""]}, "category_ids"),
        ({"availability": "perhaps"}, "availability"),
        ({"colour": "blue"}, "colour"),
        ({"product_id": "other"}, "product_id"),
    ],
)
def test_changes_that_cannot_be(acme, api, body, field):
    answer = api.patch(acme.url("products"), body)

    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_deleting_a_product_is_told_to_serving(acme, api):
    before = catalog_revision(acme.market)

    assert api.delete(acme.url("products")).status_code == 204

    market = Market.objects.get(pk=acme.market.pk)
    assert market.deletion_revision == market.catalog_revision == before + 1


def test_bulk_says_of_each_row_what_became_of_it(acme, api):
    rows = [
        {"product_id": "a/b ☕", "title": "Cup", "price": "9.90", "availability": "out of stock"},
        {"product_id": "pot", "price": 50, "attributes": {"colour": "blue"}},
        {"product_id": "pot2"},
        {"product_id": "bad", "title": "Bad", "price": "ten"},
        {"title": "No id"},
        "not a row",
        None,
        {"product_id": "nul", "title": "a\0b"},
        {"product_id": "typo", "title": "x", "colour": "blue"},
        {"product_id": "a/b ☕", "title": "Twice"},
        {"product_id": 7, "title": "Number"},
    ]
    answer = api.post(f"{URL}/bulk", {"market": "se", "products": rows})

    assert answer.status_code == 200
    body = answer.json()
    assert {name: body[name] for name in ("created", "updated", "unchanged", "rejected")} == {
        "created": 2, "updated": 1, "unchanged": 0, "rejected": 8,
    }  # fmt: skip
    results = body["results"]
    assert [result["index"] for result in results] == list(range(11))
    assert [(r["product_id"], r["status"]) for r in results] == [
        ("a/b ☕", "created"), ("pot", "updated"), ("pot2", "rejected"), ("bad", "rejected"),
        ("", "rejected"), ("", "rejected"), ("", "rejected"), ("nul", "rejected"),
        ("typo", "rejected"), ("a/b ☕", "rejected"), ("7", "created"),
    ]  # fmt: skip
    assert [[error["field"] for error in result["errors"]] for result in results] == [
        [], [], ["title"], ["price"], ["product_id"], [""], [""], ["title"], ["colour"],
        ["product_id"], [],
    ]  # fmt: skip
    cup = Product.objects.get(product_id="a/b ☕")
    assert (cup.title, cup.price, cup.in_stock) == ("Cup", Decimal("9.9"), False)
    assert results[0]["id"] == cup.pk
    assert Product.objects.get(product_id="pot").title == "Teapot"


def test_the_same_bulk_twice_changes_nothing(acme, api):
    body = {"market": "se", "products": [{"product_id": "a", "title": "A", "price": "1.5"}]}
    api.post(f"{URL}/bulk", body)
    before = catalog_revision(acme.market)

    again = api.post(f"{URL}/bulk", body).json()

    assert (again["unchanged"], again["results"][0]["status"]) == (1, "unchanged")
    assert catalog_revision(acme.market) == before


@pytest.mark.parametrize("rows", [[], [{}] * 1001, {}, None, "x"])
def test_bulk_takes_one_to_a_thousand_rows(acme, api, rows):
    answer = api.post(f"{URL}/bulk", {"market": "se", "products": rows})

    assert (answer.status_code, list(answer.json())) == (400, ["products"])


def test_bulk_takes_a_thousand_rows_in_few_queries(acme, api, django_assert_max_num_queries):
    rows = [
        {"product_id": str(i), "title": f"Product {i}", "category_ids": ["tea"]}
        for i in range(1000)
    ]
    with django_assert_max_num_queries(60):
        answer = api.post(f"{URL}/bulk", {"market": "se", "products": rows})

    assert answer.json()["created"] == 1000


def test_bulk_delete(acme, api):
    Product.objects.create(market=acme.market, product_id="a/b", title="x")
    before = catalog_revision(acme.market)

    answer = api.post(
        f"{URL}/bulk-delete", {"market": "se", "product_ids": ["a/b", "none", "pot", "none", "a/b"]}
    )

    assert answer.json() == {"deleted": 2, "not_found": ["none"]}
    assert not Product.objects.exists()
    assert Market.objects.get(pk=acme.market.pk).deletion_revision > before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"market": "se", "product_ids": []}, "product_ids"),
        ({"market": "se", "product_ids": ["x"] * 1001}, "product_ids"),
        ({"market": "se", "product_ids": ["a\0"]}, "product_ids"),
        ({"market": "no", "product_ids": ["x"]}, "market"),
        ({"product_ids": ["x"]}, "market"),
    ],
)
def test_bulk_deletes_that_cannot_be(acme, api, body, field):
    answer = api.post(f"{URL}/bulk-delete", body)

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert Product.objects.count() == 1
