"""``manage.py reco_erase_shopper acme kx81.3f``."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.events.erase import Erased, ErasureRequest, Found, look
from depict_reco.exceptions import ShopperError
from depict_reco.management.shopper_ids import add_id_arguments, read_ids
from depict_reco.management.shops import find_tenant
from depict_reco.models import Erasure
from depict_reco.tasks import erase_shopper, resume_erasure


class Command(BaseCommand):
    help = (
        "Erase what is stored of one shopper, by session or user ids, in all markets of a tenant, "
        "and print the receipt. Can be killed and run again at any time. Models forget at their "
        "next training."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        add_id_arguments(parser)
        parser.add_argument(
            "--linked",
            action="store_true",
            help="Erase ids, too, that stand beside one of these in an event or an order.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only say which ids and rows would go."
        )
        parser.add_argument(
            "--resume", action="store_true", help="Finish the tenant's interrupted erasures."
        )
        parser.add_argument("--asked-by", default="", help="Who asks; default: the system's user.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = find_tenant(options["tenant"])
        ids = read_ids(options)
        if bool(ids) == options["resume"]:
            raise CommandError("Name ids, or say --resume.")
        try:
            if options["dry_run"]:
                self._foretell(look(tenant, ids, with_linked=options["linked"]), options)
                return
            quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
            with tqdm(unit=" rows", disable=quiet, leave=False) as bar:

                def show(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                if options["resume"]:
                    open_ones = Erasure.objects.filter(tenant=tenant).unfinished()
                    all_done = [resume_erasure(one, progress=show) for one in open_ones]
                else:
                    request = ErasureRequest(
                        ids=ids,
                        linked=options["linked"],
                        asked_by=options["asked_by"] or _user(),
                        channel=Erasure.Channel.COMMAND,
                    )
                    all_done = [erase_shopper(tenant, request, progress=show)]
        except ShopperError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            answers = [_as_dict(done) for done in all_done]
            self.stdout.write(json.dumps(answers if options["resume"] else answers[0]))
            return
        for done in all_done:
            self._report(done)
        if not all_done:
            self.stdout.write("Nothing was left unfinished.")

    def _foretell(self, found: Found, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "ids": found.shopper.ids,
                        "orders": found.shopper.orders,
                        "rows": found.rows,
                        "markets": found.markets,
                        "dry_run": True,
                    }
                )
            )
            return
        self.stdout.write(f"Ids: {', '.join(found.shopper.ids)}")
        self.stdout.write(f"Would erase {_counted(found.rows)}.")

    def _report(self, done: Erased) -> None:
        erasure = done.erasure
        self.stdout.write(f"Ids: {', '.join(done.ids)}")
        self.stdout.write(f"Erased {_counted(erasure.rows)}. Receipt {erasure.pk}.")
        for market in done.markets:
            self.stdout.write(
                "The model learned from these rows, without ids; to make it forget: "
                f"manage.py reco_train {erasure.tenant.slug} {market}"
            )


def _as_dict(done: Erased) -> dict[str, Any]:
    return done.erasure.receipt() | {"ids": done.ids, "markets": done.markets}


def _counted(rows: dict[str, int]) -> str:
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(rows.items()))
    return f"{sum(rows.values()):,} rows" + (f" ({kinds})" if kinds else "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
