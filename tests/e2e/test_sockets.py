"""The WebSocket with real servers: killed, without a database, with dead clients."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.e2e.processes import HOST, ROOT, SocketServer, free_port, listens, wait_until

pytestmark = pytest.mark.faults

ORIGIN = "https://shop.example"
PATIENCE = 5.0
"""Seconds after which Depict's client sends an unanswered frame again."""


@pytest.fixture
def servers(installation):
    both = [
        SocketServer(name, installation.folder, installation.environment)
        for name in ("sockets-a", "sockets-b")
    ]
    for server in both:
        server.start()
    installation.do("Event.objects.filter(product_id__startswith='seen-').delete()")
    yield both
    for server in both:
        server.clean_up()


def opened(server: SocketServer) -> Any:
    return connect(server.url, origin=ORIGIN, open_timeout=10, compression=None)


def frame(frame_id: str, **event: object) -> str:
    about = {"tenant": "acme", "market": "se", "type": "page_view", "dsid": "s", **event}
    return json.dumps({"id": frame_id, "event": about})


@dataclass
class Pages:
    """Open pages with Depict's client: each sends a frame until it has an answer.

    As the real one it sends again after ``PATIENCE`` and on every new connection, and never again
    what was answered ``ack``; it changes servers with each connection, so that resends meet another
    process.
    """

    servers: list[SocketServer]
    count: int = 8
    stored: set[str] = field(default_factory=set)
    """Products of frames that were answered ``ok``."""
    acknowledged: set[str] = field(default_factory=set)
    """Products of frames that were answered ``ack``, and so were never sent again."""
    longest_promise: float = 0.0
    """Seconds between an ``ack`` and its ``ok``."""
    sent: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds that a page waited for a first answer on a connection that held."""
    refused: list[object] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Pages:
        for number in range(self.count):
            thread = threading.Thread(target=self._browse, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every page finish the frame it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _browse(self, number: int) -> None:
        products = (f"seen-{number}-{step}" for step in itertools.count())
        product = next(products)
        for server in itertools.cycle(self.servers[number % 2 :] + self.servers[: number % 2]):
            try:
                with opened(server) as connection:
                    while True:
                        self._send(connection, product)
                        if self._stop.is_set():
                            return
                        product = next(products)
            except (OSError, WebSocketException):
                if product in self.acknowledged:
                    if self._stop.is_set():
                        return
                    product = next(products)
                time.sleep(0.05)

    def _send(self, connection: ClientConnection, product: str) -> None:
        start = time.monotonic()
        self._send_once(connection, product)
        promised = 0.0
        while product not in self.stored:
            try:
                answer = json.loads(connection.recv(timeout=None if promised else PATIENCE))
            except TimeoutError:
                start = time.monotonic()
                self._send_once(connection, product)
                continue
            if answer["id"] != f"id.{product}":
                continue  # of a frame that was sent twice
            now = time.monotonic()
            if not promised:
                self.slowest = max(self.slowest, now - start)
            if answer["status"] == "ok":
                self.longest_promise = max(self.longest_promise, now - (promised or now))
                self.stored.add(product)
            elif answer["status"] == "ack":
                promised = now
                self.acknowledged.add(product)
            else:
                self.refused.append(answer)
                return

    def _send_once(self, connection: ClientConnection, product: str) -> None:
        self.sent[product] += 1
        connection.send(frame(f"id.{product}", product_id=product))


def counted(installation) -> dict[str, int]:
    return installation.do(
        "from django.db.models import Count\n"
        "seen = Event.objects.filter(product_id__startswith='seen-')\n"
        "result = dict(seen.values_list('product_id').annotate(Count('pk')))"
    )


def test_killed_servers_lose_nothing_and_count_nothing_twice(
    installation, servers, record_property
):
    with Pages(servers) as pages:
        for round_ in range(4):
            goal = len(pages.stored) + 60
            wait_until(lambda goal=goal: len(pages.stored) > goal, seconds=60, what="events")
            victim = servers[round_ % 2]
            victim.kill()
            time.sleep(0.3)
            victim.start()
    rows = counted(installation)
    assert pages.refused == []
    assert pages.stored - set(rows) == set(), "answered ok and lost"
    lost = pages.acknowledged - set(rows)
    record_property("acknowledged", len(pages.acknowledged))
    record_property("acknowledged and lost", len(lost))
    assert lost == set(), "acknowledged and lost, though the database was well"
    assert pages.longest_promise < 1, "acknowledged before it was stored"
    assert {product: times for product, times in rows.items() if times != 1} == {}
    assert set(pages.sent) == pages.stored | pages.acknowledged == set(rows)
    assert max(pages.sent.values()) > 1, "no frame was ever sent twice"


def test_without_its_database_a_server_holds_and_then_stores(installation, servers):
    with Pages(servers) as pages:
        wait_until(lambda: len(pages.stored) > 20, seconds=60, what="events")
        installation.postgres.stop()
        time.sleep(3)
        before = len(pages.stored)
        time.sleep(1)
        assert len(pages.stored) == before, "told ok without a database"
        assert pages.acknowledged <= set(pages.stored), "acknowledged without a database"
        time.sleep(PATIENCE)  # every page sends its frame again
        installation.postgres.start()
        wait_until(lambda: len(pages.stored) > before + 20, seconds=60, what="events again")
    assert pages.refused == []
    assert max(pages.sent.values()) > 1, "no frame was ever sent twice"
    assert counted(installation) == dict.fromkeys(pages.stored, 1)


def test_a_database_that_hangs_keeps_no_page_out(installation, servers):
    server = servers[0]
    names = [f"seen-hanging-{number}" for number in range(3)]
    with opened(server) as page:
        page.send(frame("before", product_id="seen-before"))
        assert [json.loads(page.recv(timeout=20))["status"] for _ in "12"] == ["ack", "ok"]
    installation.postgres.freeze()
    try:
        time.sleep(1.5)  # what the server knows of its shops is no longer fresh
        for name in names:
            start = time.monotonic()
            with connect(server.url, origin=ORIGIN, open_timeout=PATIENCE) as page:
                assert time.monotonic() - start < PATIENCE
                page.send(frame(name, product_id=name))
                answer = json.loads(page.recv(timeout=PATIENCE))
                assert answer == {"id": name, "status": "ack"}
    finally:
        installation.postgres.thaw()
    wait_until(lambda: set(names) <= set(counted(installation)), seconds=30, what="all is stored")


def test_a_server_that_is_told_to_stop_stores_what_it_holds(installation, servers):
    server = servers[0]
    with opened(server) as connection:
        for number in range(200):
            connection.send(frame(f"last.{number}", product_id=f"seen-last-{number}"))
        connection.recv(timeout=30)  # it has begun, with an answer to the first frame
        os.kill(server.pid, 15)
        told = set()
        try:
            while True:
                told.add(json.loads(connection.recv(timeout=30))["id"])
        except WebSocketException:
            pass
    wait_until(lambda: not listens(server.port), seconds=30, what="the server has ended")
    # ``ack`` or ``ok``: neither is ever sent again
    assert {name.replace("last.", "seen-last-") for name in told} <= set(counted(installation))


def test_a_dead_client_is_noticed(installation):
    """A client that answers no ping is dropped; the server's own ping does it."""
    server = SocketServer("pings", installation.folder, installation.environment)
    server.more = ["--ws-ping-interval", "0.5", "--ws-ping-timeout", "0.5"]
    server.start()
    try:
        with socket.create_connection((HOST, server.port), timeout=20) as dead:
            dead.sendall(
                b"GET /ws/create-events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Version: 13\r\nOrigin: https://shop.example\r\n\r\n"
            )
            assert b"101" in dead.recv(1000)
            while dead.recv(1000):  # pings, then a close, then nothing more
                pass
        with opened(server) as alive:
            time.sleep(2)
            alive.send(frame("1", product_id="teapot-1"))
            assert json.loads(alive.recv(timeout=20))["id"] == "1"
    finally:
        server.clean_up()


def test_daphne_serves_it_too(installation):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "daphne", "-b", HOST, "-p", str(port), "-v", "0",
         "tests.e2e.asgi:application"],
        cwd=ROOT, env=installation.environment,
    )  # fmt: skip
    try:
        wait_until(lambda: listens(port), seconds=30, what="daphne listens")
        url = f"ws://{HOST}:{port}/ws/create-events"
        with connect(url, origin=ORIGIN, open_timeout=20) as page:
            page.send(frame("daphne", product_id="teapot-1"))
            answers = [json.loads(page.recv(timeout=20)) for _ in range(2)]
        assert [answer["status"] for answer in answers] == ["ack", "ok"]
        with connect(url, open_timeout=20) as stranger, pytest.raises(WebSocketException) as ended:
            stranger.recv(timeout=20)
        assert ended.value.rcvd.code == 4100
    finally:
        process.terminate()
        process.wait(20)
