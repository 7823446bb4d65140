"""What a training costs: time, memory and disk, beside a public library in the same run.

    python -m benchmarks.training [--clicks 1 4 16] [--products 50000]

First the item-item part alone beside implicit's CosineRecommender, on the same matrix in turns.
Then whole trainings from the database that DATABASE_URL names (default: a SQLite file that is
removed afterwards): a shop of its own is stored there, trained in a process of its own, and
removed again. Millions of clicks are given; 16 of them are stored for some ten minutes and more,
and only on demand. On a machine that has other work to do, the seconds of the processor say more
than those of the clock: both are printed, the database's own not included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import synthetic
from depict_reco.engine.model import session_groups
from depict_reco.engine.neighbours import fit_cooccurrence

NEIGHBOURS = 64
TURNS = 3
TENANT = "benchmark-of-training"
MB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--clicks", type=float, nargs="+", default=[1, 4], help="Millions.")
    parser.add_argument("--products", type=int, default=50_000)
    parser.add_argument("--only", choices=["fit", "whole"])
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)  # the child process
    options = parser.parse_args()
    if options.train is not None:
        print(json.dumps(trained(options.train)))
        return
    if options.only != "whole":
        for millions in options.clicks:
            print(fit_line(options.products, round(millions * 1e6)), flush=True)
    if options.only != "fit":
        with database():
            for line in whole_lines(options.products, options.clicks):
                print(line, flush=True)


def fit_line(n_products: int, n_clicks: int) -> str:
    """Fit both on the same sessions in turns; the best of each counts."""
    shop = synthetic.make_shop(n_products)
    sessions = session_groups(synthetic.make_sessions(shop, n_clicks))
    matrix = sessions.incidence()
    start = f"fit, {n_clicks / 1e6:g} M clicks, {n_products:,} products, {NEIGHBOURS} neighbours: "
    own: list[Seconds] = []
    theirs: list[Seconds] = []
    try:
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        seconds = _timed(lambda: fit_cooccurrence(sessions, count=NEIGHBOURS))
        return f"{start}ours {seconds}; implicit is not installed"
    for _ in range(TURNS):
        rival = CosineRecommender(K=NEIGHBOURS, num_threads=0)
        theirs.append(_timed(lambda rival=rival: rival.fit(matrix, show_progress=False)))
        own.append(_timed(lambda: fit_cooccurrence(sessions, count=NEIGHBOURS)))
    ours, best = _best(own), _best(theirs)
    processor, clock = ours.processor / best.processor, ours.clock / best.clock
    return (
        f"{start}ours {ours}, implicit's cosine {best}, "
        f"ratio {processor:.2f} of the processor, {clock:.2f} of the clock"
    )


def whole_lines(n_products: int, sizes: list[float]) -> Iterator[str]:
    """Store, train and remove a shop of each size; yield what each cost."""
    from benchmarks.loading import load_shop, remove_shop

    per_event: list[float] = []
    for millions in sizes:
        shop = synthetic.make_shop(n_products)
        events = synthetic.make_sessions(shop, round(millions * 1e6), orders=True)
        n = len(events)
        remove_shop(TENANT)
        try:
            began = time.perf_counter()
            market = load_shop(TENANT, shop, events)
            stored = time.perf_counter() - began
            del events
            cost = _in_child(market.pk)
        finally:
            remove_shop(TENANT)
        per_event.append(cost["processor"] / n * 1e6)
        phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in cost["durations"].items())
        yield (
            f"whole, {millions:g} M clicks, {n:,} events, {n_products:,} products "
            f"(stored in {stored:.0f} s): {cost['seconds']:.1f} s ({phases}), "
            f"{cost['processor']:.1f} s of processor, "
            f"peak {cost['peak_mb']:,.0f} MB of which {cost['before_mb']:,.0f} before it began, "
            f"foretold {cost['needed_mb']:,} more; artifact {cost['artifact_mb']:,.0f} MB; "
            f"{per_event[-1]:.1f} s of processor per million events"
        )
    if len(sizes) > 1:
        yield (
            f"cost per event at {sizes[-1]:g} M against {sizes[0]:g} M clicks, ratio "
            f"{per_event[-1] / per_event[0]:.2f}"
        )


def trained(market_pk: int) -> dict[str, Any]:
    """Train a market in this process, into a folder that is removed; return what it cost."""
    import django

    django.setup()
    from django.test.utils import override_settings

    with (
        tempfile.TemporaryDirectory() as folder,
        override_settings(DEPICT_RECO={"ARTIFACT_DIR": folder}),
    ):
        return cost_of_training(market_pk)


def cost_of_training(market_pk: int) -> dict[str, Any]:
    """Train a market in this process; return what it cost."""
    from depict_reco.models import Artifact, Market
    from depict_reco.tasks import train_market
    from depict_reco.training.memory import needed_mb

    market = Market.objects.get(pk=market_pk)
    before, began, processor = peak_mb(), time.perf_counter(), time.process_time()
    run = train_market(market)
    files = Artifact.objects.get(training_run=run).manifest["files"]
    return {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "durations": run.durations,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "needed_mb": needed_mb(events=run.events, products=run.products),
        "artifact_mb": sum(file["bytes"] for file in files.values()) / MB,
        "accuracy": run.metrics,
    }


@contextmanager
def database() -> Iterator[None]:
    """Set Django up on the database that DATABASE_URL names, or on a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{Path(folder) / 'benchmark.sqlite3'}")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
        os.environ.setdefault("VAR_DIR", folder)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield


def _in_child(market_pk: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training", "--train", str(market_pk)]
    # where other processes want the processors, too, threads of BLAS wait for each other
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
    cost: dict[str, Any] = json.loads(output.splitlines()[-1])
    return cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """What something took, on the wall and of the processors."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} s ({self.processor:.2f} s of processor)"


def _timed(act: Callable[[], Any]) -> Seconds:
    clock, processor = time.perf_counter(), time.process_time()
    act()
    return Seconds(clock=time.perf_counter() - clock, processor=time.process_time() - processor)


def _best(turns: list[Seconds]) -> Seconds:
    """Return the least of each."""
    return Seconds(
        clock=min(turn.clock for turn in turns), processor=min(turn.processor for turn in turns)
    )


def peak_mb() -> float:
    """Return the most that this process has held; resource counts that of its parent as well."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
