from __future__ import annotations

import pytest

from depict_reco.catalog.categories import ensure_categories, parent_id, path_id
from depict_reco.catalog.models import catalog_change
from depict_reco.models import Category, Market, Tenant


@pytest.fixture
def market(db: None) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")


@pytest.mark.parametrize(
    ("category_id", "parent"),
    [
        ("A > B > C", "A > B"),
        ("A > B", "A"),
        ("A", None),
        ("A>B", None),
        (" > B", None),
        ("A > ", None),
        ("", None),
    ],
)
def test_the_parent_of_a_path(category_id, parent):
    assert parent_id(category_id) == parent


def test_a_path_is_no_longer_than_an_id():
    assert path_id(["a", "b"]) == "a > b"
    assert path_id(["a" * 250, "b", "c"]) == "a" * 250 + " > b"
    assert path_id(["a" * 300]) == ""


def ensure(market: Market, *ids: str) -> dict[str, int]:
    with catalog_change(market.pk):
        return ensure_categories(market, ids)


def tree() -> set[tuple[str, str, str | None]]:
    return set(Category.objects.values_list("category_id", "name", "parent__category_id"))


def test_a_path_is_made_with_its_parents(market):
    keys = ensure(market, "A > B > C", "x", "A > D")
    assert tree() == {
        ("A", "A", None),
        ("A > B", "B", "A"),
        ("A > B > C", "C", "A > B"),
        ("A > D", "D", "A"),
        ("x", "x", None),
    }
    assert keys == dict(Category.objects.values_list("category_id", "pk"))


def test_what_stands_is_left_alone(market, django_assert_num_queries):
    ensure(market, "A > B")
    Category.objects.filter(category_id="A").update(name="Named by hand")
    with catalog_change(market.pk), django_assert_num_queries(1):
        keys = ensure_categories(market, ["A > B"])
    assert set(keys) == {"A", "A > B"}
    assert ("A", "Named by hand", None) in tree()


def test_markets_have_trees_of_their_own(market):
    other = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    assert ensure(market, "A")["A"] != ensure(other, "A")["A"]
