from __future__ import annotations

from decimal import Decimal

import pytest

from depict_reco.catalog.records import KEEP, CategoryRecord, Problem, ProductRecord


def problems(**values: object) -> list[tuple[str, str]]:
    given = {"product_id": "1", "title": "Shirt"} | values
    record = ProductRecord(**given)  # type: ignore[arg-type]
    return [(problem.field, problem.reason) for problem in record.problems()]


NUL = "contains a NUL character"
NOT_UNICODE = "is not valid Unicode (a wrong encoding, or half a surrogate pair)"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"product_id": "x" * 255, "title": "x" * 1000, "description": "x" * 100_000},
        {"product_id": "👕/Å", "attributes": {"å": ["👕", {"x": 1.5}], "n": None, "b": False}},
        {"price": Decimal(0), "sale_price": None, "quantity": -5},
        {"category_ids": [], "additional_image_urls": [], "texts": {}},
    ],
)
def test_what_can_be_stored(values):
    assert problems(**values) == []


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"product_id": ""}, "product_id", "is empty"),
        ({"title": ""}, "title", "is empty"),
        ({"product_id": "x" * 256}, "product_id", "is longer than 255 characters"),
        ({"sku": "x" * 256}, "sku", "is longer than 255 characters"),
        ({"brand": "x" * 256}, "brand", "is longer than 255 characters"),
        ({"title": "x" * 1001}, "title", "is longer than 1000 characters"),
        ({"currency": "EURO"}, "currency", "is longer than 3 characters"),
        ({"description": "a\0b"}, "description", NUL),
        ({"description": "a\ud800b"}, "description", NOT_UNICODE),
        ({"additional_image_urls": ["ok", "\0"]}, "additional_image_urls", NUL),
        ({"attributes": {"a": {"b": ["\udfff"]}}}, "attributes", NOT_UNICODE),
        ({"attributes": {"\0": 1}}, "attributes", NUL),
        ({"attributes": {"a": float("inf")}}, "attributes", "contains a number that is not finite"),
        ({"texts": {"sv": {"title": "\0"}}}, "texts", NUL),
        ({"price": Decimal("-1")}, "price", "is not between 0 and 9,999,999,999"),
        ({"price": Decimal("NaN")}, "price", "is not between 0 and 9,999,999,999"),
        ({"sale_price": Decimal(10) ** 10}, "sale_price", "is not between 0 and 9,999,999,999"),
        ({"quantity": 2**63}, "quantity", "is too large"),
    ],
)
def test_what_cannot_be_stored(values, field, reason):
    assert problems(**values) == [(field, reason)]


@pytest.mark.parametrize("ids", [[""], ["ok", "x" * 256]])
def test_ids_of_categories(ids):
    wanted = [("category_ids", "an id is empty or longer than 255 characters")]
    assert problems(category_ids=ids) == wanted


def test_depth_has_a_limit():
    value: object = 1
    for _ in range(21):
        value = [value]
    assert problems(attributes={"a": value}) == [("attributes", "is nested more than 20 deep")]


def test_several_problems_are_all_told():
    assert [field for field, _ in problems(product_id="", title="\0", price=Decimal(-1))] == [
        "title",
        "product_id",
        "price",
    ]


def test_what_describes_a_product():
    assert ProductRecord(product_id="1", brand="Acme").describes
    assert ProductRecord(product_id="1", category_ids=["a"]).describes
    assert not ProductRecord(product_id="1", price=Decimal(1), brand="", title=KEEP).describes
    assert repr(KEEP) == "KEEP"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, None),
        ({"parent_id": "b", "name": "x" * 255, "page_url": "x" * 5000}, None),
        ({"category_id": ""}, Problem(field="category_id", reason="is empty")),
        ({"parent_id": "a"}, Problem(field="parent_id", reason="is the category itself")),
        ({"name": "x" * 256}, Problem(field="name", reason="is longer than 255 characters")),
        ({"page_url": "\0"}, Problem(field="page_url", reason=NUL)),
    ],
)
def test_categories(values, problem):
    record = CategoryRecord(**({"category_id": "a"} | values))
    assert record.problems() == ([problem] if problem else [])
