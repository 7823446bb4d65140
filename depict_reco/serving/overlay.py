"""What shoppers must not see wrong for long, of products of which too many changed at once.

Reading them whole, for a new image, takes long. Whether they may be shown and what they cost is
read in a fraction of that, and laid over the old image until the new one is there.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.catalog.models import Product
from depict_reco.serving.background import unhurried

if TYPE_CHECKING:
    from depict_reco.serving.columns import Columns
    from depict_reco.serving.rows import ProductRow

_KNOWN, _ACTIVE, _HIDDEN, _IN_STOCK = 1, 2, 4, 8
_PLACES = 4
"""Decimal places of a price in the database."""
_NO_PRICE = np.iinfo(np.int64).min
_CHUNK = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Some fields of some products of a catalogue, newer than it; 17 bytes per product."""

    flags: NDArray[np.uint8]
    """(n_rows,): 0 where the catalogue itself is right."""
    prices: NDArray[np.int64]
    """(n_rows,): in ten-thousandths."""
    sale_prices: NDArray[np.int64]

    def __contains__(self, at: int) -> bool:
        return self.flags.item(at) != 0

    def is_eligible(self, at: int) -> bool:
        """Whether a product in here may be recommended."""
        return self.flags.item(at) == _KNOWN | _ACTIVE | _IN_STOCK

    def current_price(self, at: int) -> float:
        """Return what a product in here costs; NaN where nobody said."""
        scaled = self.sale_prices.item(at)
        if scaled == _NO_PRICE:
            scaled = self.prices.item(at)
        return float("nan") if scaled == _NO_PRICE else scaled / 10**_PLACES

    def over(self, row: ProductRow, at: int) -> ProductRow:
        """Return a product as it is now."""
        flags = self.flags.item(at)
        if not flags:
            return row
        return row._replace(
            active=bool(flags & _ACTIVE),
            hidden=bool(flags & _HIDDEN),
            in_stock=bool(flags & _IN_STOCK),
            price=_price(self.prices.item(at)),
            sale_price=_price(self.sale_prices.item(at)),
        )


def overlaid(columns: Columns, market_pk: int, *, since: int) -> tuple[Columns, set[int]]:
    """Return a catalogue under what the database says now of products changed after a revision.

    Also returns the item groups that this concerns. Products that are new are not among them.
    """
    pks, flags = array("q"), array("B")
    prices, sale_prices = array("q"), array("q")
    for pk, active, hidden, in_stock, price, sale_price in unhurried(_read(market_pk, since)):
        pks.append(pk)
        flags.append(_KNOWN | _ACTIVE * active | _HIDDEN * hidden | _IN_STOCK * in_stock)
        prices.append(_scaled(price))
        sale_prices.append(_scaled(sale_price))
    rows = columns.rows_of_pks(np.array(pks, dtype=np.int64))
    there = np.flatnonzero(rows >= 0)
    at, n_rows = rows[there], columns.image.n_rows + len(columns.new_codes)
    overlay = Overlay(
        flags=np.zeros(n_rows, dtype=np.uint8),
        prices=np.zeros(n_rows, dtype=np.int64),
        sale_prices=np.zeros(n_rows, dtype=np.int64),
    )
    overlay.flags[at] = np.array(flags, dtype=np.uint8)[there]
    overlay.prices[at] = np.array(prices, dtype=np.int64)[there]
    overlay.sale_prices[at] = np.array(sale_prices, dtype=np.int64)[there]
    codes = set(map(columns.code, at.tolist()))
    shown, costs = columns.shown.copy(), columns.prices.copy()
    for code in unhurried(codes):
        shown[code], costs[code] = _standing(columns, overlay, code)
    changed = replace(columns, overlay=overlay, shown=shown, eligible=shown >= 0, prices=costs)
    return changed, codes


def _read(market_pk: int, since: int) -> Iterator[tuple[Any, ...]]:
    products = Product.objects.filter(market=market_pk).changed_since(since).order_by()
    fields = ("pk", "active", "hidden", "in_stock", "price", "sale_price")
    yield from products.values_list(*fields).iterator(chunk_size=_CHUNK)


def _standing(columns: Columns, overlay: Overlay, code: int) -> tuple[int, float]:
    """Return which product stands for a group, -1 for none, and what it or the first one costs."""
    first_price = None
    for at in columns.rows_of(code):
        if at in overlay:
            eligible, price = overlay.is_eligible(at), overlay.current_price(at)
        else:
            row = columns.row(at)
            eligible = row.eligible
            price = float("nan") if row.current_price is None else float(row.current_price)
        if eligible:
            return at, price
        if first_price is None:
            first_price = price
    return -1, float("nan") if first_price is None else first_price


def _scaled(price: Decimal | None) -> int:
    return _NO_PRICE if price is None else int(price.scaleb(_PLACES))


def _price(scaled: int) -> Decimal | None:
    return None if scaled == _NO_PRICE else Decimal(scaled).scaleb(-_PLACES)
