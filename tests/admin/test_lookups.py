from __future__ import annotations

import pytest

from depict_reco.models import Category, Market, Product, Tenant

MODELS = ["tenant", "market", "category", "product"]


def ask(client, model, **query):
    return client.get(f"/admin/depict_reco/{model}/lookup/", query).json()


@pytest.fixture
def two_markets(shop):
    other = Market.objects.create(
        tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    Category.objects.create(market=other, category_id="te", name="Te")
    Product.objects.create(market=other, product_id="kanne", title="Tekanne")
    return shop, other


def test_products_are_found_by_title_within_a_market(admin_client, two_markets):
    shop, _other = two_markets
    answer = ask(admin_client, "product", term="te", market=shop.market.pk, by_id=1)
    assert answer["results"] == [{"id": "pot", "text": "Teapot (pot)"}]
    assert answer["pagination"] == {"more": False}


def test_without_market_the_market_is_named(admin_client, two_markets):
    shop, other = two_markets
    assert ask(admin_client, "category", term="te")["results"] == [
        {"id": str(Category.objects.get(market=other).pk), "text": "Te · acme/no"},
        {"id": str(shop.category.pk), "text": "Tea · acme/se"},
    ]


def test_markets_of_a_tenant(admin_client, two_markets):
    shop, _other = two_markets
    stranger = Tenant.objects.create(slug="x", name="X")
    texts = [row["text"] for row in ask(admin_client, "market", tenant=shop.tenant.pk)["results"]]
    assert texts == ["acme/no", "acme/se"]
    assert ask(admin_client, "market", tenant=stranger.pk)["results"] == []


def test_answers_come_in_pages(admin_client, shop):
    Product.objects.bulk_create(
        Product(market=shop.market, product_id=f"{i:02}", title=f"Cup {i:02}") for i in range(25)
    )
    first = ask(admin_client, "product", term="cup")
    second = ask(admin_client, "product", term="cup", page=2)
    assert (len(first["results"]), first["pagination"]["more"]) == (20, True)
    assert (len(second["results"]), second["pagination"]["more"]) == (5, False)
    assert second["results"][0]["text"].startswith("Cup 20")
    for page in ("0", "x", "99999999999"):
        assert ask(admin_client, "product", page=page)["results"] is not None


@pytest.mark.parametrize("model", MODELS)
def test_lookups_need_the_right_to_view(staff, client, shop, model):
    url = f"/admin/depict_reco/{model}/lookup/"
    assert client.get(url).status_code == 302
    assert staff().get(url).status_code == 403
    assert staff(f"view_{model}").get(url).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_lookups_need_two_queries_at_most_beyond_the_session(
    admin_client, shop, model, django_assert_max_num_queries
):
    with django_assert_max_num_queries(4):
        ask(admin_client, model, term="a")
