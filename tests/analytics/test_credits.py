"""The rules of attribution, each with an example that was worked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from depict_reco.analytics.credits import Earlier, SaleEvent, Touch, credit_cart, credit_order
from depict_reco.analytics.resolving import KnownProduct, Place

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = timedelta(days=30)
SIMILAR, OTHER = Place(1, 3, 0), Place(2, 1, 0)
POT = KnownProduct(market_pk=1, product_id="pot", sku="sku-pot", item_group_id="")
BEAR_S = KnownProduct(market_pk=1, product_id="bear-s", sku="", item_group_id="bear")


def touch(minutes, place=SIMILAR, product=POT):
    return Touch(time=NOON + minutes * MINUTE, place=place, product=product)


def sale(pk=1, product_id="pot", minutes=0, **fields):
    fields.setdefault("price", Decimal(10))
    fields.setdefault("currency", "SEK")
    return SaleEvent(
        event_pk=pk, time=NOON + minutes * MINUTE, product_id=product_id, sku="", **fields
    )


def order(*lines, touches=(), returns=(), window=WINDOW):
    outcomes = credit_order(lines=lines, returns=returns, touches=touches, window=window)
    return {one.event.event_pk: one for one in outcomes}


def seen(outcome):
    return outcome.credited, outcome.place, outcome.revenue, outcome.counts


def test_last_click_on_the_product_is_credited():
    found = order(sale(), touches=[touch(-20, OTHER), touch(-10), touch(-5, OTHER, BEAR_S)])
    assert seen(found[1]) == ("direct", SIMILAR, Decimal(10), True)


def test_click_on_another_product_assists():
    found = order(sale(), touches=[touch(-20, OTHER, BEAR_S), touch(-30, SIMILAR, BEAR_S)])
    assert seen(found[1]) == ("assisted", OTHER, Decimal(10), True)


def test_nothing_is_credited_without_a_click():
    assert seen(order(sale())[1]) == ("none", Place(), Decimal(10), True)


def test_click_after_the_sale_is_no_cause():
    assert order(sale(), touches=[touch(1)])[1].credited == "none"


def test_window_holds_its_last_moment():
    window = timedelta(minutes=10)
    assert order(sale(), touches=[touch(-10)], window=window)[1].credited == "direct"
    assert order(sale(), touches=[touch(-11)], window=window)[1].credited == "none"


def test_another_size_of_what_was_recommended_is_direct():
    line = sale(product_id="bear-l", item_group_id="bear")
    assert order(line, touches=[touch(-1, product=BEAR_S)])[1].credited == "direct"


def test_products_without_a_group_are_not_one_group():
    assert order(sale(product_id="cup"), touches=[touch(-1)])[1].credited == "assisted"


def test_recommended_product_that_is_gone_can_only_assist():
    assert order(sale(), touches=[touch(-1, product=None)])[1].credited == "assisted"


def test_sku_is_a_name_of_the_product():
    line = SaleEvent(event_pk=1, time=NOON, product_id="", sku="sku-pot", currency="SEK")
    assert order(line, touches=[touch(-1)])[1].credited == "direct"


def test_order_counts_once_and_its_revenue_by_line():
    found = order(
        sale(1, "pot", price=Decimal(10), quantity=2),
        sale(2, "cup", price=Decimal(3)),
        touches=[touch(-10), touch(-5, OTHER, BEAR_S)],
    )
    assert seen(found[1]) == ("direct", SIMILAR, Decimal(20), True)
    assert seen(found[2]) == ("assisted", OTHER, Decimal(3), False)


def test_order_reported_twice_counts_once():
    found = order(sale(1), sale(2, minutes=5))
    assert seen(found[1]) == ("none", Place(), Decimal(10), True)
    assert seen(found[2]) == ("none", Place(), Decimal(0), False)


@pytest.mark.parametrize(
    ("first", "again", "revenue"),
    [
        (("pot", "sku-pot"), ("pot", ""), 0),
        (("pot", "sku-pot"), ("", "sku-pot"), 0),
        (("pot", ""), ("pot", "sku-pot"), 0),
        (("", "sku-pot"), ("pot", "sku-pot"), 0),
        (("pot", "red"), ("pot", "blue"), 10),  # one id with two SKUs: two products
        (("pot", "1"), ("cup", "1"), 10),  # the id goes before the SKU
        (("pot", ""), ("", "sku-pot"), 10),  # no name in common
    ],
)
def test_order_reported_again_may_name_its_products_otherwise(first, again, revenue):
    lines = [
        SaleEvent(
            event_pk=number, time=NOON + number * MINUTE, product_id=product_id, sku=sku,
            price=Decimal(10), currency="SEK",
        )
        for number, (product_id, sku) in enumerate((first, again))
    ]  # fmt: skip
    found = order(*lines)
    assert [found[0].revenue, found[1].revenue] == [Decimal(10), Decimal(revenue)]


def test_equal_lines_of_one_report_both_count():
    found = order(sale(1), sale(2))
    assert [found[1].revenue, found[2].revenue] == [Decimal(10), Decimal(10)]
    assert [found[1].counts, found[2].counts].count(True) == 1


def test_line_that_comes_later_counts_on_the_day_of_its_order():
    found = order(sale(1), sale(2, "cup", minutes=60 * 24))
    assert found[2].time == NOON
    assert found[2].revenue == Decimal(10)


def test_return_is_taken_off_its_line():
    back = sale(9, minutes=100, quantity=1)
    found = order(sale(1, quantity=3), touches=[touch(-1)], returns=[back])
    assert seen(found[1]) == ("direct", SIMILAR, Decimal(20), True)
    assert found[9].revenue == Decimal(0)


def test_order_that_came_back_whole_does_not_count():
    found = order(sale(1), returns=[sale(9, minutes=100, quantity=5)], touches=[touch(-1)])
    assert seen(found[1]) == ("direct", SIMILAR, Decimal(0), False)


def test_return_of_the_direct_line_leaves_the_order_to_the_other():
    found = order(
        sale(1, "pot"),
        sale(2, "cup"),
        returns=[sale(9, "pot")],
        touches=[touch(-10), touch(-5, OTHER, BEAR_S)],
    )
    assert (found[1].counts, found[2].counts) == (False, True)


def test_return_without_its_order_is_taken_off_what_no_recommendation_brought():
    found = order(returns=[sale(9, quantity=2)], touches=[touch(-1)])
    assert seen(found[9]) == ("none", Place(), Decimal(-20), False)


def test_line_without_price_counts_and_earns_nothing():
    assert seen(order(sale(price=None))[1]) == ("none", Place(), Decimal(0), True)


def test_cart_event_in_a_card_names_no_product_but_its_recommendation():
    event = SaleEvent(event_pk=1, time=NOON, product_id="", sku="", own=touch(0))
    found = credit_cart(event, touches=[], window=WINDOW)
    assert (found.credited, found.place, found.counts) == ("direct", SIMILAR, True)


def test_cart_event_without_a_click_does_not_count():
    assert not credit_cart(sale(), touches=[], window=WINDOW).counts


def test_credit_stays_where_the_click_is_no_longer_stored():
    earlier = Earlier(credited="direct", place=SIMILAR, time=NOON - MINUTE)
    assert seen(order(sale(earlier=earlier))[1]) == ("direct", SIMILAR, Decimal(10), True)
    newer = order(sale(earlier=earlier), touches=[touch(-0.5, OTHER)])
    assert newer[1].place == OTHER
