"""Displays: products as the storefront gets them.

A display is rendered once per version of a product, locale and form, and kept as bytes with gaps
where the recommendation id goes; an answer only fills the gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from depict_reco.conf import settings
from depict_reco.serving.columns import Columns
from depict_reco.serving.encoding import to_json
from depict_reco.serving.filling import filled, looked_up
from depict_reco.serving.kept import Kept
from depict_reco.serving.rows import ProductRow
from depict_reco.tenants.directory import MarketEntry

_GAP = b"6f1d7a52-gap-of-the-recommendation-id-93c04be8"
_GAP_TEXT = _GAP.decode()
_KEPT_BYTES = 8 << 20
_ENTRY_BYTES = 250
"""What a kept display takes beside its text."""

_CENTS = Decimal("0.01")


class Displays:
    """The displays of one state of a catalogue.

    Flat ones in the default locale are in the catalogue's image; others, and those of products
    that changed since, are rendered when they are first asked for and kept for a while.
    """

    def __init__(self, columns: Columns, market: MarketEntry) -> None:
        self._columns = columns
        self._market = market
        self._rendering = rendering_of(market)
        self._kept = _Rendered(_KEPT_BYTES)

    def renewed(self, columns: Columns, codes: Iterable[int], *, market: MarketEntry) -> Displays:
        """Return the displays of the same image with changes; those of some groups are new.

        All are, if what they depend on in the market has changed as well.
        """
        fresh = Displays(columns, market)
        if (fresh._rendering, market.locales) == (self._rendering, self._market.locales):
            rows = {row for code in codes for row in columns.rows_of(code)}
            fresh._kept = self._kept.without(lambda key: key[0] in rows)
        return fresh

    def render(
        self,
        rows: Sequence[int],
        blocks: bytes,
        *,
        locale: str | None,
        variants: bool = False,
        logic: list[str] | None = None,
    ) -> bytes:
        """Return the JSON array of displays of some products with their ids filled in.

        ``blocks`` are the ids, as ``recommendation_blocks`` returns them.
        """
        rendering = rendering_of(self._market)
        if self._rendering != rendering:
            self._rendering, self._kept = rendering, _Rendered(_KEPT_BYTES)
        if locale not in self._market.locales:
            locale = self._market.default_locale
        texts = self._columns.image.displays
        if variants or locale != self._market.default_locale:
            found: list[bytes | int] = [self._rendered(row, locale, variants) for row in rows]
        else:
            found = self._flat(rows, locale)
        if logic is not None:
            found = [
                display[:-1] + b',"logic":' + to_json(name) + b"}"
                for display, name in zip(looked_up(found, texts), logic, strict=True)
            ]
        return filled(found, blocks, gap=_GAP, texts=texts)

    def _flat(self, rows: Sequence[int], locale: str) -> list[bytes | int]:
        """Return flat displays; those that stand in the image as their rows."""
        found: list[bytes | int] = list(rows)
        columns = self._columns
        stale = columns.image.rendering != self._rendering
        if stale or columns.changed or columns.overlay is not None:
            for at, row in enumerate(rows):
                if stale or not columns.is_as_in_image(row):
                    found[at] = self._rendered(row, locale, False)
        return found

    def _rendered(self, row: int, locale: str, variants: bool) -> bytes:
        key = (row, locale, variants)
        found = self._kept.get(key)
        if found is None:
            found = self._render(*key)
            self._kept.put(key, found)
        return found

    def _render(self, at: int, locale: str, variants: bool) -> bytes:
        columns = self._columns
        if not variants:
            return render_flat(columns.row(at), self._market, locale)
        group = [
            (row, product)
            for row, product in (
                (one, columns.row(one)) for one in columns.rows_of(columns.code(at))
            )
            if product.visible or row == at
        ]
        display = {
            "recommendation_id": _GAP_TEXT,
            "variant_index": [row for row, _ in group].index(at),
            "variant_displays": [_display(product, self._market, locale) for _, product in group],
            "variant_skus": [product.sku or product.product_id for _, product in group],
            "variant_product_ids": [product.product_id for _, product in group],
        }
        return to_json(display)


class _Rendered(Kept[tuple[int, str, bool], bytes]):
    """Displays by row, locale and form; the capacity is in bytes."""

    def size_of(self, value: bytes) -> int:
        return len(value) + _ENTRY_BYTES


def render_flat(row: ProductRow, market: MarketEntry, locale: str) -> bytes:
    """Return the display of a product, with gaps where its recommendation id goes."""
    return to_json(_display(row, market, locale))


def _display(row: ProductRow, market: MarketEntry, locale: str) -> dict[str, Any]:
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
        "page_url": with_recommendation_id(text.get("page_url") or row.page_url, _GAP_TEXT),
        "in_stock": row.in_stock,
        "recommendation_id": _GAP_TEXT,
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


def rendering_of(market: MarketEntry) -> str:
    """Return what displays depend on beside their products."""
    return _in_words(
        market.currency,
        market.default_locale,
        settings.RECOMMENDATION_ID_PARAMETER,
        tuple(settings.DISPLAY_ATTRIBUTES),
    )


@lru_cache(maxsize=256)
def _in_words(*facts: str | tuple[str, ...]) -> str:
    return repr(facts)


def _decimal_string(price: Decimal) -> str:
    """Return a price with two decimals, or with more where it has them: 100.00, 0.125."""
    cents = price.quantize(_CENTS)
    return str(cents) if cents == price else f"{price.normalize():f}"


def _number(price: Decimal | None) -> int | float | None:
    if price is None:
        return None
    return int(price) if price == price.to_integral_value() else float(price)
