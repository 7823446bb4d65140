"""The newest events of one shopper, with one query that an index answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.events.ingest import ingest
from depict_reco.events.records import NewEvent
from depict_reco.events.shoppers import ShopperEvent, recent_product_events, recent_products
from depict_reco.models import Event, Market

START = datetime(2011, 5, 1, tzinfo=UTC)


@pytest.fixture
def history(market) -> Market:
    view = NewEvent(type="page_view", time=START, session_id="s1", product_id="a")
    events = [
        view,
        replace(view, product_id="b", session_id="", user_id="u1"),
        replace(view, product_id="c", user_id="u1", type="purchase", sku="c-red"),
        replace(view, product_id="", sku="d", type="add_to_cart"),
        replace(view, product_id="", recommendation_id="r", type="click"),
        replace(view, product_id="e", type="element_visible"),
        replace(view, product_id="f", session_id="s2"),
        replace(view, product_id="g", session_id="u1"),
        replace(view, product_id="h", session_id=""),
    ]
    ingest(
        [replace(e, time=START + timedelta(seconds=n)) for n, e in enumerate(events)],
        tenant_pk=market.tenant_id,
        market_pk=market.pk,
    )
    return market


def names(market: Market, *ids: str, limit: int = 50) -> str:
    found = recent_products(market.pk, ids, limit)
    events = recent_product_events(market.pk, ids, limit, purchases=0)
    assert found == [(event.product_id, event.sku) for event in events]
    return "".join(one.product_id or one.sku for one in found)


def test_events_come_newest_first_with_all_that_serving_needs(history):
    assert recent_product_events(history.pk, ("s1",), 2, purchases=0) == [
        ShopperEvent("", "d", "add_to_cart", START + timedelta(seconds=3), 1),
        ShopperEvent("c", "c-red", "purchase", START + timedelta(seconds=2), 1),
    ]


def test_a_shopper_is_known_by_any_id_in_either_role(history):
    assert names(history, "s1") == "dca"
    assert names(history, "u1") == "gcb"
    assert names(history, "s1", "u1") == "gdcba"
    assert names(history, "u1", "s1", "u1", "none") == "gdcba"
    assert names(history, "s1", "u1", limit=3) == "gdc"
    assert names(history, "none") == ""


def test_events_of_one_second_come_in_the_order_of_their_storing(market):
    view = NewEvent(type="page_view", time=START, session_id="s")
    events = [replace(view, product_id=name) for name in "xyz"]
    ingest(events, tenant_pk=market.tenant_id, market_pk=market.pk)
    assert names(market, "s") == "zyx"
    assert names(market, "s", limit=2) == "zy"


def test_purchases_follow_however_old(market):
    start = NewEvent(type="purchase", time=START, product_id="a", user_id="u")
    events = [
        start,
        replace(start, product_id="b", type="return"),
        replace(start, product_id="c"),
        replace(start, product_id="d", user_id="", session_id="s"),
        *(replace(start, product_id="v", type="page_view", session_id="s") for _ in range(9)),
        replace(start, product_id="e", type="add_to_cart"),
    ]
    ingest(
        [replace(e, time=START + timedelta(days=n)) for n, e in enumerate(events)],
        tenant_pk=market.tenant_id,
        market_pk=market.pk,
    )

    def asked(purchases, ids=("u", "x")):
        found = recent_product_events(market.pk, ids, 3, purchases=purchases)
        return "".join(event.product_id for event in found)

    assert asked(0) == "evv"
    assert asked(2) == "evvcb"
    assert asked(50) == "evvcba"
    assert asked(50, ids=("s",)) == "vvv", "session ids do not last that long"


def test_another_market_is_another_world(history):
    other = Market.objects.create(
        tenant=history.tenant, slug="se", currency="SEK", default_locale="sv-SE"
    )
    assert names(other, "s1", "u1") == ""


def test_odd_ids_match_nothing(history):
    assert names(history, "s1\0", "\ud800", "x" * 100_000, "'; --", "%s", "s1") == "dca"
    assert names(history, "") == ""


def test_one_query_or_none(history, django_assert_num_queries):
    with django_assert_num_queries(1):
        recent_products(history.pk, ("s1", "u1", "x"), 50)
    with django_assert_num_queries(1):
        recent_product_events(history.pk, ("s1", "u1", "x"), 50, purchases=50)
    with django_assert_num_queries(0):
        for read in (recent_products, partial(recent_product_events, purchases=50)):
            assert read(history.pk, (), 50) == []
            assert read(history.pk, ("", "\0", "\udfff"), 50) == []
            assert read(history.pk, ("s1",), 0) == []


def plan_of(act) -> str:
    """The way in which the database answers the last query of an act."""
    with CaptureQueriesContext(connection) as queries:
        act()
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"{explain} {queries[-1]['sql']}")
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.fixture
def crowd(history) -> None:
    """Enough other shoppers, known to PostgreSQL's planner, that an index is worth its while."""
    view = NewEvent(type="page_view", time=START, product_id="a")
    ingest(
        [replace(view, session_id=f"other{n}", user_id=f"someone{n}") for n in range(3000)],
        tenant_pk=history.tenant_id,
        market_pk=history.pk,
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE depict_reco_event")


@pytest.mark.usefixtures("crowd")
def test_indexes_answer_the_history(history):
    plan = plan_of(lambda: recent_products(history.pk, ("s1", "u1"), 50))
    assert "reco_event_session_idx" in plan
    assert "reco_event_user_idx" in plan
    assert "reco_event_window_idx" not in plan
    assert "SCAN depict_reco_event" not in plan


@pytest.mark.usefixtures("crowd")
def test_an_index_of_purchases_alone_answers_what_was_bought(history):
    """Nobody's thousands of views are read to find what they bought."""
    plan = plan_of(lambda: recent_product_events(history.pk, ("s1", "u1"), 50, purchases=400))
    assert plan.count("reco_event_bought_idx") == 2
    assert "SCAN depict_reco_event" not in plan


def test_an_index_answers_the_window(history):
    events = Event.objects.filter(market=history).in_window(START, START + timedelta(days=1))
    plan = plan_of(lambda: list(events.values_list("product_id")))
    assert "reco_event_window_idx" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_all_events_of_a_shopper(history):
    events = Event.objects.filter(market=history)
    assert events.of_shopper(session_ids=["s1"]).count() == 5
    assert events.of_shopper(session_ids=["s2"], user_ids=["u1"]).count() == 3
    assert events.of_shopper().count() == 0
