"""From events to counters."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import date

import pytest

from depict_reco.analytics import rollup as rollups
from depict_reco.analytics.deltas import SUMS
from depict_reco.analytics.rollup import rebuild, roll_up
from depict_reco.events.wire import shopper_event
from depict_reco.models import (
    CountedClick,
    Credit,
    DailyCounter,
    Event,
    Market,
    Product,
    RecommendationType,
    Rollup,
)
from tests import shop as shops
from tests.analytics.shopping import DAY, HOUR, Shopping

JUNE_1, JUNE_2 = date(2026, 6, 1), date(2026, 6, 2)


def counted(market=None):
    """Return the numbers that are not zero, by day, type, position and variant."""
    rows = DailyCounter.objects.live()
    if market is not None:
        rows = rows.filter(market=market)
    found = defaultdict(Counter)
    for row in rows:
        place = (row.day.isoformat(), row.type_name, row.position, row.variant)
        for name in SUMS:
            label = f"{name} {row.currency}" if name.endswith("_revenue") else name
            if value := getattr(row, name):
                found[place][label] += value
    return found


def test_a_visit_from_sight_to_sale(shopping):
    rec = shopping.shown("teapot-1", position=2)
    shopping.event("element_visible", recommendation_id=rec)
    shopping.click(rec)
    shopping.event("page_view", product_id="teapot-1")
    shopping.event("add_to_cart", product_id="teapot-1")
    shopping.buy("teapot-1", price="100")
    shopping.buy("teacup-1", price="10.5", quantity=2, time=shopping.time)
    assert roll_up().events == 5  # the page view names no recommendation
    assert counted() == {
        ("2026-06-01", "similar", 3, 0): {
            "visible": 1,
            "clicks": 1,
            "direct_carts": 1,
            "direct_orders": 1,
            "direct_revenue SEK": 100,
            "assisted_revenue SEK": 21,
        }
    }


def test_sales_without_recommendations_are_counted_as_such(shopping):
    shopping.buy("teapot-1", price="100")
    roll_up()
    assert counted() == {("2026-06-01", "", 0, 0): {"other_orders": 1, "other_revenue SEK": 100}}


def test_order_in_another_currency_is_never_added_to_the_markets_own(shopping):
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", order="1", price="100")
    shopping.buy("teapot-1", order="2", price="9", currency="EUR")
    roll_up()
    numbers = counted()["2026-06-01", "similar", 1, 0]
    assert numbers["direct_revenue SEK"] == 100
    assert numbers["direct_revenue EUR"] == 9
    assert numbers["direct_orders"] == 2


def test_click_counts_once_for_each_shopper(shopping):
    rec = shopping.shown("teapot-1")
    for shopper in ("ann", "ann", "bob"):
        shopping.click(rec, shopper)
    shopping.event("page_view", recommendation_id=rec, product_id="teapot-1")
    roll_up()
    assert counted() == {("2026-06-01", "similar", 1, 0): {"clicks": 2}}


def test_click_counts_on_its_first_day_also_when_that_comes_late(shopping):
    rec = shopping.shown("teapot-1")
    first = shopping.time
    shopping.click(rec, after=2 * DAY)
    roll_up()
    assert list(counted()) == [("2026-06-03", "similar", 1, 0)]
    shopping.click(rec, time=first)
    roll_up()
    assert counted() == {("2026-06-01", "similar", 1, 0): {"clicks": 1}}


def test_page_view_whose_address_names_the_recommendation_is_a_click(shopping):
    shopping.event("page_view", product_id="teapot-1", recommendation_id=shopping.shown("teapot-1"))
    shopping.buy("teapot-1")
    roll_up()
    numbers = counted()["2026-06-01", "similar", 1, 0]
    assert (numbers["clicks"], numbers["direct_orders"]) == (1, 1)


def test_purchase_that_names_a_recommendation_itself(shopping):
    rec = shopping.shown("teapot-1", variant=3)
    shopping.buy("teapot-1", shopper="", recommendation_id=rec)
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 3]["direct_orders"] == 1


@pytest.mark.parametrize("field", ["url", "page_url"])
def test_purchase_whose_page_names_a_recommendation(shopping, field):
    rec = shopping.shown("teapot-1", position=4)
    told = {
        "type": "purchase", "dsid": "ann", "product_id": "teapot-1", "entity_price": 100,
        field: f"https://shop.example/thanks?recommendation_id={rec}",
    }  # fmt: skip
    new = shopper_event(told, now=shopping.time)
    Event.objects.create(tenant=shopping.market.tenant, market=shopping.market, **asdict(new))
    roll_up()
    assert counted() == {
        ("2026-06-01", "similar", 5, 0): {"direct_orders": 1, "direct_revenue SEK": 100}
    }


@pytest.mark.parametrize("field", ["session_id", "user_id"])
def test_shopper_is_whoever_goes_by_an_equal_name(shopping, field):
    shopping.click(shopping.shown("teapot-1"), session_id="", user_id="ann")
    shopping.buy("teapot-1", **{"session_id": "", field: "ann"})
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 0]["direct_orders"] == 1


def test_another_shopper_gets_no_credit(shopping):
    shopping.click(shopping.shown("teapot-1"), "ann")
    shopping.buy("teapot-1", "bob")
    roll_up()
    assert counted()["2026-06-01", "", 0, 0]["other_orders"] == 1


@pytest.mark.parametrize("late", [False, True])
def test_mapping_joins_a_session_with_its_order(shopping, late):
    shopping.click(shopping.shown("teapot-1"), "ann")
    if late:
        shopping.buy("teapot-1", shopper="", order="77")
        roll_up()
        assert ("2026-06-01", "", 0, 0) in counted()
    shopping.event("transaction_mapping", "ann", transaction_id="77")
    if not late:
        shopping.buy("teapot-1", shopper="", order="77")
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 0]["direct_orders"] == 1
    assert ("2026-06-01", "", 0, 0) not in counted()


@pytest.mark.parametrize("late", [False, True])
def test_mapping_joins_a_session_with_its_user(shopping, late):
    shopping.click(shopping.shown("teapot-1"), "ann")
    if late:
        shopping.buy("teapot-1", shopper="", user_id="customer", order="78")
        roll_up()
    shopping.event("transaction_mapping", "ann", user_id="customer", transaction_id="77")
    if not late:
        shopping.buy("teapot-1", shopper="", user_id="customer", order="78")
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 0]["direct_orders"] == 1


@pytest.mark.parametrize("named_beside", [{"user_id": "customer"}, {"transaction_id": "78"}])
def test_late_click_of_a_joined_session_is_found(shopping, named_beside):
    shopping.event("transaction_mapping", "ann", **{"transaction_id": "77", **named_beside})
    shopping.buy("teapot-1", shopper="", order="78", **_known_by(named_beside))
    roll_up()
    shopping.click(shopping.shown("teapot-1"), "ann", time=shopping.time - HOUR)
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 0]["direct_orders"] == 1


def _known_by(fields):
    return {name: value for name, value in fields.items() if name == "user_id"}


def test_id_of_another_tenant_is_no_attribution(shopping):
    other = Shopping(shops.make_shop("other"))
    shopping.click(other.shown("teapot-1"))
    shopping.buy("teapot-1")
    roll_up()
    assert counted() == {("2026-06-01", "", 0, 0): {"other_orders": 1, "other_revenue SEK": 100}}


def test_id_of_another_market_is_no_attribution(shopping):
    finland = Market.objects.create(
        tenant=shopping.market.tenant, slug="fi", currency="EUR", default_locale="fi-FI"
    )
    shops.add_product(finland, "teapot-1")
    shopping.click(Shopping(finland).shown("teapot-1"))
    roll_up()
    assert counted() == {}


def test_made_up_ids_count_nothing(shopping):
    shopping.click("not-ours")
    shopping.event("element_visible", recommendation_id="00000000-0000-4000-8000-000000000000")
    roll_up()
    assert counted() == {}


def test_figures_outlive_type_and_product(shopping):
    rec = shopping.shown("teapot-1")
    shopping.click(rec)
    roll_up()
    RecommendationType.objects.filter(name="similar").delete()
    shopping.click(rec, "bob", after=365 * DAY)
    roll_up()
    assert counted() == {
        ("2026-06-01", "similar", 1, 0): {"clicks": 1},
        ("2027-06-01", "", 1, 0): {"clicks": 1},
    }
    Product.objects.filter(product_id="teapot-1").delete()
    shopping.click(rec, "eve")
    roll_up()  # nothing tells any more whose id it was
    assert sum(numbers["clicks"] for numbers in counted().values()) == 2


def test_window_is_the_tenants(shopping):
    shopping.market.tenant.attribution_window_days = 2
    shopping.market.tenant.save()
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", order="1", after=47 * HOUR)
    shopping.buy("teapot-1", order="2", after=2 * HOUR)
    roll_up()
    assert counted()["2026-06-03", "similar", 1, 0]["direct_orders"] == 1
    assert counted()["2026-06-03", "", 0, 0]["other_orders"] == 1


def test_late_click_takes_the_credit_over(shopping):
    shopping.click(shopping.shown("teacup-1", type="cross_sell"))
    shopping.buy("teapot-1", after=DAY)
    roll_up()
    assert counted()["2026-06-02", "cross_sell", 1, 0]["assisted_orders"] == 1
    shopping.click(shopping.shown("teapot-1"), time=shopping.time - HOUR)
    roll_up()
    assert counted() == {
        ("2026-06-01", "cross_sell", 1, 0): {"clicks": 1},
        ("2026-06-02", "similar", 1, 0): {
            "clicks": 1,
            "direct_orders": 1,
            "direct_revenue SEK": 100,
        },
    }


def test_late_return_is_taken_off_the_day_of_the_order(shopping):
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", quantity=2)
    roll_up()
    shopping.event("return", "", product_id="teapot-1", transaction_id="order-1", after=20 * DAY)
    roll_up()
    numbers = counted()["2026-06-01", "similar", 1, 0]
    assert numbers["direct_revenue SEK"] == 100
    assert numbers["direct_orders"] == 1


def test_who_returns_an_order_is_not_who_bought_it(shopping):
    shopping.buy("teapot-1", "ann", quantity=2)
    shopping.event("return", "bob", product_id="teapot-1", transaction_id="order-1", after=DAY)
    roll_up()
    shopping.click(shopping.shown("teapot-1"), "bob", time=shopping.made[0].time - HOUR)
    roll_up()
    expected = {
        ("2026-06-01", "similar", 1, 0): {"clicks": 1},
        ("2026-06-01", "", 0, 0): {"other_orders": 1, "other_revenue SEK": 100},
    }
    assert counted() == expected
    rebuild()
    assert counted() == expected


def test_who_reports_an_order_again_is_asked_what_led_there_by_then(shopping):
    shopping.market.tenant.attribution_window_days = 2
    shopping.market.tenant.save()
    shopping.buy("teapot-1", "bob")
    shopping.buy("teapot-1", "ann", after=2 * DAY)
    roll_up()
    shopping.click(shopping.shown("teapot-1"), "ann", time=shopping.made[0].time - HOUR)
    roll_up()  # more than two days before ann told of the order
    expected = {
        ("2026-06-01", "similar", 1, 0): {"clicks": 1},
        ("2026-06-01", "", 0, 0): {"other_orders": 1, "other_revenue SEK": 100},
    }
    assert counted() == expected
    rebuild()
    assert counted() == expected


def test_credit_stays_when_the_click_is_pruned(shopping):
    click = shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", quantity=2)
    roll_up()
    click.delete()
    shopping.event("return", "", product_id="teapot-1", transaction_id="order-1")
    roll_up()
    assert counted()["2026-06-01", "similar", 1, 0]["direct_revenue SEK"] == 100


def test_same_order_number_in_two_markets_is_two_orders(shopping):
    other = Shopping(shops.make_shop("other"))
    shopping.buy("teapot-1")
    other.buy("teapot-1")
    roll_up()
    for market in (shopping.market, other.market):
        assert counted(market)["2026-06-01", "", 0, 0]["other_orders"] == 1


def test_days_are_those_of_the_time_zone(shopping, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    shopping.buy("teapot-1")  # at noon in Greenwich
    roll_up()
    assert list(counted()) == [("2026-06-02", "", 0, 0)]


def test_rolling_up_again_changes_nothing(shopping):
    shopping.buy("teapot-1")
    roll_up()
    before = counted()
    assert roll_up().events == 0
    assert counted() == before


def test_rebuilding_comes_to_the_same(shopping):
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1")
    roll_up()
    before = counted()
    first = Rollup.objects.get()
    assert rebuild().events == 2
    assert counted() == before
    assert Rollup.objects.get().pk != first.pk
    assert not any(
        model.objects.exclude(rollup__live=True).exists()
        for model in (DailyCounter, Credit, CountedClick)
    )


def test_rebuilding_leaves_closed_days_alone(shopping):
    shopping.buy("teapot-1", order="1")
    shopping.buy("teapot-1", order="2", after=DAY)
    roll_up()
    Event.objects.all().delete()
    rebuild(closed_before=JUNE_2)
    assert list(counted()) == [("2026-06-01", "", 0, 0)]
    rebuild()
    assert counted() == {}


def test_killed_rebuild_goes_on_where_it_stopped(shopping, monkeypatch):
    monkeypatch.setattr(rollups, "BATCH_SIZE", 2)
    for number in range(6):
        shopping.buy("teapot-1", order=str(number))
    roll_up()
    before = counted()

    class Killed(BaseException):
        pass

    def kill(done, total):
        if done:
            raise Killed

    with pytest.raises(Killed):
        rebuild(report=kill)
    assert counted() == before
    assert rebuild().events == 4
    assert counted() == before


def test_step_that_another_process_took_is_not_taken_twice(shopping, monkeypatch):
    shopping.buy("teapot-1")
    roll_up()
    shopping.buy("teapot-1", order="order-2")
    take_step = rollups._take_step

    def overtaken(rollup, *args, **kwargs):
        monkeypatch.setattr(rollups, "_take_step", take_step)
        assert take_step(rollup, *args, **kwargs)
        return take_step(rollup, *args, **kwargs)

    monkeypatch.setattr(rollups, "_take_step", overtaken)
    roll_up()
    assert counted()["2026-06-01", "", 0, 0]["other_orders"] == 2


def test_progress_is_told(shopping, monkeypatch):
    monkeypatch.setattr(rollups, "BATCH_SIZE", 1)
    for number in range(3):
        shopping.buy("teapot-1", order=str(number))
    told = []
    roll_up(report=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 0


def test_nothing_to_count(shopping):
    assert roll_up().events == 0
    assert rebuild().events == 0
