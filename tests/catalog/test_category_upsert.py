from __future__ import annotations

import pytest

from depict_reco.catalog.category_upsert import upsert_categories
from depict_reco.catalog.records import CategoryRecord
from depict_reco.models import Category, Market, Tenant


@pytest.fixture
def market(db: None) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")


def upsert(market: Market, *records: CategoryRecord, **options: bool) -> list[str]:
    result = upsert_categories(market, records, **options)
    keys = dict(Category.objects.values_list("category_id", "pk"))
    for outcome in result.outcomes:
        if outcome.status != "rejected" and not options:
            assert outcome.pk == keys[outcome.product_id]
    return [
        str(outcome.status) + "".join(f" {x.field} {x.reason}" for x in outcome.problems)
        for outcome in result.outcomes
    ]


def tree() -> set[tuple[str, str, str | None, str]]:
    values = Category.objects.values_list("category_id", "name", "parent__category_id", "page_url")
    return set(values)


def category(category_id: str, **values: str) -> CategoryRecord:
    return CategoryRecord(category_id=category_id, **values)


def revision(market: Market) -> int:
    return Market.objects.values_list("catalog_revision", flat=True).get(pk=market.pk)


def test_a_tree_in_any_order(market):
    records = [
        category("shirts", name="Shirts", parent_id="clothes", page_url="https://s/shirts"),
        category("clothes", name="Clothes", parent_id=""),
        category("caps", name="Caps", parent_id="hats"),
    ]
    assert upsert(market, *records) == ["created"] * 3
    assert tree() == {
        ("clothes", "Clothes", None, ""),
        ("shirts", "Shirts", "clothes", "https://s/shirts"),
        ("hats", "hats", None, ""),
        ("caps", "Caps", "hats", ""),
    }
    assert revision(market) == 2
    assert upsert(market, *records) == ["unchanged"] * 3
    assert revision(market) == 2


def test_what_is_not_said_stays(market):
    upsert(market, category("a", name="A", parent_id="b", page_url="u"))
    assert upsert(market, category("a")) == ["unchanged"]
    assert upsert(market, category("a", name="New")) == ["updated"]
    assert upsert(market, category("a", parent_id="")) == ["updated"]
    assert ("a", "New", None, "u") in tree()


def test_a_tree_has_no_circles(market):
    found = upsert(
        market,
        category("a", parent_id="b"),
        category("b", parent_id="c"),
        category("c", parent_id="a"),
        category("d", parent_id="d"),
        category("e"),
    )
    assert found == [
        "created",
        "created",
        "rejected parent_id is below the category itself",
        "rejected parent_id is the category itself",
        "created",
    ]
    assert upsert(market, category("c", parent_id="a")) == [
        "rejected parent_id is below the category itself"
    ]
    assert upsert(market, category("a", parent_id=""), category("c", parent_id="a")) == [
        "updated",
        "updated",
    ]


def test_the_first_of_two_counts(market):
    assert upsert(market, category("a", name="One"), category("a", name="Two")) == [
        "created",
        "rejected category_id occurs twice; the first one counts",
    ]
    assert tree() == {("a", "One", None, "")}


def test_a_dry_run_writes_nothing(market):
    assert upsert(market, category("a", parent_id="b"), dry_run=True) == ["created"]
    assert tree() == set()
    assert revision(market) == 1
