"""Where the fields of an event stand in tables and in nested objects."""

from __future__ import annotations

import pytest

from depict_reco.events.layouts import DocumentLayout, TableLayout
from depict_reco.events.names import FIELDS, IGNORED_TYPES, TYPES, field_of, plain, read_type
from depict_reco.exceptions import EventImportError


def columns(header: str, **mapping: str) -> dict[str, str]:
    names = header.split(",")
    layout = TableLayout(names, mapping=mapping)
    return {field: names[place] for field, place in layout.columns.items()}


def documents(document: dict, **mapping: str) -> list[dict]:
    read = DocumentLayout(mapping=mapping).reader({})
    return [
        {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
        for values in read(document)
        if values is not None
    ]


def test_no_name_is_claimed_by_two_fields_or_types():
    names = [plain(name) for names in FIELDS.values() for name in set(map(plain, names))]
    assert len(names) == len(set(names))
    types = [name for names in (*TYPES.values(), IGNORED_TYPES) for name in set(map(plain, names))]
    assert len(types) == len(set(types))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            {
                "transaction_id": "InvoiceNo",
                "product_id": "StockCode",
                "quantity": "Quantity",
                "timestamp": "InvoiceDate",
                "price": "UnitPrice",
                "user_id": "CustomerID",
            },
        ),
        (
            "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
            {
                "transaction_id": "Invoice",
                "product_id": "StockCode",
                "quantity": "Quantity",
                "timestamp": "InvoiceDate",
                "price": "Price",
                "user_id": "Customer ID",
            },
        ),
        (
            "SessionId,ItemId,Time,split",
            {"session_id": "SessionId", "product_id": "ItemId", "timestamp": "Time"},
        ),
        (
            "Name,Email,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku",
            {
                "timestamp": "Created at",
                "quantity": "Lineitem quantity",
                "price": "Lineitem price",
                "sku": "Lineitem sku",
            },
        ),
        ("session,pos,item,split", {"session_id": "session", "product_id": "item"}),
        (
            "timestamp,visitorid,event,itemid,transactionid",
            {
                "timestamp": "timestamp",
                "visitor_id": "visitorid",
                "type": "event",
                "product_id": "itemid",
                "transaction_id": "transactionid",
            },
        ),
        (
            "event_time,event_type,product_id,category_id,brand,price,user_id,user_session",
            {
                "timestamp": "event_time",
                "type": "event_type",
                "product_id": "product_id",
                "price": "price",
                "user_id": "user_id",
                "session_id": "user_session",
            },
        ),
        (
            "event_date,event_timestamp,event_name,user_pseudo_id,ga_session_id,"
            "ecommerce.transaction_id,items.item_id,items.price,items.quantity",
            {
                "timestamp": "event_timestamp",
                "type": "event_name",
                "visitor_id": "user_pseudo_id",
                "ga_session_id": "ga_session_id",
                "transaction_id": "ecommerce.transaction_id",
                "product_id": "items.item_id",
                "price": "items.price",
                "quantity": "items.quantity",
            },
        ),
    ],
)
def test_headers_of_common_exports_are_known(header, expected):
    assert columns(header) == expected


def test_every_canonical_name_is_known():
    assert columns(",".join(FIELDS)) == {name: name for name in FIELDS}


def test_a_mapping_goes_before_what_is_known():
    header = "session,item,buyer,product_id"
    assert columns(header, user_id="BUYER", product_id="item") == {
        "session_id": "session",
        "product_id": "item",
        "user_id": "buyer",
    }
    assert columns(header, session_id="", user_id="buyer") == {
        "product_id": "product_id",
        "user_id": "buyer",
    }


def test_of_two_columns_of_a_name_the_first_counts():
    assert TableLayout(["user", "item", "item"], mapping={}).columns["product_id"] == 1
    layout = TableLayout(["user", "x", "x"], mapping={"sku": "x"})
    assert layout.columns["sku"] == 1


@pytest.mark.parametrize(
    ("header", "mapping", "reason"),
    [
        ("a,b", {}, "No column says the product. .*the columns are: a, b"),
        ("item_id,price", {}, "No column says who did it"),
        ("item_id,user_id", {"sku": "code"}, "no column 'code'; there are: item_id, user_id"),
        ("item_id,user_id", {"colour": "item_id"}, "no field colour; they have timestamp, type"),
    ],
)
def test_tables_that_cannot_be_events(header, mapping, reason):
    with pytest.raises(EventImportError, match=reason):
        TableLayout(header.split(","), mapping=mapping)


def test_filters_name_a_column_that_is_there():
    layout = TableLayout(["user", "item", "Country"], mapping={})
    read = layout.reader({"country": {"EIRE", "Germany"}})
    assert [read(["u", "i", c])[0] is None for c in ("EIRE", "Germany ", "Spain", None)] == [
        False, False, True, True,
    ]  # fmt: skip
    with pytest.raises(EventImportError, match="no column 'land'"):
        layout.reader({"land": {"x"}})


def test_google_retail_user_events():
    assert documents(
        {
            "eventType": "detail-page-view",
            "visitorId": "v1",
            "eventTime": "2022-02-23T10:27:42+00:00",
            "userInfo": {"userId": "u1", "userAgent": "x"},
            "productDetails": [
                {
                    "product": {
                        "id": "GG1",
                        "type": "VARIANT",
                        "priceInfo": {"price": 5, "currencyCode": "USD"},
                    },
                    "quantity": 3,
                },
                {"product": {"id": "GG2"}},
            ],
            "purchaseTransaction": {"id": "T1", "revenue": 100, "currencyCode": "EUR"},
        }
    ) == [
        {
            "type": "detail-page-view",
            "visitor_id": "v1",
            "user_id": "u1",
            "timestamp": "2022-02-23T10:27:42+00:00",
            "product_id": product,
            "transaction_id": "T1",
        }
        | more
        for product, more in (
            ("GG1", {"quantity": 3, "price": 5, "currency": "USD"}),
            ("GG2", {"currency": "EUR"}),
        )
    ]


