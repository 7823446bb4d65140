"""From what clients send to what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events.identity import click_of
from depict_reco.events.wire import order_events, shopper_event
from depict_reco.serving.tracking import recommendation_ids

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
OURS, OTHER = recommendation_ids([7, 8], type_pk=3, now=NOW)
PLACE = {"tenant": "acme", "market": "se"}


def event(**values):
    return shopper_event({**PLACE, "type": "page_view", **values}, now=NOW)


def same(first, second, *, later=timedelta(0)):
    """Whether two reports are one event."""
    one = shopper_event({**PLACE, **first}, now=NOW).deduplication_id
    two = shopper_event({**PLACE, **second}, now=NOW + later).deduplication_id
    click = click_of(two)
    return one in (click.ids if click else (two,))


@pytest.mark.parametrize(
    ("ids", "stored"),
    [
        ({"dsid": "d"}, ("d", "", None)),
        ({"session_id": "s"}, ("s", "", None)),
        ({"session_id": "s", "dsid": "s", "user_id": "u"}, ("s", "u", None)),
        ({"session_id": "s", "dsid": "u", "user_id": "u"}, ("s", "u", None)),
        ({"session_id": "s", "dsid": "d", "user_id": "u"}, ("s", "u", "d")),
        ({"session_id": "server", "dsid": "d"}, ("d", "", None)),
        ({"session_id": "server"}, ("", "", None)),
        ({"user_id": "undefined", "dsid": "null"}, ("", "", None)),
        ({}, ("", "", None)),
        ({"session_id": None, "user_id": None, "dsid": None}, ("", "", None)),
    ],
)
def test_who_it_was(ids, stored):
    found = event(**ids)
    assert (found.session_id, found.user_id, found.dsid) == stored


@pytest.mark.parametrize("nobody", ["placeholder", "not_depict"])
def test_cards_that_no_recommendation_put_there(nobody):
    assert event(recommendation_id=nobody).recommendation_id == ""


@pytest.mark.parametrize("nothing", ["placeholder", "DNT", "", " "])
def test_products_that_are_none(nothing):
    assert event(product_id=nothing).product_id == ""


def test_which_product_it_was():
    found = event(product_id="p", variant_ids=["v"], entity_identifiers={"sku": "31415"})
    assert (found.product_id, found.sku) == ("p", "31415")
    assert event(variant_ids=["v", "w"]).product_id == "v"
    assert event(variant_ids=[]).product_id == ""


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"url": f"https://s.example/p?recommendation_id={OURS}"}, OURS),
        ({"url": f"https://s.example/p?a=1&recommendation_id={OURS}#top"}, OURS),
        ({"page_url": f"/p?recommendation_id={OURS}", "url": f"?recommendation_id={OTHER}"}, OURS),
        ({"url": f"/p?recommendation_id={OTHER}&recommendation_id={OURS}"}, OURS),
        ({"recommendation_id": "opaque", "url": f"/p?recommendation_id={OURS}"}, "opaque"),
        ({"recommendation_id": "not_depict", "url": f"/p?recommendation_id={OURS}"}, OURS),
        ({"url": f"/p?other={OURS}"}, ""),
        ({"url": "/p?recommendation_id=somebody-elses"}, ""),
        ({"url": "http://[broken?recommendation_id=1"}, ""),
        ({"url": "/p?recommendation_id=1" + "&a=1" * 300}, ""),
        ({"type": "add_to_cart", "url": f"/p?recommendation_id={OURS}"}, OURS),
        ({"type": "purchase", "url": f"/p?recommendation_id={OURS}"}, OURS),
        ({"type": "purchase", "page_url": f"/thanks?recommendation_id={OURS}"}, OURS),
        ({"type": "click", "url": f"/p?recommendation_id={OURS}"}, ""),
        ({"type": "element_visible", "url": f"/p?recommendation_id={OURS}"}, ""),
    ],
    ids=[
        "url", "fragment", "page_url", "last", "opaque", "sentinel", "other_name", "made_up",
        "broken", "long", "add_to_cart", "purchase", "purchase_page", "click", "element_visible",
    ],  # not the values: recommendation ids are new in every process
)  # fmt: skip
def test_the_recommendation_that_led_there(values, found):
    assert event(**values).recommendation_id == found


def test_the_name_of_the_parameter_is_a_setting(settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "RECOMMENDATION_ID_PARAMETER": "from"}
    assert event(url=f"/p?from={OURS}").recommendation_id == OURS
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "RECOMMENDATION_ID_PARAMETER": ""}
    assert event(url=f"/p?recommendation_id={OURS}").recommendation_id == ""


def test_nothing_of_an_address_is_kept():
    found = event(url="https://s.example/secret?token=x", document_referrer="https://r.example/")
    assert "example" not in repr(found)


CLICK = {"type": "click", "dsid": "d", "recommendation_id": "r"}
ON_PRODUCT = {"type": "click", "dsid": "d", "product_id": "p"}


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (CLICK, {**CLICK, "type": "ws_click"}, True),
        (CLICK, {**CLICK, "type": "ws_click", "dsid": "drawn anew"}, True),
        (CLICK, {**CLICK, "recommendation_id": "q"}, False),
        (CLICK, {**CLICK, "type": "element_visible"}, False),
        (ON_PRODUCT, {**ON_PRODUCT, "type": "ws_click"}, True),
        (ON_PRODUCT, {**ON_PRODUCT, "product_id": "q"}, False),
        (ON_PRODUCT, {**ON_PRODUCT, "dsid": "e"}, False),
        ({"type": "click", "dsid": "d", "search_result_id": "s"},
         {"type": "ws_click", "dsid": "d", "search_result_id": "s"}, True),
        ({"type": "click"}, {"type": "ws_click"}, False),
        ({"type": "page_view", "dsid": "d", "product_id": "p"},) * 2 + (False,),
        ({"type": "add_to_cart", "dsid": "d", "recommendation_id": "r"},) * 2 + (False,),
        ({"type": "add_to_cart", "dsid": "d", "deduplication_id": "x"},) * 2 + (True,),
        ({"type": "element_visible", "dsid": "d", "recommendation_id": "r"},) * 2 + (True,),
    ],
)  # fmt: skip
def test_what_is_one_event(first, second, one):
    assert same(first, second) is one


def test_clicks_without_an_id_are_one_for_a_minute_or_two():
    assert same(ON_PRODUCT, {**ON_PRODUCT, "type": "ws_click"}, later=timedelta(seconds=59))
    assert same(ON_PRODUCT, ON_PRODUCT, later=-timedelta(seconds=59))
    for minutes in (2, -2):
        assert not same(ON_PRODUCT, ON_PRODUCT, later=timedelta(minutes=minutes))


def test_a_frame_that_comes_again_is_the_same_event():
    values = {**PLACE, "type": "page_view", "dsid": "d"}
    ids = {shopper_event(values, now=NOW, frame_id=id_).deduplication_id for id_ in "aab"}
    assert len(ids) == 2
    click = {**PLACE, **CLICK, "type": "ws_click"}
    assert len({shopper_event(click, now=NOW, frame_id=i).deduplication_id for i in "ab"}) == 1


def test_pages_make_ids_of_their_own_for_frames():
    values = {**PLACE, "type": "page_view", "dsid": "d"}
    others = [values, {**values, "dsid": "e"}, {**values, "type": "add_to_cart"}]
    ids = {shopper_event(one, now=NOW, frame_id="1").deduplication_id for one in others}
    assert len(ids) == 3


ORDER = {
    "transaction_id": "o",
    "currency": "xSEKx",
    "dsid": "d",
    "products": [
        {"sku": "a", "price": 1, "quantity": 1},
        {"sku": "a", "price": "2", "quantity": 10**30},
        {"sku": "b", "price": "free", "quantity": 3},
    ],
}


def test_the_lines_of_an_order():
    lines = order_events(ORDER, now=NOW)
    assert [(line.sku, line.quantity, line.price, line.currency) for line in lines] == [
        ("a", 1, Decimal(1), "SEK"),
        ("a", 2**31 - 1, Decimal(2), "SEK"),
        ("b", 3, None, "SEK"),
    ]
    assert {line.type for line in lines} == {"purchase"}
    ids = [line.deduplication_id for line in lines]
    assert len(set(ids)) == 3
    again = order_events({**ORDER, "dsid": "another", "currency": "EUR"}, now=NOW)
    assert [line.deduplication_id for line in again] == ids


def test_other_orders_have_other_lines():
    other = order_events({**ORDER, "transaction_id": "p"}, now=NOW)
    nameless = order_events({**ORDER, "transaction_id": " "}, now=NOW)
    ids = {
        line.deduplication_id
        for lines in (order_events(ORDER, now=NOW), other, nameless, nameless)
        for line in lines
    }
    assert len(ids) == 9


def test_a_mapping_without_a_type_and_a_product_that_is_missing():
    [mapping] = order_events({"transaction_id": "o", "session_id": "s", "user_id": "u"}, now=NOW)
    assert (mapping.type, mapping.transaction_id) == ("transaction_mapping", "o")
    assert (mapping.session_id, mapping.user_id) == ("s", "u")
    [gone] = order_events(
        {"event_type": "product_unavailable", "product_id": "p", "unavailability_type": "missing"},
        now=NOW,
    )
    assert (gone.type, gone.product_id) == ("product_unavailable", "p")


@given(st.text(), st.text(), st.text(max_size=600))
def test_any_text_becomes_one_that_the_database_keeps(product, session, deduplication):
    found = event(
        product_id=product, session_id=session, deduplication_id=deduplication * 3, currency=product
    )
    for text in (found.product_id, found.session_id, found.deduplication_id):
        assert len(text) <= 255
        assert "\0" not in text
    assert found.deduplication_id
    assert len(found.currency) in (0, 3)


def test_long_ids_stay_apart():
    first, second = ("x" * 300 + end for end in "ab")
    assert event(product_id=first).product_id != event(product_id=second).product_id
    assert event(product_id="x" * 255).product_id == "x" * 255
