"""A scratch market of a given size in the database that DATABASE_URL names.

Products fall into clusters that shoppers move within; clusters and the products in them are
visited by Zipf's law. Everything follows from the size, so that a market is made once and found
again by the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

START = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 60
_BATCH = 2000
_WORDS = (
    "lamp",
    "chair",
    "table",
    "mug",
    "plate",
    "knife",
    "towel",
    "rug",
    "shelf",
    "clock",
    "vase",
    "bowl",
    "frame",
    "basket",
    "candle",
    "mirror",
    "stool",
    "bench",
    "box",
    "tray",
)
_COLOURS = ("red", "blue", "green", "white", "black", "oak", "brass", "grey", "linen", "teal")


def slug_of(products: int, events: int) -> str:
    return f"bench-{products}-{events}"


def make_market(products: int, events: int) -> Any:
    """Return the trained market of this size, made now unless it stands already."""
    from depict_reco.models import Market, Tenant
    from depict_reco.tasks import MarketPlan, create_tenant, train_market

    slug = slug_of(products, events)
    plan = MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")
    create_tenant(slug, markets=[plan])
    market = Market.objects.get(tenant__slug=slug)
    if market.products.count() < products:
        print(f"{products:,} products …", flush=True)
        _write_products(market, products)
    if market.events.count() < events:
        print(f"{events:,} events …", flush=True)
        _write_events(market, products, events)
    if not market.artifacts.exists():
        print("training …", flush=True)
        train_market(market, progress=lambda stage, share: None)
    Tenant.objects.touch({market.tenant_id})
    return market


def _write_products(market: Any, products: int) -> None:
    from depict_reco.catalog.models import Category, Product, catalog_change

    market.products.all().delete()
    clusters = _clusters(products)
    with catalog_change(market.pk) as revision:
        roots = [
            Category(market=market, category_id=f"department-{at}", name=f"Department {at}")
            for at in range(max(1, clusters // 50))
        ]
        Category.objects.bulk_create(roots)
        leaves = [
            Category(market=market, category_id=f"shelf-{at}", parent=roots[at % len(roots)])
            for at in range(clusters)
        ]
        Category.objects.bulk_create(leaves)
        for start in range(0, products, _BATCH):
            numbers = range(start, min(start + _BATCH, products))
            rows = Product.objects.bulk_create(
                [_product(market, at, at % clusters, revision) for at in numbers]
            )
            through = Product.categories.through
            through.objects.bulk_create(
                through(product_id=row.pk, category_id=leaves[at % clusters].pk)
                for at, row in zip(numbers, rows, strict=True)
            )


def _product(market: Any, number: int, cluster: int, revision: int) -> Any:
    from depict_reco.models import Product

    word, colour = _WORDS[cluster % len(_WORDS)], _COLOURS[number // 7 % len(_COLOURS)]
    price = Decimal(49 + number * 37 % 1950)
    sale = price * Decimal("0.80") if number % 5 == 0 else None
    page = f"https://shop.example/{word}/{colour}-{word}-{number}"
    return Product(
        market=market,
        product_id=f"product-{number}",
        sku=f"sku-{number}",
        title=f"{colour.title()} {word} no. {number} for home and garden",
        brand=f"Brand {cluster % 200}",
        price=price,
        sale_price=sale,
        image_url=f"https://img.example/large/{number}.jpg",
        additional_image_urls=[f"https://img.example/large/{number}-{at}.jpg" for at in (1, 2)],
        page_url=page,
        in_stock=number % 17 != 0,
        attributes={"colour": colour, "material": word, "season": str(cluster % 4)},
        first_seen_at=START - timedelta(minutes=number),
        revision=revision,
    )


def _write_events(market: Any, products: int, events: int) -> None:
    from django.db import connection

    market.events.all().delete()
    columns = (
        "tenant_id, market_id, type, time, session_id, user_id, product_id, sku, quantity, price,"
        " currency, transaction_id, recommendation_id, deduplication_id, received_at"
    )
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY depict_reco_event ({columns}) FROM STDIN") as copy:
            for row in _event_rows(market, products, events):
                copy.write_row(row)
        cursor.execute("ANALYZE")


def _event_rows(market: Any, products: int, events: int) -> Iterator[tuple[Any, ...]]:
    items, sessions, bought = walks(products, events)
    for at, (item, session) in enumerate(zip(items.tolist(), sessions.tolist(), strict=True)):
        time = START + timedelta(seconds=at * DAYS * 86_400 / events)
        purchase = bool(bought[at])
        yield (
            market.tenant_id, market.pk, "purchase" if purchase else "page_view", time,
            f"session-{session}", "", f"product-{item}", "", 1, None, "",
            f"order-{session}" if purchase else "", "", str(at), time,
        )  # fmt: skip


def walks(
    products: int, events: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return item, session and whether it was bought, of each event in the order of time.

    A session of five events on average stays in one cluster for nine steps of ten; every tenth
    session buys most of what it saw last.
    """
    random = np.random.default_rng(seed)
    clusters = _clusters(products)
    lengths = random.geometric(0.2, size=events // 4)
    sessions = np.repeat(np.arange(len(lengths)), lengths)[:events]
    if len(sessions) < events:
        more = np.arange(events - len(sessions)) // 5
        sessions = np.concatenate((sessions, sessions[-1] + 1 + more))
    n_sessions = int(sessions[-1]) + 1
    home = _zipf(random, clusters, n_sessions)[sessions]
    strays = random.random(events) < 0.1
    home[strays] = random.integers(0, clusters, int(strays.sum()))
    inside = _zipf(random, max(1, products // clusters), events)
    items = np.minimum(inside * clusters + home, products - 1)
    buys = random.random(n_sessions) < 0.1
    bought = buys[sessions] & (random.random(events) < 0.6)
    return items, sessions, bought


def _clusters(products: int) -> int:
    return max(1, products // 50)


def _zipf(random: np.random.Generator, n: int, size: int) -> NDArray[np.int64]:
    weights = 1.0 / np.arange(1, n + 1) ** 0.8
    return np.searchsorted(np.cumsum(weights / weights.sum()), random.random(size)).clip(max=n - 1)
