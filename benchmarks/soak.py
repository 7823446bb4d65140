"""Everything at once, for minutes: ``make bench-soak``.

    python -m benchmarks.soak [--seconds 600] [--products N] [--events N]

Two web servers on a PostgreSQL and a Redis of their own are asked at 70 % of the rate that they
were just measured to bear, while a feed import, a training, a rollback and a publish run in turn.
Ends with 1 where a limit is broken: an error, an answer against the contract, a 99th percentile
above three times that of the same load without the work, a process that grows. The ten seconds of
it that run in CI are tests/e2e/test_soak.py.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks import servers
from benchmarks.servers import Load
from benchmarks.synthetic import MARKET, browsed_pairs, product_name, session_name
from tests.e2e.installation import LIMIT, Installation, Shoppers

SHARE = 0.7
SLOWER = 3.0
"""How many times the 99th percentile without the work the one with it may be."""
GROWTH, GROWN_MB = 1.1, 10.0
"""How much heavier, by share and besides, a process may be in the last quarter than the first."""
CONNECTIONS = 16
NICENESS = 15
FEED_PACE = 0.25
"""Of the work, as docs/deployment.md has both: the processors are the web servers' first."""
TYPES = ("popular", "checkout", "cross_sell", "similar", "for_you")

SET_UP = """
from django.core.management import call_command
from benchmarks.loading import load_shop
from benchmarks.synthetic import make_sessions, make_shop
from depict_reco.tasks import train_market
call_command("migrate", verbosity=0)
shop = make_shop({products})
market = load_shop("acme", shop, make_sessions(shop, {events}, orders=True))
train_market(market)
result = {{"acme": ApiKey.objects.issue(market.tenant, name="web", scopes=["recommend"])[1]}}
"""

_START = """
from pathlib import Path
from depict_reco.artifacts.publish import publish, roll_back
from depict_reco.tasks import import_feed, train_market
market = Market.objects.get(tenant__slug="acme")
"""
JOBS = {
    "feed import": """
shown = Product.objects.filter(market=market, active=True, hidden=False)
feed = Path({folder!r}) / "soak.csv"
feed.write_text("product_id,title,price\\n" + "".join(
    f"{{name}},{{name.title()}},{price}\\n"
    for name in shown.values_list("product_id", flat=True)
))
result = import_feed(str(feed), market=market).updated
""",
    "training": "train_market(market)",
    "rollback": "roll_back(market)",
    "publish": "publish(Artifact.objects.filter(market=market).newest_first().first())",
}


