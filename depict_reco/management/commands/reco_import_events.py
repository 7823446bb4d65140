"""``manage.py reco_import_events acme se events.csv.gz``."""

from __future__ import annotations

import argparse
import json
import sys
import zoneinfo
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.events.consent import Consent
from depict_reco.events.models import EventType
from depict_reco.events.names import FIELDS
from depict_reco.events.readers import FORMATS
from depict_reco.events.results import (
    EventImportCutShortError,
    EventImportOptions,
    EventImportResult,
)
from depict_reco.exceptions import EventImportError
from depict_reco.management.shops import find_market
from depict_reco.tasks import import_events

_SHOWN_REJECTIONS = 5


def pair(text: str) -> tuple[str, str]:
    """Read ``name=value``."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name.strip(), value.strip()


def zone(text: str) -> zoneinfo.ZoneInfo:
    """Read the name of a time zone."""
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone such as Europe/Oslo") from None


class Command(BaseCommand):
    help = (
        "Import what shoppers did - views, clicks, carts, purchases, returns - from a CSV, JSON, "
        "JSON Lines or Parquet file, gzipped or not. Can be killed and run again at any time: "
        "no event is stored twice."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", help="Slug of the market.")
        parser.add_argument("source", help="The file, or - for standard input.")
        parser.add_argument(
            "--format", default="auto", choices=FORMATS, help="Default: recognise it."
        )
        parser.add_argument(
            "--map",
            dest="mapping",
            action="append",
            default=[],
            type=pair,
            metavar="FIELD=COLUMN",
            help=f"The column or key of a field, where its name is not known; nothing behind = "
            f"leaves the field out. Fields: {', '.join(FIELDS)}. Repeatable.",
        )
        parser.add_argument(
            "--filter",
            dest="filters",
            action="append",
            default=[],
            type=pair,
            metavar="COLUMN=VALUE",
            help="Take only rows with this value; repeatable, several values of one column "
            "are alternatives.",
        )
        parser.add_argument(
            "--type",
            default="",
            choices=EventType.values,
            help="Type of all events, whatever the file says.",
        )
        parser.add_argument(
            "--time-zone", default="UTC", type=zone, help="Zone of times without one; default: UTC."
        )
        parser.add_argument(
            "--time-format",
            default="",
            metavar="PATTERN",
            help="How times are written, such as %%d/%%m/%%Y %%H:%%M; default: ISO 8601 or epoch.",
        )
        parser.add_argument(
            "--consent",
            default=Consent.UNKNOWN.value,
            choices=[consent.value for consent in Consent],
            help="What the shoppers of the file said about being remembered. Without it, a tenant "
            "that requires consent gets the events without session and user ids.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Store nothing; only look.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        market = find_market(options["tenant"], options["market"])
        settings = EventImportOptions(
            file_format=options["format"],
            mapping=dict(options["mapping"]),
            filters=tuple(options["filters"]),
            event_type=options["type"],
            zone=options["time_zone"],
            time_format=options["time_format"],
            consent=Consent(options["consent"]),
        )
        failure = ""
        quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
        with tqdm(unit="B", unit_scale=True, desc=str(market), disable=quiet, leave=False) as bar:

            def show(done: int, size: int | None) -> None:
                bar.total = size
                bar.update(done - bar.n)

            try:
                result = import_events(
                    market,
                    options["source"],
                    options=settings,
                    dry_run=options["dry_run"],
                    progress=show,
                )
            except EventImportCutShortError as error:
                result, failure = error.result, str(error)
            except EventImportError as error:
                raise CommandError(str(error)) from None
        if not failure and result.rejected and result.rejected == result.rows:
            failure = "Every row was rejected."
        self._report(result, failure=failure, as_json=options["json"])
        if failure:
            raise CommandError(failure)

    def _report(self, result: EventImportResult, *, failure: str, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(result.as_dict() | {"error": failure}))
            return
        self.stdout.write(summary(result))
        for note in result.notes:
            self.stdout.write(note)
        for rejection in result.rejections[:_SHOWN_REJECTIONS]:
            where = f"Line {rejection.line}"
            self.stderr.write(f"{where}: {rejection.field} {rejection.reason}".replace(":  ", ": "))
        if result.rejected > _SHOWN_REJECTIONS:
            self.stderr.write(f"... and {result.rejected - _SHOWN_REJECTIONS} more rejected rows.")


def summary(result: EventImportResult) -> str:
    """Say in a line what an import did."""
    counts = (
        ("duplicates", result.duplicates),
        ("filtered out", result.filtered),
        ("of ignored types", result.ignored),
        ("without a product", result.without_product),
        ("rejected", result.rejected),
        ("of erased shoppers", result.erased),
    )
    others = "".join(f", {count:,} {name}" for name, count in counts if count)
    inside = (
        ("returns", result.returns),
        ("of unknown products", result.unknown_products),
        ("without the shopper's ids, for want of consent", result.anonymous),
        ("with a time that was put right", result.clamped),
    )
    notes = " and ".join(f"{count:,} {name}" for name, count in inside if count)
    stored = "would be stored" if result.dry_run else "stored"
    return f"{result.rows:,} rows: {result.stored:,} events {stored}{others}." + (
        f" Among the events are {notes}." if notes else ""
    )
