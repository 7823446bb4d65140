"""Events under load, while whatever stores them is killed: none is lost, none counts twice."""

from __future__ import annotations

import http.client
import itertools
import json
import select
import threading
import time
from collections import Counter

import pytest

from tests.e2e.installation import ask
from tests.e2e.processes import HOST, wait_until

pytestmark = pytest.mark.faults

ORIGIN = {"Origin": "https://shop.example"}
THREADS = 6
STORED = """
result = list(
    Event.objects.filter(market__tenant__slug="other").values_list("type", "product_id", "sku")
)
"""


class Pages:
    """Pages that send events, and send them again until they are answered 200."""

    def __init__(self, installation) -> None:
        self._installation = installation
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(number,)) for number in range(THREADS)
        ]
        self.answered: list[tuple[str, str, str]] = []
        """What was answered 200: type, product and SKU of each event."""
        self.tries: Counter[object] = Counter()
        self.problems: list[object] = []

    @property
    def broken(self) -> int:
        """How many requests got no answer at all."""
        return self.tries.total() - self.tries[200] - self.tries[503]

    def wait_for(self, more: int) -> None:
        """Wait until so many more events are answered."""
        before = len(self.answered)
        wait_until(lambda: len(self.answered) >= before + more, seconds=30, what="events again")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self, number: int) -> None:
        servers = itertools.cycle(self._installation.servers)
        for turn in itertools.count():
            if self._stop.is_set():
                return
            path, body, expected = _request(f"{number}-{turn}")
            if turn % 4 == 0:
                self._send_and_hang_up(next(servers), path, body)
            deadline = time.monotonic() + 30
            while not self._is_answered(next(servers), path, body):
                if time.monotonic() > deadline:
                    self.problems.append(("never answered", body))
                    return
                time.sleep(0.05)
            self.answered += expected

    def _send_and_hang_up(self, server, path: str, body: str) -> None:
        """Send something whose answer gets lost, whether or not it was stored."""
        connection = http.client.HTTPConnection(HOST, server.port, timeout=5)
        try:
            connection.request("POST", path, body, ORIGIN)
            select.select([connection.sock], [], [], 5)  # until there is an answer
        except (OSError, http.client.HTTPException) as error:
            self.tries[type(error).__name__] += 1
        finally:
            connection.close()

    def _is_answered(self, server, path: str, body: str) -> bool:
        try:
            answer = ask(server.port, "POST", path, body, ORIGIN)
        except (OSError, http.client.HTTPException) as error:
            self.tries[type(error).__name__] += 1
            return False
        self.tries[answer.status] += 1
        if answer.status not in (200, 503):
            self.problems.append(answer)
        return answer.status == 200


def _request(name: str) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Return path, body, and what is to be stored; in turns a page's events and an order."""
    place = {"tenant": "other", "market": "se"}
    if int(name[-1]) % 3 == 0:
        products = [{"sku": f"{name}-{line}", "price": 1, "quantity": 1} for line in "ab"]
        order = {"transaction_id": name, "currency": "SEK", "products": products, "dsid": name}
        return (
            "/v2/create-events",
            json.dumps({**place, "events": [order]}),
            [("purchase", "", f"{name}-{line}") for line in "ab"],
        )
    page = {**place, "dsid": name, "product_id": name}
    events = [
        {**page, "type": "page_view", "deduplication_id": name},
        {**page, "type": "click", "recommendation_id": name},
        {**page, "type": "ws_click", "recommendation_id": name},
    ]
    return (
        "/create-events",
        json.dumps(events),
        [("page_view", name, ""), ("click", name, "")],
    )


def test_killed_workers_and_a_killed_database_lose_nothing(installation):
    with Pages(installation) as pages:
        for turn in range(40):
            pages.wait_for(more=20)  # else they may all wait for the worker that has just begun
            server = installation.servers[turn % 2]
            old = server.worker
            server.kill_worker()
            wait_until(lambda s=server, o=old: s.worker not in (0, o), seconds=20, what="a worker")
            if turn >= 5 and pages.broken:
                break
        installation.postgres.clean_up()  # immediately, as if it were killed
        time.sleep(1)
        for server in installation.servers:
            response = ask(server.port, "POST", "/create-events", _request("x-1")[1], ORIGIN)
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        installation.postgres.start()
        wait_until(installation.is_ready, seconds=20, what="both are ready again")
        pages.wait_for(more=50)
    assert not pages.problems, pages.problems[:3]
    stored = [tuple(row) for row in installation.do(STORED)]
    assert Counter(stored) == Counter(pages.answered)
    assert pages.tries[200] > 100
    assert pages.tries[503] > 0
    assert pages.broken > 0, "no kill was noticed"
