"""The one act behind HTTP and WebSocket."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, connections

from depict_reco.events import accept as accept_module
from depict_reco.events import shown as shown_module
from depict_reco.events.accept import Accepted, accept_events
from depict_reco.events.consent import Consent
from depict_reco.events.wire import order_events, shopper_event
from depict_reco.models import Event, Product
from depict_reco.serving.tracking import recommendation_ids
from depict_reco.tenants.directory import directory
from tests.shop import add_product

NOW = datetime(2026, 11, 24, 12, 0, 59, tzinfo=UTC)
TURNS = int(connection.vendor == "postgresql")
"""Queries more there, so that others wait for their turn."""
INSERT_SAVEPOINT = 0 if connection.vendor == "postgresql" else 2
"""Queries of a savepoint around the insert, which is one statement there."""
VIEW = {"type": "page_view", "dsid": "d", "product_id": "p"}
ORDER = {
    "transaction_id": "o",
    "currency": "SEK",
    "products": [{"sku": "a", "price": 1, "quantity": 1}, {"sku": "b", "price": 1, "quantity": 1}],
}
MAPPING = {"transaction_id": "o", "dsid": "d", "user_id": "anna"}


def take(market, *events, consent=Consent.UNKNOWN):
    tenant = directory().tenant(market.tenant.slug)
    place = {"tenant": tenant, "market": tenant.markets[market.slug]}
    return accept_events(events, **place, consent=consent)


def of_page(values, *, now=NOW, frame_id=""):
    return shopper_event(values, now=now, frame_id=frame_id)


def of_order(values, *, now=NOW):
    return order_events(values, now=now)


def test_events_and_duplicates_are_counted(market):
    frames = [of_page(VIEW, frame_id=name) for name in ("1", "2", "1")]
    assert take(market, *frames) == Accepted(stored=2, duplicates=1)
    assert take(market, *frames[:2], of_page(VIEW)) == Accepted(stored=1, duplicates=2)
    assert Accepted(stored=1, duplicates=2) + Accepted(stored=3, duplicates=4) == Accepted(
        stored=4, duplicates=6
    )


def test_the_columns(market):
    take(market, of_page({**VIEW, "session_id": "s", "user_id": "u", "currency": "SEK",
                          "entity_price": "9", "type": "recommendations_inserted",
                          "recommendation_type": "checkout"}))  # fmt: skip
    event = Event.objects.get()
    assert (event.session_id, event.user_id, event.dsid) == ("s", "u", "d")
    assert (event.type, event.recommendation_type) == ("recommendations_inserted", "checkout")
    assert (event.time, event.currency) == (NOW, "SEK")
    assert list(Event.objects.of_shopper(session_ids=["d"])) == [event]


def test_one_click_by_two_ways_at_the_turn_of_a_minute(market):
    click = {"type": "click", "dsid": "d", "product_id": "p"}
    later = NOW + timedelta(seconds=2)
    assert take(market, of_page(click)) == Accepted(stored=1, duplicates=0)
    second = of_page({**click, "type": "ws_click"}, now=later)
    other = of_page({**click, "product_id": "q"}, now=later)
    assert take(market, second, other) == Accepted(stored=1, duplicates=1)
    assert sorted(Event.objects.values_list("product_id", flat=True)) == ["p", "q"]


@pytest.mark.parametrize("consent", list(Consent))
@pytest.mark.parametrize(
    "seconds", [(0, 2), (2, 0), (0, 0), (0, 59)], ids=lambda seconds: f"{seconds[0]}-{seconds[1]}"
)
def test_one_click_is_one_in_whichever_order_it_is_reported(market, consent, seconds):
    first, second = (NOW + timedelta(seconds=one) for one in seconds)
    for click in (
        {"type": "click", "dsid": "d", "product_id": "p"},
        {"type": "click", "dsid": "d", "recommendation_id": "r"},
    ):
        reports = [of_page(click, now=first), of_page({**click, "type": "ws_click"}, now=second)]
        assert take(market, reports[0], consent=consent) == Accepted(stored=1, duplicates=0)
        assert take(market, reports[1], consent=consent) == Accepted(stored=0, duplicates=1)
        Event.objects.all().delete()
        assert take(market, *reports, consent=consent) == Accepted(stored=1, duplicates=1)
        Event.objects.all().delete()


def test_one_click_is_one_though_one_of_its_reports_names_nobody(market):
    click = {"type": "click", "dsid": "d", "recommendation_id": "r"}
    assert take(market, of_page(click), consent=Consent.DENIED).stored == 1
    assert take(market, of_page({**click, "type": "ws_click"})).stored == 0


def test_a_browser_that_may_store_nothing_is_another_shopper_in_each_report(market):
    click = {"type": "click", "dsid": "d", "recommendation_id": "r"}
    take(market, of_page(click))
    take(
        market, of_page({**click, "type": "ws_click", "dsid": "e"}, now=NOW + timedelta(seconds=9))
    )
    assert Event.objects.count() == 1
    take(market, of_page({**click, "dsid": "f"}, now=NOW + timedelta(minutes=3)))
    assert Event.objects.count() == 2


@pytest.mark.parametrize("who", [{"dsid": "d"}, {"user_id": "u"}, {"session_id": "s", "dsid": "d"}])
def test_a_click_on_a_display_is_one_for_its_shopper_however_late_it_comes_again(market, who):
    click = {"type": "click", "recommendation_id": "r", **who}
    take(market, of_page(click))
    again = of_page({**click, "type": "ws_click"}, now=NOW + timedelta(days=3))
    other = of_page({**click, "recommendation_id": "q"}, now=NOW + timedelta(days=3))
    assert take(market, again, other) == Accepted(stored=1, duplicates=1)


@pytest.mark.parametrize("act", ["join", "withdraw_products"])
def test_what_an_event_asks_for_is_done_with_it_or_not_at_all(market, monkeypatch, act):
    add_product(market, "p")
    gone = {"event_type": "product_unavailable", "unavailability_type": "missing"}
    events = [*of_order(ORDER), *of_order({**gone, "product_id": "p"})]
    with monkeypatch.context() as patch:
        patch.setattr(accept_module, act, lambda *args, **kwargs: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            take(market, *events)
    assert not Event.objects.exists()
    assert Product.objects.get().active
    take(market, *events)
    assert Event.objects.count() == 3
    assert not Product.objects.get().active


def test_products_of_displays_and_skus(market, settings, django_assert_num_queries):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    first, second = (add_product(market, name, sku=f"sku-{name}") for name in ("p1", "p2"))
    one, two, none = recommendation_ids([first.pk, second.pk, 10**9], type_pk=1, now=NOW)
    take(market, of_page(VIEW))
    Event.objects.all().delete()
    # clicks a moment ago and before, products by SKU and by key, the insert; and savepoints
    with django_assert_num_queries(7 + INSERT_SAVEPOINT + TURNS):
        take(
            market,
            of_page({"type": "click", "dsid": "d", "recommendation_id": one}),
            of_page({"type": "element_visible", "dsid": "d", "recommendation_id": two}),
            of_page({"type": "click", "dsid": "d", "recommendation_id": none}),
            of_page({"type": "click", "dsid": "d", "recommendation_id": "opaque"}),
            of_page({"type": "page_view", "product_id": "own", "recommendation_id": one}),
            *of_order({**ORDER, "dsid": "d", "user_id": "u",
                       "products": [{"sku": "sku-p2", "price": 1, "quantity": 1}]}),
        )  # fmt: skip
    rows = Event.objects.order_by("product_id", "type").values_list("product_id", "type")
    assert list(rows) == [
        ("", "click"), ("", "click"), ("own", "page_view"), ("p1", "click"),
        ("p2", "element_visible"), ("p2", "purchase"),
    ]  # fmt: skip


def test_products_of_displays_are_remembered_for_a_while(
    market, settings, monkeypatch, django_assert_num_queries
):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    [id_] = recommendation_ids([add_product(market, "p1").pk], type_pk=1, now=NOW)
    click = {"type": "click", "recommendation_id": id_}
    take(market, of_page({**click, "dsid": "a"}))
    with django_assert_num_queries(5 + INSERT_SAVEPOINT + TURNS):  # in a savepoint: clicks, insert
        take(market, of_page({**click, "dsid": "b"}, now=NOW + timedelta(minutes=5)))
    monkeypatch.setattr(shown_module, "REMEMBERED_SECONDS", -1)
    with django_assert_num_queries(6 + INSERT_SAVEPOINT + TURNS):
        take(market, of_page({**click, "dsid": "c"}, now=NOW + timedelta(minutes=9)))
    assert list(Event.objects.values_list("product_id", flat=True)) == ["p1"] * 3


def test_a_display_of_another_market_names_no_product(market, other_market):
    [id_] = recommendation_ids([add_product(other_market, "x").pk], type_pk=1, now=NOW)
    take(market, of_page({"type": "click", "recommendation_id": id_}))
    assert Event.objects.get().product_id == ""


@pytest.mark.parametrize("mapping_first", [True, False])
def test_a_mapping_and_its_order_find_each_other(market, other_market, mapping_first):
    take(market, of_page(VIEW), of_page({**VIEW, "dsid": "stranger"}))
    take(other_market, of_page(VIEW), *of_order(ORDER))
    parts = [of_order(MAPPING), of_order(ORDER)]
    for events in parts if mapping_first else parts[::-1]:
        take(market, *events)
    own = Event.objects.filter(market=market)
    purchases = own.filter(type="purchase").values_list("session_id", "user_id")
    assert list(purchases) == [("d", "anna")] * 2
    assert set(own.values_list("session_id", "user_id")) == {("d", "anna"), ("stranger", "")}
    assert not Event.objects.filter(market=other_market, user_id="anna").exists()


def test_a_mapping_leaves_ids_alone_that_are_there(market):
    take(market, of_page({**VIEW, "user_id": "bert"}), *of_order({**ORDER, "user_id": "carl"}))
    take(market, *of_order(MAPPING))
    assert set(Event.objects.values_list("type", "session_id", "user_id")) == {
        ("page_view", "d", "bert"),
        ("purchase", "d", "carl"),
        ("transaction_mapping", "d", "anna"),
    }


def test_of_orders_uses_its_index(market):
    take(market, *of_order(ORDER))
    plan = Event.objects.filter(market=market).of_orders(["o"]).explain()
    if connection.vendor == "sqlite":
        assert "reco_event_transaction_idx" in plan


def test_an_unavailable_product_and_its_group(market):
    for name, group in (("a-s", "a"), ("a-m", "a"), ("b", "")):
        add_product(market, name, item_group_id=group)
    gone = {"event_type": "product_unavailable", "unavailability_type": "missing"}
    before = directory().tenant(market.tenant.slug).markets[market.slug].catalog_revision
    take(market, *of_order({**gone, "product_id": "a-s"}), *of_order({**gone, "product_id": "?"}))
    assert set(Product.objects.filter(active=False).values_list("product_id", flat=True)) == {"a-s"}
    take(market, *of_order({**gone, "product_id": "a"}))
    assert set(Product.objects.filter(active=True).values_list("product_id", flat=True)) == {"b"}
    after = directory().tenant(market.tenant.slug).markets[market.slug].catalog_revision
    assert after > before
    take(market, *of_order({**gone, "product_id": "a"}))  # nothing left to change
    again = directory().tenant(market.tenant.slug).markets[market.slug].catalog_revision
    assert again == after


def test_a_lost_database_is_noticed_and_nobody_waits_for_it(market, monkeypatch, lasting_outage):
    def fail(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(accept_module, "ingest", fail)
    broken = SimpleNamespace(in_atomic_block=False, is_usable=lambda: False)
    monkeypatch.setattr(accept_module, "connections", {"default": broken})
    with pytest.raises(OperationalError, match="gone"):
        take(market, of_page(VIEW))
    tenant = directory().tenant(market.tenant.slug)
    with pytest.raises(OperationalError, match="away"):
        accept_events([of_page(VIEW)], tenant=tenant, market=tenant.markets[market.slug])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_click_that_is_reported_on_both_sides_of_a_minute_at_once(market):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    take(market)
    barrier = threading.Barrier(2)

    def send(number):
        for turn in range(20):
            barrier.wait(20)
            now = NOW + timedelta(seconds=2 * number)
            take(market, of_page({"type": "click", "dsid": "d", "product_id": f"p{turn}"}, now=now))
        connections.close_all()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Event.objects.count() == 20


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_same_events_from_many_at_once(market):
    """Frames sent again, orders and one click by two ways, all at the same time."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    take(market)
    barrier = threading.Barrier(8)
    results, errors = [], []

    def send(number):
        try:
            for turn in range(10):
                barrier.wait()
                kind = "click" if number % 2 else "ws_click"
                results.append(
                    take(
                        market,
                        of_page(VIEW, frame_id=f"f{turn}"),
                        of_page({"type": kind, "dsid": "d", "recommendation_id": f"r{turn}"}),
                        of_page({"type": kind, "dsid": "d", "product_id": f"p{turn}"}),
                        *of_order({**ORDER, "transaction_id": f"o{turn}"}),
                        *of_order({**MAPPING, "transaction_id": f"o{turn}"}),
                    )
                )
        except Exception as error:
            errors.append(error)
            barrier.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert sum(result.stored for result in results) == 60
    assert sum(result.duplicates for result in results) == 420
    assert Event.objects.count() == 60
    assert set(Event.objects.values_list("session_id", "user_id")) == {("d", "anna")}


