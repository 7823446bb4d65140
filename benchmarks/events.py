"""Taking events, beside a bare bulk_create of the same rows: ``make bench-events``.

    DATABASE_URL=postgres://… python -m benchmarks.events [--events N] [--rounds N] [--sizes N,N]

One side is the whole of ``POST /create-events``, in this process: a WSGI request with the body in
it goes through Django's handler, middleware, addresses, API key, JSON, validation of each event
against the contract, products of recommendation ids, one statement, commit, answer. The other is
``Event.objects.bulk_create(rows)`` of Event objects that stand ready, with the columns as the first
side stores them. Both write to the same table of one PostgreSQL over one connection each, in turns
(A B A B …), each event under an id of its own. The ratio is that of the events per second.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

SLUG = "bench-events"
PRODUCTS = 1000
SHOPPERS = 500
SETTLED = 50_000
"""Events that are there before."""
DISPLAYS = 200_000
"""More than a run has events, so that none is clicked or seen twice."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events")
    parser.add_argument("--events", type=int, default=2000, help="Per turn and size of batch.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="1,10,100", help="Events per request.")
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database to make the shop in.")
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.project"
    os.environ.setdefault("BINDING", "client")  # as a project has it that chose nothing
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    run(options)


def run(options: argparse.Namespace) -> None:
    """Measure, and leave the database as it was."""
    from benchmarks.loading import remove_shop

    remove_shop(SLUG)
    try:
        shop = Shop()
        settle(shop)
        for size in map(int, options.sizes.split(",")):
            measure(shop, size=size, events=options.events, rounds=options.rounds)
    finally:
        remove_shop(SLUG)


class Shop:
    """A shop with products, a key, and what its shoppers do."""

    def __init__(self) -> None:
        from django.core.wsgi import get_wsgi_application
        from django.utils import timezone

        from depict_reco.models import ApiKey, Market, Product
        from depict_reco.serving.tracking import recommendation_ids
        from depict_reco.tasks import MarketPlan, create_tenant

        create_tenant(SLUG, markets=[MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")])
        self.market = Market.objects.get(tenant__slug=SLUG)
        Product.objects.bulk_create(
            Product(market=self.market, product_id=f"p{number}", title="x")
            for number in range(PRODUCTS)
        )
        pks = list(Product.objects.filter(market=self.market).values_list("pk", flat=True))
        self.displays = [  # each answer a minute before the one before it, so that no two are alike
            display
            for number in range(DISPLAYS // PRODUCTS)
            for at in range(0, PRODUCTS, 20)
            for display in recommendation_ids(
                pks[at : at + 20],
                type_pk=1,
                now=timezone.now() - timedelta(minutes=number),
            )
        ]
        _, self.secret = ApiKey.objects.issue(self.market.tenant, name="b", scopes=["events"])
        self.application = get_wsgi_application()
        self._rng = random.Random(1)
        self._count = 0

    def event(self) -> dict[str, Any]:
        """Return an event as Depict's client sends it: six views, two displays seen, a click and
        a product put into the cart of ten."""
        self._count += 1
        shopper = self._rng.randrange(SHOPPERS)
        event = {
            "tenant": SLUG, "market": "se", "dsid": f"{shopper}.abcdefgh",
            "deduplication_id": f"{time.time_ns()}-{self._count}", "document_width": 1280,
            "document_referrer": "", "url": "https://shop.example/some/page?with=a&query=1",
        }  # fmt: skip
        kind = self._rng.randrange(10)
        if kind < 7:
            product = f"p{self._rng.randrange(PRODUCTS)}"
            return {**event, "type": "add_to_cart" if kind == 6 else "page_view",
                    "product_id": product}  # fmt: skip
        # another display each time: it is clicked and seen once
        return {**event, "dsid": f"{self._count}.{time.time_ns()}",
                "type": "click" if kind == 9 else "element_visible",
                "recommendation_id": self.displays[self._count % len(self.displays)]}  # fmt: skip

    def post(self, body: bytes) -> bytes:
        """Send a body as a web server would hand it over; return the answer."""
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/create-events", "SCRIPT_NAME": "",
            "QUERY_STRING": f"api_key={self.secret}", "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)), "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000",
            "HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "https://shop.example",
            "REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": True,
            "wsgi.run_once": False, "wsgi.version": (1, 0),
        }  # fmt: skip
        statuses: list[str] = []
        answer = self.application(environ, lambda status, headers: statuses.append(status))
        content = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        assert statuses == ["200 OK"], content
        return content


def measure(shop: Shop, *, size: int, events: int, rounds: int) -> None:
    """Print what both sides make of batches of one size."""
    from depict_reco.models import Event

    warm(shop)
    count = max(events // size, 10 if size > 1 else events)
    rates: dict[str, list[float]] = {"POST": [], "bulk_create": []}
    for _ in range(rounds):
        last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        bodies = [json.dumps([shop.event() for _ in range(size)]).encode() for _ in range(count)]
        rates["POST"].append(size * count / seconds(shop.post, bodies))
        stored = list(Event.objects.filter(pk__gt=last).order_by("pk"))
        assert len(stored) == size * count, "an event was not stored"
        batches = [rows_like(stored[at : at + size]) for at in range(0, len(stored), size)]
        rates["bulk_create"].append(size * count / seconds(Event.objects.bulk_create, batches))
    ratios = [ours / bare for ours, bare in zip(*rates.values(), strict=True)]
    ours, bare = (statistics.median(found) for found in rates.values())
    print(
        f"batches of {size:>3}: POST /create-events {ours:,.0f} events/s, bulk_create {bare:,.0f}, "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in "
        f"{rounds} turns)"
    )


def settle(shop: Shop) -> None:
    """Store what makes the table one of a shop that has been open for a while."""
    from django.db import connection

    for _ in range(SETTLED // 500):
        shop.post(json.dumps([shop.event() for _ in range(500)]).encode())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def warm(shop: Shop) -> None:
    for _ in range(20):
        shop.post(json.dumps([shop.event()]).encode())


def rows_like(events: list[Any]) -> list[Any]:
    """Return new objects that differ from stored ones in their ids alone."""
    from depict_reco.models import Event

    names = [field.attname for field in Event._meta.concrete_fields if not field.primary_key]
    rows = []
    for event in events:
        values = {name: getattr(event, name) for name in names}
        values["deduplication_id"] += "#"
        rows.append(Event(**values))
    return rows


def seconds(act: Callable[[Any], object], batches: list[Any]) -> float:
    """Return how long an act takes for all batches, one after the other."""
    start = time.perf_counter()
    for batch in batches:
        act(batch)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
