"""``manage.py reco_create_tenant acme --market se:SEK:sv-SE``."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from depict_reco.models import Tenant
from depict_reco.tasks import MarketPlan, TenantSetup, create_tenant

_LOCALE = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*", flags=re.ASCII)


def market_plan(text: str) -> MarketPlan:
    """Read ``slug:currency:locale[,locale...]``."""
    parts = text.split(":")
    locales = parts[2].split(",") if len(parts) == 3 else []
    if not locales or not all(parts) or not all(_LOCALE.fullmatch(name) for name in locales):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a market; write it like se:SEK:sv-SE (slug, currency and locale), "
            "with further locales after commas: fi:EUR:fi-FI,sv-FI"
        )
    slug, currency, _ = parts
    default_locale, *others = dict.fromkeys(locales)
    return MarketPlan(
        slug=slug,
        currency=currency.upper(),
        default_locale=default_locale,
        locales=tuple(others),
    )


class Command(BaseCommand):
    help = (
        "Create a tenant with its markets and the default recommendation types, or bring a "
        "standing one to what is named here. Can be run again: what is named is made so, what "
        "is not named is left alone, and nothing is ever removed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tenant", help="Slug of the tenant, as it stands in requests.")
        parser.add_argument("--name", default="", help="Name for people; default: the slug.")
        parser.add_argument(
            "--market",
            dest="markets",
            action="append",
            default=[],
            type=market_plan,
            metavar="SLUG:CURRENCY:LOCALE[,LOCALE...]",
            help="A market, such as se:SEK:sv-SE; the first locale is the default one. Repeatable.",
        )
        parser.add_argument(
            "--origin",
            dest="origins",
            action="append",
            default=[],
            metavar="ORIGIN",
            help="Origin of the shop's pages, such as https://shop.example; opens the storefront "
            "endpoints to browsers on it, without a key. Repeatable.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        if not options["markets"] and not Tenant.objects.filter(slug=slug).exists():
            raise CommandError(
                f"The tenant {slug!r} is new and needs a market: add --market se:SEK:sv-SE"
            )
        try:
            setup = create_tenant(
                slug, name=options["name"], markets=options["markets"], origins=options["origins"]
            )
        except ValidationError as error:
            raise CommandError(f"{slug}: {' '.join(_reasons(error))}") from None
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(setup)))
        else:
            self._report(setup)

    def _report(self, setup: TenantSetup) -> None:
        slug = setup.tenant.slug
        state = "created" if setup.created else "changed" if setup.changed else "unchanged"
        self.stdout.write(f"Tenant {slug}: {state}")
        for outcome in ("created", "changed", "unchanged"):
            for market in getattr(setup, f"markets_{outcome}"):
                self.stdout.write(f"Market {slug}/{market}: {outcome}")
        for origin in setup.origins_added:
            self.stdout.write(f"Origin {origin}: added; its pages need no key")
        if setup.types_added:
            self.stdout.write(f"Recommendation types: {setup.types_added} added")
        if setup.created:
            self.stdout.write(f"Next: manage.py reco_api_keys create {slug}")


def _reasons(error: ValidationError) -> list[str]:
    """The messages of a validation error, each with its field."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]


def _as_json(setup: TenantSetup) -> dict[str, Any]:
    return {
        "tenant": setup.tenant.slug,
        "created": setup.created,
        "changed": setup.changed,
        "markets_created": setup.markets_created,
        "markets_changed": setup.markets_changed,
        "markets_unchanged": setup.markets_unchanged,
        "origins": setup.tenant.origins,
        "origins_added": setup.origins_added,
        "types_added": setup.types_added,
    }
