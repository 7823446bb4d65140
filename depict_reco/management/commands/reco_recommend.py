"""``manage.py reco_recommend acme se --type checkout --input requests.jsonl``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from depict_reco.api.errors import InvalidRequestError
from depict_reco.api.parsers import JSONBodyParser
from depict_reco.api.serializers import recommend_request
from depict_reco.management.bodies import serializer_of
from depict_reco.management.shops import find_market
from depict_reco.serving.encoding import to_json
from depict_reco.serving.explain import Explained, explained
from depict_reco.serving.recommend import recommend

_PARSER = JSONBodyParser()


class Command(BaseCommand):
    help = (
        "Answer many requests at once, for e-mail campaigns or for evaluation: each line of the "
        "input is the body of a v2 request (tenant, market and type may be left out), each line "
        "of the output the response to it, in the same order. A line that the API would refuse "
        "is answered with what it would say, and the exit code is 1 in the end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant.")
        parser.add_argument("market", help="Slug of the market.")
        parser.add_argument("--type", required=True, help="Type, where a line names none.")
        parser.add_argument("--input", default="-", help="JSON Lines file; -: standard input.")
        parser.add_argument("--output", default="-", help="JSON Lines file; -: standard output.")
        parser.add_argument("--limit", type=int, help="Limit, where a line names none.")
        parser.add_argument("--locale", help="Locale, where a line names none.")
        parser.add_argument(
            "--debug", action="store_true", help="Add the source of each display, as “logic”."
        )
        parser.add_argument(
            "--explain",
            action="store_true",
            help="Add to each display why it is there, in words, as “explanation”.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the counts as JSON, on standard error."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        market = find_market(options["tenant"], options["market"])
        defaults = {
            "tenant": market.tenant.slug,
            "market": market.slug,
            "type": options["type"],
            "limit": options["limit"],
            "locale": options["locale"],
        }
        counts = {"answered": 0, "rejected": 0, "empty": 0}
        answer = partial(
            _answer,
            defaults=defaults,
            counts=counts,
            debug=options["debug"],
            explain=options["explain"],
        )
        with ExitStack() as stack:
            source = _open(stack, options["input"], "rb", sys.stdin.buffer)
            target = _open(stack, options["output"], "wb", sys.stdout.buffer)
            quiet = options["verbosity"] == 0 or not sys.stderr.isatty()
            for line in tqdm(_lines(source), unit=" lines", disable=quiet, leave=False):
                target.write(answer(line) + b"\n")
            target.flush()
        if options["json"]:
            self.stderr.write(json.dumps(counts))
        elif options["verbosity"] and options["output"] != "-":
            self.stdout.write(
                f"{counts['answered']} answered ({counts['empty']} of them empty), "
                f"{counts['rejected']} rejected."
            )
        if counts["rejected"]:
            raise CommandError(f"{counts['rejected']} lines are no valid requests.")


def _open(stack: ExitStack, name: str, mode: str, standard: IO[bytes]) -> IO[bytes]:
    if name == "-":
        return standard
    try:
        return stack.enter_context(Path(name).open(mode))
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    return (line for line in source if line.strip())


def _answer(
    line: bytes, *, defaults: dict[str, Any], counts: dict[str, int], debug: bool, explain: bool
) -> bytes:
    try:
        body = _PARSER.parse(BytesIO(line))
        if isinstance(body, dict):
            body = {name: value for name, value in defaults.items() if value is not None} | body
        values = serializer_of(body).run_validation(body)
    except ValidationError as error:
        return _refusal(InvalidRequestError.from_validation(error).entries, counts)
    except InvalidRequestError as error:
        return _refusal(error.entries, counts)
    if (values["tenant"], values["market"]) != (defaults["tenant"], defaults["market"]):
        return _refusal(
            f"This asks another market than {defaults['tenant']}/{defaults['market']}.", counts
        )
    request = recommend_request(values, variants=False, debug=debug)
    found = explained(request) if explain else None
    answer = found.answer if found else recommend(request)
    counts["answered"] += 1
    counts["empty"] += not answer.displays
    return _with_explanations(found) if found else answer.body


def _with_explanations(found: Explained) -> bytes:
    body = json.loads(found.answer.body)
    for display, explanations in zip(body["displays"], found.explanations, strict=True):
        display["explanation"] = [
            {**asdict(one), "share": round(one.share, 4)} for one in explanations
        ]
    return to_json(body)


def _refusal(detail: Any, counts: dict[str, int]) -> bytes:
    counts["rejected"] += 1
    return to_json({"detail": detail})
