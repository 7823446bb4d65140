from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.template import engines

from depict_reco.analytics import served
from depict_reco.analytics.served import Sent, ServedTally, add_served, note_served
from depict_reco.models import RecommendationType, Rollup, ServedCount, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tally(monkeypatch):
    """A tally of its own, which writes when it is told to."""
    tally = ServedTally()
    monkeypatch.setattr(served, "served_tally", lambda: tally)
    monkeypatch.setattr(served.threading, "Timer", _Never)
    return tally


class _Never:
    """A timer that does not go off."""

    def __init__(self, seconds, act):
        self.seconds = seconds

    def start(self):
        pass


@pytest.fixture
def counting(settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SERVED_WRITE_SECONDS": 60.0}


def stored():
    rows = ServedCount.objects.order_by("type_name", "position")
    return [(row.type_name, row.position, row.served) for row in rows]


def test_each_position_of_an_answer_counts(shop):
    sent = Sent(shop.pk, 5, "similar", 3)
    add_served(Counter({sent: 2, sent._replace(displays=1): 4}))

    assert stored() == [("similar", 1, 6), ("similar", 2, 2), ("similar", 3, 2)]


def test_counts_are_added_to_those_of_the_day(shop, monkeypatch):
    sent = Sent(shop.pk, 5, "similar", 1)
    add_served(Counter({sent: 2}))
    add_served(Counter({sent: 3}))
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2031, 5, 1, 12, tzinfo=UTC))
    add_served(Counter({sent: 1}))

    assert sorted(row[2] for row in stored()) == [1, 5]


def test_a_market_that_is_gone_is_left_out(shop):
    add_served(Counter({Sent(shop.pk + 1, 5, "similar", 1): 2, Sent(shop.pk, 5, "x", 1): 1}))

    assert stored() == [("x", 1, 1)]


def test_what_is_written_is_not_written_again(shop, tally):
    tally.note(Sent(shop.pk, 5, "similar", 1), seconds=60.0)
    tally.write()
    tally.write()

    assert stored() == [("similar", 1, 1)]


def test_what_the_database_refuses_is_kept(shop, tally, monkeypatch):
    tally.note(Sent(shop.pk, 5, "similar", 1), seconds=60.0)
    with monkeypatch.context() as patch:
        patch.setattr(served, "add_served", _refuse)
        tally.write()
    tally.note(Sent(shop.pk, 5, "similar", 1), seconds=60.0)
    tally.write()

    assert stored() == [("similar", 1, 2)]


def test_what_a_lost_connection_refuses_is_kept(shop, tally, monkeypatch):
    tally.note(Sent(shop.pk, 5, "similar", 1), seconds=60.0)
    with monkeypatch.context() as patch:
        patch.setattr(served, "add_served", _closed)
        tally.write()
    tally.write()

    assert stored() == [("similar", 1, 1)]


def _closed(answers):
    raise InterfaceError("connection already closed")


def test_variants_are_counted_apart(counting, shop, tally):
    sent = {"market_pk": shop.pk, "type_pk": 5, "type_name": "similar", "displays": 1}
    for variant in (0, 3, 3):
        note_served(**sent, variant=variant)
    tally.write()

    rows = ServedCount.objects.order_by("variant").values_list("variant", "served")
    assert list(rows) == [(0, 1), (3, 2)]


def test_days_are_those_of_the_counters(shop, monkeypatch):
    Rollup.objects.create(live=True, time_zone="Pacific/Auckland")
    now = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    add_served(Counter({Sent(shop.pk, 5, "similar", 1): 1}))

    assert ServedCount.objects.get().day == date(2026, 6, 2)


def _refuse(answers):
    raise OperationalError("away")


def test_nothing_is_counted_where_the_setting_says_so(shop, tally):
    note_served(market_pk=shop.pk, type_pk=5, type_name="similar", displays=1)
    tally.write()

    assert stored() == []


def test_answers_of_the_api_count(counting, tally, shop, client):
    Tenant.objects.update(
        storefront_access=Tenant.StorefrontAccess.OPEN_TO_ORIGINS, origins=["https://acme.example"]
    )
    for _ in range(3):
        answer = client.post(
            "/v2/recommend/products/general",
            {"tenant": "acme", "market": "se", "type": "popular", "limit": 2},
            content_type="application/json",
            headers={"origin": "https://acme.example"},
        )
    assert len(answer.json()["displays"]) == 2
    tally.write()

    assert stored() == [("popular", 1, 3), ("popular", 2, 3)]
    assert ServedCount.objects.first().type_pk == RecommendationType.objects.get(name="popular").pk


def test_lists_of_the_template_tag_count(counting, tally, shop):
    source = "{% load depict_reco %}{% recommendations type=name limit=2 as found %}"
    for name in ("popular", "popular", "unknown"):
        engines["django"].from_string(source).render({"name": name})
    tally.write()

    assert stored() == [("popular", 1, 2), ("popular", 2, 2)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_processes_add_to_the_same_counts(shop):
    """Each thread has a connection of its own, as processes have."""

    def add(number):
        try:
            add_served(Counter({Sent(shop.pk, 5, name, 3): 1 for name in "abcd"}))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(30)))
    assert {row[2] for row in stored()} == {30 * 4}  # one type with four names: one count


def test_a_timer_writes_and_closes_its_connection(counting, shop, tally, monkeypatch):
    begun = []
    monkeypatch.setattr(
        served.threading, "Timer", lambda *given: begun.append(given) or _Never(*given)
    )
    for _ in range(2):
        note_served(market_pk=shop.pk, type_pk=5, type_name="similar", displays=1)
    [(seconds, write)] = begun
    assert seconds == 60.0
    monkeypatch.setattr(connection, "close", lambda: None)
    write()

    assert stored() == [("similar", 1, 2)]
