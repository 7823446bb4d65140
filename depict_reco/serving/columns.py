"""A market's catalogue in memory, as columns over its products and its item groups.

*Row* numbers a product, *code* numbers an item group; recommendations are made between codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.catalog.models import Category, Product

_CHUNK = 5_000
_FIELDS = (
    "pk", "product_id", "sku", "item_group_id", "main_product_id", "title", "brand", "price",
    "sale_price", "currency", "image_url", "additional_image_urls", "page_url", "in_stock",
    "attributes", "texts", "hidden", "active", "first_seen_at",
)  # fmt: skip


class ProductRow(NamedTuple):
    """What serving keeps of one product."""

    pk: int
    product_id: str
    sku: str
    item_group_id: str
    main_product_id: str
    title: str
    brand: str
    price: Decimal | None
    sale_price: Decimal | None
    currency: str
    image_url: str
    additional_image_urls: list[str]
    page_url: str
    in_stock: bool
    attributes: dict[str, object]
    texts: dict[str, dict[str, str]]
    hidden: bool
    active: bool
    first_seen_at: datetime
    categories: tuple[int, ...]
    """Primary keys, ancestors not included."""

    @property
    def group_id(self) -> str:
        return self.item_group_id or self.product_id

    @property
    def current_price(self) -> Decimal | None:
        return self.price if self.sale_price is None else self.sale_price

    @property
    def eligible(self) -> bool:
        """Whether the product may be recommended."""
        return self.active and self.in_stock and not self.hidden


def read_rows(market_pk: int, *, since: int | None = None) -> list[ProductRow]:
    """Read a market's products, or those changed after a revision, in the order of their keys."""
    products = Product.objects.filter(market=market_pk)
    links = Product.categories.through.objects.filter(product__market=market_pk)
    if since is not None:
        products = products.changed_since(since)
        links = links.filter(product__revision__gt=since)
    members: dict[int, list[int]] = {}
    pairs = links.order_by("pk").values_list("product_id", "category_id")
    for product, category in pairs.iterator(chunk_size=_CHUNK):
        members.setdefault(product, []).append(category)
    rows = products.order_by("pk").values_list(*_FIELDS).iterator(chunk_size=_CHUNK)
    return [ProductRow._make((*row, tuple(members.get(row[0], ())))) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The catalogue of a market at one moment; nothing in it is changed in place."""

    rows: list[ProductRow]
    row_of: dict[str, int]
    """Row by product id."""
    row_of_sku: dict[str, int]
    code_of_group: dict[str, int]
    group_ids: list[str]
    codes: NDArray[np.int32]
    """(n_rows,): the item group of each product."""
    group_indptr: NDArray[np.int64]
    group_rows: NDArray[np.int32]
    """Ragged: the products of each item group, in the order of their keys."""
    shown: NDArray[np.int32]
    """(n_codes,): the product that stands for its group, -1 where none may be shown."""
    prices: NDArray[np.float64]
    """(n_codes,): current price of the shown product, or of the group's first; NaN without."""
    first_seen: NDArray[np.float64]
    """(n_codes,): seconds since the epoch."""
    category_codes: dict[int, NDArray[np.int32]]
    """Item groups by category primary key, those of descendants included."""
    categories_of: list[tuple[int, ...]]
    """(n_codes,): category primary keys of the group's first product, nearest first."""
    category_pks: dict[str, int]
    """Category primary key by category id."""
    category_parents: dict[int, int | None]

    @classmethod
    def build(cls, rows: Iterable[ProductRow], market_pk: int) -> Self:
        """Lay out products in the order given."""
        rows = list(rows)
        code_of_group: dict[str, int] = {}
        codes = np.fromiter(
            (code_of_group.setdefault(row.group_id, len(code_of_group)) for row in rows),
            dtype=np.int32,
            count=len(rows),
        )
        n_codes = len(code_of_group)
        order = np.argsort(codes, kind="stable").astype(np.int32)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(codes, minlength=n_codes))))
        first_row = order[indptr[:-1]] if n_codes else np.empty(0, dtype=np.int32)
        shown = _shown(rows, codes, n_codes)
        parents, category_pks = _category_tree(market_pk)
        categories_of = [_with_ancestors(rows[row].categories, parents) for row in first_row]
        return cls(
            rows=rows,
            row_of={row.product_id: at for at, row in enumerate(rows)},
            row_of_sku=_first_by_sku(rows),
            code_of_group=code_of_group,
            group_ids=list(code_of_group),
            codes=codes,
            group_indptr=indptr.astype(np.int64),
            group_rows=order,
            shown=shown,
            prices=_prices(rows, np.where(shown < 0, first_row, shown)),
            first_seen=np.fromiter(
                (rows[row].first_seen_at.timestamp() for row in first_row),
                dtype=np.float64,
                count=n_codes,
            ),
            category_codes=_category_codes(categories_of),
            categories_of=categories_of,
            category_pks=category_pks,
            category_parents=parents,
        )

    def patched(self, changed: list[ProductRow], market_pk: int) -> Self | None:
        """Return the columns with some products changed in place of their old selves.

        Returns None where that is not enough: a new product, another group or category.
        """
        if _category_tree(market_pk) != (self.category_parents, self.category_pks):
            return None
        rows = self.rows.copy()
        codes = set()
        for row in changed:
            at = self.row_of.get(row.product_id)
            if at is None:
                return None
            old = rows[at]
            if _place(old) != _place(row):
                return None
            rows[at] = row
            codes.add(int(self.codes[at]))
        shown, prices = self.shown.copy(), self.prices.copy()
        for code in codes:
            members = self.group_rows[self.group_indptr[code] : self.group_indptr[code + 1]]
            first = next((at for at in members.tolist() if rows[at].eligible), -1)
            shown[code] = first
            price = rows[first if first >= 0 else members[0]].current_price
            prices[code] = np.nan if price is None else float(price)
        return replace(self, rows=rows, shown=shown, prices=prices)

    def code_of(self, name: str) -> int | None:
        """Return the item group of a product, named by product id, SKU or group id."""
        row = self.row_of.get(name)
        if row is None:
            row = self.row_of_sku.get(name)
        return self.code_of_group.get(name) if row is None else int(self.codes[row])

    def variants(self, code: int) -> list[int]:
        """Return the rows of an item group that a shopper may be told of."""
        rows = self.group_rows[self.group_indptr[code] : self.group_indptr[code + 1]]
        return [row for row in rows.tolist() if self.rows[row].active and not self.rows[row].hidden]


