"""A small shop whose pages Depict's own client fills, on an origin of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from example_project.shop.tiles import tile
from tests.e2e.processes import (
    HOST,
    ROOT,
    Postgres,
    SocketServer,
    Staff,
    WebServer,
    free_port,
    newest_postgres,
)

BROWSER = ROOT / "tests/e2e/browser"
SET_UP = """
from django.core.management import call_command
from django.db.models import F, Value
from django.db.models.functions import Concat
from depict_reco.tasks import train_market
from tests import shop as shops
call_command("migrate", verbosity=0)
market = shops.make_shop()
market.tenant.storefront_access = "origins"
market.tenant.origins = [ORIGIN]
market.tenant.save()
Product.objects.update(
    page_url=Concat(Value(ORIGIN + "/products/"), F("product_id")),
    image_url=Concat(Value(ORIGIN + "/tiles/"), F("product_id"), Value(".svg")),
)
shops.add_events(market)
train_market(market)
Event.objects.all().delete()
"""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Tea &amp; Garden</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/bundle/shop.css">
<nav><a href="/">Tea &amp; Garden</a><a href="/categories/teapots">Teapots</a>
<a href="/basket">Basket</a></nav>
<main></main>
<script type="module" src="/bundle/{script}"></script>
</html>
"""


class Storefront:
    """Pages, recommendations and the WebSocket: three servers on three ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres = Postgres(folder) if newest_postgres() else None
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COV_")},
            "DJANGO_SETTINGS_MODULE": "tests.e2e.project",
            "DATABASE_URL": self._postgres.url if self._postgres else f"sqlite:///{folder}/reco.db",
            "VAR_DIR": str(folder),
        }
        environment.pop("REDIS_URL", None)
        self.web = WebServer("web", folder, environment)
        self.sockets = SocketServer("sockets", folder, environment)
        self._pages = _serve_pages(folder / "bundle")
        self.origin = f"http://localhost:{self._pages.server_port}"
        self._staff: Staff | None = None
        self._environment = environment

    def start(self) -> None:
        if self._postgres:
            self._postgres.start()
            self._postgres.make_database()
        self._staff = Staff(self._environment)
        self.do(f"ORIGIN = {self.origin!r}\n{SET_UP}")
        self.web.start()
        self.sockets.start()
        bundle = [self._folder / "bundle", f"http://{HOST}:{self.web.port}", self.sockets.url]
        run(["node", "build.mjs", *map(str, bundle)])

    def do(self, code: str) -> Any:
        assert self._staff is not None
        return self._staff.do(code)

    def visit(self, chromium: str, *, images: Path | None = None) -> dict[str, Any]:
        """Let a shopper go through the shop; return what it did and saw."""
        given = {"chromium": chromium, "shop": self.origin, "images": images and str(images)}
        return json.loads(run(["node", "shopper.mjs", json.dumps(given)]))

    def clean_up(self) -> None:
        self._pages.shutdown()
        self._pages.server_close()
        for one in (self.sockets, self.web, self._staff, self._postgres):
            if one is not None:
                one.clean_up()


def run(
    command: list[str], *, seconds: float = 300, environment: dict[str, str] | None = None
) -> str:
    """Run a program of the browser's folder and return what it prints."""
    done = subprocess.run(
        command,
        cwd=BROWSER,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command[:2]}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def _serve_pages(bundle: Path) -> ThreadingHTTPServer:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            kind, body = "text/html", _page(path)
            if path.startswith("/bundle/"):
                kind = "text/css" if path.endswith(".css") else "text/javascript"
                body = (bundle / Path(path).name).read_text("utf-8")
            elif path.startswith("/tiles/"):
                kind, body = "image/svg+xml", _tile(Path(path).stem)
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, free_port()), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _page(path: str) -> str:
    return PAGE.replace("{script}", "plain.js" if path.startswith("/categories/") else "react.js")


def _tile(product_id: str) -> str:
    title = product_id.replace("-", " ").title()
    return tile(title=title, category=product_id.partition("-")[0], product_id=product_id)
