"""Values as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events.values import (
    clamp_time,
    read_currency,
    read_id,
    read_price,
    read_quantity,
    read_time,
)

ANYTHING = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.decimals(allow_nan=False),
    st.text("0123456789.,-+eE:TZ £$", max_size=30),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("17850", "17850"),
        ("17850.0", "17850"),
        ("17850.5", "17850.5"),
        (17850.0, "17850"),
        (17850, "17850"),
        (Decimal("5"), "5"),
        (b" abc ", "abc"),
        ("  x y ", "x y"),
        ("åäö/🧦", "åäö/🧦"),
        ("v1.0", "v1.0"),
        ("00012", "00012"),
        (None, ""),
        ("", ""),
        (" ", ""),
        ("NaN", ""),
        (float("nan"), ""),
        ("null", ""),
        ("(not set)", ""),
        ("\\N", ""),
        (True, ""),
    ],
)
def test_ids(value, expected):
    assert read_id(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 256, "longer than 255"),
        ("a\0b", "NUL"),
        ("a\ud800", "Unicode"),
        ([1], "neither a text nor a number"),
        ({}, "neither a text nor a number"),
    ],
)
def test_what_is_no_id(value, reason):
    with pytest.raises(ValueError, match=reason):
        read_id(value)


MOMENT = datetime(2011, 10, 31, 8, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2011-10-31T08:26:00",
        "2011-10-31 08:26:00",
        " 2011-10-31T08:26:00.000000 ",
        "2011-10-31T08:26:00Z",
        "2011-10-31T09:26:00+01:00",
        "2011-10-31 08:26:00 UTC",
        "2011-10-31 10:26:00 +0200",
        "2011-10-31 03:26:00 -05:00",
        "20111031082600",
        "1320049560",
        "1320049560.0",
        "1.32004956E9",
        "1320049560000",
        "1320049560000000",
        "1320049560000000000",
        1320049560,
        1320049560.0,
        1320049560000,
        Decimal("1320049560"),
        datetime(2011, 10, 31, 8, 26),
        MOMENT,
    ],
)
def test_times(value):
    time = read_time(value)
    assert time == MOMENT
    assert time.tzinfo is UTC


def test_fractions_of_seconds_stay():
    assert read_time("1396437466.94") == datetime(2014, 4, 2, 11, 17, 46, 940000, tzinfo=UTC)
    assert read_time(1396437466.94) == datetime(2014, 4, 2, 11, 17, 46, 940000, tzinfo=UTC)


def test_days_are_their_midnight():
    midnight = datetime(2011, 10, 31, tzinfo=UTC)
    assert read_time("20111031") == read_time("2011-10-31") == read_time(date(2011, 10, 31))
    assert read_time("2011-10-31") == midnight


def test_the_zone_is_that_of_times_without_one():
    oslo = ZoneInfo("Europe/Oslo")
    assert read_time("2011-07-01 10:00", zone=oslo) == datetime(2011, 7, 1, 8, tzinfo=UTC)
    assert read_time("2011-07-01 10:00Z", zone=oslo) == datetime(2011, 7, 1, 10, tzinfo=UTC)
    assert read_time(datetime(2011, 7, 1, 10), zone=oslo) == datetime(2011, 7, 1, 8, tzinfo=UTC)
    assert read_time(1320049560, zone=oslo) == MOMENT


def test_a_pattern_reads_other_times():
    assert read_time("31/10/2011 8:26", time_format="%d/%m/%Y %H:%M") == MOMENT


def test_times_that_cannot_be_are_clamped():
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for old in ("1900-01-01", "0", "1971-06-01"):
        assert clamp_time(read_time(old)) == today - timedelta(days=7300)
    assert clamp_time(MOMENT) == MOMENT
    assert clamp_time(now - timedelta(days=7299)) == now - timedelta(days=7299)
    assert clamp_time(now + timedelta(minutes=9)) == now + timedelta(minutes=9)
    assert now <= clamp_time(now + timedelta(minutes=11)) <= datetime.now(UTC)
    assert now <= clamp_time(read_time("2999-01-01")) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("12/1/2010 8:26", "--time-format"),
        ("soon", "neither an ISO 8601 time nor epoch seconds$"),
        ("", "neither"),
        ("9999-12-31T23:59:59-12:00", "not a time that can be"),
        (-1, "not a time"),
        (float("inf"), "not a time"),
        (float("nan"), "not a time"),
        (1e300, "not a time"),
        (True, "not a time"),
        ([], "not a time"),
    ],
)
def test_what_is_no_time(value, reason):
    with pytest.raises(ValueError, match=reason):
        read_time(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("6", 6), (6, 6), ("6.0", 6), (6.0, 6), ("-2", -2), ("0", 0), ("0.5", 1), ("-0.5", -1),
        (2.2, 3), (None, 1), ("", 1), ("nan", 1), (True, 1),
    ],
)  # fmt: skip
def test_quantities(value, expected):
    assert read_quantity(value) == expected


@pytest.mark.parametrize("value", ["many", "1e99", "Infinity", 2**31, "1,5 kg"])
def test_what_is_no_quantity(value):
    with pytest.raises(ValueError, match=r"number of pieces|too large"):
        read_quantity(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2.55", ("2.5500", "")),
        (2.55, ("2.5500", "")),
        (3, ("3.0000", "")),
        ("2,55", ("2.5500", "")),
        ("1,234.50", ("1234.5000", "")),
        ("1.234,50", ("1234.5000", "")),
        ("1,234", ("1234.0000", "")),
        ("1,50,000.00", ("150000.0000", "")),
        ("1.234.567", ("1234567.0000", "")),
        ("1 234,50 SEK", ("1234.5000", "SEK")),
        ("1\u00a0234 kr", ("1234.0000", "")),
        ("£2.55", ("2.5500", "")),
        ("EUR 5", ("5.0000", "EUR")),
        ("usd5.5", ("5.5000", "USD")),
        (",5", ("0.5000", "")),
        ("0", (None, "")),
        ("-11062.06", (None, "")),
        ("-5 kr", (None, "")),
        ("nan", (None, "")),
        (float("inf"), (None, "")),
        (None, (None, "")),
        (True, (None, "")),
    ],
)
def test_prices(value, expected):
    price, currency = read_price(value)
    assert (price if price is None else str(price), currency) == expected


@pytest.mark.parametrize("value", ["free", "1.2.3.4,5,6", "5-6", "1.5'0", "1 2", "1e11", "--"])
def test_what_is_no_price(value):
    with pytest.raises(ValueError, match=r"is not a price|too large"):
        read_price(value)


def test_currencies():
    assert [read_currency(v) for v in ("gbp", " SEK ", "", None, "nan")] == [
        "GBP", "SEK", "", "", "",
    ]  # fmt: skip
    for wrong in ("£", "kr", "EURO", "12"):
        with pytest.raises(ValueError, match="ISO 4217"):
            read_currency(wrong)


@given(ANYTHING)
def test_anything_is_a_value_or_a_reason(value):
    for read in (read_id, read_time, read_quantity, read_price, read_currency):
        try:
            read(value)
        except ValueError as error:
            assert str(error)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2025, 1, 1), timezones=st.just(UTC)))
def test_iso_times_and_epochs_name_the_same_moment(moment):
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert read_time(moment.isoformat()) == moment
    assert read_time(f"{microseconds // 10**6}.{microseconds % 10**6:06}") == moment


@given(st.decimals(Decimal("0.0001"), Decimal("9999999"), places=4))
def test_prices_are_exact(price):
    assert read_price(str(price)) == (price, "")
    grouped = f"{price:,.4f}"
    assert read_price(grouped) == (price, "")
    swapped = grouped.translate(str.maketrans(",.", ".,"))
    assert read_price(swapped) == (price, "")
