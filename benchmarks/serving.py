"""Our whole storefront endpoint against a static one of FastAPI: ``make bench-serving``.

    DATABASE_URL=postgres://… python -m benchmarks.serving [--products N …] [--events N] …

The scratch markets are made in that database by the first run. Servers have one worker process,
wrk runs on the same machine, rounds take turns. Questions are drawn at random from what shoppers
of the market did, the popular as often as they were; *cold* is the same with no ranking kept.
Absolute figures depend on the machine and on what else it does; the ratios in the last lines of
each size are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import servers
from benchmarks.servers import Load
from benchmarks.synthetic import MARKET, browsed_pairs, product_name, session_name

if TYPE_CHECKING:
    from depict_reco.serving.requests import RecommendRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")

PORTS = iter(range(18_100, 19_000))
CONNECTIONS = (1, 8, 64)
LIMIT = 20
TYPES = ("checkout", "for_you")
"""Baskets, which read no history, and sessions, which read the shopper's."""
COLD = "checkout cold"
"""Baskets again, each of them ranked anew."""
_QUESTIONS = 50_000
"""Questions that are drawn from, as they came up in the market."""
_ASKED = 4_000
"""Questions that are asked inside the process."""
_WARM_UP = 10.0
"""Seconds of load after which every worker has answered and its memory is weighed."""

OURS = {"granian-wsgi": "benchmarks.wsgi:application", "gunicorn": "benchmarks.wsgi:application",
        "gunicorn-gthread": "benchmarks.wsgi:application"}  # fmt: skip
