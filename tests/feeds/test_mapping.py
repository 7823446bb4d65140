from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from depict_reco.catalog.records import KEEP, Problem, ProductRecord
from depict_reco.exceptions import FeedError
from depict_reco.feeds.aliases import FIELDS, normalize
from depict_reco.feeds.mapping import Mapper, RowError
from depict_reco.feeds.readers.rows import Row


@pytest.fixture
def record(market):
    def record(values: dict[str, Any], *, full: bool = False, **options: Any) -> ProductRecord:
        mapping = options.pop("mapping", None)
        return Mapper(market, mapping=mapping, full=full).record(
            Row(line=2, values=values, **options)
        )

    return record


def problems(record, values, **options) -> list[Problem]:
    with pytest.raises(RowError) as caught:
        record(values, **options)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    "names", [("Product ID", "Title"), ("g:id", "g:title"), ("PRODUCT_ID", "product-name")]
)
def test_names_are_compared_without_case_blanks_and_prefix(record, names):
    made = record(dict(zip(names, ["1", "Shirt"], strict=True)))
    assert (made.product_id, made.title) == ("1", "Shirt")


@pytest.mark.parametrize("name", sorted({a for aliases in FIELDS.values() for a in aliases}))
def test_every_alias_is_known_as_it_is_compared(name):
    assert normalize(name.upper().replace("_", " ")) == normalize(name)


def test_a_product_that_is_described_says_everything(record):
    made = record({"id": "1", "title": "Shirt"})
    assert (made.description, made.brand, made.sku, made.item_group_id) == ("", "", "", "")
    assert (made.image_url, made.additional_image_urls, made.page_url) == ("", [], "")
    assert (made.attributes, made.texts, made.active, made.merge) == ({}, {}, True, False)
    assert (made.price, made.sale_price, made.in_stock, made.quantity) == (KEEP,) * 4
    assert (made.category_ids, made.currency, made.hidden) == (KEEP,) * 3


def test_a_row_without_title_says_what_it_says(record):
    made = record({"id": "1", "price": "5", "stock": "0", "colour": "red"})
    assert (made.title, made.description, made.brand, made.image_url) == (KEEP,) * 4
    assert (made.additional_image_urls, made.texts, made.active) == (KEEP,) * 3
    assert (made.price, made.sale_price) == (Decimal(5), None)
    assert (made.in_stock, made.quantity) == (False, 0)
    assert (made.attributes, made.merge) == ({"colour": "red"}, True)
    assert record({"id": "1", "price": "5"}, full=True).active is True


def test_an_empty_cell_empties_a_field(record):
    made = record({"id": "1", "brand": "", "price": "", "quantity": "", "category": ""})
    assert (made.brand, made.price, made.quantity, made.category_ids) == ("", None, None, [])
    assert made.in_stock is True


def test_an_empty_title_is_a_problem_and_no_title_is_none(record):
    (problem,) = record({"id": "1", "title": " "}).problems()
    assert problem == Problem(field="title", reason="is empty")
    assert record({"id": "1", "brand": "b"}).problems() == []
    assert record({"id": "1", "title": "", "name": "Shirt"}).title == "Shirt"


def test_the_id_is_needed(record):
    assert problems(record, {"title": "x"}) == [
        Problem(field="product_id", reason="is not in the feed")
    ]
    assert problems(record, {"id": " ", "title": "x"}) == [
        Problem(field="product_id", reason="is empty")
    ]
    assert record({"sku": "s", "title": "x"}).product_id == "s"
    assert record({"id": "", "sku": "s", "title": "x"}).product_id == "s"


def test_all_problems_of_a_row_are_told(record):
    found = problems(
        record, {"id": "1", "price": "x", "availability": "q", "quantity": "z", "active": "w"}
    )
    assert [problem.field for problem in found] == ["price", "availability", "quantity", "active"]


def test_a_row_that_could_not_be_read(record):
    assert problems(record, {}, reason="is broken") == [Problem(field="", reason="is broken")]


@pytest.mark.parametrize(
    ("values", "price", "sale_price"),
    [
        ({"price": "100"}, "100", None),
        ({"price": "100", "sale_price": "80"}, "100", "80"),
        ({"price": "100", "sale_price": ""}, "100", None),
        ({"price": "80", "original_price": "100"}, "100", "80"),
        ({"price": "80", "compare at price": ""}, "80", None),
        ({"price": "80", "list price": "0"}, "80", None),
        ({"price": "100", "original_price": "100", "sale_price": "80"}, "100", "80"),
        ({"original_price": "100", "sale_price": "80"}, "100", "80"),
        ({"original_price": "100"}, "100", None),
        ({"sale_price": "80"}, KEEP, "80"),
    ],
)
def test_prices(record, values, price, sale_price):
    made = record({"id": "1", **values})
    wanted = [Decimal(x) if isinstance(x, str) else x for x in (price, sale_price)]
    assert [made.price, made.sale_price] == wanted


