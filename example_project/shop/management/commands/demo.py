"""``manage.py demo``: fill the shop, train it, say how to try it, serve it."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from depict_reco.artifacts import store
from depict_reco.exceptions import ArtifactBrokenError
from depict_reco.models import ApiKey, Artifact, Market, Tenant
from depict_reco.tenants.secrets import digest
from example_project.shop.depict import BUILD, serve_socket
from example_project.shop.placements import curl
from example_project.shop.state import TENANT, DemoState

DATA = Path(__file__).resolve().parents[3] / "data"
MANAGE = Path(__file__).resolve().parents[4] / "manage.py"
FEED_URL = "http://localhost:8000"
"""The address of the shop in the feeds that ship with it."""

ADMIN = "admin"
KEY_NAME = "demo"
PRODUCT = "22423"
"""The Regency cake stand, the best-known product of the shop."""

MARKETS = {
    # slug: name, locale, the country's name in the invoices. All are billed in pounds.
    "uk": ("United Kingdom", "en-GB", "United Kingdom"),
    "de": ("Germany", "de-DE", "Germany"),
    "fr": ("France", "fr-FR", "France"),
    "ie": ("Ireland", "en-IE", "EIRE"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a person or a program needs to try the demo."""

    tenant: str
    market: str
    markets: list[str]
    key: str
    product_id: str
    admin_user: str
    admin_password: str


class Command(BaseCommand):
    help = "Fill the example shop from real invoices, train it, and serve it."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="Prepare everything and end.")
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print one JSON object on standard output instead of advice for people.",
        )
        parser.add_argument("--port", type=int, default=8000, help="Default: 8000.")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        self.stderr.style_func = str  # progress, not errors
        url = f"http://localhost:{options['port']}"
        prepared = self._prepare(url)
        self._say(f"Ready after {time.monotonic() - started:.0f} seconds.")
        if options["json"]:
            self.stdout.write(json.dumps(asdict(prepared)))
        else:
            self.stdout.write(advice(prepared, url))
        self.stdout.flush()
        if not options["no_serve"]:
            self._serve(options["port"])

    def _prepare(self, url: str) -> Prepared:
        """Do what is not done yet; whatever an earlier run finished is left as it is."""
        state = DemoState.load()
        self._run("migrate", "--verbosity=0", "--no-input")
        wanted = [f"--market={slug}:GBP:{locale}" for slug, (_, locale, _) in MARKETS.items()]
        wanted += [f"--origin={origin}" for origin in origins(url)]
        self._run("reco_create_tenant", TENANT, "--name=The gift shop", *wanted)
        for slug, (name, _, _) in MARKETS.items():
            for market in Market.objects.filter(tenant__slug=TENANT, slug=slug, name=""):
                market.name = name
                market.save()
        tenant = Tenant.objects.get(slug=TENANT)
        state = DemoState(
            key=live_key(tenant, known=state.key),
            admin_password=admin_password(known=state.admin_password),
            shop_url=state.shop_url,
        )
        state.save()
        self._fill(moved=state.shop_url != url, url=url)
        replace(state, shop_url=url).save()
        return Prepared(
            tenant=TENANT,
            market=next(iter(MARKETS)),
            markets=list(MARKETS),
            key=state.key,
            product_id=PRODUCT,
            admin_user=ADMIN,
            admin_password=state.admin_password,
        )

    def _fill(self, *, moved: bool, url: str) -> None:
        """Import and train what has no model yet; if the shop has moved, import its feeds anew."""
        trained = trained_markets()
        for slug in MARKETS:
            if moved or slug not in trained:
                source = os.path.relpath(feed(slug, url=url))
                self._run("reco_import_feed", TENANT, slug, source, "--full")
        for slug, (_, _, country) in MARKETS.items():
            if slug not in trained:
                source = os.path.relpath(DATA / "online_retail.csv.gz")
                chosen = ["--filter", f"Country={country}"]
                self._run("reco_import_events", TENANT, slug, source, *chosen)
        if untrained := [slug for slug in MARKETS if slug not in trained]:
            self._train(*untrained)

    def _train(self, first: str, *others: str) -> None:
        """Train one market here, where its progress shows, and the others beside it."""
        with ThreadPoolExecutor(max_workers=1) as beside:
            trainings = [beside.submit(train_beside, slug) for slug in others]
            try:
                self._run("reco_train", TENANT, first)
                for training in trainings:
                    self._say(training.result())
            except BaseException:
                beside.shutdown(wait=False, cancel_futures=True)
                raise

    def _run(self, command: str, *words: str) -> None:
        """Run a command as a person would, its report on standard error."""
        self._say(f"$ python manage.py {shlex.join([command, *words])}")
        call_command(command, *words, stdout=self.stderr, stderr=self.stderr)

    def _serve(self, port: int) -> None:
        self._say(serve_socket(settings.SOCKET_PORT))  # type: ignore[misc]
        self._say(f"Serving http://localhost:{port}/ until Ctrl-C.")
        call_command(
            "runserver", str(port), use_reloader=False, insecure_serving=True, stdout=self.stderr
        )

    def _say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


