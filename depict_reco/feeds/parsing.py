"""What the cells of feeds mean: prices, numbers, words for yes and no, lists.

Each function takes a value as a table, JSON or XML has it and raises ValueError, with a reason
to be shown, for one that it cannot read.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from depict_reco.catalog.categories import SEPARATOR, path_id

_YES = frozenset(["true", "yes", "y", "t", "1", "on", "enabled", "active", "published", "visible"])
_NO = frozenset(
    [
        "false",
        "no",
        "n",
        "f",
        "0",
        "off",
        "disabled",
        "inactive",
        "unpublished",
        "hidden",
        "draft",
        "archived",
    ]
)
_IN_STOCK = frozenset(
    [
        "instock",
        "available",
        "true",
        "yes",
        "y",
        "1",
        "limitedavailability",
        "limited",
        "lowstock",
        "onlineonly",
        "instoreonly",
        "preorder",
        "presale",
        "backorder",
        "onbackorder",
        "availablefororder",
        "madetoorder",
    ]
)
_OUT_OF_STOCK = frozenset(
    [
        "outofstock",
        "unavailable",
        "notavailable",
        "false",
        "no",
        "n",
        "0",
        "soldout",
        "discontinued",
        "nostock",
        "notinstock",
        "reserved",
    ]
)
_NUMBER = re.compile(r"[-+]?\d(?:[\d.,'\u2019]|\s(?=\d{3}(?!\d)))*|[-+]?[.,]\d+")
_SYMBOLS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₺": "TRY",
    "₩": "KRW",
    "zł": "PLN",
    "US$": "USD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "NZ$": "NZD",
}
_MARKS = frozenset([":", "-", ":-", ",-", ".-", "\u2013"])
_PLACES = Decimal("0.0001")
_MEMBER_NAMES = ("uri", "url", "src", "href", "link", "text", "value", "name", "id")


def as_text(value: Any) -> str:
    """Return a value as text; of a list the first one that is not empty."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(as_text, value)), "")
    if isinstance(value, dict):
        return next(filter(None, (as_text(value.get(name)) for name in _MEMBER_NAMES)), "")
    raise ValueError("is not a text")


def as_price(value: Any) -> tuple[Decimal | None, str]:
    """Return an amount, None for an empty value, and the currency named with it, if one is."""
    if isinstance(value, dict):
        return as_price(value.get("value", value.get("amount")))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _rounded(Decimal(str(value)) if math.isfinite(value) else Decimal("NaN")), ""
    text = as_text(value)
    if not text:
        return None, ""
    match = _NUMBER.search(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is not a price")
    number = match.group().rstrip(" \t\xa0\u202f")
    rest = text[: match.start()] + " " + text[match.start() + len(number) :]
    currency = _currency(rest, text)
    return _rounded(_decimal(number.rstrip(",."), text)), currency


def _rounded(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise ValueError("is not a finite number")
    if amount < 0:
        raise ValueError("is negative")
    if amount >= 10**10:
        raise ValueError("is too large")
    return amount.quantize(_PLACES, rounding=ROUND_HALF_UP)


def _currency(rest: str, text: str) -> str:
    """Return the currency that stands beside a number; "kr" and "$" may be several."""
    found = ""
    for word in rest.split():
        name = word.strip(".")
        if name in _SYMBOLS:
            found = _SYMBOLS[name]
        elif len(name) == 3 and name.isascii() and name.isalpha():
            found = name.upper()
        elif not (
            name in _MARKS
            or word in _MARKS
            or not name
            or (len(name) <= 2 and name.isalpha())
            or unicodedata.category(name[-1]) == "Sc"
        ):
            raise ValueError(f"{_shown(text)} is not a price")
    return found


def _decimal(number: str, text: str) -> Decimal:
    """Read digits with separators: the last one that can be is the decimal one."""
    plain = re.sub(r"[\s'\u2019]", "", number)
    comma, dot = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and dot >= 0:
        decimal, thousands = (",", ".") if comma > dot else (".", ",")
        plain = plain.replace(thousands, "").replace(decimal, ".")
    elif plain.count(",") > 1 or re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", plain):
        plain = plain.replace(",", "")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    else:
        plain = plain.replace(",", ".")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise ValueError(f"{_shown(text)} is not a price") from None


def as_integer(value: Any) -> int | None:
    """Return a whole number, None for an empty value; a fraction is cut off."""
    text = as_text(value)
    if not text:
        return None
    try:
        number = Decimal(text.replace(" ", "").replace("\xa0", ""))
        return int(number)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{_shown(text)} is not a number") from None


def as_boolean(value: Any) -> bool | None:
    """Return what a word for yes or no says; None for an empty value."""
    word = as_text(value).lower()
    if not word:
        return None
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"{_shown(word)} is neither yes nor no")


def as_availability(value: Any) -> bool | None:
    """Return whether a product can be ordered now; None for an empty value.

    What can be pre-ordered or back-ordered can be ordered.
    """
    text = as_text(value)
    word = re.sub(r"[^a-z0-9]", "", text.rpartition("/")[2].lower())
    if not text:
        return None
    if word in _IN_STOCK or word in _OUT_OF_STOCK:
        return word in _IN_STOCK
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return Decimal(text) > 0
    raise ValueError(f"{_shown(text)} is no word for an availability")


def as_list(value: Any) -> list[str]:
    """Return the texts of a list, of a JSON list in a text, or of a text with separators.

    Separators are the bar, else the semicolon, else the comma.
    """
    if isinstance(value, (list, tuple)):
        return list(filter(None, map(as_text, value)))
    text = as_text(value)
    if text.startswith("["):
        try:
            return as_list(json.loads(text))
        except (ValueError, RecursionError):
            pass
    separator = next((mark for mark in "|;," if mark in text), "")
    parts = text.split(separator) if separator else [text]
    return [part for part in map(str.strip, parts) if part]


def as_addresses(value: Any) -> list[str]:
    """Return the addresses of a list or text; a comma in one does not end it."""
    if isinstance(value, (list, tuple)):
        return [address for member in value for address in as_addresses(member)]
    text = as_text(value)
    if text.startswith("["):
        return as_list(text)
    parts = re.split(r"\s*[,;|]\s*(?=(?:https?:)?//|/)|\s+(?=https?://)|\s*\|\s*", text)
    return [part for part in parts if part]


def as_categories(value: Any, *, loose: bool) -> list[str]:
    """Return the category ids of a value; "A > B" is a path, whose id is the path.

    ``loose`` takes ">" without blanks for a path, too, and does not part a path at commas
    unless every part is one.
    """
    if isinstance(value, (list, tuple)):
        parts = list(filter(None, map(as_text, value)))
    else:
        text = as_text(value)
        parts = _parted(text) if ">" in text and not text.startswith("[") else as_list(text)
    ids = (_category_id(part, loose=loose) for part in parts)
    return list(dict.fromkeys(filter(None, ids)))


def _parted(text: str) -> list[str]:
    for separator in "|;":
        if separator in text:
            return [part for part in map(str.strip, text.split(separator)) if part]
    parts = [part.strip() for part in text.split(",")]
    return parts if all(">" in part for part in parts) else [text]


def _category_id(text: str, *, loose: bool) -> str:
    if SEPARATOR not in text and not (loose and ">" in text):
        return text
    return path_id(filter(None, (name.strip() for name in text.split(">" if loose else SEPARATOR))))


def _shown(text: str) -> str:
    """A value as it is quoted in a reason: not endless."""
    return repr(text if len(text) <= 60 else text[:60] + "…")
