"""How fast events are counted into daily counters, and how fast reports read them.

``DATABASE_URL=postgres://… python -m benchmarks.rollup --events 2000000`` makes a scratch market
with that many events over 90 days, counts them all, counts a minute's worth of new ones, makes
every report, and takes the market out again. The database must hold no other events.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

SLUG, PRODUCTS, DAYS = "bench-rollup", 2000, 90
START = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN, EVENTS_A_VISIT = 12, 18.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.loading import remove_shop
    from depict_reco.models import Event, Rollup

    call_command("migrate", verbosity=0)
    remove_shop(SLUG)
    if Event.objects.exists():
        raise SystemExit("This database holds events; use an empty one.")
    Rollup.objects.all().delete()
    try:
        _measure(options.events)
    finally:
        Rollup.objects.all().delete()
        remove_shop(SLUG)


def _measure(events: int) -> None:
    from depict_reco.analytics.reports import Breakdown, Period, Scope, report
    from depict_reco.models import DailyCounter, Event
    from depict_reco.tasks import rebuild_counters, roll_up

    market = _make_market()
    visits = round(events / EVENTS_A_VISIT)
    _load(_events(market, 0, visits))
    stored = Event.objects.count()
    print(f"{stored:,} events of {visits:,} visits in {DAYS} days")
    found = roll_up()
    counters = DailyCounter.objects.count()
    print(
        f"all of them: {found.seconds:.1f} s, {stored / found.seconds:,.0f} events/s, "
        f"{found.events:,} of them read, {counters:,} counters"
    )
    _load(_events(market, visits, visits + 300))
    found = roll_up()
    print(f"{Event.objects.count() - stored:,} new events: {found.seconds * 1000:.0f} ms")
    print(f"nothing new: {roll_up().seconds * 1000:.1f} ms")
    end = (START + timedelta(days=DAYS)).date()
    for days in (28, 80):
        period = Period(start=date.fromordinal(end.toordinal() - days), end=end)
        scope = Scope(tenant_pk=market.tenant_id, period=period)
        for breakdown in Breakdown:
            began = time.perf_counter()
            rows = report(scope, breakdown)
            took = (time.perf_counter() - began) * 1000
            print(f"report by {breakdown.value} of {days} days: {took:.1f} ms, {len(rows)} rows")
    found = rebuild_counters()
    print(f"all anew: {found.seconds:.1f} s")


def _make_market() -> Any:
    from depict_reco.models import Market, Product
    from depict_reco.tasks import MarketPlan, create_tenant

    plan = MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")
    create_tenant(SLUG, markets=[plan])
    market = Market.objects.get(tenant__slug=SLUG)
    Product.objects.bulk_create(
        Product(market=market, product_id=f"p{number}", sku=f"s{number}", title="x")
        for number in range(PRODUCTS)
    )
    return market


def _events(market: Any, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Return what happened in some visits, in the order of time."""
    from depict_reco.models import Product, RecommendationType

    names = dict(Product.objects.filter(market=market).values_list("pk", "product_id"))
    pks = list(names)
    types = RecommendationType.objects.filter(tenant=market.tenant)
    # asked for here, as nothing can be asked while the events are copied
    return _visits(first, last, names, pks, list(types.values_list("pk", flat=True)))


def _visits(
    first: int, last: int, names: dict[int, str], pks: list[int], types: list[int]
) -> Iterator[dict[str, Any]]:
    from depict_reco.serving.tracking import recommendation_ids

    random.seed(first)
    step = timedelta(days=DAYS) / max(last, 1)
    for visit in range(first, last):
        now = START + step * visit
        shopper = f"{random.randrange(last // 2 + 1):08x}-7c1e-4b53-9d0a-51f2c8e60b7d"
        shown = random.choices(pks, k=SHOWN)
        ids = recommendation_ids(shown, type_pk=random.choice(types), now=now)
        base = {"session_id": shopper, "time": now}
        for pk in random.choices(pks, k=5):
            yield base | {"type": "page_view", "product_id": names[pk]}
        for rec in ids:
            yield base | {"type": "element_visible", "recommendation_id": rec}
        if random.random() < 0.5:
            at = random.randrange(SHOWN)
            yield base | {"type": "click", "recommendation_id": ids[at]}
            if random.random() < 0.5:
                yield base | {"type": "add_to_cart", "product_id": names[shown[at]]}
        if random.random() < 0.15:
            for pk in (shown[0], *random.choices(pks, k=1)):
                yield base | {
                    "type": "purchase", "product_id": names[pk], "transaction_id": f"o{visit}",
                    "price": "99.50",
                }  # fmt: skip


def _load(events: Iterator[dict[str, Any]]) -> None:
    from django.db import connection

    from depict_reco.models import Event, Market

    market = Market.objects.get(tenant__slug=SLUG)
    columns = (
        "tenant_id", "market_id", "type", "time", "session_id", "user_id", "product_id", "sku",
        "quantity", "price", "currency", "transaction_id", "recommendation_id",
        "deduplication_id", "received_at",
    )  # fmt: skip
    seen = Event.objects.count()
    with connection.cursor() as cursor:
        table = Event._meta.db_table
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for number, event in enumerate(events, start=seen):
                values = {
                    "tenant_id": market.tenant_id, "market_id": market.pk, "user_id": "",
                    "product_id": "", "sku": "", "quantity": 1, "price": None, "currency": "",
                    "transaction_id": "", "recommendation_id": "",
                    "deduplication_id": f"bench-{number:012x}", "received_at": event["time"],
                } | event  # fmt: skip
                copy.write_row([values[name] for name in columns])
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()