def test_currencies(record):
    assert record({"id": "1", "price": "5 AUD", "currency": "SEK"}).currency == "AUD"
    assert record({"id": "1", "price": "5", "currency": "sek"}).currency == "SEK"
    assert record({"id": "1", "currency": ""}).currency == ""
    (problem,) = problems(record, {"id": "1", "currency": "kronor"})
    assert problem == Problem(field="currency", reason="'KRONOR' is no code of three letters")


@pytest.mark.parametrize(
    ("values", "in_stock", "quantity"),
    [
        ({"availability": "in stock"}, True, KEEP),
        ({"availability": "out of stock", "quantity": "5"}, False, 5),
        ({"availability": "in stock", "quantity": "0"}, True, 0),
        ({"availability": "", "quantity": "0"}, False, 0),
        ({"availability": ""}, True, KEEP),
        ({"quantity": "-2"}, False, -2),
        ({"quantity": ""}, True, None),
        ({"stock": "In stock"}, True, KEEP),
        ({"stock": "sold out"}, False, KEEP),
        ({"stock": "In stock", "availability": "no"}, False, KEEP),
    ],
)
def test_stock(record, values, in_stock, quantity):
    made = record({"id": "1", **values})
    assert (made.in_stock, made.quantity) == (in_stock, quantity)


def test_images_are_gathered(record):
    made = record(
        {"id": "1", "image_link": "https://a", "additional_image_link": ["https://b", "https://a"]}
    )
    assert (made.image_url, made.additional_image_urls) == ("https://a", ["https://b"])
    made = record({"id": "1", "images": [{"uri": "https://a"}, {"uri": "https://b"}]})
    assert (made.image_url, made.additional_image_urls) == ("https://a", ["https://b"])
    made = record({"id": "1", "image": "https://a"})
    assert (made.image_url, made.additional_image_urls) == ("https://a", KEEP)
    made = record({"id": "1", "additional_images": "https://a, https://b"})
    assert (made.image_url, made.additional_image_urls) == (KEEP, ["https://a", "https://b"])


def test_categories(record):
    assert record({"id": "1", "category ids": "a,b"}).category_ids == ["a", "b"]
    assert record({"id": "1", "category_ids": "a>b"}).category_ids == ["a>b"]
    made = record({"id": "1", "g:product_type": "A>B", "google_product_category": "9"})
    assert made.category_ids == ["A > B"]
    assert made.attributes == {"google_product_category": "9"}


def test_what_is_no_field_is_an_attribute(record):
    values = {
        "id": "1",
        "title": "x",
        "g:colour": " red ",
        "empty": "",
        "none": None,
        "zero": 0,
        "no": False,
        "list": [1, 2],
        "nothing": [],
    }
    assert record(values).attributes == {"colour": "red", "zero": 0, "no": False, "list": [1, 2]}


def test_attributes_may_come_together(record):
    assert record({"id": "1", "attributes": {"a": 1}, "b": "2"}).attributes == {"a": 1, "b": "2"}
    assert record({"id": "1", "custom_attributes": '{"a": 1}'}).attributes == {"a": 1}
    assert record({"id": "1", "attributes": "a, b"}).attributes == {"attributes": "a, b"}


@pytest.mark.parametrize(
    ("column", "locale"),
    [
        ("title_fi-FI", "fi-FI"),
        ("title:fi-FI", "fi-FI"),
        ("title[fi-FI]", "fi-FI"),
        ("Title fi_FI", "fi-FI"),
        ("title_fi", "fi-FI"),
        ("title_sv-FI", "sv-FI"),
        ("product name (sv-FI)", "sv-FI"),
    ],
)
def test_texts_per_locale_in_columns(record, column, locale):
    made = record({"id": "1", "title": "Skjorta", column: "Paita"})
    assert (made.title, made.texts, made.attributes) == (
        "Skjorta",
        {locale: {"title": "Paita"}},
        {},
    )


def test_a_language_of_several_locales_is_none(record):
    made = record({"id": "1", "title": "Skjorta", "title_sv": "x", "title_de": "y"})
    assert made.texts == {}
    assert made.attributes == {"title_sv": "x", "title_de": "y"}


def test_the_market_s_own_locale_is_the_product_s_text(record):
    made = record({"id": "1", "title_sv-SE": "Skjorta", "link[sv-SE]": "https://s"})
    assert (made.title, made.page_url) == ("Skjorta", "https://s")
    assert made.texts == {"sv-SE": {"title": "Skjorta", "page_url": "https://s"}}


