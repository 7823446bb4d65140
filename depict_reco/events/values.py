"""Values of event files as people write them, turned into what an event holds.

Each function raises ValueError with words for the person whose file it is.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from depict_reco.catalog.records import MAX_ID_LENGTH, text_problem

BLANKS = frozenset({"", "null", "none", "nan", "<na>", "\\n", "undefined", "(not set)"})
"""Texts, in lower case, that exports write where there is no value."""

MAX_QUANTITY = 2**31 - 1
MAX_PRICE = Decimal(10) ** 10

_FLOAT_OF_WHOLE = re.compile(r"[0-9]+\.0")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE]\+?[0-9]+)?")
_PRICE = re.compile(
    r"([^\d.,-]*)(-?)([^\d.,-]*)(\d[\d.,' \u00a0\u202f]*|[.,]\d+)([^\d.,-]*)", re.ASCII
)
_DIGITS = re.compile(r"[0-9]*")
_THOUSANDS = re.compile(r"\d{1,3}([,. '\u00a0\u202f]\d{2,3})*([,. '\u00a0\u202f]\d{3})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=10)
_OLDEST = timedelta(days=20 * 365)
_CENT = Decimal("0.0001")


def read_id(value: Any) -> str:
    """Return an id as text: trimmed, and ``17850`` for ``17850.0``; blank ones are empty."""
    if type(value) is str:
        text = value.strip()
    elif value is None or isinstance(value, bool):
        return ""
    elif isinstance(value, float):
        text = "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    elif isinstance(value, (str, int, Decimal)):
        text = str(value).strip()
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape").strip()
    else:
        raise ValueError("is neither a text nor a number")
    if text.lower() in BLANKS:
        return ""
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(f"is longer than {MAX_ID_LENGTH} characters")
    if text[-2:] == ".0" and _FLOAT_OF_WHOLE.fullmatch(text):
        return text[:-2]
    if problem := text_problem(text):
        raise ValueError(problem)
    return text


def read_time(value: Any, *, zone: tzinfo = UTC, time_format: str = "") -> datetime:
    """Return a moment from ISO 8601, epoch seconds (milli-, micro-, nano-) or a date.

    ``zone`` is the zone of what names none; ``time_format`` is a strptime pattern to read
    texts by instead.
    """
    if isinstance(value, str):
        return _read_time_text(value.strip(), zone, time_format)
    if isinstance(value, bool):
        raise ValueError("is not a time")
    if isinstance(value, datetime):
        return _checked(value if value.tzinfo else value.replace(tzinfo=zone))
    if isinstance(value, date):
        return _checked(datetime(value.year, value.month, value.day, tzinfo=zone))
    if isinstance(value, (int, float, Decimal)):
        return _checked(_from_epoch(value))
    raise ValueError("is not a time")


@lru_cache(maxsize=4096)
def _read_time_text(text: str, zone: tzinfo, time_format: str) -> datetime:
    if time_format:
        time = datetime.strptime(text, time_format)
    elif text.isdigit() and len(text) == 8:
        time = datetime.strptime(text, "%Y%m%d")
    elif text.isdigit() and len(text) == 14:
        time = datetime.strptime(text, "%Y%m%d%H%M%S")
    elif _NUMBER.fullmatch(text):
        time = _from_epoch(Decimal(text))
    else:
        time = _from_iso(text)
    return _checked(time if time.tzinfo else time.replace(tzinfo=zone))


def _from_iso(text: str) -> datetime:
    # As BigQuery and Shopify write it: "2014-04-07 10:51:09 UTC", "2014-04-07 10:51:09 +0200".
    plain = f"{text[:-4]}+00:00" if text.endswith((" UTC", " GMT")) else text
    plain = plain.replace(" +", "+").replace(" -", "-")
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        advice = " (--time-format says how to read it)" if text[:1].isdigit() else ""
        raise ValueError(
            f"{text[:40]!r} is neither an ISO 8601 time nor epoch seconds{advice}"
        ) from None


def _from_epoch(value: float | Decimal) -> datetime:
    """Read seconds since 1970, or thousandths, millionths, billionths of them, by magnitude."""
    if not math.isfinite(value) or value < 0 or value >= 1e20:
        raise ValueError(f"{value} is not a time")
    exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    for limit, unit in ((1e11, 1), (1e14, 10**3), (1e17, 10**6), (1e20, 10**9)):
        if value < limit:
            return _EPOCH + timedelta(microseconds=int(exact * 1_000_000 / unit))
    raise AssertionError(value)


def _checked(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a time that can be") from None


def clamp_time(time: datetime) -> datetime:
    """Return a time that can be true: at most 20 years ago, and now for what is to come.

    Ten minutes of the future pass, since clocks differ.
    """
    now = datetime.now(UTC)
    oldest = (now - _OLDEST).replace(hour=0, minute=0, second=0, microsecond=0)
    if time < oldest:
        return oldest
    return now if time > now + _AHEAD else time


@lru_cache(maxsize=4096, typed=True)
def read_quantity(value: Any) -> int:
    """Return a number of pieces, which may be negative; part of a piece counts as one."""
    if value is None or isinstance(value, bool):
        return 1
    text = str(value).strip()
    if text.lower() in BLANKS:
        return 1
    try:
        number = Decimal(text)
        pieces = int(number.to_integral_value(rounding="ROUND_UP"))
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a number of pieces") from None
    if abs(pieces) > MAX_QUANTITY:
        raise ValueError("is too large")
    return pieces


@lru_cache(maxsize=4096, typed=True)
def read_price(value: Any) -> tuple[Decimal | None, str]:
    """Return a price, None where there is none, and the currency that is written beside it.

    Zero and less are no prices: gifts and adjustments.
    """
    if value is None or isinstance(value, bool):
        return None, ""
    text = str(value).strip()
    if text.lower() in BLANKS:
        return None, ""
    currency = ""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number, currency = _read_price_text(text)
    if not number.is_finite() or number <= 0:
        return None, currency
    if number >= MAX_PRICE:
        raise ValueError("is too large")
    return number.quantize(_CENT), currency


def _read_price_text(text: str) -> tuple[Decimal, str]:
    """Read ``€ 1.234,50``, ``1 234,5 SEK``, ``$2.5``."""
    match = _PRICE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a price")
    before, minus, between, digits, after = match.groups()
    whole, fraction = digits.strip(), ""
    mark = max(whole.rfind("."), whole.rfind(","))
    if mark >= 0 and (("." in whole and "," in whole) or not _THOUSANDS.fullmatch(whole)):
        whole, fraction = whole[:mark], whole[mark + 1 :]
    if not _DIGITS.fullmatch(fraction.strip()) or not (
        _DIGITS.fullmatch(whole) or _THOUSANDS.fullmatch(whole)
    ):
        raise ValueError(f"{text[:40]!r} is not a price")
    number = Decimal(f"{minus}{re.sub(r'[^0-9]', '', whole) or 0}.{fraction.strip() or 0}")
    return number, _code(before) or _code(between) or _code(after)


@lru_cache(maxsize=256, typed=True)
def read_currency(value: Any) -> str:
    """Return a three-letter code, empty where there is none."""
    text = read_id(value)
    if not text:
        return ""
    if code := _code(text):
        return code
    raise ValueError(f"{text[:40]!r} is not a three-letter ISO 4217 code")


def _code(text: str) -> str:
    code = text.strip().upper()
    return code if len(code) == 3 and code.isascii() and code.isalpha() else ""
