"""``manage.py reco_shadow acme se recorded.jsonl``."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from depict_reco.management.shadow import compare
from depict_reco.management.shops import find_market

_SHOWN_REJECTIONS = 5


def places(text: str) -> int:
    """Read a number of places."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def chance(text: str) -> float:
    """Read a number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


class Command(BaseCommand):
    help = (
        "Compare what another host answered with what this installation answers, before or after "
        "moving: each line of the file holds a request and the other host's answer, and may hold "
        "an answer recorded here; without one, the engine is asked now. Nothing is stored."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", help="Slug of the market.")
        parser.add_argument(
            "source",
            help='JSON Lines, gzipped or not, of {"request": …, "theirs": …, "ours": …}; '
            "-: standard input.",
        )
        parser.add_argument(
            "--k", type=places, default=10, help="Places that overlap@k looks at; default: 10."
        )
        parser.add_argument(
            "--p",
            type=chance,
            default=0.9,
            help="Chance that a shopper looks at the next place, for the rank-biased overlap; "
            "default: 0.9.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        market = find_market(options["tenant"], options["market"])
        quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
        with ExitStack() as stack:
            lines = _lines(stack, options["source"])
            bar = stack.enter_context(tqdm(unit=" lines", disable=quiet, leave=False))
            try:
                found = compare(
                    market, lines, k=options["k"], p=options["p"], progress=lambda: bar.update()
                ).as_dict()
            except (OSError, EOFError) as error:
                raise CommandError(f"{options['source']}: {error}") from None
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            self._report(found)
        if not found["compared"]:
            raise CommandError("Not one line could be compared.")

    def _report(self, found: dict[str, Any]) -> None:
        for one in found["rejections"][:_SHOWN_REJECTIONS]:
            self.stderr.write(f"Line {one['line']}: {one['reason']}")
        if found["rejected"] > _SHOWN_REJECTIONS:
            self.stderr.write(f"... and {found['rejected'] - _SHOWN_REJECTIONS} more bad lines.")
        self.stdout.write(
            f"{found['market']}: {found['compared']} requests compared, {found['rejected']} lines "
            f"skipped; {found['recommendable']} products can be recommended."
        )
        for name, figures in found["types"].items():
            self.stdout.write(f"\n{name} ({figures['requests']} requests)")
            self.stdout.write(f"  overlap@{found['k']:<4} {_percent(figures['overlap'])}")
            self.stdout.write(f"  rank-biased  {_percent(figures['rbo'])} (p = {found['p']:g})")
            for label in ("coverage", "empty", "fill"):
                ours, theirs = (_percent(figures[label][whose]) for whose in ("ours", "theirs"))
                self.stdout.write(f"  {label:<12} ours {ours}, theirs {theirs}")
            if figures["unknown_products"]:
                named = ", ".join(list(figures["unknown_named_most"])[:5])
                self.stdout.write(
                    f"  not in our catalogue: {figures['unknown_products']} of their products, "
                    f"such as {named}"
                )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _lines(stack: ExitStack, name: str) -> Iterator[bytes]:
    if name == "-":
        return iter(sys.stdin.buffer)
    try:
        file = stack.enter_context(Path(name).open("rb"))  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    if file.peek(2)[:2] == b"\x1f\x8b":
        return iter(stack.enter_context(gzip.open(file)))
    return iter(file)