def origins(url: str) -> list[str]:
    """Return the origins that the shop's pages may come from, whose script needs no key."""
    port = url.rpartition(":")[2]
    hosts = [host for host in settings.ALLOWED_HOSTS if not host.startswith((".", "*"))]
    return [f"http://{host}:{port}" for host in dict.fromkeys(["localhost", *hosts])]


def trained_markets() -> set[str]:
    """Return the markets whose model is there and whole."""
    trained = set()
    for artifact in Artifact.objects.filter(
        currentartifact__isnull=False, market__tenant__slug=TENANT
    ).select_related("market"):
        with suppress(ArtifactBrokenError):
            store.verify(artifact.path)
            trained.add(artifact.market.slug)
    return trained


def train_beside(market: str) -> str:
    """Train a market in a process of its own; return what that said."""
    words = ["reco_train", TENANT, market]
    done = subprocess.run([sys.executable, MANAGE, *words], capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise CommandError(done.stderr)
    return f"$ python manage.py {shlex.join(words)}\n{done.stdout.strip()}"


def live_key(tenant: Tenant, *, known: str) -> str:
    """Return the secret of an earlier run if it still opens everything, else that of a new key."""
    keys = ApiKey.objects.filter(tenant=tenant, name=KEY_NAME)
    if known and keys.live().filter(digest=digest(known)).exists():
        return known
    for lost in keys.live():
        lost.revoke()
    _, secret = ApiKey.objects.issue(tenant, name=KEY_NAME, scopes=list(ApiKey.Scope.values))
    return secret


def admin_password(*, known: str) -> str:
    """Return the password of an earlier run if it still works, else set a new one."""
    user, _ = get_user_model().objects.get_or_create(username=ADMIN)
    if known and user.is_superuser and user.check_password(known):
        return known
    password = secrets.token_urlsafe(12)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return password


def feed(market: str, *, url: str) -> Path:
    """Return the feed of a market with the addresses of the shop as it is served."""
    shipped = DATA / f"products_{market}.csv.gz"
    if url == FEED_URL:
        return shipped
    moved = Path(settings.VAR_DIR) / shipped.name  # type: ignore[misc]
    moved.write_bytes(
        gzip.compress(
            gzip.decompress(shipped.read_bytes()).replace(FEED_URL.encode(), url.encode())
        )
    )
    return moved


def advice(prepared: Prepared, url: str) -> str:
    """Say what there is to see, with a command for each endpoint."""
    shop = {"tenant": prepared.tenant, "market": prepared.market}
    merchant = {"merchant": prepared.tenant, "market": prepared.market, "locale": "en-GB"}
    one, several = prepared.product_id, [prepared.product_id, "22699"]
    v2, v3 = "/v2/recommend/products", "/v3"
    asked: list[tuple[str, str, dict[str, Any] | None]] = [
        ("similar to a product", f"{v2}/product", {**shop, "type": "similar", "product_id": one}),
        ("for a basket", f"{v2}/products", {**shop, "type": "checkout", "product_ids": several}),
        (
            "in a category",
            f"{v2}/category",
            {**shop, "type": "category", "category_id": "Tea & Coffee"},
        ),
        ("for everybody", f"{v2}/general", {**shop, "type": "popular"}),
        (
            "the newer form",
            f"{v3}/recommend/products",
            {**merchant, "type": "cross_sell", "product_ids": [one]},
        ),
        ("types", f"/v2/recommend/surfaces?tenant={prepared.tenant}", None),
        ("products by id", f"{v3}/get-displays", {**merchant, "product_ids": several}),
        ("markets", f"{v3}/markets?merchant={prepared.tenant}", None),
        ("locales", f"{v3}/locales?merchant={prepared.tenant}", None),
    ]
    lines = [f"API key: {prepared.key}", ""]
    for title, address, body in asked:
        lines += [f"# {title}", curl(url + address, body=body, key=prepared.key), ""]
    lines += [
        f"Shop:   {url}/",
        f"Depict: {url}/{prepared.market}/depict/  the same shop, with Depict's own client, after",
        f"        {BUILD}",
        f"API:    {url}/schema/docs/",
        f"Admin:  {url}/admin/  user {prepared.admin_user}  password {prepared.admin_password}",
        f"Events: {url}{reverse('admin:depict_reco_trackingstatus_changelist')}"
        "  what you do in the shop, as it arrives",
    ]
    return "\n".join(lines)
