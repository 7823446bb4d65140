from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.models import Event
from tests.admin.conftest import NOON

LIST = "/admin/depict_reco/event/"


@pytest.fixture
def events(shop):
    def add(number, **fields):
        return Event.objects.create(
            tenant=shop.tenant, market=shop.market, type="click",
            time=NOON - timedelta(hours=number), deduplication_id=f"x{number}", **fields,
        )  # fmt: skip

    return {
        "session": add(1, session_id="s-9", product_id="cup"),
        "user": add(2, user_id="u-9", product_id="cup"),
        "sku": add(3, sku="cup-blue"),
        "order": add(4, product_id="jug", transaction_id="order-9"),
    }


def found(client, **query):
    return [event.pk for event in client.get(LIST, query).context["cl"].result_list]


@pytest.mark.parametrize(
    ("term", "names"),
    [
        ("s-9", ["session"]),
        ("u-9", ["user"]),
        ("cup", ["user", "session"]),
        ("cup-blue", ["sku"]),
        ("order-9", ["order"]),
        (" order-9 ", ["order"]),
        ("order", []),
        ("s-", []),
    ],
)
def test_search_takes_whole_ids(admin_client, events, term, names):
    assert found(admin_client, q=term) == [events[name].pk for name in names]


def test_filters(admin_client, events, shop):
    assert len(found(admin_client, type__exact="click")) == 4
    assert found(admin_client, product_id="jug") == [events["order"].pk]
    assert found(admin_client, transaction_id="order-1") == [shop.event.pk]
    assert found(admin_client, product_id="ju") == []


def test_ids_without_an_index_are_looked_for_among_the_last_events(
    admin_client, events, monkeypatch
):
    monkeypatch.setattr("depict_reco.admin.events.SEARCHED", 2)

    assert found(admin_client, q="order-9") == [events["order"].pk]
    assert found(admin_client, q="cup-blue") == [events["sku"].pk]
    assert found(admin_client, q="cup") == []
    assert found(admin_client, product_id="cup") == []
    assert found(admin_client, q="s-9") == [events["session"].pk]


def test_newest_first_by_time_within_a_market(admin_client, events, shop):
    assert found(admin_client, market=shop.market.pk)[:2] == [shop.event.pk, events["session"].pk]
    assert found(admin_client)[0] == events["order"].pk  # over all markets: last come, first shown


def test_list_cannot_be_sorted_by_other_columns(admin_client, events):
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST, {"o": "4"})
    assert 'ORDER BY "depict_reco_event"."id" DESC' in queries[-2]["sql"] + queries[-1]["sql"]


@pytest.mark.parametrize(("term", "index"), [("s-9", "session"), ("u-9", "user")])
def test_search_of_a_shopper_uses_an_index(admin_client, events, term, index):
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST, {"q": term})
    search = [q["sql"] for q in queries if f"'{term}'" in q["sql"]][-1]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {search}")
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert f"reco_event_{index}_idx" in plan
        else:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {search}")
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "Seq Scan on depict_reco_event" not in plan


def test_search_never_looks_for_parts(admin_client, events):
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST, {"q": "cup"})
    assert not any("LIKE" in query["sql"].upper() for query in queries)


def test_page_leads_to_the_product(admin_client, shop, events):
    page = admin_client.get(f"{LIST}{shop.event.pk}/change/").text
    assert f'href="/admin/depict_reco/product/{shop.product.pk}/change/"' in page
    assert admin_client.get(f"{LIST}{events['sku'].pk}/change/").status_code == 200


def test_shopper_leads_to_the_rest_of_what_they_did(admin_client, shop):
    assert 'href="/admin/depict_reco/event/?q=user-1"' in admin_client.get(LIST).text
