"""Displays: products as the storefront gets them.

A display is rendered once per product, locale and form, and kept as bytes with gaps where the
recommendation id goes; an answer only fills the gaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from depict_reco.conf import settings
from depict_reco.serving.columns import Columns, ProductRow
from depict_reco.serving.encoding import to_json
from depict_reco.tenants.directory import MarketEntry

_GAP = "6f1d7a52-gap-of-the-recommendation-id-93c04be8"
_CENTS = Decimal("0.01")


class Displays:
    """The rendered displays of one state of a catalogue."""

    def __init__(self, columns: Columns, market: MarketEntry) -> None:
        self._columns = columns
        self._market = market
        self._rendered: dict[tuple[int, str, bool], tuple[bytes, ...]] = {}
        self._settings = _rendering_settings()

    def renewed(self, columns: Columns, codes: Iterable[int]) -> Displays:
        """Return the displays of changed columns; only those of some item groups are new."""
        fresh = Displays(columns, self._market)
        stale = {row for code in codes for row in _rows_of(columns, code)}
        # a copy first: other threads go on rendering from the old ones
        fresh._rendered = {
            key: value for key, value in self._rendered.copy().items() if key[0] not in stale
        }
        return fresh

    def render(
        self,
        rows: list[int],
        recommendation_ids: list[str],
        *,
        locale: str | None,
        variants: bool = False,
        logic: list[str] | None = None,
    ) -> bytes:
        """Return the JSON array of displays of some products with their ids filled in."""
        if self._settings != _rendering_settings():
            self._rendered, self._settings = {}, _rendering_settings()
        if locale not in self._market.locales:
            locale = self._market.default_locale
        rendered = self._rendered
        parts = []
        for at, (row, token) in enumerate(zip(rows, recommendation_ids, strict=True)):
            key = (row, locale, variants)
            pieces = rendered.get(key)
            if pieces is None:
                pieces = rendered[key] = self._pieces(*key)
            display = token.encode().join(pieces)
            if logic is not None:
                display = display[:-1] + b',"logic":' + to_json(logic[at]) + b"}"
            parts.append(display)
        return b"[" + b",".join(parts) + b"]"

    def _pieces(self, row: int, locale: str, variants: bool) -> tuple[bytes, ...]:
        columns = self._columns
        if not variants:
            display = _flat(columns.rows[row], self._market, locale)
        else:
            code = int(columns.codes[row])
            shown = [at for at in columns.variants(code) if at != row]
            group = [columns.rows[at] for at in sorted([row, *shown])]
            display = {
                "recommendation_id": _GAP,
                "variant_index": group.index(columns.rows[row]),
                "variant_displays": [_flat(member, self._market, locale) for member in group],
                "variant_skus": [member.sku or member.product_id for member in group],
                "variant_product_ids": [member.product_id for member in group],
            }
        return tuple(to_json(display).split(_GAP.encode()))


def _flat(row: ProductRow, market: MarketEntry, locale: str) -> dict[str, Any]:
    """Return the union of the documented fields of a product."""
    text = row.texts.get(locale, {})
    price = row.current_price
    images = [url for url in (row.image_url, *row.additional_image_urls) if url]
    display: dict[str, Any] = {
        name: row.attributes[name] for name in settings.DISPLAY_ATTRIBUTES if name in row.attributes
    }
    return display | {
        "product_id": row.product_id,
        "main_product_id": row.main_product_id or row.group_id,
        "item_group_id": row.group_id,
        "sku": row.sku or row.product_id,
        "title": text.get("title") or row.title,
        "brand": row.brand,
        "price": None if price is None else _decimal_string(price),
        "original_price": _number(price if row.price is None else row.price),
        "sale_price": _number(price),
        "currency": row.currency or market.currency,
        "image_url": row.image_url,
        "image_urls": images,
        "page_url": with_recommendation_id(text.get("page_url") or row.page_url, _GAP),
        "in_stock": row.in_stock,
        "recommendation_id": _GAP,
    }


def with_recommendation_id(url: str, recommendation_id: str) -> str:
    """Return a URL with the id as a query parameter; its query and fragment stay as they are."""
    parameter = settings.RECOMMENDATION_ID_PARAMETER
    if not url or not parameter:
        return url
    base, hash_mark, fragment = url.partition("#")
    separator = "&" if "?" in base else "?"
    if base.endswith(("?", "&")):
        separator = ""
    return f"{base}{separator}{parameter}={recommendation_id}{hash_mark}{fragment}"


def _rows_of(columns: Columns, code: int) -> list[int]:
    start, end = columns.group_indptr[code], columns.group_indptr[code + 1]
    rows: list[int] = columns.group_rows[start:end].tolist()
    return rows


def _rendering_settings() -> tuple[Any, ...]:
    return settings.RECOMMENDATION_ID_PARAMETER, tuple(settings.DISPLAY_ATTRIBUTES)


def _decimal_string(price: Decimal) -> str:
    """Return a price with two decimals, or with more where it has them: 100.00, 0.125."""
    cents = price.quantize(_CENTS)
    return str(cents) if cents == price else f"{price.normalize():f}"


def _number(price: Decimal | None) -> int | float | None:
    if price is None:
        return None
    return int(price) if price == price.to_integral_value() else float(price)
