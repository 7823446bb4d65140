from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.feeds import parsing


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("30.7 AUD", "30.7", "AUD"),
        ("AUD 30.70", "30.7", "AUD"),
        ("1 234,50", "1234.5", ""),
        ("1\xa0234,50 kr", "1234.5", ""),
        ("1\u202f234,50 €", "1234.5", "EUR"),
        ("1.234,50", "1234.5", ""),
        ("1,234.50", "1234.5", ""),
        ("1'234.50 CHF", "1234.5", "CHF"),
        ("1,234,567.89", "1234567.89", ""),
        ("1.234.567", "1234567", ""),
        ("1,234", "1234", ""),
        ("0,999", "0.999", ""),
        ("1.234", "1.234", ""),
        ("12,5", "12.5", ""),
        (".5", "0.5", ""),
        ("199:-", "199", ""),
        ("199,-", "199", ""),
        ("kr. 199", "199", ""),
        ("Rs. 1,999", "1999", ""),
        ("US$5", "5", "USD"),
        ("$5", "5", ""),
        ("€12,99", "12.99", "EUR"),
        ("£0.99", "0.99", "GBP"),
        ("zł 5", "5", "PLN"),
        ("0", "0", ""),
        ("9999999999", "9999999999", ""),
        ("1.00005", "1.0001", ""),
    ],
)
def test_a_price_in_words(text, amount, currency):
    assert parsing.as_price(text) == (Decimal(amount), currency)


@pytest.mark.parametrize("value", ["", "  ", None, [], [""]])
def test_no_price(value):
    assert parsing.as_price(value) == (None, "")


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (5, "5"),
        (0.1, "0.1"),
        ({"value": "3.50 EUR"}, "3.5"),
        ({"amount": 4}, "4"),
        (["7"], "7"),
        (Decimal("1.5"), "1.5"),
    ],
)
def test_a_price_of_json(value, amount):
    assert parsing.as_price(value)[0] == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    [
        "free",
        "-5",
        "-0.01",
        "10 - 20",
        "5 10",
        "1,234.567,8",
        "5 apples",
        "10000000000",
        "1e5",
        float("inf"),
        float("nan"),
        True,
    ],
)
def test_what_is_no_price(value):
    with pytest.raises(ValueError, match=r"price|number|negative|large"):
        parsing.as_price(value)


@given(
    amount=st.decimals(0, 999_999_999, places=2),
    style=st.sampled_from([(",", "."), (".", ","), (" ", ","), ("\xa0", ","), ("'", ".")]),
    currency=st.sampled_from(["", "SEK", "EUR", "USD"]),
    before=st.booleans(),
)
def test_every_way_to_write_an_amount_is_read(amount, style, currency, before):
    thousands, decimal = style
    text = f"{amount:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    text = f"{currency} {text}" if before else f"{text} {currency}"
    assert parsing.as_price(text) == (amount, currency)


@given(st.text())
def test_any_text_is_a_price_or_a_reason(text):
    try:
        amount, currency = parsing.as_price(text)
    except ValueError as error:
        assert str(error)
    else:
        assert amount is None or 0 <= amount < 10**10
        assert currency == "" or len(currency) == 3


@pytest.mark.parametrize(
    ("value", "available"),
    [
        ("in stock", True),
        ("in_stock", True),
        ("IN_STOCK", True),
        ("In-Stock", True),
        ("https://schema.org/InStock", True),
        ("limited availability", True),
        ("preorder", True),
        ("pre-order", True),
        ("backorder", True),
        ("yes", True),
        (True, True),
        (1, True),
        ("17", True),
        ("out of stock", False),
        ("OUT_OF_STOCK", False),
        ("http://schema.org/OutOfStock", False),
        ("sold out", False),
        ("discontinued", False),
        (False, False),
        ("0", False),
        ("-2", False),
        ("", None),
        (None, None),
    ],
)
def test_availability(value, available):
    assert parsing.as_availability(value) is available


@given(st.text(min_size=1))
def test_any_other_word_for_availability_is_a_reason(text):
    try:
        assert parsing.as_availability(text) in (True, False, None)
    except ValueError as error:
        assert "availability" in str(error)


