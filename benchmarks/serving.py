"""Our whole storefront endpoint against a static one of FastAPI: ``make bench-serving``.

    DATABASE_URL=postgres://… python -m benchmarks.serving [--products N] [--events N] [--seconds S]

The scratch market is made in that database by the first run. Servers have one worker process,
wrk runs on the same machine, rounds take turns. Absolute figures depend on the machine and on
what else it does; the ratios in the last lines are what counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import servers
from benchmarks.servers import Load

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")

PORTS = iter(range(18_100, 19_000))
CONNECTIONS = (1, 8, 64)
LIMIT = 20
TYPES = ("checkout", "for_you")
"""Baskets, which read no history, and sessions, which read the shopper's."""
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
    scratch = _scratch(options)
    print(_times(scratch))
    loads = _rounds(scratch, options)
    print(_memory(scratch))
    print(_report(loads))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", nargs="*", default=[*OURS, *THEIRS])
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database to make the market in.")
    return options


def _scratch(options: argparse.Namespace) -> Scratch:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from benchmarks import market as scratch_market
    from benchmarks.project import BENCH_DIR
    from depict_reco.models import ApiKey

    market = scratch_market.make_market(options.products, options.events)
    _, key = ApiKey.objects.issue(market.tenant, name="bench", scopes=["recommend"])
    slug = market.tenant.slug
    bodies = {}
    for type_ in TYPES:
        bodies[type_] = BENCH_DIR / f"{type_}.jsonl"
        servers.write_bodies(bodies[type_], list(_bodies(slug, type_, options)))
    from depict_reco.serving.recommend import recommend
    from depict_reco.serving.requests import RecommendRequest

    question = RecommendRequest(
        tenant=slug, market="se", type="checkout", product_ids=("product-1",), limit=LIMIT
    )
    answer = BENCH_DIR / "answer.json"
    answer.write_bytes(recommend(question).body)
    return Scratch(slug=slug, key=key, bodies=bodies, answer=answer)


def _bodies(slug: str, type_: str, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield requests about two products that shoppers saw one after the other."""
    from benchmarks.market import walks

    items, sessions, _ = walks(options.products, min(options.events, 50_000), seed=1)
    pairs = np.flatnonzero((sessions[1:] == sessions[:-1]) & (items[1:] != items[:-1]))[:5_000]
    for at in pairs.tolist():
        yield {
            "tenant": slug,
            "market": "se",
            "type": type_,
            "product_ids": [f"product-{items[at]}", f"product-{items[at + 1]}"],
            "session_id": f"session-{sessions[at]}",
            "limit": LIMIT,
        }


def _times(scratch: Scratch) -> str:
    """Return how long an answer takes inside the process, without HTTP."""
    import json

    from depict_reco.api.serializers import RecommendForManyRequestSerializer, recommend_request
    from depict_reco.serving.recommend import recommend

    serializer = RecommendForManyRequestSerializer()
    lines = []
    for type_, bodies in scratch.bodies.items():
        asked = [json.loads(line) for line in bodies.read_text().splitlines()]
        questions = [
            recommend_request(serializer.run_validation(body), variants=False, debug=False)
            for body in asked
        ]
        spent = []
        for question in questions * 2:
            start = time.perf_counter()
            recommend(question)
            spent.append((time.perf_counter() - start) * 1e3)
        spent = spent[len(questions) :]
        lines.append(
            f"in the process, {type_}: median {statistics.median(spent):.2f} ms, "
            f"p99 {np.percentile(spent, 99):.2f} ms"
        )
    return "\n".join(lines)


@contextmanager
def _serving(
    server: str, scratch: Scratch, *, workers: int = 1, app: str = ""
) -> Iterator[tuple[int, int]]:
    """Start a server; yield its port and process."""
    port = next(PORTS)
    app = app or {**OURS, **THEIRS}[server]
    environment = {"STATIC_ANSWER": str(scratch.answer)}
    arguments = servers.command(server, app, port, workers=workers)
    with servers.running(arguments, environment, port) as pid:
        yield port, pid


def _rounds(
    scratch: Scratch, options: argparse.Namespace
) -> dict[tuple[str, str, int], list[Load]]:
    loads: dict[tuple[str, str, int], list[Load]] = {}
    for number in range(options.rounds):
        for server in options.servers:
            start = time.perf_counter()
            with _serving(server, scratch) as running:
                ask = scratch.bodies["checkout"].read_text().split("\n", 1)[0]
                servers.ask(running[0], ask, scratch.key)
                first = time.perf_counter() - start
                print(f"round {number + 1}: {server} answers after {first:.2f} s", flush=True)
                for type_ in TYPES if server in OURS else TYPES[:1]:
                    bodies = scratch.bodies[type_]
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


def _memory(scratch: Scratch) -> str:
    """Return what one more worker weighs, beside one of bare Django.

    Two workers keep the machine as busy as four do, so that about as much is mapped by either.
    """
    weights = {}
    for name, app in (("ours", OURS["gunicorn"]), ("bare Django", "benchmarks.bare:application")):
        totals = []
        for workers in (2, 4):
            with _serving("gunicorn", scratch, workers=workers, app=app) as running:
                for bodies in scratch.bodies.values():
                    servers.drive(
                        running, connections=8, seconds=_WARM_UP, bodies=bodies, key=scratch.key
                    )
                totals.append(servers.proportional_megabytes(running[1]))
        weights[name] = (totals[1] - totals[0]) / 2
    return (
        f"one more worker: {weights['ours']:.0f} MB, of bare Django "
        f"{weights['bare Django']:.0f} MB: {weights['ours'] - weights['bare Django']:.0f} MB above"
    )


def _report(loads: dict[tuple[str, str, int], list[Load]]) -> str:
    lines = [
        f"{'server':18}{'type':10}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}"
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
            f"{server:18}{type_:10}{connections:6}{load.rate:9,.0f}{load.p50:9.2f}{load.p99:9.2f}"
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
