"""``manage.py reco_api_keys create|list|revoke``."""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from depict_reco.models import ApiKey, Tenant
from depict_reco.tenants import secrets

DEFAULT_SCOPES = [ApiKey.Scope.RECOMMEND.value, ApiKey.Scope.EVENTS.value]


def expiry(text: str) -> datetime:
    """Read a day, a moment or a number of days (``90d``) as a moment in the future."""
    try:
        if days := re.fullmatch(r"(\d{1,5})d", text, flags=re.ASCII):
            moment: datetime | None = timezone.now() + timedelta(days=int(days[1]))
        elif day := parse_date(text):
            moment = datetime(day.year, day.month, day.day)
        else:
            moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no expiry; write a day (2027-01-01), a moment (2027-01-01T12:00) "
            "or a number of days (90d)"
        )
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    if moment <= timezone.now():
        raise argparse.ArgumentTypeError(f"{text!r} has passed already")
    return moment


class Command(BaseCommand):
    help = "Create, list and revoke the API keys of a tenant."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="create|list|revoke")
        create = acts.add_parser("create", help="Create a key and print its secret, once.")
        create.add_argument("tenant")
        create.add_argument("--name", default="API key", help="Who or what uses it.")
        create.add_argument(
            "--scope",
            dest="scopes",
            action="extend",
            nargs="+",
            choices=ApiKey.Scope.values,
            help=f"What it opens; default: {' '.join(DEFAULT_SCOPES)}. Repeatable.",
        )
        create.add_argument(
            "--expires", type=expiry, metavar="DAY|90d", help="When it ends; default: never."
        )
        show = acts.add_parser("list", help="List the keys of a tenant.")
        show.add_argument("tenant")
        revoke = acts.add_parser("revoke", help="Close a key for ever.")
        revoke.add_argument("tenant")
        revoke.add_argument("key", help="Its number, its beginning or the whole secret.")
        for act in (create, show, revoke):
            act.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = _tenant(options["tenant"])
        match options["act"]:
            case "create":
                self._create(tenant, options)
            case "list":
                self._list(tenant, options)
            case "revoke":
                self._revoke(tenant, options)

    def _create(self, tenant: Tenant, options: dict[str, Any]) -> None:
        scopes = list(dict.fromkeys(options["scopes"] or DEFAULT_SCOPES))
        key, secret = ApiKey.objects.issue(
            tenant, name=options["name"], scopes=scopes, expires_at=options["expires"]
        )
        if options["json"]:
            self.stdout.write(json.dumps({**_as_json(key), "key": secret}))
            return
        # the secret alone goes to standard output, so that a script can take it from there
        self.stderr.write(
            f"Key {key.pk} of {tenant.slug} for {', '.join(scopes)}. It is shown only now.",
            style_func=str,
        )
        self.stdout.write(secret)

    def _list(self, tenant: Tenant, options: dict[str, Any]) -> None:
        keys = [_as_json(key) for key in tenant.api_keys.order_by("pk")]
        if options["json"]:
            self.stdout.write(json.dumps(keys))
            return
        if not keys:
            self.stdout.write(
                f"{tenant.slug} has no keys. Make one: reco_api_keys create {tenant.slug}"
            )
        for key in keys:
            self.stdout.write(
                f"{key['id']:>5}  {key['hint']}…  {key['status']:<8}"
                f"  expires {_day(key['expires_at'])}  used {_day(key['last_used_at'])}"
                f"  {','.join(key['scopes'])}  {key['name']}"
            )

    def _revoke(self, tenant: Tenant, options: dict[str, Any]) -> None:
        key = _find(tenant, options["key"])
        already = key.revoked_at is not None
        key.revoke()
        if options["json"]:
            self.stdout.write(json.dumps({**_as_json(key), "changed": not already}))
        else:
            state = "was revoked before" if already else "revoked"
            self.stdout.write(f"Key {key.pk} ({key.hint}…) of {tenant.slug}: {state}")


def _tenant(slug: str) -> Tenant:
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist:
        slugs = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:50])
        advice = f"there are: {slugs}" if slugs else "make it with reco_create_tenant"
        raise CommandError(f"There is no tenant {slug!r}; {advice}") from None


def _find(tenant: Tenant, text: str) -> ApiKey:
    """Return the one key that a number, a beginning or a secret stands for."""
    chosen = Q(hint=text.rstrip("…")) | Q(digest=secrets.digest(text))
    if text.isascii() and text.isdecimal() and len(text) < 19:
        chosen |= Q(pk=int(text))
    keys = list(tenant.api_keys.filter(chosen).order_by("pk"))
    if len(keys) == 1:
        return keys[0]
    if keys:
        numbers = ", ".join(str(key.pk) for key in keys)
        raise CommandError(f"Several keys begin with {text}; name one by its number: {numbers}")
    raise CommandError(
        f"{tenant.slug} has no key {text!r}; see them with: reco_api_keys list {tenant.slug}"
    )


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "tenant": key.tenant.slug,
        "name": key.name,
        "hint": key.hint,
        "scopes": key.scopes,
        "status": _status(key),
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
        "last_used_at": _moment(key.last_used_at),
    }


def _status(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return "expired"
    return "live"


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _day(text: str | None) -> str:
    return "never     " if text is None else text[:10]
