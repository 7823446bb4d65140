"""Erasing a shopper: what goes, what stays, and what the receipt says."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from depict_reco.events import erase as erase_module
from depict_reco.events.digests import digest
from depict_reco.events.erase import ErasureRequest, erase, look, resume, settling_seconds
from depict_reco.events.export import as_json, find_shopper
from depict_reco.events.ingest import ingest
from depict_reco.events.linking import MOST_LINKED
from depict_reco.events.records import NewEvent
from depict_reco.events.shoppers import recent_products
from depict_reco.events.wire import shopper_event
from depict_reco.exceptions import ShopperError
from depict_reco.models import Erasure, Event, Market, Tenant

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)


def put(market, kind="page_view", *, at=MAY, **fields):
    event = NewEvent(type=kind, time=at, product_id="pot", **fields)
    return ingest([event], tenant_pk=market.tenant_id, market_pk=market.pk)


def erase_ids(market, *ids, linked=False, **fields):
    request = ErasureRequest(ids=ids, linked=linked, asked_by="dpo", **fields)
    return erase(market.tenant, request, wait=0)


@pytest.fixture
def people(market):
    """Anna with two sessions, a user id and an order; and Bo, who has nothing to do with her."""
    put(market, session_id="a1")
    put(market, session_id="a1", user_id="anna", at=MAY + timedelta(hours=1))
    put(market, "add_to_cart", session_id="a2", user_id="anna")
    put(market, "purchase", user_id="anna", transaction_id="o1")
    put(market, "purchase", transaction_id="o1", at=MAY + timedelta(hours=2))
    put(market, session_id="b1", user_id="bo")
    put(market, "purchase", user_id="bo", transaction_id="o2")
    put(market)  # of nobody
    return market


def left():
    events = Event.objects.order_by("pk")
    return [event.session_id or event.user_id or event.transaction_id for event in events]


def test_one_id_takes_its_own_rows_and_no_others(people):
    done = erase_ids(people, "a1")

    assert left() == ["a2", "anna", "o1", "b1", "bo", ""]
    assert (done.ids, done.markets) == (("a1",), ("uk",))
    assert done.erasure.rows == {"page_view": 2}


def test_an_id_counts_in_whichever_place_it_stands(market):
    put(market, session_id="x")
    put(market, user_id="x")

    assert erase_ids(market, "x").erasure.rows == {"page_view": 2}
    assert left() == []


def test_linked_ids_are_those_of_common_events_and_orders(people):
    done = erase_ids(people, "a1", linked=True)

    assert left() == ["b1", "bo", ""]
    assert set(done.ids) == {"a1", "a2", "anna"}
    assert done.erasure.rows == {"page_view": 2, "add_to_cart": 1, "purchase": 2}


def test_ids_that_are_too_long_to_store_are_found_as_they_are_stored(market):
    names = [f"{letter * 300}" for letter in "xy"]
    for name in names:
        sent = {"type": "page_view", "session_id": name, "product_id": "pot"}
        event = shopper_event(sent, now=MAY)
        ingest([event], tenant_pk=market.tenant_id, market_pk=market.pk)
    assert [e.product_id for e in recent_products(market.pk, (names[0],), 5)] == ["pot"]
    shopper = find_shopper(market.tenant, names[:1])
    exported = "".join(as_json(market.tenant, shopper, explain=lambda ids, market: {}))
    assert exported.count("pot") == 1
    assert erase_ids(market, names[0]).erasure.rows == {"page_view": 1}
    assert Event.objects.get().session_id.startswith("yyy")


def test_ids_are_linked_over_the_markets_of_a_tenant_and_not_beyond(people):
    other = Market.objects.create(
        tenant=people.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    stranger = Tenant.objects.create(slug="other", name="Other")
    foreign = Market.objects.create(
        tenant=stranger, slug="uk", currency="GBP", default_locale="en-GB"
    )
    put(other, session_id="a3", user_id="anna")
    put(foreign, session_id="f1", user_id="anna")

    done = erase_ids(people, "a1", linked=True)

    assert "a3" in done.ids
    assert "f1" not in done.ids
    assert done.markets == ("uk", "us")
    assert list(Event.objects.filter(user_id="anna").values_list("session_id")) == [("f1",)]


def test_looking_changes_nothing(people):
    found = look(people.tenant, ["anna"], with_linked=True)

    assert set(found.shopper.ids) == {"anna", "a1", "a2"}
    assert found.shopper.orders == ("o1",)
    assert found.rows == {"page_view": 2, "add_to_cart": 1, "purchase": 2}
    assert found.markets == ("uk",)
    assert len(left()) == 8
    assert not Erasure.objects.exists()


def test_the_receipt_says_who_what_and_when_and_not_whose(people):
    before = timezone.now()
    erasure = erase_ids(people, "anna", "a1", channel="api").erasure
    receipt = erasure.receipt()

    assert before < erasure.asked_at <= erasure.finished_at <= timezone.now()
    tenant_pk = people.tenant_id
    assert receipt == {
        "id": erasure.pk,
        "tenant": "acme",
        "asked_by": "dpo",
        "channel": "api",
        "asked_at": erasure.asked_at.isoformat(),
        "finished_at": erasure.finished_at.isoformat(),
        "state": "done",
        "linked": False,
        "ids_given": 2,
        "ids_erased": 2,
        "digests": [digest("anna", tenant_pk=tenant_pk), digest("a1", tenant_pk=tenant_pk)],
        "rows": {"add_to_cart": 1, "page_view": 2, "purchase": 1},
        "rows_erased": 4,
    }
    stored = str(Erasure.objects.values().get())
    assert "anna" not in stored
    assert "a1'" not in stored


def test_what_others_had_in_hand_is_waited_for_and_goes_too(people, monkeypatch, settings):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO, "REFRESH_SECONDS": 1.5, "EVENT_PATIENCE_SECONDS": 20,
    }  # fmt: skip
    late = {"tenant": people.tenant, "market": people, "type": "page_view", "session_id": "a1"}
    waited, real = [], erase_module._delete_some

    def wait(seconds):
        waited.append(seconds)
        Event.objects.create(time=MAY, deduplication_id="in hand", **late)

    def delete_some(erasure, place, forget):
        if place.ids == {"user_id": "a1"} and len(waited) == 1:  # that of sessions is done
            waited.append("a straggler")
            Event.objects.create(time=MAY, deduplication_id="straggler", **late)
        return real(erasure, place, forget)

    monkeypatch.setattr(erase_module, "settling_seconds", settling_seconds)
    monkeypatch.setattr(erase_module, "sleep", wait)
    monkeypatch.setattr(erase_module, "_delete_some", delete_some)
    done = erase(people.tenant, ErasureRequest(ids=("a1",), asked_by="dpo"))

    assert waited == [21.5 if connection.vendor == "postgresql" else 3.0, "a straggler"]
    assert done.erasure.rows == {"page_view": 4}
    assert not Event.objects.filter(session_id="a1").exists()


def test_asking_again_finds_nothing_and_says_so(people):
    erase_ids(people, "anna", linked=True)
    again = erase_ids(people, "anna", linked=True)

    assert again.erasure.rows == {}
    assert again.ids == ("anna",)
    assert Erasure.objects.count() == 2


@pytest.mark.parametrize("dies_after", [0, 1, 2, 3])
def test_what_was_interrupted_goes_on_where_it_was(people, monkeypatch, dies_after):
    monkeypatch.setattr(erase_module, "BATCH", 1)
    real, calls = erase_module._delete_some, []

    def dying(*args):
        if len(calls) == dies_after:
            raise KeyboardInterrupt
        calls.append(args)
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(erase_module, "_delete_some", dying)
        with pytest.raises(KeyboardInterrupt):
            erase_ids(people, "a1", linked=True)
    assert Erasure.objects.get().state == "deleting"

    done = erase_ids(people, "a1", linked=True)

    assert left() == ["b1", "bo", ""]
    assert set(done.ids) == {"a1", "a2", "anna"}
    assert done.erasure.rows == {"page_view": 2, "add_to_cart": 1, "purchase": 2}
    assert Erasure.objects.get().pending == []


def test_an_interrupted_one_can_be_resumed_without_its_ids(people, monkeypatch):
    monkeypatch.setattr(erase_module, "linked", lambda *args: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        erase_ids(people, "a1", linked=True)
    monkeypatch.undo()

    done = resume(Erasure.objects.unfinished().get(), wait=0)

    assert set(done.ids) == {"a1", "a2", "anna"}
    assert not Erasure.objects.unfinished().exists()


def test_batches_are_small_and_told(market, monkeypatch):
    monkeypatch.setattr(erase_module, "BATCH", 2)
    for hour in range(5):
        put(market, session_id="s", at=MAY + timedelta(hours=hour))
    heard = []
    request = ErasureRequest(ids=("s",), asked_by="dpo")
    erase(market.tenant, request, progress=lambda *told: heard.append(told), wait=0)

    assert heard == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ((), "at least one"),
        (("", " "), "at least one"),
        (("server",), "stands for no one"),
        (("a\0b",), "cannot be an id"),
    ],
)
def test_what_is_no_shopper_is_refused(market, ids, complaint):
    with pytest.raises(ShopperError, match=complaint):
        erase_ids(market, *ids)
    assert not Erasure.objects.exists()


def test_an_id_of_all_guests_is_no_person(market):
    Event.objects.bulk_create(
        Event(
            tenant=market.tenant, market=market, type="page_view", time=MAY, user_id="guest",
            session_id=f"s{number}", deduplication_id=str(number),
        )
        for number in range(MOST_LINKED)
    )  # fmt: skip
    with pytest.raises(ShopperError, match="cannot be those of one person"):
        erase_ids(market, "s1", linked=True)

    assert Event.objects.count() == MOST_LINKED
    assert not Erasure.objects.exists()
    assert put(market, session_id="s1").erased == 0


@pytest.mark.django_db(transaction=True)
def test_two_at_once_count_each_row_once():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite in memory is one connection")
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    market = Market.objects.create(tenant=tenant, slug="uk", currency="GBP", default_locale="en-GB")
    for hour in range(20):
        put(market, session_id="s", user_id="u", at=MAY + timedelta(hours=hour))
    together = threading.Barrier(2)

    def work(name):
        together.wait()
        erase_ids(market, name)
        connection.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("s", "u")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert left() == []
    assert sum(sum(erasure.rows.values()) for erasure in Erasure.objects.all()) == 20
