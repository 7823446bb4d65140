"""How soon a change of all products at once is in every answer: ``make bench-freshness``.

    DATABASE_URL=postgres://… python -m benchmarks.freshness [--products N] [--events N] …

One statement re-prices and renames all products and takes one out of stock, while two worker
processes are asked by wrk. Prices and stock are read before all else; the titles, which come with a
new image of the catalogue, are what they are compared with. The market is that of
``benchmarks.serving``, and is left changed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from benchmarks import servers
from benchmarks.servers import Load
from benchmarks.serving import OURS, Scratch, made_scratch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")

SERVER = "granian-wsgi"
CONNECTIONS = 8
_PAUSE = 0.02
_CALM_SECONDS = 2.0
"""Without a wrong answer, after which all are taken to be right."""
_MOST_SECONDS = 120.0
_CHANGE = """
import sys, time
import django
django.setup()
from django.db.models import Case, Value, When
from depict_reco.models import Product
tenant, price, sold_out = sys.argv[1:]
in_stock = Case(When(product_id=sold_out, then=Value(False)), default=Value(True))
Product.objects.filter(market__tenant__slug=tenant).change(
    price=price, sale_price=None, title="priced " + price, in_stock=in_stock
)
print(time.time())
"""


@dataclass
class Seen:
    """When answers were last seen to be wrong, by what was wrong with them."""

    wrong: dict[str, float] = field(default_factory=dict)

    def look_at(self, displays: list[dict[str, object]], *, price: int, sold_out: str) -> None:
        now = time.time()
        if any(display["product_id"] == sold_out for display in displays):
            self.wrong["stock"] = now
        if any(display["price"] != f"{price}.00" for display in displays):
            self.wrong["prices"] = now
        if any(display["title"] != f"priced {price}" for display in displays):
            self.wrong["titles"] = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rates", type=int, nargs="+", default=[0, 1000, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database to make the market in.")
    print(servers.versions())
    scratch = made_scratch(options.products, events=options.events)
    port = servers.free_port()
    command = servers.command(SERVER, OURS[SERVER], port, workers=2)
    with servers.running(command, {}, port) as pid:
        for rate in options.rates:
            rounds = [_round(scratch, (port, pid), rate) for _ in range(options.rounds)]
            told = {what: statistics.median(one[what] for one in rounds) for what in rounds[0]}
            print(
                f"{options.products:,} products, asked {rate:,} times a second: "
                + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in told.items())
                + f" after the commit; prices {told['titles'] / told['prices']:.1f} times as soon",
                flush=True,
            )


def _round(scratch: Scratch, server: tuple[int, int], rate: int) -> dict[str, float]:
    """Change all; return the seconds from the commit to the last answer that was still wrong."""
    question = scratch.bodies["checkout"].read_text().split("\n", 1)[0]
    for _ in range(20):  # until both workers know the market
        before = _ask(server[0], question, scratch.key)
        time.sleep(_PAUSE)
    sold_out, price = str(before[0]["product_id"]), int(time.time()) % 1_000_000 + 1
    stop, loads = threading.Event(), list[Load]()
    wrk = threading.Thread(target=_drive, args=(scratch, server, rate, stop, loads))
    wrk.start()
    seen, begun = Seen(), time.time()
    arguments = [sys.executable, "-c", _CHANGE, scratch.slug, str(price), sold_out]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as change:
        while change.poll() is None or time.time() - max(seen.wrong.values()) < _CALM_SECONDS:
            seen.look_at(_ask(server[0], question, scratch.key), price=price, sold_out=sold_out)
            time.sleep(_PAUSE)
            if time.time() - begun > _MOST_SECONDS:
                break
        stop.set()
        wrk.join()
        committed = float(change.communicate()[0])
    if time.time() - begun > _MOST_SECONDS:
        raise SystemExit(f"Not in force after {_MOST_SECONDS:g} s.")
    if refused := sum(load.errors for load in loads):
        raise SystemExit(f"{refused} requests were not answered.")
    return {what: seen.wrong[what] - committed for what in ("stock", "prices", "titles")}


def _drive(
    scratch: Scratch, server: tuple[int, int], rate: int, stop: threading.Event, loads: list[Load]
) -> None:
    """Let wrk ask until it is to stop; add what it saw."""
    while rate and not stop.is_set():
        loads.append(
            servers.drive(
                server,
                connections=CONNECTIONS,
                seconds=2,
                bodies=scratch.bodies["checkout"],
                key=scratch.key,
                rate=rate,
            )
        )


def _ask(port: int, question: str, key: str) -> list[dict[str, object]]:
    displays: list[dict[str, object]] = json.loads(servers.ask(port, question, key))["displays"]
    return displays


if __name__ == "__main__":
    main()
