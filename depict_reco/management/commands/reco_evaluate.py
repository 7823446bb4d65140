"""``manage.py reco_evaluate acme se``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.exceptions import TrainingError
from depict_reco.management.shops import find_market
from depict_reco.training.evaluation import evaluate

_MEASURES = ("hr@5", "hr@10", "hr@20", "mrr@20", "ndcg@20", "coverage")


class Command(BaseCommand):
    help = (
        "Measure the model of a market on its newest sessions and baskets, beside bestsellers "
        "and plain co-occurrence. Trains on the older part for that; nothing is published."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", help="Slug of the market.")
        parser.add_argument(
            "--questions", type=int, default=2000, help="At most about so many of each kind."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        market = find_market(options["tenant"], options["market"])
        quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
        with tqdm(total=100, unit="%", desc=str(market), disable=quiet, leave=False) as bar:

            def show(stage: str, share: float) -> None:
                bar.set_postfix_str(stage)
                bar.update(round(share * 100) - bar.n)

            try:
                tables = evaluate(market, progress=show, limit=options["questions"])
            except TrainingError as error:
                raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(tables))
            return
        for question, methods in tables.items():
            asked = methods["model"]["questions"]
            self.stdout.write(f"{question}: {asked} questions, unseen items, full catalogue")
            self.stdout.write(" " * 15 + "".join(f"{name:>10}" for name in _MEASURES))
            for method, measures in methods.items():
                row = "".join(f"{measures[name]:>10.4f}" for name in _MEASURES)
                self.stdout.write(f"{method:<15}{row}")
