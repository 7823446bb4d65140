"""Put a synthetic shop into the database that the settings name, and take it out again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from benchmarks.synthetic import SyntheticShop
from depict_reco.catalog.models import catalog_change
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.events.models import EventType
from depict_reco.models import Category, Event, Market, Product, Tenant
from depict_reco.tasks import MarketPlan, create_tenant

MARKET = "se"
COLUMNS = (
    "tenant_id", "market_id", "type", "time", "session_id", "user_id", "product_id", "sku",
    "quantity", "currency", "transaction_id", "recommendation_id", "deduplication_id",
    "received_at",
)  # fmt: skip
_TYPES = {
    Action.VIEW: EventType.PAGE_VIEW,
    Action.CART: EventType.ADD_TO_CART,
    Action.PURCHASE: EventType.PURCHASE,
    Action.RETURN: EventType.RETURN,
}
_BATCH = 5000


def load_shop(slug: str, shop: SyntheticShop, events: Interactions) -> Market:
    """Store products and events under a tenant of this name, which must not stand yet."""
    plan = MarketPlan(slug=MARKET, currency="SEK", default_locale="sv-SE")
    create_tenant(slug, markets=[plan])
    market = Market.objects.get(tenant__slug=slug, slug=MARKET)
    _load_products(market, shop)
    if connection.vendor == "postgresql":
        _copy(_rows(market, events))
    else:
        _insert(_rows(market, events))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return market


def remove_shop(slug: str) -> None:
    """Remove a tenant and all that is its own; none of this name is no error."""
    Event.objects.filter(tenant__slug=slug).order_by()._raw_delete(using="default")
    products = Product.objects.filter(market__tenant__slug=slug)
    links = Product.categories.through.objects.filter(product__in=products)
    links._raw_delete(using="default")
    products._raw_delete(using="default")
    Tenant.objects.filter(slug=slug).delete()


def product_name(product: int) -> str:
    """Return the id of a product."""
    return f"p{product:06d}"


def session_name(number: int) -> str:
    """Return the id of a session, of the length of a browser's UUID."""
    return f"{number:08x}-7c1e-4b53-9d0a-51f2c8e60b7d"


def _load_products(market: Market, shop: SyntheticShop) -> None:
    names = [f"category-{cluster}" for cluster in range(len(shop.starts) - 1)]
    Category.objects.bulk_create(Category(market=market, category_id=name) for name in names)
    categories = dict(Category.objects.filter(market=market).values_list("category_id", "pk"))
    through = Product.categories.through
    for first in range(0, len(shop), _BATCH):
        numbers = range(first, min(first + _BATCH, len(shop)))
        with catalog_change(market.pk):
            products = Product.objects.bulk_create(
                _product(market, shop, number) for number in numbers
            )
            through.objects.bulk_create(
                through(
                    product_id=product.pk, category_id=categories[shop.text(number).categories[0]]
                )
                for number, product in zip(numbers, products, strict=True)
            )


def _product(market: Market, shop: SyntheticShop, number: int) -> Product:
    text = shop.text(number)
    name = product_name(number)
    return Product(
        market=market,
        product_id=name,
        sku=f"sku-{name}",
        title=text.title,
        brand=text.brand,
        attributes=dict(text.attributes or {}),
        price=f"{5 + number % 400}",
        page_url=f"https://shop.example/{name}",
        image_url=f"https://img.example/{name}.jpg",
    )


def _rows(market: Market, events: Interactions) -> Iterator[tuple[Any, ...]]:
    """Yield the events as rows of COLUMNS, in time order."""
    names = [product_name(product) for product in range(events.n_items)]
    now = datetime.now(UTC)
    columns = (events.items, events.actions, events.sessions, events.baskets, events.shoppers)
    for first in range(0, len(events), _BATCH):
        block = slice(first, first + _BATCH)
        lists = [column[block].tolist() for column in (*columns, events.times)]
        for at, (item, action, session, basket, shopper, seconds) in enumerate(
            zip(*lists, strict=True)
        ):
            yield (
                market.tenant_id, market.pk, _TYPES[Action(action)].value,
                datetime.fromtimestamp(seconds, tz=UTC), session_name(session), f"u{shopper}",
                names[item], "", 1, "SEK", f"o{basket}" if basket >= 0 else "", "",
                f"{first + at:032x}", now,
            )  # fmt: skip


def _copy(rows: Iterator[tuple[Any, ...]]) -> None:
    table = connection.ops.quote_name(Event._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        statement = f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN"
        with cursor.cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)


def _insert(rows: Iterator[tuple[Any, ...]]) -> None:
    batch: list[Event] = []
    with transaction.atomic():
        for row in rows:
            batch.append(Event(**dict(zip(COLUMNS, row, strict=True))))
            if len(batch) == _BATCH:
                Event.objects.bulk_create(batch)
                batch = []
        Event.objects.bulk_create(batch)
