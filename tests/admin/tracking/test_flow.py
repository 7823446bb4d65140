from __future__ import annotations

from datetime import timedelta

import pytest

from depict_reco.admin.tracking.findings import Level
from depict_reco.models import ApiKey, Event, ServedCount
from tests.admin.tracking.conftest import NOW

HOUR = 3600
DAY = 24 * HOUR


def test_no_events_are_no_finding(market, found):
    assert found() == {}


def test_events_from_files_only(market, happen, found):
    happen("page_view", product_id="pot", ago=90 * DAY, late=90 * DAY)
    assert list(found()) == ["only_imported"]


def test_a_market_that_fell_silent(market, happen, found):
    for number in range(25):
        happen("page_view", product_id="pot", ago=5 * HOUR + 60 * number)
    finding = found()["silent"]

    assert finding.title.replace("\xa0", " ") == "Nothing has arrived for 4 hours."
    assert "longest pause before was 1 minute" in finding.advice.replace("\xa0", " ")


def test_a_market_with_long_nights_is_not_silent(market, happen, found):
    for number in range(25):
        happen("page_view", product_id="pot", ago=5 * HOUR + 60 * number)
    happen("page_view", product_id="pot", ago=9 * HOUR)
    assert "silent" not in found()


def test_a_handful_of_events_may_pause_for_a_day(market, happen, found):
    happen("page_view", product_id="pot", ago=23 * HOUR)
    assert found() == {}


def test_a_market_whose_last_event_came_days_ago_is_silent(market, happen, found):
    happen("page_view", product_id="pot", ago=20 * DAY)
    finding = found()["silent"]

    assert finding.title.replace("\xa0", " ") == "Nothing has arrived for 2 weeks."
    assert finding.level == Level.WARNING


def serve(market, *, ago=0):
    ServedCount.objects.create(
        market=market, day=(NOW - timedelta(days=ago)).date(), type_pk=1, type_name="similar",
        position=1, served=1200,
    )  # fmt: skip


def test_recommendations_are_sent_and_no_event_has_ever_arrived(market, found):
    serve(market)
    finding = found()["served_unheard"]

    assert finding.title == "1,200 recommendations were sent since yesterday, and no event arrived."
    assert finding.level == Level.ERROR


def test_recommendations_are_sent_and_events_came_from_files_or_long_ago(market, happen, found):
    serve(market)
    happen("page_view", product_id="pot", ago=90 * DAY, late=90 * DAY)
    assert list(found()) == ["served_unheard", "only_imported"]
    happen("page_view", product_id="pot", ago=2 * DAY)
    assert set(found()) == {"served_unheard", "silent"}
    happen("page_view", product_id="pot")
    assert found() == {}


def test_recommendations_of_last_week_are_no_finding(market, found):
    serve(market, ago=7)
    assert found() == {}


@pytest.mark.parametrize("live", [False, True])
def test_a_key_that_was_never_used(market, happen, found, live):
    if live:
        happen("page_view", product_id="pot")
    for name, scopes, hours in (
        ("server", ["events"], 72),
        ("new", ["events"], 1),
        ("other", ["recommend"], 72),
    ):
        key, _secret = ApiKey.objects.issue(market.tenant, name=name, scopes=scopes)
        ApiKey.objects.filter(pk=key.pk).update(created_at=NOW - timedelta(hours=hours))
    findings = found()

    assert list(findings) == ["unused_key"]
    assert findings["unused_key"].title == (
        "The key “server” may send events and has never been used."
    )


def test_a_key_that_is_used_no_more_where_nothing_arrives(market, found):
    key, _secret = ApiKey.objects.issue(market.tenant, name="server", scopes=["events"])
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=NOW - timedelta(days=3))
    assert list(found()) == ["idle_key"]


def test_a_type_that_came_regularly_and_stopped(market, happen, found):
    for number in range(180):
        happen("page_view", product_id="pot", ago=60 * number)
    for number in range(20):
        happen("add_to_cart", product_id="pot", ago=2 * HOUR + 60 * number)
    finding = found()["stopped_add_to_cart"]

    assert finding.title.replace("\xa0", " ") == (
        "No add_to_cart for 2 hours, while other events arrive."
    )


