from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from depict_reco.models import Event, Market, Product, RecommendationType, ServedCount, Tenant
from tests.admin.tracking.conftest import id_of

URL = "/admin/depict_reco/trackingstatus/"


def keys(text: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-pk="(\d+)"', text)]


def test_without_a_market_the_page_says_what_to_do(admin_client):
    assert "Add a tenant" in admin_client.get(URL).text


def test_without_events_the_page_says_what_to_do(admin_client, market):
    text = admin_client.get(URL).text
    assert "No event has arrived. To connect the shop:" in text
    assert keys(text) == []


def test_page_does_not_say_that_events_arrive_where_they_came_long_ago(
    admin_client, market, happen
):
    happen("page_view", product_id="pot", ago=20 * 24 * 3600)
    text = admin_client.get(URL).text
    assert "Nothing: events arrive" not in text
    assert "Nothing has arrived for" in text


def test_page_says_what_to_do_also_beside_findings(admin_client, market):
    ServedCount.objects.create(
        market=market, day=timezone.now().date(), type_pk=1, type_name="similar", position=1,
        served=3,
    )  # fmt: skip
    text = admin_client.get(URL).text
    assert "3 recommendations were sent since yesterday, and no event arrived." in text
    assert "No event has arrived. To connect the shop:" in text


def test_last_events_with_what_they_stand_for(admin_client, market, kind, happen):
    pot = Product.objects.get()
    click = happen("click", recommendation_id=id_of(pot, kind, position=2))
    wrong = happen("page_view", product_id="<b>what</b>", recommendation_id="made-up")
    text = admin_client.get(URL).text

    assert keys(text) == [wrong.pk, click.pk]
    assert f'<a href="/admin/depict_reco/recommendationtype/{kind.pk}/change/">similar</a>' in text
    assert "place 3" in text
    assert f'<a href="/admin/depict_reco/product/{pot.pk}/change/">Teapot</a>' in text
    assert "not a genuine recommendation id" in text
    assert "&lt;b&gt;what&lt;/b&gt;" in text
    assert "<b>what</b>" not in text
    assert "not in the catalogue" in text


def test_an_id_of_another_tenant_is_said_to_be_so_and_says_no_more(admin_client, market, happen):
    other = Tenant.objects.create(slug="rival", name="Rival")
    theirs = Market.objects.create(tenant=other, slug="se", currency="SEK", default_locale="sv")
    cup = Product.objects.create(market=theirs, product_id="cup", title="Secret cup")
    kind = RecommendationType.objects.create(
        tenant=other, name="hidden", kind="product", strategy="substitutes"
    )
    happen("click", recommendation_id=id_of(cup, kind))
    text = admin_client.get(URL, {"market": market.pk}).text

    assert "the recommendation id is another tenant&#x27;s" in text
    assert "Secret cup" not in text
    assert ">hidden<" not in text


def test_news_are_what_came_since(admin_client, market, happen):
    first = happen("page_view", product_id="pot")
    query = {"market": market.pk, "after": first.pk}
    assert admin_client.get(f"{URL}news/", query).json() == {"after": first.pk, "rows": ""}

    second = happen("click", product_id="pot")
    news = admin_client.get(f"{URL}news/", query)
    assert keys(news.json()["rows"]) == [second.pk]
    assert news.json()["after"] == second.pk
    assert "no-store" in news["Cache-Control"]


def test_news_hold_what_was_committed_late(admin_client, market, happen):
    late = happen("page_view", product_id="pot")
    last = happen("click", product_id="pot")
    Event.objects.filter(pk=late.pk).update(received_at=timezone.now())
    news = admin_client.get(f"{URL}news/", {"market": market.pk, "after": last.pk}).json()
    assert keys(news["rows"]) == [late.pk]


def test_news_of_other_markets_are_not_told(admin_client, market, happen):
    norway = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb"
    )
    event = happen("page_view", product_id="pot", market=norway)
    news = admin_client.get(f"{URL}news/", {"market": market.pk, "after": 0}).json()
    assert news == {"after": event.pk, "rows": ""}


@pytest.mark.parametrize("after", ["", "-1", "x", "9" * 30, "1e3"])
def test_news_after_nonsense_are_the_newest(admin_client, market, happen, after):
    event = happen("page_view", product_id="pot")
    news = admin_client.get(f"{URL}news/", {"market": market.pk, "after": after}).json()
    assert keys(news["rows"]) == [event.pk]


@pytest.mark.parametrize("page", ["news/", "findings/"])
@pytest.mark.parametrize("pk", ["", "0", "x", "9" * 30])
def test_a_market_that_is_not_there(admin_client, market, page, pk):
    assert admin_client.get(URL + page, {"market": pk}).status_code == 404
    assert admin_client.get(URL, {"market": pk}).status_code == 200


def test_findings_can_be_asked_for_alone(admin_client, market, happen):
    happen("page_view", product_id="what")
    found = admin_client.get(f"{URL}findings/", {"market": market.pk}).json()["findings"]
    assert "1 of 1 events name products that the catalogue does not have." in found
    assert "<code>what</code>" in found


@pytest.mark.parametrize("page", ["", "news/", "findings/"])
def test_it_is_for_those_who_may_see_events(staff, client, market, page):
    query = {"market": market.pk}
    assert staff().get(URL + page, query).status_code == 403
    assert staff("view_market", "view_product").get(URL + page, query).status_code == 403
    assert staff("view_event").get(URL + page, query).status_code == 200
    assert client.get(URL + page, query).status_code == 302


def test_the_index_names_the_page_to_those_who_may_see_events(staff, market):
    assert URL in staff("view_event").get("/admin/").text
    assert URL not in staff("view_market").get("/admin/").text


def test_pages_of_events_tenants_and_markets_lead_there(admin_client, staff, market, happen):
    happen("page_view", product_id="pot")
    link = f"{URL}?market={market.pk}"
    assert link in admin_client.get(f"/admin/depict_reco/market/{market.pk}/change/").text
    assert link in admin_client.get(f"/admin/depict_reco/tenant/{market.tenant_id}/change/").text
    assert URL in admin_client.get("/admin/depict_reco/event/").text
    blind = staff("view_market", "view_tenant")
    assert link not in blind.get(f"/admin/depict_reco/market/{market.pk}/change/").text


def test_queries_are_few_and_do_not_grow(admin_client, market, kind, happen):
    pot = Product.objects.get()

    def more(number):
        for at in range(number):
            name = f"s{Event.objects.count()}"
            happen("page_view", product_id="pot", session_id=name, ago=at)
            happen("click", recommendation_id=id_of(pot, kind), session_id=name, ago=at)
            happen("purchase", sku="SKU-9", session_id=name, transaction_id=name, ago=at)

    more(2)
    admin_client.get(URL)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(URL)
    more(60)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(URL)
    assert len(many) == len(few) <= 30
    with CaptureQueriesContext(connection) as news:
        admin_client.get(f"{URL}news/", {"market": market.pk, "after": 0})
    assert len(news) <= 10


def test_pages_hold_no_script_or_style_of_their_own(admin_client, market, happen):
    happen("page_view", product_id="what")
    text = admin_client.get(URL).text
    assert "<script>" not in text
    assert " style=" not in text
    assert "onclick=" not in text


def test_a_late_page_says_so(admin_client, market, happen):
    happen("page_view", product_id="pot")
    Event.objects.update(received_at=timezone.now() - timedelta(days=1))
    assert "back to" in admin_client.get(URL).text