THEIRS = {
    "uvicorn": "benchmarks.rival_endpoint:app",
    "granian-asgi": "benchmarks.rival_endpoint:app",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """What the servers are asked about."""

    slug: str
    key: str
    bodies: dict[str, Path]
    answer: Path
    """A true answer, which the static endpoint repeats."""


def main() -> None:
    options = _options()
    print(servers.versions())
    for products in options.products:
        scratch = made_scratch(products, events=options.events)
        print(f"{products:,} products, {options.events:,} events")
        print(_times(scratch))
        loads = _rounds(scratch, options)
        print(_memory(scratch))
        print(_report(loads), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, nargs="+", default=[100_000])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", nargs="*", default=[*OURS, *THEIRS])
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database to make the market in.")
    return options


def made_scratch(products: int, *, events: int) -> Scratch:
    """Return a market of so many products and events; makes it unless the database has it."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from benchmarks import loading
    from benchmarks.project import BENCH_DIR
    from depict_reco.models import ApiKey

    market = loading.find_or_make(products, events)
    _, key = ApiKey.objects.issue(market.tenant, name="bench", scopes=["recommend"])
    slug = market.tenant.slug
    bodies = {}
    for type_ in TYPES:
        bodies[type_] = BENCH_DIR / f"{type_}.jsonl"
        servers.write_bodies(bodies[type_], list(_bodies(slug, type_, products)))
    from depict_reco.serving.recommend import recommend
    from depict_reco.serving.requests import RecommendRequest

    question = RecommendRequest(
        tenant=slug,
        market="se",
        type="checkout",
        product_ids=(product_name(1),),
        limit=LIMIT,
    )
    answer = BENCH_DIR / "answer.json"
    answer.write_bytes(recommend(question).body)
    return Scratch(slug=slug, key=key, bodies=bodies, answer=answer)


def _bodies(slug: str, type_: str, products: int) -> Iterator[dict[str, object]]:
    """Yield requests about two products that shoppers saw one after the other."""
    for first, second, session in browsed_pairs(products, count=_QUESTIONS):
        yield {
            "tenant": slug,
            "market": MARKET,
            "type": type_,
            "product_ids": [product_name(first), product_name(second)],
            "session_id": session_name(session),
            "limit": LIMIT,
        }


def _times(scratch: Scratch) -> str:
    """Return how long an answer takes inside the process, without HTTP."""
    from django.conf import settings
    from django.test import override_settings

    from depict_reco.api.serializers import RecommendForManyRequestSerializer, recommend_request
    from depict_reco.conf import defaults
    from depict_reco.serving.snapshots import snapshot_book

    serializer = RecommendForManyRequestSerializer()
    lines = []
    for name in (*TYPES, COLD):
        bodies = scratch.bodies[name.removesuffix(" cold")].read_text().splitlines()
        questions = [
            recommend_request(
                serializer.run_validation(json.loads(body)), variants=False, debug=False
            )
            for body in random.Random(1).choices(bodies, k=_ASKED)
        ]
        snapshot_book.cache_clear()
        kept = 0 if name == COLD else defaults()["RANKINGS_KEPT"]
        with override_settings(DEPICT_RECO={**settings.DEPICT_RECO, "RANKINGS_KEPT": kept}):
            spent, known = _asked(questions)
        lines.append(
            f"in the process, {name}: median {statistics.median(spent):.2f} ms, "
            f"p99 {np.percentile(spent, 99):.2f} ms, {known:.0%} of the rankings were kept"
        )
    return "\n".join(lines)


def _asked(questions: Sequence[RecommendRequest]) -> tuple[list[float], float]:
    """Return the milliseconds of each answer, and the share of them whose ranking was kept."""
    from depict_reco.serving import recommend as recommending

    made, make = [], recommending._ranking

    def counted(*given: Any) -> Any:
        made.append(given)
        return make(*given)

    recommending.recommend(questions[0])  # which opens the market
    recommending._ranking = counted
    spent = []
    for question in questions:
        start = time.perf_counter()
        recommending.recommend(question)
        spent.append((time.perf_counter() - start) * 1e3)
    recommending._ranking = make
    return spent, 1 - len(made) / len(questions)


@contextmanager
def _serving(
    server: str, scratch: Scratch, *, workers: int = 1, app: str = "", kept: str = ""
) -> Iterator[tuple[int, int]]:
    """Start a server; yield its port and process."""
    port = next(PORTS)
    app = app or {**OURS, **THEIRS}[server]
    environment = {"STATIC_ANSWER": str(scratch.answer), "RANKINGS_KEPT": kept}
    arguments = servers.command(server, app, port, workers=workers)
    with servers.running(arguments, environment, port) as pid:
        yield port, pid


def _rounds(
    scratch: Scratch, options: argparse.Namespace
) -> dict[tuple[str, str, int], list[Load]]:
    loads: dict[tuple[str, str, int], list[Load]] = {}
    starts = [(server, types) for server in options.servers for types in _asked_of(server)]
    for number in range(options.rounds):
        for server, types in starts:
            start = time.perf_counter()
            with _serving(server, scratch, kept="0" if COLD in types else "") as running:
                ask = scratch.bodies["checkout"].read_text().split("\n", 1)[0]
                servers.ask(running[0], ask, scratch.key)
                first = time.perf_counter() - start
                print(f"round {number + 1}: {server} answers after {first:.2f} s", flush=True)
                for type_ in types:
                    bodies = scratch.bodies[type_.removesuffix(" cold")]
                    servers.drive(running, connections=8, seconds=1, bodies=bodies, key=scratch.key)
                    for connections in CONNECTIONS:
                        load = servers.drive(
                            running,
                            connections=connections,
                            seconds=options.seconds,
                            bodies=bodies,
                            key=scratch.key,
                        )
                        loads.setdefault((server, type_, connections), []).append(load)
    return loads


def _asked_of(server: str) -> tuple[tuple[str, ...], ...]:
    """Return what a server is asked, each time that it is started."""
    return (TYPES, (COLD,)) if server in OURS else (TYPES[:1],)


def _memory(scratch: Scratch) -> str:
    """Return what one more worker weighs, beside one of bare Django.

    Two workers keep the machine as busy as four do, so that about as much is mapped by either. The
    first two bring the files into memory, without which less is mapped.
    """
    weights = {}
    for name, app in (("ours", OURS["gunicorn"]), ("bare Django", "benchmarks.bare:application")):
        totals = []
        for workers in (2, 2, 4):
            with _serving("gunicorn", scratch, workers=workers, app=app) as running:
                for bodies in scratch.bodies.values():
                    servers.drive(
                        running, connections=8, seconds=_WARM_UP, bodies=bodies, key=scratch.key
                    )
                totals.append(servers.proportional_megabytes(running[1]))
        weights[name] = (totals[-1] - totals[-2]) / 2
    return (
        f"one more worker: {weights['ours']:.0f} MB, of bare Django "
        f"{weights['bare Django']:.0f} MB: {weights['ours'] - weights['bare Django']:.0f} MB above"
    )


def _report(loads: dict[tuple[str, str, int], list[Load]]) -> str:
    lines = [
        f"{'server':18}{'type':14}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'cpu µs':>9}  errors"
    ]
    best: dict[tuple[str, int], Load] = {}
    for (server, type_, connections), runs in loads.items():
        load = Load(
            rate=statistics.median(run.rate for run in runs),
            p50=statistics.median(run.p50 for run in runs),
            p99=statistics.median(run.p99 for run in runs),
            errors=sum(run.errors for run in runs),
            cpu=statistics.median(run.cpu for run in runs),
        )
        lines.append(
            f"{server:18}{type_:14}{connections:6}{load.rate:9,.0f}{load.p50:9.2f}{load.p99:9.2f}"
            f"{load.cpu:9.0f}  {load.errors}"
        )
        kind = type_ if server in OURS else "static"
        known = best.get((kind, connections))
        if known is None or load.rate > known.rate:
            best[kind, connections] = load
    for (kind, connections), load in best.items():
        rival = best.get(("static", connections))
        if kind != "static" and rival is not None:
            lines.append(
                f"{kind} / static FastAPI, {connections} connections: "
                f"rate {load.rate / rival.rate:.2f}, p99 {load.p99 / rival.p99:.2f}, "
                f"processor time {load.cpu / rival.cpu:.2f}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