def test_ga4_purchases_as_bigquery_exports_them():
    assert documents(
        {
            "event_date": "20210131",
            "event_timestamp": "1612069510766593",
            "event_name": "purchase",
            "event_params": [
                {"key": "currency", "value": {"string_value": "EUR", "int_value": None}},
                {"key": "ga_session_id", "value": {"string_value": None, "int_value": "77"}},
                {"key": "page_title", "value": {"string_value": "Thanks"}},
            ],
            "user_pseudo_id": "1.2",
            "user_id": None,
            "user_ltv": {"revenue": 1, "currency": "USD"},
            "device": {"category": "mobile"},
            "ecommerce": {"transaction_id": "T9", "total_item_quantity": 3},
            "items": [
                {"item_id": "A", "item_name": "Mug", "price": 5.0, "quantity": "2"},
                {"item_id": "B", "price": 7, "quantity": 1},
            ],
        }
    ) == [
        {
            "timestamp": "1612069510766593",
            "type": "purchase",
            "visitor_id": "1.2",
            "ga_session_id": "77",
            "currency": "EUR",
            "transaction_id": "T9",
        }
        | item
        for item in (
            {"product_id": "A", "price": 5.0, "quantity": "2"},
            {"product_id": "B", "price": 7, "quantity": 1},
        )
    ]


def test_ga4_purchases_as_the_browser_sends_them():
    assert documents(
        {
            "event": "purchase",
            "ecommerce": {
                "transaction_id": "T1",
                "currency": "SEK",
                "items": [{"item_id": "A", "price": 5}, {"item_id": "B", "price": 6}],
            },
        }
    ) == [
        {
            "type": "purchase",
            "transaction_id": "T1",
            "currency": "SEK",
            "product_id": product,
            "price": price,
        }
        for product, price in (("A", 5), ("B", 6))
    ]


def test_the_wires_own_events():
    body = {
        "tenant": "acme",
        "market": "se",
        "events": [
            {
                "event_type": "purchase",
                "dsid": "s1",
                "transaction_id": "T1",
                "currency": "SEK",
                "products": [{"sku": "A-1", "price": 5, "quantity": 1}, {"sku": "B-1"}],
            },
            {"type": "page_view", "product_id": "A", "session_id": "s1"},
        ],
    }
    shared = {"type": "purchase", "session_id": "s1", "transaction_id": "T1", "currency": "SEK"}
    assert documents(body) == [
        shared | {"sku": "A-1", "price": 5, "quantity": 1},
        shared | {"sku": "B-1"},
        {"type": "page_view", "product_id": "A", "session_id": "s1"},
    ]


def test_sessions_with_their_events_inside():
    assert documents({"session": 1, "events": [{"aid": 5, "ts": 1659304800025, "type": "clicks"}]})[
        0
    ] == {"session_id": 1, "product_id": 5, "timestamp": 1659304800025, "type": "clicks"}


def test_a_line_goes_before_its_order():
    assert documents({"user": "u", "product_id": "order", "items": [{"id": "line"}]}) == [
        {"user_id": "u", "product_id": "line"}
    ]


def test_keys_of_other_things_are_not_taken():
    assert documents(
        {
            "user": {"id": "u"},
            "device": {"id": "d", "type": "phone"},
            "product": {"id": "p", "type": "shoe", "date": "x"},
            "tags": ["a"],
            "ecommerce": {"id": "e"},
        }
    ) == [{"user_id": "u", "product_id": "p"}]


def test_mappings_of_nested_objects():
    document = {"who": {"mail": "a@b"}, "what": {"code": "A"}, "items": [{"ref": "x"}]}
    expected = [{"user_id": "a@b", "product_id": "x"}]
    assert documents(document, user_id="who.mail", product_id="ref") == expected
    assert documents(document, user_id="who.mail", product_id="items.ref") == expected
    assert documents({"item_id": "a", "user": "u"}, product_id="") == [{"user_id": "u"}]
    with pytest.raises(EventImportError, match="no field colour"):
        documents({}, colour="x")


def test_filters_of_nested_objects():
    read = DocumentLayout(mapping={}).reader({"geocountry": {"SE"}, "itemsbrand": {"X"}})
    document = {"geo": {"country": "SE"}, "items": [{"id": 1, "brand": "X"}, {"id": 2}]}
    assert [values is None for values in read(document)] == [False, True]
    assert [values is None for values in read({"geo": {"country": "NO"}})] == [True]


def test_depth_is_limited():
    document: dict = {"item_id": "a"}
    for _ in range(500):
        document = {"data": document}
    assert documents(document) == [{}]
    nested: dict = {"item_id": "a"}
    for _ in range(500):
        nested = {"items": [nested]}
    assert documents(nested) == [{}]


def test_names_are_compared_plainly():
    assert field_of(["Customer ID"]) == field_of(["customer_id"]) == field_of(["CUSTOMER-ID"])
    assert field_of(["data", "itemId"]) == field_of(["itemId"])
    assert field_of(["nothing"]) is None


def test_types():
    assert [read_type(name) for name in ("Add to Cart", "view_item", "BUY", "refund")] == [
        "add_to_cart", "page_view", "purchase", "return",
    ]  # fmt: skip
    assert read_type("search") == ""
    with pytest.raises(ValueError, match="'dance' is no known type"):
        read_type("dance")
    for name in TYPES:
        assert read_type(name) == name