def test_a_type_that_is_rare_has_not_stopped(market, happen, found):
    for number in range(60):
        happen("page_view", product_id="pot", ago=180 * number)
    for number in range(5):
        happen("add_to_cart", product_id="pot", ago=120 * 60 + 600 * number)
    assert "stopped_add_to_cart" not in found()


def test_a_key_that_is_used_no_more(market, happen, found):
    happen("page_view", product_id="pot")
    for name, scopes, hours in (
        ("server", ["events"], 72),
        ("busy", ["events"], 1),
        ("other", ["recommend"], 72),
    ):
        key, _secret = ApiKey.objects.issue(market.tenant, name=name, scopes=scopes)
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=NOW - timedelta(hours=hours))
    findings = found()

    assert list(findings) == ["idle_key"]
    assert "“server”" in findings["idle_key"].title


def test_clicks_and_purchases_alone_mean_that_the_socket_is_not_connected(market, happen, found):
    happen("click", product_id="pot")
    happen("purchase", product_id="pot", sku="SKU-1", transaction_id="o1")
    finding = found()["no_socket"]

    assert "wss://ws.depict.ai/ws/create-events" in finding.advice
    assert "no_carts" not in found()


def test_page_views_alone(market, happen, found):
    for _ in range(49):
        happen("page_view", product_id="pot")
    assert found() == {}
    happen("page_view", product_id="pot")
    assert set(found()) == {"no_carts", "no_purchases"}


def test_cards_that_are_never_visible(market, happen, found):
    for _ in range(3):
        happen("page_view", product_id="pot")
        happen("click", product_id="pot")
    assert list(found()) == ["never_visible"]
    happen("element_visible", product_id="pot")
    assert found() == {}


def test_sessions_without_views(market, happen, found):
    happen("page_view", product_id="pot", session_id="a")
    happen("add_to_cart", product_id="pot", session_id="a")
    happen("add_to_cart", product_id="pot", session_id="b")
    finding = found()["without_views"]

    assert finding.title == "1 of 2 sessions click or buy without a page view."
    assert finding.examples == ("b",)


def test_a_view_before_the_sample_begins_counts(market, happen, found, monkeypatch):
    monkeypatch.setattr("depict_reco.admin.tracking.sample.EVENTS", 3)
    happen("page_view", product_id="pot", session_id="a", ago=600)
    happen("page_view", product_id="pot", session_id="b", ago=30)
    happen("add_to_cart", product_id="pot", session_id="a", ago=20)
    happen("add_to_cart", product_id="pot", session_id="b", ago=10)
    assert found() == {}


def test_purchases_without_a_session(market, happen, found):
    happen("page_view", product_id="pot")
    happen("purchase", product_id="pot", session_id="", transaction_id="o7")
    happen("purchase", product_id="pot", session_id="", user_id="u1", transaction_id="o8")
    finding = found()["without_session"]

    assert finding.title == "1 of 2 purchases name no session and no user."
    assert finding.examples == ("o7",)


def test_purchases_may_lack_a_session_where_shoppers_are_asked(market, happen, found):
    happen("page_view", product_id="pot")
    happen("purchase", product_id="pot", session_id="", transaction_id="o7")
    market.tenant.consent_required = True
    assert "without_session" not in found()


def test_purchases_of_sessions_that_did_nothing_else(market, happen, found):
    happen("page_view", product_id="pot", session_id="shop")
    happen("purchase", product_id="pot", session_id="checkout", transaction_id="o1")
    happen("purchase", product_id="pot", session_id="shop", transaction_id="o2")
    assert found()["strangers"].examples == ("checkout",)


def test_no_event_carries_a_recommendation_id(market, happen, found):
    event = happen("page_view", product_id="pot")
    Event.objects.bulk_create(
        Event(
            tenant=event.tenant, market=market, type=type_, time=event.time,
            received_at=event.time, session_id="s1", product_id="pot",
            deduplication_id=f"x{number}",
        )
        for number, type_ in enumerate(["page_view", "add_to_cart", "purchase"] * 70)
    )  # fmt: skip
    assert list(found()) == ["no_recommendation_ids"]


def test_clocks_that_are_fast(market, happen, found):
    happen("page_view", product_id="pot", ago=-HOUR, late=-2 * HOUR)
    finding = found()["fast_clocks"]

    assert finding.title.replace("\xa0", " ") == (
        "1 events happened up to 2 hours after they arrived."
    )
