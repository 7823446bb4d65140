"""``manage.py reco_train acme [se]``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.management.shops import find_markets
from depict_reco.models import TrainingRun
from depict_reco.tasks import train_market


class Command(BaseCommand):
    help = (
        "Train the models of one market or of all active markets of a tenant, measure them on "
        "the newest sessions and baskets, and serve them from then on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", nargs="?", help="Slug of the market; default: all.")
        parser.add_argument(
            "--no-publish", action="store_true", help="Keep the model for later; do not serve it."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Serve the model even if it is clearly worse than the one that is served.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON array.")

    def handle(self, *args: Any, **options: Any) -> None:
        reports, failures = [], []
        for market in find_markets(options["tenant"], options["market"]):
            quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
            with tqdm(total=100, unit="%", desc=str(market), disable=quiet, leave=False) as bar:

                def show(stage: str, share: float, bar: Any = bar) -> None:
                    bar.set_postfix_str(stage)
                    bar.update(round(share * 100) - bar.n)

                try:
                    run = train_market(
                        market,
                        publish=not options["no_publish"],
                        force=options["force"],
                        progress=show,
                    )
                except Exception as error:
                    if options["traceback"]:
                        raise
                    failures.append(f"{market}: {error}")
                    continue
            reports.append(_report(run))
            if not options["json"]:
                self.stdout.write(_summary(run))
        if options["json"]:
            self.stdout.write(json.dumps(reports))
        if failures:
            raise CommandError("\n".join(failures))


def _report(run: TrainingRun) -> dict[str, Any]:
    return {
        "market": run.market.slug,
        "run": run.pk,
        "status": run.status,
        "artifact": run.artifacts.get().version,
        "message": run.message,
        "products": run.products,
        "events": run.events,
        "accuracy": run.metrics,
        "seconds": _seconds(run),
        "durations": run.durations,
    }


def _summary(run: TrainingRun) -> str:
    measured = "; ".join(
        f"{question}: HR@20 {measures['hr@20']:.3f}, MRR@20 {measures['mrr@20']:.3f} "
        f"({measures['questions']} questions)"
        for question, measures in run.metrics.items()
        if measures["questions"]
    )
    return (
        f"{run.market}: {run.get_status_display()}, {run.products} products, {run.events} events, "
        f"{_seconds(run)} s. {measured or 'Too few sessions to measure accuracy.'}"
        f"{_warning(run)}"
    )


def _warning(run: TrainingRun) -> str:
    """Return what to know of a model that is worse than the served one."""
    if "," not in run.message:
        return ""
    advice = "" if run.status == run.Status.PUBLISHED else " Publish it all the same: --force."
    return f"\n{run.message}.{advice}"


def _seconds(run: TrainingRun) -> float:
    return round((run.finished_at - run.started_at).total_seconds(), 1) if run.finished_at else 0.0
