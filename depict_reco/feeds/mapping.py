"""From a row of a feed to a product record: which column is which field, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from depict_reco.catalog.records import KEEP, Problem, ProductRecord
from depict_reco.exceptions import FeedError
from depict_reco.feeds import parsing
from depict_reco.feeds.aliases import ALL_VALUES_COUNT, FIELDS, TEXT_FIELDS, normalize
from depict_reco.feeds.cells import (
    Cells,
    Plan,
    as_own_text,
    read_attributes,
    read_categories,
    read_images,
    read_prices,
    read_stock,
)
from depict_reco.feeds.readers.rows import Row
from depict_reco.feeds.shapes import flatten, parse_object
from depict_reco.tenants.models import Market

ATTRIBUTE_PREFIX = "attributes."
_PLANS_KEPT = 1000
_CONTENT_TEXTS = ("sku", "item_group_id", "main_product_id", "description", "brand", "page_url")


class RowError(Exception):
    """A row that is no product; ``problems`` say why."""

    def __init__(self, product_id: str, problems: Iterable[Problem]) -> None:
        self.product_id, self.problems = product_id, tuple(problems)
        super().__init__(product_id)


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
        self._plans: dict[tuple[str, ...], Plan] = {}
        check_mapping(self._mapping, FIELDS)

    def record(self, row: Row) -> ProductRecord:
        """Return the product of a row; raises RowError for one that is none."""
        if row.reason:
            raise RowError("", [Problem(field="", reason=row.reason)])
        values = flatten(row.values)
        cells = Cells(values, row.unread, self._plan(row, values))
        given = self._read(cells)
        product_id = given.get("product_id", "")
        if not product_id and not any(problem.field == "product_id" for problem in cells.problems):
            reason = "is empty" if cells.has("product_id") else "is not in the feed"
            cells.problems.append(Problem(field="product_id", reason=reason))
        if cells.problems:
            raise RowError(product_id, cells.problems)
        return ProductRecord(**given)

    def _plan(self, row: Row, values: Mapping[str, Any]) -> Plan:
        key = (*values, *row.unread)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(row, values)
        return plan

    def _make_plan(self, row: Row, values: Mapping[str, Any]) -> Plan:
        plan = Plan()
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

    def _read(self, cells: Cells) -> dict[str, Any]:
        """Return the values that a record is made of; problems gather in ``cells``."""
        texts = self._texts(cells)
        title = cells.read("title", as_own_text)
        own_texts = texts.get(self._default_locale, {})
        if not title and own_texts.get("title"):
            title = own_texts["title"]
        whole = bool(title)
        given: dict[str, Any] = {
            "product_id": cells.read("product_id", as_own_text) or "",
            "title": KEEP if title is None else title,
            "merge": not whole,
        }
        for name in _CONTENT_TEXTS:
            value = cells.read(name, as_own_text)
            if not value and name in own_texts:
                value = own_texts[name]
            if value is not None or whole:
                given[name] = value or ""
        if texts or whole:
            given["texts"] = texts
        read_images(cells, given, whole=whole)
        attributes = read_attributes(cells)
        if attributes or whole:
            given["attributes"] = attributes
        read_categories(cells, given)
        read_prices(cells, given)
        read_stock(cells, given)
        active = cells.read("active", parsing.as_boolean)
        if active is not None or whole or self._full:
            given["active"] = active is not False
        return given

    def _texts(self, cells: Cells) -> dict[str, dict[str, str]]:
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


def check_mapping(mapping: Mapping[str, str], fields: Mapping[str, object]) -> None:
    """Raise FeedError for a mapping of something that is no field."""
    for name, column in mapping.items():
        if name not in fields and not name.startswith(ATTRIBUTE_PREFIX):
            known = ", ".join(fields)
            raise FeedError(f"There is no field {name!r} to map; there are: {known}.")
        if not isinstance(column, str) or not column:
            raise FeedError(f"The field {name!r} is mapped to {column!r}, which names no column.")


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
