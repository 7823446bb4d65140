"""Days whose events are gone keep their figures, and nothing of them counts again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from depict_reco.analytics import rollup as rollups
from depict_reco.analytics.closed import first_whole_days
from depict_reco.analytics.rollup import rebuild, roll_up
from depict_reco.models import CountedClick, DailyCounter, Event, Rollup
from tests import shop as shops
from tests.analytics.shopping import DAY, HOUR, MONDAY, Shopping

JUNE_10 = date(2026, 6, 10)


def totals():
    """Return clicks, orders and revenue of all days and places."""
    rows = list(DailyCounter.objects.live())
    orders = ("direct_orders", "assisted_orders", "other_orders")
    revenues = ("direct_revenue", "assisted_revenue", "other_revenue")
    return (
        sum(row.clicks for row in rows),
        sum(getattr(row, name) for row in rows for name in orders),
        sum(getattr(row, name) for row in rows for name in revenues),
    )


@pytest.fixture(params=["stored", "pruned"])
def pruned(request):
    """Delete the events before 10 June, or leave them: it makes no difference."""

    def prune():
        if request.param == "pruned":
            Event.objects.filter(time__lt=datetime(2026, 6, 10, tzinfo=UTC)).delete()

    return prune


def test_what_came_back_of_a_closed_order_is_taken_off_once(shopping, pruned):
    shopping.buy("teapot-1", price="100", quantity=2)
    shopping.event("return", product_id="teapot-1", transaction_id="order-1", price=100,
                   after=20 * DAY)  # fmt: skip
    roll_up()
    assert totals() == (0, 1, 100)
    pruned()
    for _ in range(2):
        rebuild(closed_before=JUNE_10)
        assert totals() == (0, 1, 100)


@pytest.mark.parametrize("again", ["before", "after"])
def test_what_comes_back_later_is_taken_off_where_no_order_is_known(shopping, pruned, again):
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", price="100", quantity=2)
    roll_up()
    pruned()
    if again == "before":
        rebuild(closed_before=JUNE_10)
    shopping.event("return", product_id="teapot-1", transaction_id="order-1", price=100,
                   after=20 * DAY)  # fmt: skip
    roll_up()
    if again == "after":
        rebuild(closed_before=JUNE_10)
    assert totals() == (1, 1, 100)
    rebuild(closed_before=JUNE_10)
    assert totals() == (1, 1, 100)


def test_order_of_closed_days_that_is_told_again_is_the_same_sale(shopping, pruned):
    shopping.buy("teapot-1", price="100")
    shopping.buy("teapot-1", price="100", after=12 * DAY)
    roll_up()
    assert totals() == (0, 1, 100)
    pruned()
    rebuild(closed_before=JUNE_10)
    assert totals() == (0, 1, 100)
    shopping.buy("teapot-1", price="100", after=DAY)
    roll_up()
    assert totals() == (0, 1, 100)


def test_display_that_was_clicked_on_closed_days_is_not_clicked_anew(shopping, pruned):
    rec = shopping.shown("teapot-1")
    shopping.click(rec)
    shopping.event("page_view", recommendation_id=rec, after=12 * DAY)
    roll_up()
    assert totals() == (1, 0, 0)
    pruned()
    rebuild(closed_before=JUNE_10)
    assert totals() == (1, 0, 0)
    shopping.event("page_view", recommendation_id=rec, after=DAY)
    roll_up()
    assert totals() == (1, 0, 0)


def test_sale_keeps_the_credit_for_a_click_on_closed_days(shopping, pruned):
    shopping.click(shopping.shown("teapot-1"))
    shopping.buy("teapot-1", price="100", after=12 * DAY)
    roll_up()
    pruned()
    rebuild(closed_before=JUNE_10)
    [row] = DailyCounter.objects.live().filter(day="2026-06-13", direct_orders__gt=0)
    assert (row.type_name, row.direct_orders, row.direct_revenue) == ("similar", 1, 100)


def test_mapping_of_closed_days_joins_what_comes_later(shopping):
    shopping.event("transaction_mapping", "ann", user_id="customer", transaction_id="77")
    shopping.click(shopping.shown("teapot-1"), "ann", after=12 * DAY)
    shopping.buy("teapot-1", shopper="", user_id="customer")
    roll_up()
    for _ in range(2):
        rebuild(closed_before=JUNE_10)
        assert DailyCounter.objects.live().get(direct_orders=1).type_name == "similar"


def test_what_the_live_counters_find_to_be_of_closed_days_meanwhile_counts_once(
    shopping, monkeypatch
):
    rec = shopping.shown("teapot-1")
    shopping.buy("teapot-1", price="100", after=12 * DAY)
    shopping.click(rec)
    roll_up()
    take_over = rollups._take_over

    def late(building):
        monkeypatch.setattr(rollups, "_take_over", take_over)
        shopping.buy("teapot-1", price="100", time=MONDAY)
        shopping.click(rec, time=MONDAY)
        roll_up()
        return take_over(building)

    monkeypatch.setattr(rollups, "_take_over", late)
    rebuild(closed_before=JUNE_10)
    assert totals() == (1, 1, 100)
    assert {row.day for row in DailyCounter.objects.live() if row.clicks or row.other_orders} == {
        date(2026, 6, 1)
    }


def test_events_of_closed_days_that_come_later_do_not_count(shopping):
    roll_up()
    rebuild(closed_before=JUNE_10)
    shopping.buy("teapot-1")
    shopping.click(shopping.shown("teapot-1"))
    roll_up()
    assert totals() == (0, 0, 0)
    assert not CountedClick.objects.exists()


def test_days_are_closed_for_each_tenant_by_itself(shopping):
    other = Shopping(shops.make_shop("other"))
    for one in (shopping, other):
        one.buy("teapot-1", price="100")
    roll_up()
    Event.objects.all().delete()
    rebuild(closed_of={shopping.market.tenant_id: JUNE_10})
    assert [row.market for row in DailyCounter.objects.live()] == [shopping.market]


def test_rebuild_goes_on_where_one_with_the_same_days_stopped(shopping):
    live = Rollup.objects.create(live=True, time_zone="UTC")
    days = {shopping.market.tenant_id: JUNE_10}
    begun = rollups._unfinished(None, {str(pk): day.isoformat() for pk, day in days.items()})
    assert begun.pk != live.pk
    assert rollups._unfinished(None, {}).pk != begun.pk
    rebuild(closed_of=days)
    assert Rollup.objects.get(live=True).pk == begun.pk


def test_the_first_whole_day_is_that_after_the_last_that_lost_an_event_that_counts(shop, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_RETENTION_DAYS": {}}
    second = shops.make_shop("other").tenant
    now = MONDAY + HOUR
    assert first_whole_days(now) == {}
    second.retention_days = {"purchase": 30, "recommendations_inserted": 3}
    second.save()
    assert first_whole_days(now) == {second.pk: date(2026, 5, 3)}
    assert first_whole_days(now + timedelta(hours=11)) == {second.pk: date(2026, 5, 4)}