@pytest.mark.parametrize("word", ["INVALID_VALUE", "maybe", "/", "n/a", "-"])
def test_what_is_no_availability(word):
    with pytest.raises(ValueError, match="no word for an availability"):
        parsing.as_availability(word)


def test_booleans():
    assert [parsing.as_boolean(x) for x in ("TRUE", "yes", "1", True, "published")] == [True] * 5
    assert [parsing.as_boolean(x) for x in ("false", "No", "0", False, "draft")] == [False] * 5
    assert parsing.as_boolean("") is None
    with pytest.raises(ValueError, match="'perhaps' is neither yes nor no"):
        parsing.as_boolean("perhaps")


def test_integers():
    assert [parsing.as_integer(x) for x in ("3", " 1 000 ", "3.0", "2.9", 4, -1, "", None)] == [
        3,
        1000,
        3,
        2,
        4,
        -1,
        None,
        None,
    ]
    for value in ("three", "NaN", "Infinity", "1,5"):
        with pytest.raises(ValueError, match="is not a number"):
            parsing.as_integer(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        (5, "5"),
        (5.0, "5"),
        (5.5, "5.5"),
        (12345678901234567890, "12345678901234567890"),
        (True, "true"),
        (None, ""),
        (["", "b", "c"], "b"),
        ({"uri": "http://x"}, "http://x"),
        ({"other": 1}, ""),
    ],
)
def test_texts(value, text):
    assert parsing.as_text(value) == text


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a, b", ["a", "b"]),
        ("a; b,c", ["a", "b,c"]),
        ("a|b;c", ["a", "b;c"]),
        ('["a", 1, ""]', ["a", "1"]),
        ("[a", ["[a"]),
        (["a", " b "], ["a", "b"]),
        ("", []),
        ("one", ["one"]),
    ],
)
def test_lists(value, parts):
    assert parsing.as_list(value) == parts


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool)))
def test_a_json_list_in_a_cell_is_that_list(parts):
    assert parsing.as_list(json.dumps(parts)) == parts


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("https://a/1,2.jpg", ["https://a/1,2.jpg"]),
        ("https://a/1.jpg, https://a/2.jpg", ["https://a/1.jpg", "https://a/2.jpg"]),
        ("https://a/1.jpg https://a/2.jpg", ["https://a/1.jpg", "https://a/2.jpg"]),
        ("https://a/1.jpg|https://a/2.jpg", ["https://a/1.jpg", "https://a/2.jpg"]),
        ("/a.jpg;/b.jpg", ["/a.jpg", "/b.jpg"]),
        ([{"uri": "https://a/1.jpg"}, {"src": "b.jpg"}], ["https://a/1.jpg", "b.jpg"]),
        ("", []),
    ],
)
def test_addresses(value, addresses):
    assert parsing.as_addresses(value) == addresses


@pytest.mark.parametrize(
    ("value", "loose", "ids"),
    [
        ("12, 13", False, ["12", "13"]),
        ("a>b", False, ["a>b"]),
        ("Clothes > Shirts", False, ["Clothes > Shirts"]),
        ("Clothes>Shirts", True, ["Clothes > Shirts"]),
        ("Clothes >  Shirts > ", True, ["Clothes > Shirts"]),
        ("Food, Drinks > Tea", True, ["Food, Drinks > Tea"]),
        ("A > B, A > C", True, ["A > B", "A > C"]),
        ("A > B; C", True, ["A > B", "C"]),
        ("A|B|A", True, ["A", "B"]),
        (["A > B", "C"], True, ["A > B", "C"]),
        ('["A > B", "C"]', True, ["A > B", "C"]),
        (">", True, []),
        ("", True, []),
    ],
)
def test_categories(value, loose, ids):
    assert parsing.as_categories(value, loose=loose) == ids


def test_a_path_that_is_too_long_ends_where_it_still_fits():
    names = ["x" * 100] * 4
    assert parsing.as_categories(" > ".join(names), loose=True) == [" > ".join(names[:2])]


def test_reasons_quote_no_more_than_needed():
    with pytest.raises(ValueError, match="is not a price") as caught:
        parsing.as_price("x" * 10_000)
    assert len(str(caught.value)) < 100
