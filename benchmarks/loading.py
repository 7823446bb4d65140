"""Put a synthetic shop into the database that the settings name, and take it out again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from benchmarks.synthetic import (
    END,
    MARKET,
    SyntheticShop,
    make_sessions,
    make_shop,
    product_name,
    session_name,
)
from depict_reco.catalog.models import catalog_change
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.events.models import EventType
from depict_reco.models import Category, Event, Market, Product, Tenant
from depict_reco.tasks import MarketPlan, create_tenant, train_market

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
_DEPARTMENT = 50
"""Categories in each department."""


def find_or_make(products: int, events: int, *, train: bool = True) -> Market:
    """Return the market of this size, made and trained now unless an earlier run did it."""
    slug = f"bench-{products}-{events}"
    market = Market.objects.filter(tenant__slug=slug, slug=MARKET).first()
    if market is None or not market.events.exists():  # they are stored last, all or none
        remove_shop(slug)
        shop = make_shop(products)
        print(f"{products:,} products, {events:,} clicks …", flush=True)
        market = load_shop(slug, shop, make_sessions(shop, events, orders=True))
    if train and not market.artifacts.exists():
        print("training …", flush=True)
        train_market(market)
    return market


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


def _load_products(market: Market, shop: SyntheticShop) -> None:
    categories = _load_categories(market, len(shop.starts) - 1)
    through = Product.categories.through
    for first in range(0, len(shop), _BATCH):
        numbers = range(first, min(first + _BATCH, len(shop)))
        with catalog_change(market.pk) as revision:
            products = Product.objects.bulk_create(
                _product(market, shop, number, revision) for number in numbers
            )
            through.objects.bulk_create(
                through(
                    product_id=product.pk, category_id=categories[int(shop.clusters[number])].pk
                )
                for number, product in zip(numbers, products, strict=True)
            )


def _load_categories(market: Market, clusters: int) -> list[Category]:
    """Store the category of each cluster, below departments."""
    with catalog_change(market.pk):
        departments = Category.objects.bulk_create(
            Category(market=market, category_id=f"department-{at}", name=f"Department {at}")
            for at in range(-(-clusters // _DEPARTMENT))
        )
        return Category.objects.bulk_create(
            Category(
                market=market,
                category_id=f"category-{at}",
                name=f"Category {at}",
                parent=departments[at // _DEPARTMENT],
            )
            for at in range(clusters)
        )


def _product(market: Market, shop: SyntheticShop, number: int, revision: int) -> Product:
    text = shop.text(number)
    name = product_name(number)
    price = Decimal(5 + number % 400)
    return Product(
        market=market,
        product_id=name,
        sku=f"sku-{name}",
        title=text.title,
        brand=text.brand,
        attributes=dict(text.attributes or {}),
        price=price,
        sale_price=price * Decimal("0.80") if number % 5 == 0 else None,
        in_stock=number % 17 != 0,
        page_url=f"https://shop.example/{name}",
        image_url=f"https://img.example/large/{name}.jpg",
        additional_image_urls=[f"https://img.example/large/{name}-{at}.jpg" for at in (1, 2)],
        first_seen_at=datetime.fromtimestamp(END, tz=UTC) - timedelta(days=number % 730),
        revision=revision,
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
