"""``manage.py reco_artifacts list|rollback acme [se]``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from depict_reco.artifacts import store
from depict_reco.artifacts.publish import roll_back
from depict_reco.exceptions import ArtifactBrokenError, ArtifactError
from depict_reco.management.shops import find_market, find_markets
from depict_reco.models import Artifact, CurrentArtifact


class Command(BaseCommand):
    help = "List the kept models of a tenant, or serve another one of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help="What is kept, newest first, verified.")
        listing.add_argument("tenant")
        listing.add_argument("market", nargs="?", help="Default: all active ones.")
        rollback = actions.add_parser("rollback", help="Serve an earlier version again.")
        rollback.add_argument("tenant")
        rollback.add_argument("market")
        rollback.add_argument(
            "--to", dest="version", default="", help="Version; default: the one before."
        )
        for action in (listing, rollback):
            action.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options)
        else:
            self._roll_back(options)

    def _list(self, options: dict[str, Any]) -> None:
        markets = find_markets(options["tenant"], options["market"])
        rows = [_row(artifact) for market in markets for artifact in _kept(market.pk)]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            self.stdout.write(
                f"{'*' if row['current'] else ' '} {row['market']:<12} {row['version']}  "
                f"{row['products']} products, {row['events']} events  {row['state']}"
            )
        if not rows:
            self.stdout.write(f"Nothing is trained yet: reco_train {options['tenant']}")

    def _roll_back(self, options: dict[str, Any]) -> None:
        market = find_market(options["tenant"], options["market"])
        try:
            artifact = roll_back(market, version=options["version"])
        except ArtifactError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(_row(artifact)))
        else:
            self.stdout.write(f"{market} is served from {artifact.version} now.")


def _kept(market_pk: int) -> list[Artifact]:
    return list(Artifact.objects.filter(market=market_pk).select_related("market").newest_first())


def _row(artifact: Artifact) -> dict[str, Any]:
    try:
        store.verify(artifact.path)
        state = "whole"
    except ArtifactBrokenError as error:
        state = f"broken: {error}"
    return {
        "market": artifact.market.slug,
        "version": artifact.version,
        "current": CurrentArtifact.objects.filter(artifact=artifact).exists(),
        "created_at": artifact.created_at.isoformat(),
        "products": artifact.manifest.get("products", 0),
        "events": artifact.manifest.get("events", 0),
        "accuracy": artifact.manifest.get("accuracy", {}),
        "state": state,
    }
