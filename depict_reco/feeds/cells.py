"""One row of a feed by our names: where each field is, and what the fields say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from depict_reco.catalog.records import Problem
from depict_reco.feeds import parsing
from depict_reco.feeds.aliases import ALL_VALUES_COUNT, LOOSE_PATHS, normalize
from depict_reco.feeds.shapes import attributes_from

_LOOSE = frozenset(map(normalize, LOOSE_PATHS))


@dataclass(slots=True)
class Plan:
    """Where rows with certain columns have our fields."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    """Locale, field, column."""


class Cells:
    """The values of one row by our names; reading one notes what is wrong with it."""

    def __init__(self, values: Mapping[str, Any], unread: Mapping[str, Any], plan: Plan) -> None:
        self.values, self.plan = values, plan
        self._unread = unread
        self.problems: list[Problem] = []

    def cell(self, column: str) -> Any:
        """Return the value of a column, or of a path into nested ones: ``price.amount``."""
        value = self.values.get(column)
        if value is not None:
            return value
        if "." in column:
            value = self.values
            for name in column.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
        return self._unread.get(column) if value is None else value

    def has(self, name: str) -> bool:
        return any(self.cell(column) is not None for column in self.plan.sources.get(name, ()))

    def source(self, name: str) -> tuple[str, Any]:
        """Return the column that counts for a field, with its value; None where there is none."""
        found: tuple[str, Any] = ("", None)
        for column in self.plan.sources.get(name, ()):
            value = self.cell(column)
            if value not in (None, "", []):
                return column, value
            if value is not None and found[1] is None:
                found = column, value
        return found

    def first(self, name: str) -> Any:
        return self.source(name)[1]

    def read(self, name: str, read: Callable[[Any], Any]) -> Any:
        """Return a field as ``read`` understands it; None where the row does not have it."""
        if name not in self.plan.sources:
            return None
        if name in ALL_VALUES_COUNT:
            found = [self.cell(column) for column in self.plan.sources[name]]
            value: Any = [x for x in found if x is not None]
            if not value:
                return None
        else:
            value = self.first(name)
            if value is None:
                return None
        try:
            return read(value)
        except ValueError as error:
            self.problems.append(Problem(field=name, reason=str(error)))
            return None


def as_own_text(value: Any) -> str | None:
    """Return a value as text; None where it is texts per locale, which are read elsewhere."""
    if isinstance(value, Mapping) and not any(x in value for x in ("value", "text", "uri", "href")):
        return None
    return parsing.as_text(value)


def read_attributes(cells: Cells) -> dict[str, Any]:
    """Return what is given as custom attributes, and what is no field of ours."""
    attributes: dict[str, Any] = {}
    if (given := cells.first("attributes")) not in (None, ""):
        try:
            attributes = attributes_from(given)
        except ValueError:
            attributes = {"attributes": given}
    own = cells.values
    for name, column in cells.plan.attributes.items():
        value = own[column] if column in own else cells.cell(column)
        if isinstance(value, str):
            value = value.strip()
        if value or value is False or value == 0:
            attributes[name] = value
    return attributes


def read_categories(cells: Cells, given: dict[str, Any]) -> None:
    """Put category ids into what a row gives, if it names any."""
    column, _ = cells.source("category_ids")
    loose = normalize(column) in _LOOSE
    ids = cells.read("category_ids", lambda value: parsing.as_categories(value, loose=loose))
    if ids is not None:
        given["category_ids"] = ids


def read_prices(cells: Cells, given: dict[str, Any]) -> None:
    """A row with a price and no sale price ends a sale; a price before a sale is the price."""
    price, currency = cells.read("price", parsing.as_price) or (None, "")
    sale, sale_currency = cells.read("sale_price", parsing.as_price) or (None, "")
    before, before_currency = cells.read("original_price", parsing.as_price) or (None, "")
    if before is not None and (price is None or before >= price):
        price, sale = before, price if sale is None else sale
    if any(cells.has(name) for name in ("price", "original_price")):
        given["price"], given["sale_price"] = price, sale
    elif cells.has("sale_price"):
        given["sale_price"] = sale
    named = cells.read("currency", as_own_text)
    currency = currency or sale_currency or before_currency or (named or "").upper()
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        cells.problems.append(
            Problem(field="currency", reason=f"{currency[:20]!r} is no code of three letters")
        )
    if currency or named is not None:
        given["currency"] = currency


def read_stock(cells: Cells, given: dict[str, Any]) -> None:
    """Availability decides; where it is not given, a quantity does; where none is, it is there."""
    available = cells.read("availability", parsing.as_availability)
    stock = cells.read("quantity", _as_stock)
    if not (cells.has("availability") or cells.has("quantity")):
        return
    if available is None:
        available = stock is None or stock > 0
    given["in_stock"] = available
    if cells.has("quantity") and not isinstance(stock, bool):
        given["quantity"] = stock


def _as_stock(value: Any) -> int | None:
    """Return a quantity; True or False where there is a word for an availability instead."""
    try:
        return parsing.as_integer(value)
    except ValueError:
        try:
            return parsing.as_availability(value)
        except ValueError:
            pass
        raise


def read_images(cells: Cells, given: dict[str, Any], *, whole: bool) -> None:
    """Put images into what a row gives: all that it names, the first one being the main one."""
    main = cells.read("image_url", parsing.as_addresses)
    more = cells.read("additional_image_urls", parsing.as_addresses)
    if main is None and more is None and not whole:
        return
    images = list(dict.fromkeys([*(main or ()), *(more or ())]))
    if main is not None or whole:
        given["image_url"] = images[0] if images else ""
        images = images[1:]
    if more is not None or whole or images:
        given["additional_image_urls"] = images
