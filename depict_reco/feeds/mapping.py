"""From a row of a feed to a product record: which column is which field, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from depict_reco.catalog.records import KEEP, Problem, ProductRecord
from depict_reco.exceptions import FeedError
from depict_reco.feeds import parsing
from depict_reco.feeds.aliases import (
    ALL_VALUES_COUNT,
    FIELDS,
    LOOSE_PATHS,
    TEXT_FIELDS,
    normalize,
)
from depict_reco.feeds.readers.rows import Row
from depict_reco.feeds.shapes import attributes_from, flatten, parse_object
from depict_reco.tenants.models import Market

ATTRIBUTE_PREFIX = "attributes."
_PLANS_KEPT = 1000
_CONTENT_TEXTS = ("sku", "item_group_id", "main_product_id", "description", "brand", "page_url")


class RowError(Exception):
    """A row that is no product; ``problems`` say why."""

    def __init__(self, product_id: str, problems: Iterable[Problem]) -> None:
        self.product_id, self.problems = product_id, tuple(problems)
        super().__init__(product_id)


@dataclass(slots=True)
class _Plan:
    """Where rows with certain columns have our fields."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    """Locale, field, column."""


class Mapper:
    """Reads rows as products of a market.

    ``mapping`` leads from our fields (``attributes.x`` for a custom attribute) to columns, where
    the names differ; ``full`` says that the feed holds all products of the market.
    """

    def __init__(
        self, market: Market, *, mapping: Mapping[str, str] | None = None, full: bool = False
    ) -> None:
        self._mapping = dict(mapping or {})
        self._full = full
        self._default_locale = market.default_locale
        self._locales = _locale_names(market.all_locales)
        self._plans: dict[tuple[str, ...], _Plan] = {}
        check_mapping(self._mapping, FIELDS)

    def record(self, row: Row) -> ProductRecord:
        """Return the product of a row; raises RowError for one that is none."""
        if row.reason:
            raise RowError("", [Problem(field="", reason=row.reason)])
        values = flatten(row.values)
        cells = _Cells(values, row.unread, self._plan(row, values))
        given = self._read(cells)
        product_id = given.get("product_id", "")
        if not product_id and not any(problem.field == "product_id" for problem in cells.problems):
            reason = "is empty" if cells.has("product_id") else "is not in the feed"
            cells.problems.append(Problem(field="product_id", reason=reason))
        if cells.problems:
            raise RowError(product_id, cells.problems)
        return ProductRecord(**given)

    def _plan(self, row: Row, values: Mapping[str, Any]) -> _Plan:
        key = (*values, *row.unread)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(row, values)
        return plan

    def _make_plan(self, row: Row, values: Mapping[str, Any]) -> _Plan:
        plan = _Plan()
        names = {normalize(column): column for column in reversed(list(values))}
        for name, aliases in FIELDS.items():
            if name in self._mapping:
                continue
            found = [names[x] for alias in aliases if (x := normalize(alias)) in names]
            if found:
                plan.sources[name] = found
        mapped = self._find_columns(row, values)
        for name, column in mapped.items():
            if name.startswith(ATTRIBUTE_PREFIX):
                plan.attributes[name.removeprefix(ATTRIBUTE_PREFIX)] = column
            else:
                plan.sources[name] = [column]
        used = set(mapped.values())
        for name, columns in plan.sources.items():
            used.update(columns if name in ALL_VALUES_COUNT else columns[:1])
        for column in values:
            if column in used:
                continue
            if (text := self._locales.get(_locale_key(column))) is not None:
                plan.texts.append((*text, column))
            else:
                plan.attributes.setdefault(column.removeprefix("g:"), column)
        return plan

    def _find_columns(self, row: Row, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the mapping with the columns' names as this row writes them."""
        names = {normalize(column): column for column in (*row.unread, *values)}
        found = {
            name: column if column in values else names.get(normalize(column), column)
            for name, column in self._mapping.items()
        }
        for column in found.values():
            if row.table and column not in values:
                columns = ", ".join(values)
                raise FeedError(f"The feed has no column {column!r}; it has: {columns}.")
        return found

    def _read(self, cells: _Cells) -> dict[str, Any]:
        """Return the values that a record is made of; problems gather in ``cells``."""
        texts = self._texts(cells)
        title = cells.read("title", _text)
        own_texts = texts.get(self._default_locale, {})
        if not title and own_texts.get("title"):
            title = own_texts["title"]
        whole = bool(title)
        given: dict[str, Any] = {
            "product_id": cells.read("product_id", _text) or "",
            "title": KEEP if title is None else title,
            "merge": not whole,
        }
        for name in _CONTENT_TEXTS:
            value = cells.read(name, _text)
            if not value and name in own_texts:
                value = own_texts[name]
            if value is not None or whole:
                given[name] = value or ""
        if texts or whole:
            given["texts"] = texts
        self._read_images(cells, given, whole=whole)
        attributes = _attributes(cells)
        if attributes or whole:
            given["attributes"] = attributes
        _read_categories(cells, given)
        _read_prices(cells, given)
        _read_stock(cells, given)
        active = cells.read("active", parsing.as_boolean)
        if active is not None or whole or self._full:
            given["active"] = active is not False
        return given

    def _read_images(self, cells: _Cells, given: dict[str, Any], *, whole: bool) -> None:
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

    def _texts(self, cells: _Cells) -> dict[str, dict[str, str]]:
        """Return the texts per locale, of those locales that the market has."""
        texts: dict[str, dict[str, str]] = {}
        given: list[tuple[str, str, Any]] = [
            (locale, name, cells.values[column]) for locale, name, column in cells.plan.texts
        ]
        for name in TEXT_FIELDS:
            for column in cells.plan.sources.get(name, ())[:1]:
                if isinstance(per_locale := cells.values.get(column), Mapping):
                    given += [(locale, name, value) for locale, value in per_locale.items()]
        stored = cells.first("texts")
        if isinstance(stored, str):
            stored = parse_object(stored)
        if isinstance(stored, Mapping):
            for locale, by_name in stored.items():
                if isinstance(by_name, Mapping):
                    given += [(locale, name, by_name.get(name)) for name in TEXT_FIELDS]
        for locale, name, value in given:
            known = self._locales.get(_locale_key("title" + str(locale)))
            text = parsing.as_text(value)
            if known is not None and text:
                texts.setdefault(known[0], {})[name] = text
        return texts


