"""``manage.py reco_import_feed acme se products.csv --full``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.feeds.category_importer import import_categories
from depict_reco.feeds.models import FeedFormat
from depict_reco.feeds.results import ImportProgress, ImportResult, ReportProgress
from depict_reco.management.shops import find_market
from depict_reco.models import Feed, Market
from depict_reco.tasks import import_feed

_REJECTIONS_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Import products (or categories) into a market from a file, standard input or an "
        "http(s) address. Can be run again at any time: what is in the catalogue already is "
        "left alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", help="Slug of the market.")
        parser.add_argument(
            "source", nargs="?", help="A file, an http(s) address, or - for standard input."
        )
        parser.add_argument("--feed", metavar="NAME", help="Import this stored feed.")
        parser.add_argument(
            "--all", action="store_true", help="Import all active stored feeds of the market."
        )
        parser.add_argument(
            "--format",
            choices=FeedFormat.values,
            default=FeedFormat.AUTO,
            help="Default: recognise it by the content.",
        )
        parser.add_argument(
            "--map",
            nargs="+",
            action="extend",
            default=[],
            metavar="FIELD=COLUMN",
            help="Where one of our fields is in the feed; attributes.x is a custom attribute.",
        )
        parser.add_argument("--categories", action="store_true", help="It is a feed of categories.")
        parser.add_argument(
            "--full",
            action="store_true",
            help="The feed has all products: those that it lacks become inactive.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, just report.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        market = find_market(options["tenant"], options["market"])
        if options["source"] is None and options["map"] and "=" not in options["map"][-1]:
            options["source"] = options["map"].pop()
        feeds = self._stored_feeds(market, options)
        if feeds is None:
            results = [self._import_source(market, options)]
        else:
            results = [self._import_feed(feed, options) for feed in feeds]
        if options["json"]:
            reports = [result.as_dict() for result in results]
            self.stdout.write(json.dumps({"runs": reports} if options["all"] else reports[0]))
        failed = [result for result in results if result.failed]
        if failed:
            raise CommandError("\n".join(f"{x.source}: {x.message}" for x in failed))

    def _stored_feeds(self, market: Market, options: dict[str, Any]) -> list[Feed] | None:
        """Return the stored feeds that are asked for; None when it is a source."""
        chosen = [name for name in ("source", "feed", "all") if options[name]]
        if len(chosen) != 1:
            raise CommandError("Name one of: a source, --feed NAME, --all.")
        if options["source"]:
            return None
        own = ("map", "full", "categories")
        if any(options[name] for name in own) or options["format"] != FeedFormat.AUTO:
            raise CommandError("A stored feed has its own format, mapping and fullness.")
        feeds = Feed.objects.filter(market=market).select_related("market__tenant")
        if options["all"]:
            return list(feeds.filter(active=True))
        found = list(feeds.filter(name=options["feed"]))
        if not found:
            known = ", ".join(feeds.values_list("name", flat=True)[:20])
            raise CommandError(
                f"{market} has no feed {options['feed']!r}. Known: {known or 'none'}."
            )
        return found

    def _import_source(self, market: Market, options: dict[str, Any]) -> ImportResult:
        if options["categories"] and options["full"]:
            raise CommandError("--full is about products; categories are never taken away.")
        given: dict[str, Any] = {
            "feed_format": options["format"],
            "mapping": dict(map(_pair, options["map"])),
            "dry_run": options["dry_run"],
        }
        with _progress(str(market), options) as report:
            if options["categories"]:
                result = import_categories(market, options["source"], report=report, **given)
            else:
                result = import_feed(
                    options["source"],
                    market=market,
                    full=options["full"],
                    report=report,
                    **given,
                )
        self._tell(result, options)
        return result

    def _import_feed(self, feed: Feed, options: dict[str, Any]) -> ImportResult:
        with _progress(str(feed), options) as report:
            result = import_feed(feed, dry_run=options["dry_run"], report=report)
        self._tell(result, options)
        return result

    def _tell(self, result: ImportResult, options: dict[str, Any]) -> None:
        for rejection in result.rejections[:_REJECTIONS_SHOWN]:
            self.stderr.write(f"Rejected {rejection}")
        if result.rejected > _REJECTIONS_SHOWN:
            self.stderr.write(f"... {result.rejected:,} rows were rejected in all.")
        if not options["json"]:
            self.stdout.write(result.summary())


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise CommandError(f"--map {text}: write it like --map title=prod_name")
    return field, column


@contextmanager
def _progress(title: str, options: dict[str, Any]) -> Iterator[ReportProgress]:
    """Show how far an import has come, on a terminal only."""
    quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
    with tqdm(desc=title, unit="B", unit_scale=True, disable=quiet, leave=False) as bar:

        def show(progress: ImportProgress) -> None:
            bar.total = progress.bytes_total
            bar.n = progress.bytes_read
            bar.set_postfix_str(f"{progress.rows:,} rows")

        yield show
