"""The one way by which events get into the database."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DataError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events import ingest as ingest_module
from depict_reco.events.ingest import Ingested, ProductNames, ingest
from depict_reco.events.records import NewEvent, derived_deduplication_id
from depict_reco.models import Event, Market, Product, Tenant

MOMENT = datetime(2011, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
EVENT = NewEvent(
    type="purchase",
    time=MOMENT,
    session_id='s"\\{},\x1f\n',
    user_id="🧦",
    product_id="NULL",
    sku="{a,b}",
    quantity=2**31 - 1,
    price=Decimal("9999999999.9999"),
    currency="SEK",
    transaction_id="%s ' -- ",
    recommendation_id="x" * 255,
)


def put(market: Market, *events: NewEvent) -> Ingested:
    return ingest(events, tenant_pk=market.tenant_id, market_pk=market.pk)


def test_odd_values_come_out_as_they_went_in(market):
    assert put(market, EVENT, replace(EVENT, price=None, user_id="")) == Ingested(
        stored=2, duplicates=0
    )
    first, second = Event.objects.order_by("pk")
    assert first.deduplication_id == derived_deduplication_id(EVENT)
    for name in EVENT.__slots__:
        if name != "deduplication_id":
            assert getattr(first, name) == getattr(EVENT, name), name
    assert (second.price, second.user_id) == (None, "")
    assert (first.tenant, first.market) == (market.tenant, market)


def test_nothing_is_no_query(market, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert put(market) == Ingested(stored=0, duplicates=0)


def test_duplicates_within_and_between_batches_are_counted(market):
    other = replace(EVENT, sku="b")
    assert put(market, EVENT, other, EVENT) == Ingested(stored=2, duplicates=1)
    assert put(market, other, replace(EVENT, sku="c")) == Ingested(stored=1, duplicates=1)
    assert Event.objects.count() == 3


def test_an_error_stores_nothing_of_the_batch(market):
    too_many = replace(EVENT, quantity=2**63)
    with pytest.raises((DataError, OverflowError)), transaction.atomic():
        put(market, EVENT, too_many)
    assert not Event.objects.exists()


def test_what_makes_an_event_another_one():
    changes = {
        "type": "return", "time": MOMENT + timedelta(microseconds=1), "session_id": "x",
        "user_id": "x", "product_id": "x", "sku": "x", "quantity": 1, "price": Decimal(1),
        "transaction_id": "x", "recommendation_id": "x",
    }  # fmt: skip
    ids = {derived_deduplication_id(replace(EVENT, **{k: v})) for k, v in changes.items()}
    ids |= {derived_deduplication_id(EVENT), derived_deduplication_id(EVENT, part=1)}
    ids |= {derived_deduplication_id(EVENT, line=0), derived_deduplication_id(EVENT, line=1)}
    assert len(ids) == len(changes) + 4
    assert all(name.startswith("~") and len(name) <= 40 for name in ids)


def test_what_does_not():
    same = replace(EVENT, price=Decimal("9999999999.99990"), currency="", deduplication_id="x")
    assert derived_deduplication_id(same) == derived_deduplication_id(EVENT)
    later = replace(EVENT, time=MOMENT + timedelta(1))
    assert derived_deduplication_id(later, line=7) == derived_deduplication_id(EVENT, line=7)


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=4))
def test_values_do_not_run_into_each_other(texts):
    first, second, *_ = texts
    one = replace(EVENT, session_id=first, user_id=second)
    two = replace(EVENT, session_id=first + second, user_id="")
    assert (derived_deduplication_id(one) == derived_deduplication_id(two)) == (one == two)


def test_one_query_finds_the_products_of_a_batch(market, django_assert_num_queries):
    for product_id, sku in (("P1", "S"), ("P2", "S"), ("P3", "")):
        Product.objects.create(market=market, product_id=product_id, sku=sku, title="x")
    events = [replace(EVENT, product_id="", sku=name) for name in ("S", "P3", "x")]
    products = ProductNames(market.pk)
    with django_assert_num_queries(1):
        products.look_up(events)
    assert [products.know(event) for event in events] == [True, True, False]
    assert [products.product_id(event) for event in events] == ["P1", "", ""]
    with django_assert_num_queries(0):
        products.look_up([*events, replace(EVENT, product_id="x", sku="")])
    ingest(events, tenant_pk=market.tenant_id, market_pk=market.pk, products=products)
    assert list(Event.objects.order_by("pk").values_list("product_id", "sku")) == [
        ("P1", "S"),
        ("", "P3"),
        ("", "x"),
    ]


def test_names_are_not_remembered_for_ever(market, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(ingest_module, "_NAMES_REMEMBERED", 1)
    monkeypatch.setattr(ingest_module, "_NAMES_PER_QUERY", 2)
    events = [replace(EVENT, product_id="", sku=name) for name in ("a", "b", "c")]
    products = ProductNames(market.pk)
    with django_assert_num_queries(2):
        products.look_up(events)
    Product.objects.create(market=market, product_id="b", title="x")
    with django_assert_num_queries(1):
        products.look_up(events[1:])
    assert [products.know(event) for event in events] == [False, True, False]


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_many_writers_of_the_same_events_store_each_once():
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    market = Market.objects.create(tenant=tenant, slug="uk", currency="GBP", default_locale="en-GB")
    events = [replace(EVENT, sku=str(number)) for number in range(500)]
    counts: list[Ingested] = []

    def write() -> None:
        try:
            for start in range(0, 500, 50):
                counts.append(put(market, *events[start : start + 50]))
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Event.objects.count() == 500
    assert sum(count.stored for count in counts) == 500
    assert sum(count.duplicates for count in counts) == 1500
