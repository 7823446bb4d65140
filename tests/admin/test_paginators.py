from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.admin import paginators
from depict_reco.admin.paginators import CappedPaginator, count_up_to
from depict_reco.models import Product


@pytest.fixture
def products(shop):
    Product.objects.bulk_create(
        Product(market=shop.market, product_id=str(i), title=f"Cup {i}") for i in range(29)
    )
    return Product.objects.order_by("pk")


def test_count_stops_one_after_the_limit(products):
    assert count_up_to(products, 10) == 11
    assert count_up_to(products, 30) == 30
    assert count_up_to(products, 29) == 30


def test_pages_end_at_the_limit_and_say_so(products, monkeypatch):
    monkeypatch.setattr(paginators, "COUNT_LIMIT", 20)
    paginator = CappedPaginator(products, 10)
    # the default of count_up_to was bound when it was defined
    monkeypatch.setattr(paginators, "count_up_to", lambda rows: count_up_to(rows, 20))
    assert (paginator.count, paginator.num_pages, paginator.capped) == (20, 2, True)
    assert len(paginator.page(2).object_list) == 10


def test_small_tables_are_counted_exactly(products):
    paginator = CappedPaginator(products, 10)
    assert (paginator.count, paginator.num_pages, paginator.capped) == (30, 3, False)
    assert paginator.estimate is None


def test_lists_are_counted_too():
    assert CappedPaginator(["a", "b", "c"], 2).num_pages == 2


def test_product_list_counts_with_a_limit(admin_client, products):
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get("/admin/depict_reco/product/").status_code == 200
    counts = [q["sql"] for q in queries if "COUNT(" in q["sql"]]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


def test_list_says_that_there_is_more(admin_client, products, monkeypatch):
    monkeypatch.setattr(paginators, "COUNT_LIMIT", 20)
    monkeypatch.setattr(paginators, "count_up_to", lambda rows: count_up_to(rows, 20))
    text = admin_client.get("/admin/depict_reco/product/").text
    assert "The first 20 are listed; there are more." in text
    assert "Search or filter to find the rest." in text


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
def test_postgresql_estimates_the_whole_table(products, monkeypatch):
    monkeypatch.setattr(paginators, "COUNT_LIMIT", 20)
    monkeypatch.setattr(paginators, "count_up_to", lambda rows: count_up_to(rows, 20))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE depict_reco_product")
    assert CappedPaginator(products, 10).estimate == 30
    assert CappedPaginator(products.filter(hidden=False), 10).estimate is None