@dataclass
class Work:
    """What a shop's staff does meanwhile: each job in its turn, again and again."""

    installation: Installation
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Seconds that each job took."""
    updated: list[int] = field(default_factory=list)
    """Products that each import changed."""

    @property
    def rounds(self) -> int:
        return len(self.updated)

    def do(self, job: str) -> None:
        """Do one of the jobs; each import gives all products another price."""
        start = time.monotonic()
        code = JOBS[job].format(folder=str(self.installation.folder), price=1000 + self.rounds)
        result = self.installation.do(_START + code)
        self.spent.setdefault(job, []).append(time.monotonic() - start)
        if job == "feed import":
            self.updated.append(result)

    def go_on(self, seconds: float) -> None:
        """Do one job after the other until the time is over; each at least once."""
        end = time.monotonic() + seconds
        first = True
        while first or time.monotonic() < end:
            for job in JOBS:
                if first or time.monotonic() < end:
                    self.do(job)
            first = False


@dataclass
class Scales:
    """Weighs the workers of an installation twice a second."""

    installation: Installation
    megabytes: dict[str, list[float]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._weigh, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(10)

    def _weigh(self) -> None:
        while not self._stop.wait(0.5):
            for server in self.installation.servers:
                self.megabytes.setdefault(server.name, []).append(server.own_megabytes)

    def quarters(self, name: str) -> tuple[float, float]:
        """Return the median of the first quarter of the time, and of the last."""
        found = self.megabytes[name]
        quarter = max(1, len(found) // 4)
        return statistics.median(found[:quarter]), statistics.median(found[-quarter:])

    def grown(self) -> list[str]:
        """Return the processes that are heavier in the end than they may be."""
        return [
            f"{name} grew from {first:.0f} to {last:.0f} MB"
            for name in self.megabytes
            for first, last in [self.quarters(name)]
            if last > first * GROWTH + GROWN_MB
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """What wrk saw at each server, at its limit, without the work, and with it."""

    limit: Sequence[Load]
    idle: Sequence[Load]
    busy: Sequence[Load]


def main() -> None:
    options = _options()
    with _installation(options) as installation:
        loads, work, shoppers, scales = _soak(installation, options)
    print(_table(loads, work, shoppers, scales))
    broken = list(_broken(loads, shoppers, scales))
    for line in broken:
        print(f"BROKEN: {line}")
    sys.exit(1 if broken else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    for program in ("wrk", "redis-server"):
        if shutil.which(program) is None:
            parser.error(f"{program} is needed, and is not installed.")
    return options


@contextmanager
def _installation(options: argparse.Namespace) -> Iterator[Installation]:
    # not below a folder that the user postgres may not enter
    folder = Path(tempfile.mkdtemp(prefix="reco-soak-"))
    folder.chmod(0o755)
    os.environ["FEED_PACE"] = str(FEED_PACE)
    installation = Installation(folder, niceness=NICENESS)
    try:
        print(f"{options.products:,} products, {options.events:,} clicks …", flush=True)
        installation.start(SET_UP.format(products=options.products, events=options.events))
        yield installation
    finally:
        installation.clean_up()
        shutil.rmtree(folder, ignore_errors=True)


def _soak(
    installation: Installation, options: argparse.Namespace
) -> tuple[Loads, Work, Shoppers, Scales]:
    questions = _questions(options.products)
    bodies = installation.folder / "bodies.jsonl"
    servers.write_bodies(bodies, questions)

    def drive(seconds: float, rate: float = 0.0) -> list[Load]:
        with ThreadPoolExecutor() as pool:
            return list(
                pool.map(
                    lambda server: servers.drive(
                        (server.port, server.pid),
                        connections=CONNECTIONS,
                        seconds=seconds,
                        bodies=bodies,
                        key=installation.keys["acme"],
                        rate=rate,
                    ),
                    installation.servers,
                )
            )

    short = max(3.0, min(30.0, options.seconds / 10))
    drive(short)
    limit = drive(short)
    rate = SHARE * min(load.rate for load in limit)
    print(f"limit {sum(load.rate for load in limit):,.0f}/s, load {2 * rate:,.0f}/s …", flush=True)
    work, scales = Work(installation), Scales(installation)
    shoppers = Shoppers(installation, threads=1, ask_about=lambda _: questions, pause=0.1)
    with shoppers:
        idle = drive(short, rate)
        work.do("feed import")  # what each process has to keep once is no growth
        with scales, ThreadPoolExecutor(1) as pool:
            at_work = pool.submit(work.go_on, options.seconds)
            busy = drive(options.seconds, rate)
            at_work.result()
    return Loads(limit=limit, idle=idle, busy=busy), work, shoppers, scales


def _questions(products: int) -> list[dict[str, object]]:
    return [
        {
            "tenant": "acme",
            "market": MARKET,
            "type": TYPES[at % len(TYPES)],
            "product_ids": [product_name(first), product_name(second)],
            "session_id": session_name(session),
            "limit": LIMIT,
        }
        for at, (first, second, session) in enumerate(browsed_pairs(products, count=2_000))
    ]


def _worst_p99(loads: Sequence[Load]) -> float:
    return max(load.p99 for load in loads)


def _broken(loads: Loads, shoppers: Shoppers, scales: Scales) -> Iterator[str]:
    if errors := sum(load.errors for load in (*loads.idle, *loads.busy)):
        yield f"{errors} requests failed"
    yield from shoppers.problems[:3]
    yield from (f"{count} connections to {name} broke" for name, count in shoppers.dropped.items())
    yield from (f"{name} went on without {what}" for name, what in shoppers.degraded)
    idle, busy = _worst_p99(loads.idle), _worst_p99(loads.busy)
    if busy > SLOWER * idle:
        yield f"p99 {busy:.1f} ms, {busy / idle:.1f} times that without the work"
    yield from scales.grown()


def _table(loads: Loads, work: Work, shoppers: Shoppers, scales: Scales) -> str:
    lines = [f"{'':10}{'answers/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}"]
    for name, found in (("limit", loads.limit), ("idle", loads.idle), ("busy", loads.busy)):
        lines.append(
            f"{name:10}{sum(load.rate for load in found):11,.0f}"
            f"{max(load.p50 for load in found):9.2f}{_worst_p99(found):9.2f}"
            f"{sum(load.errors for load in found):8}"
        )
    lines.append(f"answers looked at: {shoppers.answers}, against them: {len(shoppers.problems)}")
    for name in scales.megabytes:
        first, last = scales.quarters(name)
        lines.append(f"memory of {name}: {first:.0f} MB at first, {last:.0f} MB at last")
    for job, spent in work.spent.items():
        lines.append(f"{job}: {len(spent)} times, {statistics.mean(spent):.1f} s each")
    ratio = _worst_p99(loads.busy) / _worst_p99(loads.idle)
    lines.append(f"p99 busy / idle: {ratio:.2f} (limit {SLOWER:.0f})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
