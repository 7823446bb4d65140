"""Consent and erasure, as events come in over HTTP."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from depict_reco.events.erase import ErasureRequest, erase
from depict_reco.models import Event

PAGE = "https://bazaar.example"
VIEW = {"tenant": "bazaar", "market": "de", "type": "page_view", "product_id": "p1",
        "dsid": "d1", "session_id": "s1", "user_id": "u1"}  # fmt: skip
ORDER = {
    "event_type": "purchase",
    "user_id": "u1",
    "transaction_id": "order-7",
    "currency": "EUR",
    "products": [{"sku": sku, "price": 1, "quantity": 1} for sku in ("a", "b")],
}
MAPPING = {"event_type": "transaction_mapping", "transaction_id": "order-7",
           "user_id": "u1", "session_id": "s1"}  # fmt: skip


@pytest.fixture
def send(bazaar):
    client = Client(headers={"origin": PAGE})

    def post(*events, query=""):
        path, body = "/create-events", list(events)
        if "event_type" in events[0]:
            path, body = "/v2/create-events", {"tenant": "bazaar", "market": "de", "events": body}
        answer = client.post(path + query, json.dumps(body), content_type="application/json")
        assert answer.status_code == 200, answer.content
        return tuple(answer.json().values())

    return post


def everything():
    return json.dumps(list(Event.objects.values()), default=str)


def test_with_consent_all_three_ids_are_kept(send):
    send(VIEW)
    event = Event.objects.get()
    assert (event.session_id, event.user_id, event.dsid) == ("s1", "u1", "d1")


def test_a_refusal_leaves_no_id_anywhere(send):
    assert send(VIEW, query="?consent=denied") == (1, 0)
    assert send(ORDER, query="?consent=denied") == (2, 0)
    assert send(MAPPING, query="?consent=denied") == (1, 0)
    for name in ("s1", "u1", "d1", "order-7"):
        assert f'"{name}"' not in everything()
    assert len(set(Event.objects.filter(type="purchase").values_list("transaction_id"))) == 1


def test_copies_without_consent_are_copies_all_the_same(send):
    click = {**VIEW, "type": "click", "recommendation_id": "r1"}
    assert send(click, query="?consent=denied") == (1, 0)
    assert send({**click, "type": "ws_click"}, query="?consent=denied") == (0, 1)


def test_a_mapping_without_consent_names_nobody_in_what_is_stored_with_it(send):
    send({**VIEW, "user_id": None, "dsid": None})
    send(MAPPING, query="?consent=denied")

    assert list(Event.objects.values_list("session_id", "user_id").order_by("pk")) == [
        ("s1", ""), ("", ""),
    ]  # fmt: skip


def test_a_tenant_may_require_consent(send, bazaar):
    bazaar.consent_required = True
    bazaar.save()
    send(VIEW)
    send({**VIEW, "product_id": "p2"}, query="?consent=granted")

    events = Event.objects.order_by("pk").values_list("session_id", "user_id", "dsid")
    assert list(events) == [("", "", None), ("s1", "u1", "d1")]


@pytest.mark.parametrize("name", ["s1", "u1", "d1"])
def test_any_of_the_ids_erases(send, bazaar, name):
    send(VIEW)
    done = erase(bazaar, ErasureRequest(ids=(name,), asked_by="dpo"))
    assert done.erasure.rows == {"page_view": 1}
    assert not Event.objects.exists()


def test_what_a_browser_sends_again_soon_after_an_erasure_names_nobody(send, bazaar):
    again = {**VIEW, "deduplication_id": "x"}
    send(again)
    erase(bazaar, ErasureRequest(ids=("d1",), asked_by="dpo", linked=True))
    send(again)

    assert list(Event.objects.values_list("session_id", "user_id", "dsid")) == [("", "", None)]


def test_a_mapping_links_what_an_erasure_takes(send, bazaar):
    send({**ORDER, "user_id": None, "session_id": "s1"})
    send({**MAPPING, "session_id": "s2"})
    done = erase(bazaar, ErasureRequest(ids=("s1",), asked_by="dpo", linked=True))

    assert set(done.ids) == {"s1", "s2", "u1"}
    assert done.erasure.rows == {"purchase": 2, "transaction_mapping": 1}
    assert not Event.objects.exists()
