"""A small shop whose right answers are obvious.

Tea things: teapot *i* is bought with teacup *i* (``teapot-1`` with ``teacup-1``, …), and people
who look at teapots look at other teapots. Garden things likewise: spades are bought with gloves.
``bear`` is one item group of three sizes and by far the most popular; ``puzzle-5`` is on the rise.
One product each is hidden, sold out and no longer in the feed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from depict_reco.catalog.models import catalog_change
from depict_reco.models import Category, Event, Market, Product, Tenant
from depict_reco.serving.defaults import add_default_types

START = datetime(2026, 4, 1, 8, tzinfo=UTC)
DAYS = 60

ELIGIBLE = 26
"""Item groups that may be recommended."""

CATEGORIES = {
    "kitchen": None,
    "teapots": "kitchen",
    "teacups": "kitchen",
    "garden": None,
    "spades": "garden",
    "gloves": "garden",
    "toys": None,
}


def make_shop(slug: str = "acme") -> Market:
    """Create a tenant with the default types and one market with its products; no events."""
    tenant = Tenant.objects.create(slug=slug, name=slug.title())
    add_default_types(tenant)
    market = Market.objects.create(
        tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE", locales=["en-SE"]
    )
    _add_catalogue(market)
    return market


def add_product(
    market: Market, product_id: str, *, category: str | None = None, **fields: Any
) -> Product:
    """Create a product with sensible values for what is not given."""
    product = _product(market, product_id, **fields)
    with catalog_change(market.pk):
        product.save(force_insert=True)
        if category is not None:
            product.categories.add(Category.objects.get(market=market, category_id=category))
    return product


def _product(market: Market, product_id: str, **fields: Any) -> Product:
    fields.setdefault("title", product_id.replace("-", " ").title())
    fields.setdefault("price", "100")
    fields.setdefault("page_url", f"https://shop.example/{product_id}")
    fields.setdefault("image_url", f"https://img.example/{product_id}.jpg")
    fields.setdefault("first_seen_at", START)
    return Product(market=market, product_id=product_id, **fields)


def add_events(market: Market) -> int:
    """Create what people did in DAYS days from START; return how many events."""
    events = [*_orders(), *_visits(), *_rise()]
    Event.objects.bulk_create(
        Event(
            tenant_id=market.tenant_id,
            market=market,
            deduplication_id=str(number),
            sku=f"sku-{product_id}" if fields["type"] == "purchase" else "",
            product_id="" if fields["type"] == "purchase" else product_id,
            **{name: value for name, value in fields.items() if name != "product"},
        )
        for number, fields in enumerate(events)
        for product_id in [fields["product"]]
    )
    return len(events)


def add_event(market: Market, product_id: str, **fields: Any) -> Event:
    """Create one event; by default a page view of nobody, now."""
    fields.setdefault("type", "page_view")
    fields.setdefault("time", START + timedelta(days=DAYS))
    fields.setdefault("deduplication_id", f"extra-{Event.objects.count()}")
    return Event.objects.create(
        tenant_id=market.tenant_id, market=market, product_id=product_id, **fields
    )


def _add_catalogue(market: Market) -> None:
    """Create categories and products in a few statements: most tests begin with this."""
    categories: dict[str, Category] = {}
    homes: dict[str, str] = {}
    products = []
    with catalog_change(market.pk) as revision:
        for of_roots in (True, False):
            made = Category.objects.bulk_create(
                Category(
                    market=market, category_id=name, name=name, parent=categories.get(parent or "")
                )
                for name, parent in CATEGORIES.items()
                if (parent is None) is of_roots
            )
            categories |= {category.category_id: category for category in made}
        for fields in _catalogue():
            homes[fields["product_id"]] = fields.pop("category")
            products.append(_product(market, revision=revision, **fields))
        Product.categories.through.objects.bulk_create(
            Product.categories.through(
                product=product, category=categories[homes[product.product_id]]
            )
            for product in Product.objects.bulk_create(products)
        )


def _catalogue() -> Iterable[dict[str, Any]]:
    for number in range(1, 6):
        for kind, category, price in (
            ("teapot", "teapots", 100),
            ("teacup", "teacups", 10),
            ("spade", "spades", 200),
            ("glove", "gloves", 20),
            ("puzzle", "toys", 30),
        ):
            yield {
                "product_id": f"{kind}-{number}",
                "sku": f"sku-{kind}-{number}",
                "category": category,
                "price": str(price * number),
                "brand": "Tea & Co" if category in ("teapots", "teacups") else "Home",
            }
    for size in "sml":
        yield {
            "product_id": f"bear-{size}",
            "sku": f"sku-bear-{size}",
            "item_group_id": "bear",
            "title": f"Bear {size.upper()}",
            "category": "toys",
        }
    for name, fields in (
        ("hidden", {"hidden": True}),
        ("sold-out", {"in_stock": False}),
        ("gone", {"active": False}),
    ):
        yield {"product_id": f"teapot-{name}", "category": "teapots", **fields}


def _orders() -> Iterable[dict[str, Any]]:
    order = 0
    for day in range(DAYS):
        number = day % 5 + 1
        for pair in (("teapot", "teacup"), ("spade", "glove")):
            order += 1
            for minute, kind in enumerate(pair):
                yield _event("purchase", f"{kind}-{number}", day, minute, f"o{order}", order)
        order += 1
        yield _event("purchase", f"bear-{'sml'[day % 3]}", day, 90, f"o{order}", order)


def _visits() -> Iterable[dict[str, Any]]:
    for day in range(DAYS):
        for kind in ("teapot", "spade"):
            for step in range(3):
                number = (day + step) % 5 + 1
                yield _event("page_view", f"{kind}-{number}", day, 200 + step, "", f"{kind}{day}")


def _rise() -> Iterable[dict[str, Any]]:
    for visit in range(60):
        yield _event("page_view", "puzzle-5", DAYS - 1 - visit % 3, 300 + visit, "", f"rise{visit}")


def _event(
    type_: str, product: str, day: int, minute: int, order: str, visitor: object
) -> dict[str, Any]:
    return {
        "type": type_,
        "product": product,
        "time": START + timedelta(days=day, minutes=minute),
        "transaction_id": order,
        "session_id": "" if order else f"s-{visitor}",
        "user_id": f"u-{visitor}" if order else "",
    }
