"""What serving keeps of a product, and how it is read from the database and from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from depict_reco.catalog.models import Product
from depict_reco.serving.encoding import to_json

_CHUNK = 500
_FIELDS = (
    "pk", "product_id", "sku", "item_group_id", "main_product_id", "title", "brand", "price",
    "sale_price", "currency", "image_url", "additional_image_urls", "page_url", "in_stock",
    "attributes", "texts", "hidden", "active", "first_seen_at",
)  # fmt: skip


class ProductRow(NamedTuple):
    """One product, as serving sees it."""

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
    first_seen: float
    """Seconds since the epoch."""
    categories: tuple[int, ...]
    """Primary keys, ancestors not included."""

    @property
    def group_id(self) -> str:
        return self.item_group_id or self.product_id

    @property
    def current_price(self) -> Decimal | None:
        return self.price if self.sale_price is None else self.sale_price

    @property
    def visible(self) -> bool:
        """Whether a shopper may be told of the product."""
        return self.active and not self.hidden

    @property
    def eligible(self) -> bool:
        """Whether the product may be recommended."""
        return self.active and self.in_stock and not self.hidden

    @property
    def place(self) -> tuple[object, ...]:
        """What must stay so that a change concerns nothing but the product itself."""
        return self.pk, self.product_id, self.group_id, self.sku, self.categories, self.first_seen

    def to_record(self) -> bytes:
        """Return the row as JSON; ``from_record`` reads it."""
        price = None if self.price is None else str(self.price)
        sale_price = None if self.sale_price is None else str(self.sale_price)
        return to_json([*self[:7], price, sale_price, *self[9:]])

    @classmethod
    def from_record(cls, record: bytes) -> ProductRow:
        values = json.loads(record)  # not orjson, to which large integers are floats
        for at in (7, 8):
            if values[at] is not None:
                values[at] = Decimal(values[at])
        values[-1] = tuple(values[-1])
        return cls._make(values)


def read_rows(market_pk: int, *, since: int | None = None) -> Iterator[ProductRow]:
    """Yield a market's products, or those changed after a revision, in the order of their keys."""
    products = Product.objects.filter(market=market_pk)
    links = Product.categories.through.objects.filter(product__market=market_pk)
    if since is not None:
        products = products.changed_since(since)
        links = links.filter(product__revision__gt=since)
    members: dict[int, list[int]] = {}
    pairs = links.order_by("pk").values_list("product_id", "category_id")
    for product, category in pairs.iterator(chunk_size=_CHUNK):
        members.setdefault(product, []).append(category)
    for values in products.order_by("pk").values_list(*_FIELDS).iterator(chunk_size=_CHUNK):
        *plain, first_seen = values
        categories = tuple(members.get(values[0], ()))
        yield ProductRow._make((*plain, first_seen.timestamp(), categories))
