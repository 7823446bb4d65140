"""No event is passed by because its transaction ended after a later one's."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from depict_reco.analytics.rollup import roll_up
from depict_reco.analytics.settled import settled_mark
from depict_reco.models import DailyCounter, Event
from tests import shop as shops
from tests.analytics.shopping import Shopping


@pytest.fixture
def market(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    return shops.make_shop()


def orders():
    return sum(DailyCounter.objects.live().values_list("other_orders", flat=True))


class SlowWriter(threading.Thread):
    """Stores an order and commits it when it is told to."""

    def __init__(self, shopping: Shopping) -> None:
        super().__init__()
        self.written, self.commit = threading.Event(), threading.Event()
        self._shopping = shopping

    def run(self) -> None:
        try:
            with transaction.atomic():
                self._shopping.buy("teapot-1", order="slow", deduplication_id="slow")
                self.written.set()
                self.commit.wait(30)
        finally:
            connections.close_all()


def test_event_of_a_slower_transaction_is_counted(market):
    shopping = Shopping(market)
    slow = SlowWriter(Shopping(market))
    slow.start()
    assert slow.written.wait(30)
    later = shopping.buy("teapot-1", order="fast", deduplication_id="fast")
    assert settled_mark("default", patience=0.05) is None
    assert roll_up(patience=0.05).waiting
    slow.commit.set()
    slow.join(30)
    assert settled_mark("default") == later.pk
    assert roll_up().events == 2
    assert Event.objects.get(deduplication_id="slow").pk < later.pk
    assert orders() == 2


def test_a_transaction_that_began_later_is_not_waited_for(market):
    shopping = Shopping(market)
    first = shopping.buy("teapot-1", order="1", deduplication_id="1")
    assert settled_mark("default", patience=0.05) == first.pk
    reader = SlowWriter(Shopping(market))
    reader.start()
    assert reader.written.wait(30)
    reader.commit.set()
    assert settled_mark("default", patience=30) is not None
    reader.join(30)


def test_several_processes_at_once_count_each_event_once(market, monkeypatch):
    monkeypatch.setattr("depict_reco.analytics.rollup.BATCH_SIZE", 3)
    shopping = Shopping(market)
    for number in range(30):
        shopping.buy("teapot-1", order=str(number), deduplication_id=str(number))
    failures = []

    def count():
        try:
            roll_up()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert orders() == 30
