"""A small shop on two web servers, one PostgreSQL and one Redis, with shoppers who never rest."""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import jsonschema

from tests.e2e.processes import HOST, ROOT, Postgres, Redis, Staff, WebServer, wait_until

MANY = "/v2/recommend/products/products"
LIMIT = 10

SET_UP = """
from django.core.management import call_command
from depict_reco.tasks import train_market
from tests import shop as shops
call_command("migrate", verbosity=0)
keys = {}
for slug in ("acme", "other"):
    market = shops.make_shop(slug)
    market.tenant.storefront_access = "origins"
    market.tenant.origins = ["https://shop.example"]
    market.tenant.save()
    keys[slug] = ApiKey.objects.issue(market.tenant, name="web", scopes=["recommend"])[1]
    keys[slug + " 2"] = ApiKey.objects.issue(market.tenant, name="2", scopes=["recommend"])[1]
shops.add_events(Market.objects.get(tenant__slug="acme"))
for market in Market.objects.all():
    train_market(market)
result = keys
"""


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: Any


class Installation:
    """Everything that runs."""

    def __init__(self, folder: Path, *, niceness: int = 0) -> None:
        self.folder = folder
        self._niceness = niceness
        self.postgres = Postgres(folder)
        self.redis = Redis(folder)
        (folder / "metrics").mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COV_")},
            "DJANGO_SETTINGS_MODULE": "tests.e2e.project",
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "VAR_DIR": str(folder),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        }
        # as on another machine, the second shares nothing but the database, Redis and the models
        apart = environment | {"COPIES_DIR": str(folder / "copies of b")}
        self.servers = [WebServer("a", folder, environment), WebServer("b", folder, apart)]
        self.environment = environment
        self.keys: dict[str, str] = {}
        self.staff: Staff | None = None

    def start(self, set_up: str = SET_UP) -> None:
        """Start everything; ``set_up`` makes the shop acme and returns keys by name."""
        self.postgres.start()
        self.postgres.make_database()
        self.redis.start()
        # it is no web process: its own counts would be taken for a dead worker's
        staff = {k: v for k, v in self.environment.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
        staff["DJANGO_SETTINGS_MODULE"] = "tests.e2e.office"
        self.staff = Staff(staff, niceness=self._niceness)
        self.keys = self.do(set_up)
        for server in self.servers:
            server.start()
        wait_until(self.is_ready, seconds=60, what="both servers are ready")

    def do(self, code: str) -> Any:
        """Let the staff do something."""
        assert self.staff is not None
        return self.staff.do(code)

    def clean_up(self) -> None:
        for server in self.servers:
            server.clean_up()
        if self.staff is not None:
            self.staff.clean_up()
        self.redis.clean_up()
        self.postgres.clean_up()

    # what one can ask

    def get(self, server: WebServer, path: str) -> Response:
        return ask(server.port, "GET", path, headers={"Authorization": "Bearer let-me-see"})

    def recommend(self, server: WebServer, *, key: str = "acme", **body: Any) -> Response:
        question = {
            "tenant": key.split()[0], "market": "se", "type": "popular", "product_ids": [], **body,
        }  # fmt: skip
        headers = {"X-API-KEY": self.keys[key], "X-Debug": "true"}
        return ask(server.port, "POST", MANY, json.dumps(question), headers)

    def displays(self, server: WebServer, **body: Any) -> list[dict[str, Any]]:
        response = self.recommend(server, **body)
        assert response.status == 200, response
        return response.body["displays"]

    def named(self, server: WebServer, **body: Any) -> list[str]:
        return [display["product_id"] for display in self.displays(server, **body)]

    def readiness(self, server: WebServer) -> str:
        response = self.get(server, "/readyz")
        return response.body["status"]

    def version(self, server: WebServer) -> str:
        """Return which model of acme a server answers from."""
        markets = self.get(server, "/readyz").body["markets"]
        return next(one["model_version"] for one in markets if one["tenant"] == "acme")

    def served_folder(self) -> Path:
        """Return where the published model of acme lies, once both servers have loaded it."""
        path = self.do(
            "result = Artifact.objects.get(currentartifact__market__tenant__slug='acme').path"
        )
        wait_until(
            lambda: {self.version(server) for server in self.servers} == {Path(path).name},
            seconds=3,
            what="both serve what is published",
        )
        return self.folder / "artifacts" / path

    def is_ready(self) -> bool:
        return all(self.readiness(server) == "ok" for server in self.servers)


def ask(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        return _exchange(connection, method, path, body, headers or {})
    finally:
        connection.close()


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
) -> Response:
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    raw = response.read()
    is_json = "json" in (response.headers.get("Content-Type") or "")
    return Response(
        response.status, dict(response.headers), json.loads(raw) if is_json else raw.decode()
    )


@dataclass
class Shoppers:
    """Threads that ask both servers again and again, and look at each answer."""

    installation: Installation
    threads: int = 4
    one_price: bool = False
    """Whether all prices of one answer must be the same."""
    ask_about: Callable[[int], list[dict[str, Any]]] = field(
        default=lambda number: _questions(number)
    )
    """The questions of each thread."""
    pause: float = 0.005
    """Seconds between the questions of a thread: the servers share two cores with all else."""
    answers: int = 0
    problems: list[str] = field(default_factory=list)
    """Answers that were not 200, or against the contract."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Connections that broke, by server."""
    degraded: set[tuple[str, str]] = field(default_factory=set)
    """What each server said that it did without."""
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        _contract()
        for number in range(self.threads):
            thread = threading.Thread(target=self._shop, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _shop(self, number: int) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        headers = {"X-API-KEY": self.installation.keys["acme"], "Content-Type": "text/plain"}
        questions = itertools.cycle(self.ask_about(number))
        while not self._stop.is_set():
            for server in self.installation.servers:
                connection = connections.get(server.name)
                if connection is None:
                    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
                    connections[server.name] = connection
                question = next(questions)
                start = time.monotonic()
                try:
                    response = _exchange(connection, "POST", MANY, json.dumps(question), headers)
                except (OSError, http.client.HTTPException):
                    self.dropped[server.name] = self.dropped.get(server.name, 0) + 1
                    connections.pop(server.name).close()
                    time.sleep(0.05)
                    continue
                self.slowest = max(self.slowest, time.monotonic() - start)
                self._look_at(server, question, response)
            time.sleep(self.pause)

    def _look_at(self, server: WebServer, question: dict[str, Any], response: Response) -> None:
        self.answers += 1
        if away := response.headers.get("X-Degraded"):
            self.degraded.add((server.name, away))
        if response.status != 200:
            self.problems.append(f"{server.name}: {response.status} {response.body}")
        elif error := self._error(response.body):
            self.problems.append(f"{server.name}: against the contract: {error}")
        elif complaint := self._complaint(question, response.body):
            self.problems.append(f"{server.name}: {complaint}: {question} {response.body}")

    def _error(self, body: dict[str, Any]) -> str:
        """Return what the contract says against an answer, of which one in ten is looked at."""
        if self.answers % 10 != 1:
            return ""
        error = next(_contract().iter_errors(body), None)
        return "" if error is None else error.message

    def _complaint(self, question: dict[str, Any], body: dict[str, Any]) -> str:
        displays = body["displays"]
        names = [display["product_id"] for display in displays]
        ids = {display["recommendation_id"] for display in displays}
        if len(names) != LIMIT or len(set(names)) != LIMIT or len(ids) != LIMIT:
            return "not as many as wanted, or one of them twice"
        if set(names) & {*question["product_ids"], "teapot-hidden", "teapot-gone"}:
            return "something that must not be shown"
        if self.one_price and len({display["price"] for display in displays}) != 1:
            prices = [(one["product_id"], one["price"]) for one in displays]
            return f"old and new prices in one answer {prices}"
        return ""


@functools.cache
def _contract() -> jsonschema.Draft202012Validator:
    """Return what validates answers."""
    document = json.loads((ROOT / "tests" / "api" / "contract.json").read_text())
    root = {"$ref": "#/components/schemas/RecommendResponse"}
    return jsonschema.Draft202012Validator(root | {"components": document["components"]})


def _questions(number: int) -> list[dict[str, Any]]:
    """Questions of all kinds; every other one comes from a shopper with a session."""
    basics = {"tenant": "acme", "market": "se", "limit": LIMIT}
    return [
        basics | {"type": type_, "product_ids": products, **who}
        for type_, products in (
            ("popular", []),
            ("cross_sell", ["teapot-1"]),
            ("similar", ["teapot-2", "unknown"]),
            ("for_you", ["spade-1", "teapot-3"]),
            ("checkout", ["glove-1", "spade-4"]),
        )
        for who in ({}, {"session_id": f"shopper-{number}"})
    ]
