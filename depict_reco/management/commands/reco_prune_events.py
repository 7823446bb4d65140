"""``manage.py reco_prune_events acme [se]``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.events.retention import OTHERS, Pruned, days_complaint, days_of, shortcomings
from depict_reco.exceptions import EventsNotCountedError
from depict_reco.management.shops import find_markets
from depict_reco.models import Market
from depict_reco.tasks import prune_events


class Command(BaseCommand):
    help = (
        "Delete events that are older than their type is kept (EVENT_RETENTION_DAYS, or the "
        "tenant's own days), in short transactions. Run it daily; it can be killed at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", nargs="?", help="Default: all active ones.")
        parser.add_argument("--dry-run", action="store_true", help="Delete nothing; only count.")
        parser.add_argument("--json", action="store_true", help="Print JSON, one object a market.")

    def handle(self, *args: Any, **options: Any) -> None:
        markets = find_markets(options["tenant"], options["market"])
        tenant = markets[0].tenant
        own = tenant.retention_days
        if own and (problem := days_complaint(own)):
            raise CommandError(f"The retention days of {tenant}: {problem}.")
        days = days_of(tenant)
        if not days and not options["json"]:
            self.stdout.write(
                f"Events of {tenant} are kept for ever. Set EVENT_RETENTION_DAYS in DEPICT_RECO, "
                f"such as {{'page_view': 400, '{OTHERS}': 800}}, or the tenant's own days."
            )
        for text in shortcomings(days, attribution_days=tenant.attribution_window_days):
            self.stderr.write(f"Note: {text}.")
        quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
        done = [_prune(market, dry_run=options["dry_run"], quiet=quiet) for market in markets]
        if options["json"]:
            self.stdout.write(json.dumps([_as_dict(pruned) for pruned in done]))
        elif days:
            for pruned in done:
                self._report(pruned)

    def _report(self, pruned: Pruned) -> None:
        did = "would be deleted" if pruned.dry_run else "deleted"
        kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(pruned.rows.items()))
        rows = f"{sum(pruned.rows.values()):,} events {did}" + (f" ({kinds})" if kinds else "")
        self.stdout.write(f"{pruned.market}: {rows}.")


def _prune(market: Market, *, dry_run: bool, quiet: bool) -> Pruned:
    form = "{desc}: {percentage:3.0f}% {postfix}"
    with tqdm(total=1.0, desc=str(market), bar_format=form, disable=quiet, leave=False) as bar:

        def show(rows: int, share: float) -> None:
            bar.set_postfix_str(f"{rows:,} events", refresh=False)
            bar.update(share - bar.n)

        try:
            return prune_events(market, dry_run=dry_run, progress=show)
        except EventsNotCountedError as error:
            raise CommandError(str(error)) from error


def _as_dict(pruned: Pruned) -> dict[str, Any]:
    return {
        "market": pruned.market,
        "rows": pruned.rows,
        "deleted": 0 if pruned.dry_run else sum(pruned.rows.values()),
        "kept_since": {name: time.isoformat() for name, time in pruned.kept_since.items()},
        "dry_run": pruned.dry_run,
    }
