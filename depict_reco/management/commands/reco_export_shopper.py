"""``manage.py reco_export_shopper acme kx81.3f``."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from depict_reco.exceptions import ShopperError
from depict_reco.management.shopper_ids import add_id_arguments, read_ids
from depict_reco.management.shops import find_tenant
from depict_reco.tasks import EXPORT_FORMATS, export_shopper


class Command(BaseCommand):
    help = (
        "Write everything that is stored of one shopper, by session or user ids, in all markets of "
        "a tenant: the events, and what their recommendation ids stand for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        add_id_arguments(parser)
        parser.add_argument(
            "--linked",
            action="store_true",
            help="Ids, too, that stand beside one of these in an event or an order.",
        )
        parser.add_argument("--format", default="json", choices=EXPORT_FORMATS)
        parser.add_argument(
            "--output", default="-", metavar="FILE", help="Default: standard output (-)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = find_tenant(options["tenant"])
        try:
            pieces = export_shopper(
                tenant,
                read_ids(options),
                linked=options["linked"],
                export_format=options["format"],
            )
        except ShopperError as error:
            raise CommandError(str(error)) from None
        if options["output"] == "-":
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            with _private(Path(options["output"])) as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from None
        if options["verbosity"]:
            sys.stderr.write(f"Written to {options['output']}, which only you may read.\n")


def _private(path: Path) -> contextlib.AbstractContextManager[IO[str]]:
    """Open a file for writing that is nobody else's to read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", newline="")
