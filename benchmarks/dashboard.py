"""How long the admin's pages “Results” and “Tracking status” take with few and with many events.

``DATABASE_URL=postgres://… python -m benchmarks.dashboard --events 0 1000000 10000000`` fills a
scratch shop with that many events over a year, counts them, and asks for both pages of the admin,
the median of five. The database must hold no other events. It prints a line for each size, and how
much longer the pages take with the last size than with the one before it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SLUG, PRODUCTS, DAYS, REPEATS = "bench-dashboard", 500, 365, 5
POSITIONS, EVENTS_A_VISIT, VISITS_OF_A_SHOPPER = 12, 20, 3
PAGES = {"Results": "/admin/depict_reco/results/?days=365",
         "Tracking status": "/admin/depict_reco/trackingstatus/"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one size took."""

    events: int
    pages: dict[str, float]
    """Milliseconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[0, 1_000_000, 10_000_000])
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        raise SystemExit("DATABASE_URL must name a PostgreSQL database.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from benchmarks.loading import remove_shop
    from depict_reco.models import Event, Rollup

    setup_test_environment(debug=False)
    call_command("migrate", verbosity=0)
    remove_shop(SLUG)
    if Event.objects.exists():
        raise SystemExit("This database holds events; use an empty one.")
    done = []
    for events in options.events:
        Rollup.objects.all().delete()
        try:
            done.append(_measure(events))
        finally:
            Rollup.objects.all().delete()
            remove_shop(SLUG)
            get_user_model().objects.filter(username=SLUG).delete()
    _compare(done)


def _measure(events: int) -> Measured:
    from depict_reco.models import DailyCounter
    from depict_reco.tasks import roll_up

    market = _make_market()
    _fill(market, events)
    found = roll_up()
    speed = events / found.seconds
    pages, told = {}, []
    client = _staff_client()
    for name, url in PAGES.items():
        milliseconds, queries = _time(
            client, f"{url}{'&' if '?' in url else '?'}market={market.pk}"
        )
        pages[name] = milliseconds
        told.append(f"{name} {milliseconds:.0f} ms, {queries} queries")
    print(
        f"{events:,} events, {DailyCounter.objects.count():,} counters: rolled up at "
        f"{speed:,.0f} events/s; {'; '.join(told)}",
        flush=True,
    )
    return Measured(events=events, pages=pages)


def _compare(done: Sequence[Measured]) -> None:
    if len(done) < 2:
        return
    few, many = done[-2:]
    ratios = (f"{name} {many.pages[name] / few.pages[name]:.2f}" for name in PAGES)
    print(f"{many.events:,} against {few.events:,} events: {', '.join(ratios)} times as long")


def _make_market() -> Any:
    from depict_reco.models import Market, Product
    from depict_reco.tasks import MarketPlan, create_tenant

    plan = MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")
    create_tenant(SLUG, markets=[plan])
    market = Market.objects.get(tenant__slug=SLUG)
    Product.objects.bulk_create(
        Product(market=market, product_id=f"p{number}", sku=f"s{number}", title=f"Thing {number}")
        for number in range(PRODUCTS)
    )
    return market


def _fill(market: Any, events: int) -> None:
    """Store events by one statement: views, clicks, carts and orders of visits, evenly in time."""
    from django.db import connection

    displays = _make_displays(market)
    with connection.cursor() as cursor:
        cursor.execute(
            _EVENTS,
            {
                "tenant": market.tenant_id,
                "market": market.pk,
                "events": events,
                "start": datetime.now(UTC) - timedelta(days=DAYS),
                "step": timedelta(days=DAYS) / max(events, 1),
                "visit": EVENTS_A_VISIT,
                "displays": displays,
                "shoppers": max(events // EVENTS_A_VISIT // VISITS_OF_A_SHOPPER, 1),
            },
        )
        cursor.execute("DROP TABLE bench_display")
        cursor.execute("ANALYZE")


def _make_displays(market: Any) -> int:
    """Make a table of what was shown, with genuine recommendation ids; return its length."""
    from django.db import connection

    from depict_reco.models import Product, RecommendationType
    from depict_reco.serving.tracking import recommendation_ids

    products = list(Product.objects.filter(market=market).order_by("pk"))
    types = RecommendationType.objects.filter(tenant=market.tenant).order_by("pk")
    rows: list[tuple[int, str, str]] = []
    for type_pk in types.values_list("pk", flat=True):
        for start in range(0, len(products), POSITIONS):
            shown = products[start : start + POSITIONS]
            now = datetime.now(UTC) - timedelta(days=DAYS + 1)
            ids = recommendation_ids([one.pk for one in shown], type_pk=type_pk, now=now)
            rows += [
                (len(rows) + number, one.product_id, id_)
                for number, (one, id_) in enumerate(zip(shown, ids, strict=True))
            ]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_display")
        cursor.execute(
            "CREATE TEMPORARY TABLE bench_display"
            " (number bigint PRIMARY KEY, product_id text, recommendation_id text)"
        )
        cursor.executemany("INSERT INTO bench_display VALUES (%s, %s, %s)", rows)
        cursor.execute("ANALYZE bench_display")
    return len(rows)


_EVENTS = """
INSERT INTO depict_reco_event (
    tenant_id, market_id, type, time, received_at, session_id, user_id, product_id, sku, quantity,
    price, currency, transaction_id, recommendation_id, recommendation_type, deduplication_id
)
SELECT %(tenant)s, %(market)s, act.type, act.time, act.time,
    'shopper-' || (act.visit * 7919 %% %(shoppers)s), '', shown.product_id, '', 1,
    CASE WHEN act.type = 'purchase' THEN 99.50 END, '',
    CASE WHEN act.type = 'purchase' THEN 'order-' || act.visit ELSE '' END,
    CASE WHEN act.type = 'click' OR act.at = 2 THEN shown.recommendation_id ELSE '' END, '',
    'bench-' || act.number
FROM (
    SELECT number, number / %(visit)s AS visit, number %% %(visit)s AS at,
        %(start)s + number * %(step)s AS time,
        CASE
            WHEN number %% %(visit)s IN (3, 9) THEN 'click'
            WHEN number %% %(visit)s = 12 THEN 'add_to_cart'
            WHEN number %% %(visit)s = 19 AND number / %(visit)s %% 4 = 0 THEN 'purchase'
            ELSE 'page_view'
        END AS type
    FROM generate_series(0::bigint, %(events)s - 1) AS number
) AS act
JOIN bench_display AS shown
    ON shown.number = (act.visit * 104729 + CASE act.at WHEN 9 THEN 1 ELSE 0 END) %% %(displays)s
ORDER BY act.number
"""
"""Of 20 events of a visit 2 are clicks, 1 is a cart, and in each fourth visit 1 is an order; of the
page views one names the recommendation that it was opened from."""


def _staff_client() -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client

    users = get_user_model().objects
    user = users.filter(username=SLUG).first() or users.create_superuser(SLUG)
    client = Client()
    client.force_login(user)
    return client


def _time(client: Any, url: str) -> tuple[float, int]:
    """Return the median of the milliseconds that a page took, and its queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:  # and warm up
        answer = client.get(url)
    count = len(queries)  # the next request empties the log
    if answer.status_code != 200:
        raise SystemExit(f"{url} answered {answer.status_code}")
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        client.get(url)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), count


if __name__ == "__main__":
    main()