def test_texts_per_locale_in_json(record):
    wanted = {"sv-SE": {"title": "Skjorta"}, "fi-FI": {"title": "Paita", "description": "Pehmeä"}}
    per_field = {
        "title": {"sv-SE": "Skjorta", "fi_FI": "Paita", "de-DE": "Hemd"},
        "description": {"fi-FI": "Pehmeä"},
    }
    for values in (per_field, {"texts": wanted}, {"texts": json.dumps(wanted)}):
        made = record({"id": "1", **values})
        assert (made.title, made.texts) == ("Skjorta", wanted)


def test_a_mapping_leads_to_other_columns(record):
    mapping = {"product_id": "nr", "title": "Namn", "attributes.color": "farg", "price": "p.amount"}
    values = {"Nr": "1", "namn": "Skjorta", "farg": "red", "id": "other", "p": {"amount": 5}}
    made = record(values, mapping=mapping)
    assert (made.product_id, made.title, made.price) == ("1", "Skjorta", Decimal(5))
    assert made.attributes == {"color": "red", "id": "other", "p": {"amount": 5}}


def test_a_mapped_column_still_serves_the_other_fields(record):
    made = record({"id": "1", "title": "x"}, mapping={"sku": "id"})
    assert (made.product_id, made.sku) == ("1", "1")


def test_a_column_that_nothing_else_reads_can_be_mapped(record):
    made = record(
        {"product_id": "1", "title": "x"}, mapping={"brand": "SEO Title"}, unread={"seo title": "b"}
    )
    assert made.brand == "b"


def test_a_mapping_of_what_is_not_there(record):
    with pytest.raises(FeedError, match=r"The feed has no column 'nr'; it has: id, title\."):
        record({"id": "1", "title": "x"}, mapping={"product_id": "nr"}, table=True)
    with pytest.raises(FeedError, match="There is no field 'titel' to map; there are: product_id"):
        record({}, mapping={"titel": "x"})
    with pytest.raises(FeedError, match="'title' is mapped to 5, which names no column"):
        record({}, mapping={"title": 5})


def test_google_retail(record):
    made = record(
        {
            "id": "1",
            "name": "projects/x/products/1",
            "title": "Pen",
            "brands": ["Acme", "Other"],
            "categories": ["Office > Pens"],
            "priceInfo": {"price": "16", "originalPrice": "45.0", "currencyCode": "USD"},
            "colorInfo": {"colors": ["Blue"]},
            "availability": "OUT_OF_STOCK",
            "availableQuantity": 3,
            "images": [{"uri": "https://a", "height": "1"}],
            "uri": "https://p",
            "retrievableFields": "x",
            "attributes": [
                {"key": "material", "value": {"text": ["Metal"]}},
                {"key": "year", "value": {"numbers": [2022.0]}},
            ],
        }
    )
    assert (made.title, made.brand, made.category_ids) == ("Pen", "Acme", ["Office > Pens"])
    assert (made.price, made.sale_price, made.currency) == (Decimal(45), Decimal(16), "USD")
    assert (made.in_stock, made.quantity) == (False, 3)
    assert (made.image_url, made.page_url) == ("https://a", "https://p")
    assert made.attributes == {"material": ["Metal"], "year": [2022.0], "colors": ["Blue"]}


def test_the_shape_of_depict_s_catalogue(record):
    made = record(
        {
            "product_id": "1",
            "item_group_id": "g",
            "main_product_id": "m",
            "transaction_product_id": "s",
            "image_urls": ["https://a", "https://b"],
            "category_ids": ["c"],
            "locale_attributes": [
                {"locale_id": "sv-SE", "title": "Skjorta", "color_name": "blå"},
                {"locale_id": "fi-FI", "title": "Paita", "description": "d"},
                {"locale_id": "xx", "title": "other"},
            ],
            "inventory_attributes": [
                {"inventory_id": "a", "in_stock": False, "quantity": 0},
                {"inventory_id": "b", "in_stock": True, "quantity": 4},
            ],
            "pricelist_attributes": [
                {"pricelist_id": "p", "sale_price": 80, "original_price": 100, "currency": "SEK"}
            ],
            "inactive": True,
            "custom_attributes": {"fit": "slim"},
        }
    )
    assert (made.title, made.sku, made.main_product_id) == ("Skjorta", "s", "m")
    assert (made.image_url, made.additional_image_urls) == ("https://a", ["https://b"])
    assert made.texts == {
        "sv-SE": {"title": "Skjorta"},
        "fi-FI": {"title": "Paita", "description": "d"},
    }
    assert (made.price, made.sale_price, made.currency) == (Decimal(100), Decimal(80), "SEK")
    assert (made.in_stock, made.quantity, made.active) == (True, 4, False)
    assert made.attributes == {"fit": "slim", "color_name": "blå"}


def test_rows_of_many_shapes_do_not_fill_the_memory(market):
    mapper = Mapper(market)
    for number in range(2500):
        mapper.record(Row(line=1, values={"id": "1", f"x{number}": "y"}))
    assert len(mapper._plans) <= 1000
