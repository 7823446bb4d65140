"""Open pages: the memory that idle sockets take, and how soon events are stored meanwhile.

``python -m benchmarks.sockets`` or ``make bench-sockets``; ``--help`` says what can be changed. The
machine must allow so many open files (``ulimit -n``) to the server and to this program.
``DATABASE_URL`` names the database; without one it is SQLite, in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pages import Page, open_page
from benchmarks.servers import HOST, processor_seconds, proportional_megabytes, running
from depict_reco.contrib.channels.frames import MAX_FRAME_BYTES

ORIGIN = "https://bench.example"
APPLICATION = "benchmarks.asgi:application"
PORT = 8767
_AT_ONCE = 100
_ACTIVE = 20


def command(server: str) -> list[str]:
    """Return the command line of a server, as docs/deployment.md has it."""
    if server == "daphne":
        return ["daphne", "-v", "0", "-b", HOST, "-p", str(PORT), APPLICATION]
    return [
        "uvicorn", "--host", HOST, "--port", str(PORT), "--lifespan", "off", "--log-level",
        "warning", "--no-access-log", "--ws", server, "--ws-max-size", str(MAX_FRAME_BYTES),
        "--ws-per-message-deflate", "false", APPLICATION,
    ]  # fmt: skip


async def measure(pid: int, *, sockets: int, seconds: float) -> str:
    """Open sockets, wait, send events over a few, and say what was seen."""
    first = await open_page(HOST, PORT, origin=ORIGIN)
    await first.tell("warm", _event(0))
    before = proportional_megabytes(pid)
    start = time.perf_counter()
    pages = await _open(sockets)
    opening = time.perf_counter() - start
    await asyncio.sleep(2)
    taken = proportional_megabytes(pid) - before
    spent, start = processor_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)  # longer than the interval of pings
    share = (processor_seconds(pid) - spent) / (time.perf_counter() - start)
    pings = sum(page.pings for page in pages)
    waits = await _send(pages[:_ACTIVE], seconds=seconds)
    still = sum(page.is_open for page in pages)
    return (
        f"{still:,} of {sockets:,} sockets open; opened in {opening:.1f} s; "
        f"{taken:.0f} MB beside {before:.0f} MB, {1000 * taken / sockets:.1f} kB each; idle: "
        f"{100 * share:.0f} % of a core for {pings:,} pings in {seconds:g} s; {len(waits):,} "
        f"events meanwhile, stored after {1000 * statistics.median(waits):.1f} ms (median), "
        f"{1000 * statistics.quantiles(waits, n=100)[98]:.1f} ms (p99)"
    )


async def _open(count: int) -> list[Page]:
    pages: list[Page] = []
    while len(pages) < count:
        some = range(min(_AT_ONCE, count - len(pages)))
        pages += await asyncio.gather(*(open_page(HOST, PORT, origin=ORIGIN) for _ in some))
    return pages


async def _send(pages: Sequence[Page], *, seconds: float) -> list[float]:
    """Send events over some pages, five a second each; return how long each took."""

    async def browse(number: int, page: Page) -> list[float]:
        waits, end = [], time.perf_counter() + seconds
        await asyncio.sleep(0.2 * number / len(pages))
        while time.perf_counter() < end:
            waits.append(await page.tell(f"{number}.{len(waits)}", _event(number)))
            await asyncio.sleep(max(0.0, 0.2 - waits[-1]))
        return waits

    found = await asyncio.gather(*(browse(*one) for one in enumerate(pages)))
    return [wait for waits in found for wait in waits]


def _event(number: int) -> dict[str, object]:
    return {
        "tenant": "bench", "market": "se", "type": "page_view", "dsid": f"shopper-{number}",
        "product_id": f"p{number}", "url": f"{ORIGIN}/p{number}", "document_width": 1280,
    }  # fmt: skip


def _make_shop() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from depict_reco.models import Market, Tenant

    call_command("migrate", verbosity=0)
    tenant, _ = Tenant.objects.update_or_create(
        slug="bench",
        defaults={"name": "Bench", "storefront_access": "origins", "origins": [ORIGIN]},
    )
    Market.objects.get_or_create(tenant=tenant, slug="se", defaults={"currency": "SEK"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--server",
        choices=["websockets-sansio", "websockets", "wsproto", "daphne"],
        default="websockets-sansio",
        help="which implementation of uvicorn, or daphne",
    )
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < options.sockets + 100:
        raise SystemExit(f"Only {hard} files may be open here: ulimit -n {options.sockets + 100}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
        os.environ.update(DJANGO_SETTINGS_MODULE="benchmarks.project", BENCH_DIR=folder)
        _make_shop()
        arguments = command(options.server)
        arguments[0] = str(Path(sys.executable).parent / arguments[0])
        with running(arguments, {}, PORT) as pid:
            line = asyncio.run(measure(pid, sockets=options.sockets, seconds=options.seconds))
    print(f"{options.server}: {line}")


if __name__ == "__main__":
    main()
