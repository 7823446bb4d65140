"""``manage.py reco_rollup``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from datetime import date
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco import tasks


class Command(BaseCommand):
    help = (
        "Count the events that have come since the last time into the daily counters that the "
        "reports read. Run it every minute or so; killed or started twice, it does no harm."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="Compute all counters anew; reports see the old ones until it is done.",
        )
        parser.add_argument(
            "--since",
            type=_day,
            metavar="DAY",
            help="With --rebuild: earlier days (YYYY-MM-DD) keep their figures, because not all "
            "of their events are stored any more. By itself, the first day that pruning has left "
            "whole; name one if you have deleted events in another way.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["since"] and not options["rebuild"]:
            raise CommandError("--since says what --rebuild leaves alone; give both.")
        run = tasks.roll_up
        if options["rebuild"]:
            run = partial(tasks.rebuild_counters, since=options["since"])
        quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
        with tqdm(unit=" events", desc="counting", disable=quiet, leave=False) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            result = run(report=show)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(result)))
            return
        self.stdout.write(f"Events counted: {result.events}, in {result.seconds:.1f} s.")
        if result.waiting:
            self.stdout.write(
                "A transaction that writes events has not ended yet: the newest events are "
                "left for the next time."
            )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; write it as 2026-01-31.") from None