@pytest.fixture(params=[False, True], ids=["client-side", "server-side"])
def binding(request, transactional_db):
    """PostgreSQL, asked by a driver that puts values into statements, or leaves that to it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has patience of its own")
    options = connection.settings_dict["OPTIONS"]
    before = options.get("server_side_binding", False)
    connection.close()
    options["server_side_binding"] = request.param
    yield
    connection.close()
    options["server_side_binding"] = before


@contextmanager
def table_locked():
    """While another connection keeps everybody from writing events."""
    locked, done = threading.Event(), threading.Event()

    def lock():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE depict_reco_event IN EXCLUSIVE MODE")
            locked.set()
            done.wait(20)
            cursor.execute("ROLLBACK")
        connections.close_all()

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        assert locked.wait(20)
        yield
    finally:
        done.set()
        thread.join()


def timeout_of_the_connection():
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


@pytest.mark.postgres
def test_a_database_that_is_too_slow_takes_nothing(binding, market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_PATIENCE_SECONDS": 0.2}
    take(market)
    events = {
        "views": [of_page(VIEW, frame_id="1")],
        "clicks": [of_page({**VIEW, "type": "click"})],
        "orders": of_order(ORDER),
    }
    with table_locked():
        for some in events.values():
            with pytest.raises(OperationalError, match="statement timeout"):
                take(market, *some)
    assert timeout_of_the_connection() == "0"
    assert [take(market, *some).stored for some in events.values()] == [1, 1, 2]


@pytest.mark.postgres
def test_the_same_goes_for_a_request_with_events_of_two_markets(
    binding, market, other_market, settings, client
):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_PATIENCE_SECONDS": 0.2}
    market.tenant.origins, market.tenant.storefront_access = ["https://shop.example"], "origins"
    market.tenant.save()
    body = [{**VIEW, "tenant": "acme", "market": slug} for slug in ("uk", "de")]

    def post():
        headers = {"Origin": "https://shop.example"}
        return client.post("/create-events", json.dumps(body), "text/plain", headers=headers)

    with table_locked():
        assert post().status_code == 503
    assert post().json() == {"accepted": 2, "duplicates": 0}
