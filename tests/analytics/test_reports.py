"""Reports on counters that are written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from depict_reco.analytics.figures import Period, Revenue
from depict_reco.analytics.reports import (
    Breakdown,
    Scope,
    Step,
    by_market,
    by_position,
    by_type,
    by_variant,
    freshness,
    over_time,
    report,
    today,
    totals,
)
from depict_reco.analytics.rollup import roll_up
from depict_reco.models import (
    DailyCounter,
    Market,
    RecommendationType,
    Rollup,
    ServedCount,
)
from tests import shop as shops

JUNE = Period(start=date(2026, 6, 1), end=date(2026, 6, 10))
"""The ten days before it are the 22nd to the 31st of May."""


class Books:
    """Writes counters of a market."""

    def __init__(self, market):
        self.market = market
        self.rollup = Rollup.objects.filter(live=True).first() or Rollup.objects.create(
            live=True, time_zone="UTC"
        )

    def write(self, day, type_name="similar", **numbers):
        pk = 0
        if type_name:
            found = RecommendationType.objects.filter(
                tenant=self.market.tenant, name=type_name
            ).first()
            pk = found.pk if found else 4711
        numbers.setdefault("position", 1 if type_name else 0)
        DailyCounter.objects.create(
            rollup=self.rollup,
            market=self.market,
            day=date.fromisoformat(day),
            type_pk=pk,
            type_name=type_name,
            **numbers,
        )

    def scope(self, **fields):
        fields.setdefault("period", JUNE)
        return Scope(tenant_pk=self.market.tenant_id, **fields)


@pytest.fixture
def books(shop):
    return Books(shop)


def test_a_shop_without_counters(shop):
    scope = Scope(tenant_pk=shop.tenant_id, period=JUNE)
    row = totals(scope)
    assert (row.now.clicks, row.now.all_orders, row.now.click_rate.value) == (0, 0, None)
    assert len(over_time(scope)) == 10
    assert [one.label for one in by_market(scope)] == ["se"]
    assert by_type(scope) == by_position(scope) == by_variant(scope) == []
    assert freshness().counted_at is None


def test_totals_with_the_period_before(books):
    books.write("2026-06-01", visible=1000, clicks=100, direct_carts=20)
    books.write("2026-06-10", visible=1000, clicks=50, position=2)
    books.write("2026-05-31", visible=1000, clicks=30)
    books.write("2026-05-22", visible=1000, clicks=31, position=3)
    books.write("2026-05-21", visible=9999, clicks=999)
    books.write("2026-06-11", visible=9999, clicks=999)
    row = totals(books.scope())
    assert (row.now.visible, row.now.clicks, row.now.direct_carts) == (2000, 150, 20)
    assert (row.before.visible, row.before.clicks) == (2000, 61)
    assert row.now.click_rate.value == 0.075
    assert row.now.cart_rate.value == pytest.approx(20 / 150)
    change = row.change("click_rate")
    assert change.significant is True
    assert change.difference == pytest.approx(0.0445)
    assert row.change("clicks").relative == pytest.approx(89 / 61)
    assert row.change("clicks").significant is None
    assert row.change("direct_carts").relative is None


def test_revenue_and_its_share_of_all(books):
    books.write(
        "2026-06-01", currency="SEK", direct_orders=2, direct_revenue=300,
        assisted_orders=1, assisted_revenue=100,
    )  # fmt: skip
    books.write("2026-06-02", "", currency="SEK", other_orders=3, other_revenue=600)
    books.write("2026-06-02", "", currency="EUR", other_orders=1, other_revenue=7)
    now = totals(books.scope()).now
    assert now.all_orders == 7
    assert now.revenue == (
        Revenue(currency="SEK", direct=Decimal(300), assisted=Decimal(100), all=Decimal(1000)),
        Revenue(currency="EUR", all=Decimal(7)),
    )
    assert now.revenue[0].direct_share == 0.3
    assert now.revenue[0].attributed_share == 0.4
    assert totals(books.scope()).revenue_change("SEK").now == 400


def test_share_of_less_than_nothing_is_none(books):
    books.write("2026-06-01", currency="SEK", direct_revenue=300)
    books.write("2026-06-02", "", currency="SEK", other_revenue=-600)
    assert totals(books.scope()).now.revenue[0].direct_share is None


def test_all_sales_stay_all_in_a_report_on_one_type(books):
    books.write("2026-06-01", currency="SEK", direct_revenue=300)
    books.write("2026-06-01", "cross_sell", currency="SEK", direct_revenue=100)
    books.write("2026-06-02", "", currency="SEK", other_orders=3, other_revenue=600)
    revenue = totals(books.scope(type_name="similar")).now.revenue[0]
    assert (revenue.direct, revenue.all) == (300, 1000)


def test_click_rate_is_of_displays_sent_where_none_is_reported_seen(books):
    books.write("2026-06-01", clicks=5)
    similar = RecommendationType.objects.get(tenant=books.market.tenant, name="similar")
    ServedCount.objects.create(
        market=books.market, day="2026-06-01", type_pk=similar.pk, type_name="similar",
        position=1, served=200,
    )  # fmt: skip
    row = totals(books.scope())
    assert (row.now.served, row.now.click_rate.value) == (200, 0.025)


def sent(books, day, served, *, type="similar", position=1):
    pk = RecommendationType.objects.get(tenant=books.market.tenant, name=type).pk
    ServedCount.objects.create(
        market=books.market, day=day, type_pk=pk, type_name=type, position=position, served=served
    )


def test_click_rate_is_of_each_type_and_day_by_itself(books):
    books.write("2026-06-01", visible=100, clicks=10)
    sent(books, "2026-06-01", 150)
    sent(books, "2026-06-01", 50, position=2)  # of this type and day others were seen
    books.write("2026-06-01", "cross_sell", clicks=5)
    sent(books, "2026-06-01", 400, type="cross_sell")
    books.write("2026-06-02", clicks=3)
    sent(books, "2026-06-02", 60)
    books.write("2026-05-31", visible=1000, clicks=10)
    row = totals(books.scope())
    assert (row.now.served, row.now.click_rate.trials) == (660, 100 + 400 + 60)
    assert row.now.click_rate.hits == 18
    similar, cross_sell = by_type(books.scope())
    assert (similar.label, similar.now.click_rate.trials) == ("similar", 160)
    assert (cross_sell.label, cross_sell.now.click_rate.value) == ("cross_sell", 0.0125)
    days = over_time(books.scope())
    assert [one.now.click_rate.trials for one in days[:3]] == [500, 60, 0]


def test_rates_of_seen_and_of_served_are_not_compared(books):
    books.write("2026-05-31", visible=1000, clicks=100)
    books.write("2026-06-01", clicks=10)
    sent(books, "2026-06-01", 1000)
    change = totals(books.scope()).change("click_rate")
    assert (change.now, change.before, change.significant) == (0.01, 0.1, None)


def test_days_weeks_and_months(books):
    books.write("2026-06-02", clicks=1)
    books.write("2026-06-07", clicks=2)
    books.write("2026-06-08", clicks=4)
    books.write("2026-05-23", clicks=8)  # one length earlier than the 2nd of June
    days = over_time(books.scope())
    assert [row.label for row in days][:2] == ["2026-06-01", "2026-06-02"]
    assert (days[1].now.clicks, days[1].before.clicks) == (1, 8)
    weeks = over_time(books.scope(), step=Step.WEEK)
    assert [(row.label, row.now.clicks) for row in weeks] == [
        ("2026-06-01", 3),
        ("2026-06-08", 4),
    ]
    months = over_time(books.scope(), step=Step.MONTH)
    assert [(row.label, row.now.clicks, row.before.clicks) for row in months] == [
        ("2026-06-01", 7, 8)
    ]


def test_days_have_their_own_sales(books):
    books.write("2026-06-01", currency="SEK", direct_revenue=10)
    books.write("2026-06-01", "", currency="SEK", other_revenue=30)
    books.write("2026-06-02", "", currency="SEK", other_revenue=60)
    first, second, *_rest = over_time(books.scope())
    assert first.now.revenue[0].direct_share == 0.25
    assert second.now.revenue[0].all == 60


def test_types_positions_and_variants(books):
    books.write("2026-06-01", clicks=1)
    books.write("2026-06-01", "cross_sell", clicks=5, position=2)
    books.write("2026-06-01", "cross_sell", clicks=2, position=12, variant=1)
    books.write("2026-06-01", "deleted since", clicks=3, position=2)
    books.write("2026-06-01", "", other_orders=1, currency="SEK")
    types = by_type(books.scope())
    assert [(row.label, row.now.clicks) for row in types] == [
        ("cross_sell", 7),
        ("deleted since", 3),
        ("similar", 1),
    ]
    assert {row.now.all_orders for row in types} == {1}
    positions = by_position(books.scope())
    assert [(row.label, row.now.clicks) for row in positions] == [("1", 1), ("2", 8), ("12", 2)]
    variants = by_variant(books.scope())
    assert [(row.label, row.now.clicks) for row in variants] == [("0", 9), ("1", 2)]
    narrowed = by_position(books.scope(type_name="cross_sell", variant=1))
    assert [(row.label, row.now.clicks) for row in narrowed] == [("12", 2)]


def test_renamed_type_keeps_its_figures_under_the_new_name(books):
    books.write("2026-06-01", clicks=1)
    RecommendationType.objects.filter(name="similar").update(name="alike")
    assert [row.label for row in by_type(books.scope())] == ["alike"]
    assert totals(books.scope(type_name="alike")).now.clicks == 1


def test_name_that_another_type_has_taken_over_is_that_types(books):
    books.write("2026-06-01", clicks=1)
    RecommendationType.objects.filter(name="similar").update(name="alike")
    assert totals(books.scope(type_name="similar")).now.clicks == 0
    RecommendationType.objects.create(
        tenant=books.market.tenant, name="similar", kind="product", strategy="substitutes"
    )
    books.write("2026-06-01", clicks=2, position=2)
    books.write("2026-06-01", "deleted since", clicks=4)
    assert totals(books.scope(type_name="similar")).now.clicks == 2
    assert totals(books.scope(type_name="alike")).now.clicks == 1
    assert totals(books.scope(type_name="deleted since")).now.clicks == 4


def test_today_is_that_of_the_counters(books, monkeypatch):
    now = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    assert today() == date(2026, 6, 1)
    Rollup.objects.update(time_zone="Pacific/Auckland")
    assert today() == date(2026, 6, 2)


def test_markets_of_one_tenant_only(books):
    fields = {"tenant": books.market.tenant, "slug": "fi", "currency": "EUR"}
    finland = Market.objects.create(default_locale="fi-FI", **fields)
    books.write("2026-06-01", clicks=1)
    Books(finland).write("2026-06-01", clicks=2)
    Books(shops.make_shop("other")).write("2026-06-01", clicks=100)
    rows = by_market(books.scope())
    assert [(row.label, row.now.clicks) for row in rows] == [("fi", 2), ("se", 1)]
    assert totals(books.scope()).now.clicks == 3
    assert totals(books.scope(market_pk=finland.pk)).now.clicks == 2


def test_counters_that_are_being_rebuilt_are_not_seen(books):
    books.write("2026-06-01", clicks=1)
    books.rollup = Rollup.objects.create(live=False, time_zone="UTC")
    books.write("2026-06-01", clicks=1)
    assert totals(books.scope()).now.clicks == 1


@pytest.mark.parametrize("breakdown", list(Breakdown))
@pytest.mark.parametrize("days", [1, 1000])
def test_queries_do_not_grow(books, django_assert_max_num_queries, breakdown, days):
    for number in range(1, 9):
        books.write(f"2026-06-0{number}", clicks=number, position=number, variant=number)
    books.write("2026-06-10", clicks=1)
    period = Period(start=date.fromordinal(JUNE.end.toordinal() - days + 1), end=JUNE.end)
    with django_assert_max_num_queries(10):
        assert report(books.scope(period=period), breakdown)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-06-02", "2026-06-01", "after its end"),
        ("2020-01-01", "2026-06-01", "1100 is the most"),
        ("0001-01-01", "0001-01-02", "before there were shops"),
    ],
)
def test_periods_that_cannot_be(start, end, words):
    with pytest.raises(ValueError, match=words):
        Period(start=date.fromisoformat(start), end=date.fromisoformat(end))


def test_freshness_is_that_of_the_last_rollup(shop):
    roll_up()
    assert freshness().time_zone == "UTC"
    assert freshness().counted_at is not None