class _Cells:
    """The values of one row by our names; reading one notes what is wrong with it."""

    def __init__(self, values: Mapping[str, Any], unread: Mapping[str, Any], plan: _Plan) -> None:
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


def check_mapping(mapping: Mapping[str, str], fields: Mapping[str, object]) -> None:
    """Raise FeedError for a mapping of something that is no field."""
    for name, column in mapping.items():
        if name not in fields and not name.startswith(ATTRIBUTE_PREFIX):
            known = ", ".join(fields)
            raise FeedError(f"There is no field {name!r} to map; there are: {known}.")
        if not isinstance(column, str) or not column:
            raise FeedError(f"The field {name!r} is mapped to {column!r}, which names no column.")


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping) and not any(x in value for x in ("value", "text", "uri", "href")):
        return None  # texts per locale, perhaps; they are read elsewhere
    return parsing.as_text(value)


def _attributes(cells: _Cells) -> dict[str, Any]:
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


def _read_categories(cells: _Cells, given: dict[str, Any]) -> None:
    column, _ = cells.source("category_ids")
    loose = normalize(column) in _LOOSE
    ids = cells.read("category_ids", lambda value: parsing.as_categories(value, loose=loose))
    if ids is not None:
        given["category_ids"] = ids


_LOOSE = frozenset(map(normalize, LOOSE_PATHS))


def _read_prices(cells: _Cells, given: dict[str, Any]) -> None:
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
    named = cells.read("currency", _text)
    currency = currency or sale_currency or before_currency or (named or "").upper()
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        cells.problems.append(
            Problem(field="currency", reason=f"{currency[:20]!r} is no code of three letters")
        )
    if currency or named is not None:
        given["currency"] = currency


def _read_stock(cells: _Cells, given: dict[str, Any]) -> None:
    """Availability decides; where it is not given, a quantity does; where none is, it is there."""
    available = cells.read("availability", parsing.as_availability)
    quantity = cells.read("quantity", parsing.as_integer)
    if not (cells.has("availability") or cells.has("quantity")):
        return
    if available is None:
        available = quantity is None or quantity > 0
    given["in_stock"] = available
    if cells.has("quantity"):
        given["quantity"] = quantity


def _locale_names(locales: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return (locale, field) by the name of a column: ``title_sv-SE``, ``title[sv]``, …"""
    locales = list(locales)
    languages = [locale.replace("_", "-").partition("-")[0] for locale in locales]
    names: dict[str, tuple[str, str]] = {}
    for locale, language in zip(locales, languages, strict=True):
        suffixes = [locale, language] if languages.count(language) == 1 else [locale]
        for name in TEXT_FIELDS:
            for alias in FIELDS[name]:
                for suffix in suffixes:
                    names.setdefault(_locale_key(alias + suffix), (locale, name))
    return names


def _locale_key(name: str) -> str:
    return normalize(name).translate(_LOCALE_MARKS)


_LOCALE_MARKS = str.maketrans("", "", ":[]./()@")
