from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.models import Market, RecommendationType, Rollup, Tenant
from tests.admin.results.conftest import DAYS

URL = "/admin/depict_reco/results/"


def words(response) -> str:
    """Return what stands on a page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.text))


def charts(response) -> dict[str, dict]:
    found = re.search(r'<script id="reco-charts-data"[^>]*>(.*?)</script>', response.text, re.S)
    return {chart["id"]: chart for chart in json.loads(found[1])} if found else {}


def test_without_a_shop_the_page_says_what_to_do(admin_client):
    assert "There is no shop yet." in words(admin_client.get(URL))


def test_before_anything_is_counted_the_page_says_what_to_do(admin_client, market):
    text = words(admin_client.get(URL))
    assert "Nothing has been counted yet." in text
    assert "python manage.py reco_rollup" in text


def test_without_figures_the_page_says_what_to_do(admin_client, market, rollup):
    response = admin_client.get(URL, DAYS)
    assert "No recommendation was seen, clicked or served in these days." in words(response)
    link = f'href="/admin/depict_reco/trackingstatus/?market={market.pk}"'
    assert link in response.text
    assert charts(response) == {}
    assert "reco-report" not in response.text


def test_sales_without_recommendations_are_told(admin_client, count):
    count(type_pk=0, type_name="", position=0, other_orders=3, other_revenue=900)
    text = words(admin_client.get(URL, DAYS))
    assert "No recommendation was seen" in text
    assert "attributed, of all sales: 900.00 SEK" in text


def test_figures_stand_beside_those_before(admin_client, figures):
    text = words(admin_client.get(URL, DAYS))

    assert "May 9, 2026 to May 10, 2026, compared with May 7, 2026 to May 8, 2026." in text
    assert "days of Europe/Stockholm" in text
    assert (
        "Click rate 5.00 % 4.37 % to 5.72 % clicks per recommendation seen: 200 of 4,000 "
        "before 2.50 % ▲ +100 %"
    ) in text
    # 50 of 200 is 25 of 100 again: no difference
    assert "added to the cart per click: 50 of 200 before 25.0 % ±0.0 %" in text
    assert "Attributed revenue 1,050 SEK" in text
    assert "1,000 direct, 50.50 assisted" in text
    assert "Share of revenue 10.5 % attributed, of all sales: 10,000 SEK" in text


def test_tables_have_a_line_for_each_place(admin_client, figures):
    response = admin_client.get(URL, DAYS)
    tables = {table.breakdown: table for table in response.context["tables"]}

    assert list(tables) == ["type", "position", "time"]
    [similar] = tables["type"].lines
    assert (similar.label, similar.served.value, similar.visible.value) == (
        "similar", "6,000", "4,000",
    )  # fmt: skip
    assert [line.label for line in tables["position"].lines] == ["1", "2"]
    assert [line.label for line in tables["time"].lines] == ["May 9, 2026", "May 10, 2026"]
    assert [line.click_rate.value for line in tables["time"].lines] == ["4.00 %", "6.00 %"]
    assert "Served (estimate)" in words(response)


def test_without_a_count_of_what_was_served_there_is_no_column(admin_client, count):
    count(visible=10, clicks=1)
    assert "Served (estimate)" not in words(admin_client.get(URL, DAYS))


def test_charts_show_the_same_numbers(admin_client, figures):
    found = charts(admin_client.get(URL, DAYS))

    assert list(found) == [
        "reco-chart-click_rate", "reco-chart-cart_rate", "reco-chart-conversion",
        "reco-chart-revenue", "reco-chart-position",
    ]  # fmt: skip
    clicks = found["reco-chart-click_rate"]
    assert clicks["x"] == [1778284800, 1778371200]  # midnight in UTC of both days
    now, before = clicks["series"]
    assert (now["values"], before["values"]) == ([4.0, 6.0], [2.0, 3.0])
    assert now["low"] == [3.2257, 5.0411]
    assert now["high"] == [4.9507, 7.1276]
    assert found["reco-chart-revenue"]["series"][0]["values"] == [0.0, 1050.5]
    assert found["reco-chart-position"]["x"] == [1, 2]
    assert found["reco-chart-position"]["series"][0]["values"] == [5.0, None]


def test_markets_and_variants_have_tables_where_there_are_several(
    admin_client, market, figures, count
):
    Market.objects.create(tenant=market.tenant, slug="no", currency="NOK", default_locale="nb")
    count(variant=1, visible=10)
    tables = admin_client.get(URL, DAYS).context["tables"]
    assert [table.breakdown for table in tables] == [
        "type", "position", "market", "variant", "time",
    ]  # fmt: skip
    tables = admin_client.get(URL, {**DAYS, "market": market.pk}).context["tables"]
    assert "market" not in [table.breakdown for table in tables]


def test_each_market_is_told_in_its_own_currency(admin_client, market, count):
    finland = Market.objects.create(
        tenant=market.tenant, slug="fi", currency="EUR", default_locale="fi"
    )
    count(clicks=5, direct_orders=1, direct_revenue=500)
    count(market=finland, clicks=5, currency="EUR", direct_orders=1, direct_revenue=40)
    tables = {one.breakdown: one for one in admin_client.get(URL, DAYS).context["tables"]}
    assert [(one.label, one.revenue.value, one.share.value) for one in tables["market"].lines] == [
        ("fi", "40.00 EUR", "100 %"), ("se", "500.00 SEK", "100 %"),
    ]  # fmt: skip


def test_currency_can_be_chosen(admin_client, market, count):
    amounts = {"EUR": 40, "SEK": 500, "NOK": 30, "DKK": 20}
    for currency, amount in amounts.items():
        count(clicks=5, currency=currency, direct_orders=1, direct_revenue=amount)

    def told(**query):
        response = admin_client.get(URL, {**DAYS, **query})
        [line] = next(one for one in response.context["tables"] if one.breakdown == "type").lines
        revenue = charts(response)["reco-chart-revenue"]
        return line.revenue.value, revenue["unit"], revenue["series"][0]["values"]

    assert told() == ("500.00 SEK", "SEK", [0.0, 500.0])
    assert told(currency="EUR") == ("40.00 EUR", "EUR", [0.0, 40.0])
    assert told(currency="XXX") == told()
    response = admin_client.get(URL, {**DAYS, "currency": "NOK"})
    assert "Charts and tables show those in NOK" in words(response)
    assert '<option value="NOK" selected>NOK</option>' in response.text
    cards = [told.value for title, _help, told in response.context["cards"] if "Attr" in title]
    assert cards == ["30.00 NOK", "500.00 SEK", "40.00 EUR", "20.00 DKK"]


def test_one_currency_needs_no_box(admin_client, figures):
    assert 'name="currency"' not in admin_client.get(URL, DAYS).text


def test_boxes_narrow_the_figures(admin_client, market, figures, count):
    norway = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb"
    )
    count(market=norway, visible=7, currency="NOK")
    count(variant=3, visible=5)
    other = RecommendationType.objects.create(
        tenant=market.tenant, name="upsell", kind="product", strategy="substitutes"
    )
    count(type_pk=other.pk, type_name="upsell", visible=3)

    def seen(**query):
        return admin_client.get(URL, {**DAYS, **query}).context["total"].now.visible

    assert seen() == 4015
    assert seen(market=norway.pk) == 7
    assert seen(variant="3") == 5
    assert seen(type="upsell") == 3
    assert seen(start="2026-05-10") == 2015
    assert seen(type="gone") == 0


def test_own_days_or_the_last_ones(admin_client, rollup, market):
    def period(**query):
        found = admin_client.get(URL, query).context["scope"].period
        return found.days

    assert period() == 28
    assert period(days="7") == 7
    assert period(days="90", **DAYS) == 90
    assert period(days="own", **DAYS) == 2
    assert period(days="own", end="2026-05-10") == 28


@pytest.mark.parametrize(
    "query",
    [
        {"start": "2026-05-10", "end": "2026-05-09"},
        {"start": "1990-01-01", "end": "2026-05-09"},
        {"start": "0001-01-01", "end": "0001-01-02"},
        {"start": "soon"},
        {"variant": "99"},
        {"days": "8"},
        {"market": "x"},
        {"market": "9" * 30},
    ],
)
def test_boxes_that_make_no_sense_are_said_to(admin_client, figures, query):
    response = admin_client.get(URL, {**DAYS, **query})
    assert response.status_code == 200
    assert "errorlist" in response.text or "errornote" in response.text
    assert "cards" not in response.context
    assert admin_client.get(f"{URL}csv/", {**DAYS, **query, "breakdown": "type"}).status_code == 404


def test_a_market_names_its_shop(admin_client, figures):
    second = Tenant.objects.create(slug="zeta", name="Zeta")
    theirs = Market.objects.create(tenant=second, slug="dk", currency="DKK", default_locale="da")
    response = admin_client.get(URL, {"market": theirs.pk})
    assert response.context["tenant"] == second
    assert response.context["scope"].market_pk == theirs.pk
    assert admin_client.get(URL, {"tenant": second.pk}).context["tenant"] == second


def test_it_is_for_those_who_may_see_daily_counters(staff, client, figures):
    for page in ("", "csv/?breakdown=type"):
        assert staff().get(URL + page).status_code == 403
        assert staff("view_event", "view_market").get(URL + page).status_code == 403
        assert staff("view_dailycounter").get(URL + page).status_code == 200
        assert client.get(URL + page).status_code == 302


def test_index_tenant_and_market_lead_there(admin_client, staff, market):
    assert URL in staff("view_dailycounter").get("/admin/").text
    assert URL not in staff("view_event").get("/admin/").text
    market_page = f"/admin/depict_reco/market/{market.pk}/change/"
    assert f"{URL}?market={market.pk}" in admin_client.get(market_page).text
    assert URL not in staff("view_market").get(market_page).text
    tenant_page = f"/admin/depict_reco/tenant/{market.tenant_id}/change/"
    assert f"{URL}?tenant={market.tenant_id}" in admin_client.get(tenant_page).text


def test_queries_are_few_and_do_not_grow(admin_client, market, figures, count):
    count(variant=1, visible=10)
    Market.objects.create(tenant=market.tenant, slug="no", currency="NOK", default_locale="nb")
    admin_client.get(URL, DAYS)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(URL, DAYS)
    for position in range(2, 30):
        count(position=position, variant=position % 4, visible=5, clicks=1)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(URL, DAYS)
    assert len(many) == len(few) <= 70


def test_pages_hold_no_script_or_style_of_their_own(admin_client, figures):
    text = admin_client.get(URL, DAYS).text
    scripts = re.findall(r"<script[^>]*>", text)
    assert all("src=" in tag or 'type="application/json"' in tag for tag in scripts)
    assert " style=" not in text
    assert "<style" not in text
    assert not re.search(r" on[a-z]+=", text)


def test_names_of_types_are_escaped(admin_client, count):
    count(type_pk=999, type_name="</script><b>x</b>", visible=4)
    response = admin_client.get(URL, DAYS)
    assert "<b>x</b>" not in response.text
    assert "&lt;b&gt;x&lt;/b&gt;" in response.text


def test_a_rollup_that_is_not_live_counts_for_nothing(admin_client, figures):
    Rollup.objects.update(live=False)
    assert "Nothing has been counted yet." in words(admin_client.get(URL, DAYS))