def _place(row: ProductRow) -> tuple[object, ...]:
    """Return what a product must keep so that nothing but its own row changes."""
    return row.pk, row.group_id, row.sku, row.categories, row.first_seen_at


def _first_by_sku(rows: list[ProductRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at, row in enumerate(rows):
        if row.sku:
            found.setdefault(row.sku, at)
    return found


def _shown(rows: list[ProductRow], codes: NDArray[np.int32], n_codes: int) -> NDArray[np.int32]:
    """Return the first product of each group that is active, in stock and not hidden."""
    shown = np.full(n_codes, -1, dtype=np.int32)
    eligible = np.fromiter(
        (at for at, row in enumerate(rows) if row.eligible),
        dtype=np.int32,
    )
    shown[codes[eligible[::-1]]] = eligible[::-1]
    return shown


def _prices(rows: list[ProductRow], chosen: NDArray[np.int32]) -> NDArray[np.float64]:
    prices = (rows[row].current_price for row in chosen.tolist())
    return np.fromiter(
        (np.nan if price is None else float(price) for price in prices),
        dtype=np.float64,
        count=len(chosen),
    )


def _category_tree(market_pk: int) -> tuple[dict[int, int | None], dict[str, int]]:
    parents: dict[int, int | None] = {}
    pks: dict[str, int] = {}
    rows = Category.objects.filter(market=market_pk).values_list("pk", "category_id", "parent_id")
    for pk, category_id, parent in rows:
        parents[pk], pks[category_id] = parent, pk
    return parents, pks


def _with_ancestors(categories: tuple[int, ...], parents: dict[int, int | None]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    level: list[int] = list(categories)
    while level:
        fresh = [pk for pk in level if pk in parents and pk not in found]
        found.update(dict.fromkeys(fresh))
        level = [parent for pk in fresh if (parent := parents[pk]) is not None]
    return tuple(found)


def _category_codes(categories_of: list[tuple[int, ...]]) -> dict[int, NDArray[np.int32]]:
    members: dict[int, list[int]] = {}
    for code, categories in enumerate(categories_of):
        for category in categories:
            members.setdefault(category, []).append(code)
    return {pk: np.array(codes, dtype=np.int32) for pk, codes in members.items()}
