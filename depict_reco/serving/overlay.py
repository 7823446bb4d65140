"""What shoppers must not see wrong for long, of products of which too many changed at once.

Reading them whole, for a new image, takes long. Whether they may be shown and what they cost is
read in a fraction of that, and laid over the old image until the new one is there.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from depict_reco.catalog.models import Product
from depict_reco.serving.background import unhurried

if TYPE_CHECKING:
    from depict_reco.serving.columns import Columns
    from depict_reco.serving.rows import ProductRow
    from depict_reco.tenants.directory import MarketEntry

Number = TypeVar("Number", bound=np.generic)

_KNOWN, _ACTIVE, _HIDDEN, _IN_STOCK = 1, 2, 4, 8
_PLACES = 4
"""Decimal places of a price in the database."""
_NO_PRICE = np.iinfo(np.int64).min
_CHUNK = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Some fields of some products of a catalogue, newer than it; 17 bytes per product."""

    revision: int
    """Up to which the changes are in here."""
    flags: NDArray[np.uint8]
    """(n_rows,): 0 where the catalogue itself is right."""
    prices: NDArray[np.int64]
    """(n_rows,): in ten-thousandths."""
    sale_prices: NDArray[np.int64]

    def __contains__(self, at: int) -> bool:
        return self.flags.item(at) != 0

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


def overlaid(columns: Columns, market: MarketEntry, *, since: int) -> tuple[Columns, set[int]]:
    """Return a catalogue under what the database says now of products changed after a revision.

    What lay over it already stays. Also returns the item groups that this concerns; products that
    are new are not among them.
    """
    pks, flags = array("q"), array("B")
    prices, sale_prices = array("q"), array("q")
    for pk, active, hidden, in_stock, price, sale_price in unhurried(_read(market.pk, since)):
        pks.append(pk)
        flags.append(_KNOWN | _ACTIVE * active | _HIDDEN * hidden | _IN_STOCK * in_stock)
        prices.append(_scaled(price))
        sale_prices.append(_scaled(sale_price))
    rows = columns.rows_of_pks(np.array(pks, dtype=np.int64))
    there = np.flatnonzero(rows >= 0)
    at, n_rows = rows[there], columns.image.n_rows + len(columns.new_codes)
    old = columns.overlay or Overlay(
        revision=since,
        flags=np.zeros(n_rows, dtype=np.uint8),
        prices=np.zeros(n_rows, dtype=np.int64),
        sale_prices=np.zeros(n_rows, dtype=np.int64),
    )
    overlay = Overlay(
        revision=market.catalog_revision,
        flags=_with(old.flags, at, np.array(flags, dtype=np.uint8)[there]),
        prices=_with(old.prices, at, np.array(prices, dtype=np.int64)[there]),
        sale_prices=_with(old.sale_prices, at, np.array(sale_prices, dtype=np.int64)[there]),
    )
    return _shown_anew(columns, overlay, at)


def _with(old: NDArray[Number], at: NDArray[np.int64], new: NDArray[Number]) -> NDArray[Number]:
    changed = old.copy()
    changed[at] = new
    return changed


def _read(market_pk: int, since: int) -> Iterator[tuple[Any, ...]]:
    products = Product.objects.filter(market=market_pk).changed_since(since).order_by()
    fields = ("pk", "active", "hidden", "in_stock", "price", "sale_price")
    yield from products.values_list(*fields).iterator(chunk_size=_CHUNK)


def _shown_anew(
    columns: Columns, overlay: Overlay, concerned: NDArray[np.int64]
) -> tuple[Columns, set[int]]:
    """Return a catalogue whose item groups are stood for as their products are now, and which."""
    rows, codes = _groups_with(columns, concerned)
    eligible, costs = _as_they_are(columns, overlay, rows)
    places = np.arange(len(rows))[::-1]  # backwards: what is written last stays
    standing = np.zeros(columns.n_codes, dtype=np.int64)
    standing[codes[places]] = places  # the first product of each group …
    places = places[eligible[places]]
    standing[codes[places]] = places  # … but for those of which one is eligible
    codes = np.unique(codes)
    standing = standing[codes]
    shown, prices = columns.shown.copy(), columns.prices.copy()
    shown[codes] = np.where(eligible[standing], rows[standing], -1)
    prices[codes] = costs[standing]
    changed = replace(columns, overlay=overlay, shown=shown, eligible=shown >= 0, prices=prices)
    return changed, set(codes.tolist())


def _groups_with(
    columns: Columns, concerned: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all products of the item groups of some, in order, and the group of each."""
    image, wanted = columns.image, np.zeros(columns.n_codes, dtype=np.bool_)
    wanted[image.codes[concerned[concerned < image.n_rows]]] = True
    wanted[[columns.new_codes[at] for at in concerned[concerned >= image.n_rows].tolist()]] = True
    changed = [code for code in columns.members if wanted[code]]
    wanted[changed] = False
    rows = np.flatnonzero(wanted[image.codes])
    more = [(at, code) for code in changed for at in columns.members[code]]
    moved = np.array(more, dtype=np.int64).reshape(-1, 2)
    return (
        np.concatenate((rows, moved[:, 0])),
        np.concatenate((image.codes[rows].astype(np.int64), moved[:, 1])),
    )


def _as_they_are(
    columns: Columns, overlay: Overlay, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return whether products may be recommended, and what they cost."""
    flags, prices, reduced = (
        one[rows] for one in (overlay.flags, overlay.prices, overlay.sale_prices)
    )
    scaled = np.where(reduced == _NO_PRICE, prices, reduced)
    eligible = flags == _KNOWN | _ACTIVE | _IN_STOCK
    costs = np.where(scaled == _NO_PRICE, np.nan, scaled / 10**_PLACES)
    for place in unhurried(np.flatnonzero(flags == 0).tolist()):
        row = columns.row(int(rows[place]))
        price = row.current_price
        eligible[place], costs[place] = row.eligible, np.nan if price is None else float(price)
    return eligible, costs


def _scaled(price: Decimal | None) -> int:
    return _NO_PRICE if price is None else int(price.scaleb(_PLACES))


def _price(scaled: int) -> Decimal | None:
    return None if scaled == _NO_PRICE else Decimal(scaled).scaleb(-_PLACES)
