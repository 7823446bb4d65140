"""What a shop of a given size takes: memory, disk and time, from training to the last worker.

    DATABASE_URL=postgres://… python -m benchmarks.sizing [--products N] [--events N]

Prints one row of the table in docs/deployment.md. The shop is stored by the first run and kept,
and so are its model and what its training cost; everything else is measured each time. Each step
has a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import servers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")

MB = 1 << 20
OURS, BARE = "benchmarks.wsgi:application", "benchmarks.bare:application"
WORKERS = (1, 2, 4)
WARM_UP = 8.0
"""Seconds of load before a server is weighed."""
PATIENCE = 900.0
"""Seconds that workers may take to load."""
SETTLED = 0.02
"""Share of its weight by which two weighings may differ."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["training", "image", "workers"])
    parser.add_argument("--step", choices=["train", "image"], help=argparse.SUPPRESS)
    parser.add_argument("--market", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database to make the shop in.")
    import django

    django.setup()
    if options.step:
        print(json.dumps({"train": _train, "image": _image}[options.step](options.market)))
        return
    from django.core.management import call_command

    from benchmarks.loading import find_or_make

    call_command("migrate", verbosity=0)
    market = find_or_make(options.products, options.events, train=False)
    print(f"{options.products:,} products, {options.events:,} clicks", flush=True)
    for name, lines in (("training", _training), ("image", _image_line), ("workers", _workers)):
        if options.only in (None, name):
            for line in lines(market):
                print(line, flush=True)


def _training(market: Any) -> Iterator[str]:
    """Say what the training of the market cost, now or when it was trained."""
    from benchmarks.project import BENCH_DIR

    kept = BENCH_DIR / f"training-{market.tenant.slug}.json"
    if not kept.exists() or not market.artifacts.exists():
        cost = _in_child("train", market.pk)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(cost))
    training: dict[str, Any] = json.loads(kept.read_text())
    yield (
        f"training: {training['seconds']:.0f} s, {training['processor']:.0f} s of processor, "
        f"{training['peak_mb'] - training['before_mb']:,.0f} MB above a process that only began "
        f"({training['before_mb']:.0f} MB), foretold {training['needed_mb']:,} MB; "
        f"artifact {training['artifact_mb']:,.0f} MB"
    )


def _image_line(market: Any) -> Iterator[str]:
    image = _in_child("image", market.pk)
    yield (
        f"image: made in {image['seconds']:.1f} s, {image['processor']:.1f} s of processor, "
        f"{image['peak_mb'] - image['before_mb']:,.0f} MB above a process that only began, "
        f"{image['disk_mb']:,.0f} MB on disk"
    )


def _in_child(step: str, market_pk: int) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.sizing",
        "--step",
        step,
        "--market",
        str(market_pk),
    ]
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def _train(market_pk: int) -> dict[str, Any]:
    from benchmarks.training import cost_of_training

    return cost_of_training(market_pk)


def _image(market_pk: int) -> dict[str, Any]:
    """Make the image of a market's catalogue anew; return what that cost."""
    from benchmarks.training import peak_mb
    from depict_reco.artifacts.store import cache_dir
    from depict_reco.models import Market
    from depict_reco.serving.refresh import opened
    from depict_reco.tenants.directory import directory

    market = Market.objects.select_related("tenant").get(pk=market_pk)
    tenant = directory().tenant(market.tenant.slug)
    assert tenant is not None
    entry = tenant.markets[market.slug]

    def files() -> list[Path]:
        return list(cache_dir().glob(f"catalogues-*/{entry.catalog_id}/*.catalogue*"))

    for path in files():
        path.unlink()
    before, began, processor = peak_mb(), time.perf_counter(), time.process_time()
    opened(entry)
    return {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "disk_mb": sum(path.stat().st_size for path in files()) / MB,
    }


def _workers(market: Any) -> Iterator[str]:
    from benchmarks.project import BENCH_DIR
    from depict_reco.models import ApiKey

    _, key = ApiKey.objects.issue(market.tenant, name="sizing", scopes=["recommend"])
    bodies = BENCH_DIR / "sizing.jsonl"
    servers.write_bodies(bodies, list(_bodies(market)))
    question = bodies.read_text().split("\n", 1)[0]
    began = time.perf_counter()
    with _serving(1) as (port, _):
        servers.ask(port, question, key)
        yield f"first answer of a server that starts: {time.perf_counter() - began:.2f} s"
    weights: dict[tuple[str, int], float] = {}
    for app in (OURS, BARE):
        for workers in WORKERS:
            with _serving(workers, app) as running:
                weights[app, workers] = _settled_weight(running, bodies, key)
    one, two, four = (weights[OURS, workers] for workers in WORKERS)
    further, bare = (four - two) / 2, (weights[BARE, 4] - weights[BARE, 2]) / 2
    yield (
        f"memory of a server with 1, 2, 4 workers: {one:,.0f}, {two:,.0f}, {four:,.0f} MB; one "
        f"more worker {further:.0f} MB, of bare Django {bare:.0f} MB: {further - bare:.0f} MB above"
    )


def _settled_weight(running: tuple[int, int], bodies: Path, key: str) -> float:
    """Return what a server weighs once more load does not make it heavier."""
    weight, before = 0.0, -1.0
    for _ in range(6):
        if abs(weight - before) <= SETTLED * weight:
            break
        servers.drive(running, connections=16, seconds=WARM_UP, bodies=bodies, key=key)
        weight, before = servers.proportional_megabytes(running[1]), weight
    return weight


def _bodies(market: Any) -> Iterator[dict[str, object]]:
    """Yield requests of several types about two products."""
    from benchmarks.synthetic import browsed_pairs, product_name, session_name

    types = ("checkout", "for_you", "similar", "cross_sell")
    pairs = browsed_pairs(market.products.count(), count=4_000)
    for at, (first, second, session) in enumerate(pairs):
        yield {
            "tenant": market.tenant.slug,
            "market": market.slug,
            "type": types[at % len(types)],
            "product_ids": [product_name(first), product_name(second)],
            "session_id": session_name(session),
            "limit": 20,
        }


@contextmanager
def _serving(workers: int, app: str = OURS) -> Iterator[tuple[int, int]]:
    """Start a server and wait until each of its workers is ready."""
    port = servers.free_port()
    arguments = servers.command("gunicorn", app, port, workers=workers)
    with tempfile.TemporaryDirectory() as folder:
        if app == OURS:
            arguments += ["--config", "python:benchmarks.warm"]
        with servers.running(arguments, {"WARM_DIR": folder}, port) as pid:
            end = time.monotonic() + PATIENCE
            while app == OURS and len(os.listdir(folder)) < workers:
                if time.monotonic() > end:
                    raise SystemExit(f"The workers are not ready after {PATIENCE:.0f} s.")
                time.sleep(0.05)
            yield port, pid


if __name__ == "__main__":
    main()
