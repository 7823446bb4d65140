from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from depict_reco.admin import base
from depict_reco.models import Category, Market, Product
from tests.admin.conftest import act, confirm, messages_of

LIST = "/admin/depict_reco/product/"


def product_data(shop, **changes):
    return {
        "market": shop.market.pk,
        "product_id": "cup",
        "title": "Cup",
        "brand": "",
        "active": "on",
        "in_stock": "on",
        "price": "12.5",
        "sale_price": "",
        "currency": "",
        "quantity": "",
        "categories": [shop.category.pk],
        "sku": "",
        "item_group_id": "",
        "main_product_id": "",
        "page_url": "",
        "image_url": "",
        "additional_image_urls": "https://a.example/1.jpg\r\nhttps://a.example/2.jpg",
        "description": "",
        "texts": '{"en-GB": {"title": "Mug"}}',
        "attributes": '{"colour": "blue"}',
        **changes,
    }


def shown(client, **query):
    return [row.product_id for row in client.get(LIST, query).context["cl"].result_list]


@pytest.fixture
def many(shop):
    for number in range(3):
        Product.objects.create(
            market=shop.market, product_id=f"id {number}", sku=f"sku{number}", title=f"Cup {number}"
        )
    return shop


def test_product_is_added(admin_client, shop):
    response = admin_client.post(f"{LIST}add/", product_data(shop))
    assert response.status_code == 302
    cup = Product.objects.get(product_id="cup")
    assert cup.price == Decimal("12.5")
    assert cup.additional_image_urls == ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    assert cup.texts == {"en-GB": {"title": "Mug"}}
    assert cup.attributes == {"colour": "blue"}
    assert list(cup.categories.all()) == [shop.category]
    assert cup.revision > 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"attributes": '{"a": 1,\n "b" 2}'}, "Not valid JSON in line 2, column 6"),
        ({"attributes": "[1]"}, "This must be a JSON object"),
        ({"attributes": '{"a": NaN}'}, "NaN is not a JSON value."),
        ({"attributes": '{"a": "\\u0000"}'}, "Null characters are not allowed."),
        ({"attributes": '{"a":' * 40 + "1" + "}" * 40}, "This is nested too deeply."),
        ({"attributes": "[" * 100_000}, "This is nested too deeply."),
        ({"texts": '{"sv-SE": "Kopp"}'}, "Each locale holds an object of texts"),
        ({"texts": '{"sv-SE": {"colour": "x"}}'}, "Unknown text “colour” of “sv-SE”"),
        ({"price": "-1"}, "greater than or equal to 0"),
        ({"product_id": "pot"}, "already exists"),
        ({"market": ""}, "This field is required."),
    ],
)
def test_mistakes_are_explained(admin_client, shop, changes, error):
    response = admin_client.post(f"{LIST}add/", product_data(shop, **changes))
    assert response.status_code == 200
    assert error in str(response.context["errors"]).replace("&quot;", '"')
    assert Product.objects.count() == 1


def test_what_was_typed_stays_when_it_is_wrong(admin_client, shop):
    response = admin_client.post(f"{LIST}add/", product_data(shop, attributes="{oops"))
    assert ">\n{oops</textarea>" in response.text


def test_categories_of_another_market_are_refused(admin_client, shop):
    other = Market.objects.create(
        tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    foreign = Category.objects.create(market=other, category_id="x", name="Fremmed")
    response = admin_client.post(f"{LIST}add/", product_data(shop, categories=[foreign.pk]))
    assert "Not of this market: Fremmed." in response.text
    url = f"{LIST}{shop.product.pk}/change/"
    assert (
        "Not of this market"
        in admin_client.post(url, product_data(shop, categories=[foreign.pk])).text
    )


def test_identity_of_a_product_stays(admin_client, shop):
    url = f"{LIST}{shop.product.pk}/change/"
    assert admin_client.post(url, product_data(shop, product_id="other")).status_code == 302
    shop.product.refresh_from_db()
    assert (shop.product.product_id, shop.product.title) == ("pot", "Cup")


def test_saving_tells_serving_processes(admin_client, shop):
    before = Market.objects.get().catalog_revision
    admin_client.post(f"{LIST}{shop.product.pk}/change/", product_data(shop))
    after = Market.objects.get().catalog_revision
    assert after > before
    assert Product.objects.changed_since(before).get() == shop.product


def test_prices_are_written_as_people_do(admin_client, shop):
    page = admin_client.get(LIST).text
    assert "<del>299.50 SEK</del> <ins>199.00 SEK</ins>" in page
    form = admin_client.get(f"{LIST}{shop.product.pk}/change/").text
    assert 'value="299.50"' in form
    assert 'value="199.00"' in form


def test_pictures_give_nothing_away(admin_client, shop):
    page = admin_client.get(LIST).text
    assert (
        '<img src="https://img.example/pot.jpg" class="reco-thumbnail" alt="" loading="lazy" '
        'referrerpolicy="no-referrer">'
    ) in page


@pytest.mark.parametrize("field", ["image_url", "page_url"])
def test_addresses_of_feeds_cannot_carry_scripts(admin_client, shop, field):
    Product.objects.filter(pk=shop.product.pk).update(
        **{field: "javascript:alert(1)"}, title="<script>alert(2)</script>"
    )
    for page in (LIST, f"{LIST}{shop.product.pk}/change/"):
        text = admin_client.get(page).text
        assert 'href="javascript:' not in text
        assert 'src="javascript:' not in text
        assert "<script>alert(2)" not in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "cup"}, ["id 2", "id 1", "id 0"]),
        ({"q": "cup 1"}, ["id 1"]),
        ({"q": "id 1"}, ["id 1"]),
        ({"q": "sku2"}, ["id 2"]),
        ({"q": "nothing"}, []),
        ({"brand": "Höganäs"}, ["pot"]),
        ({"brand": "Höga"}, []),
        ({"hidden__exact": "1"}, []),
        ({"in_stock__exact": "1", "q": "tea"}, ["pot"]),
    ],
)
def test_search_and_filters(admin_client, many, query, found):
    assert shown(admin_client, **query) == found


def test_filters_by_market_and_category(admin_client, many):
    other = Market.objects.create(
        tenant=many.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    assert shown(admin_client, market=other.pk) == []
    assert len(shown(admin_client, market=many.market.pk)) == 4
    assert shown(admin_client, categories=many.category.pk) == ["pot"]
    assert shown(admin_client, categories="x") == []


def test_many_categories_are_searched_instead_of_listed(admin_client, shop):
    Category.objects.create(market=shop.market, category_id="pots", name="Pots")
    few = admin_client.get(LIST).text
    assert f"?categories={shop.category.pk}" in few
    Category.objects.bulk_create(
        Category(market=shop.market, category_id=str(i), name=f"Cups {i}") for i in range(40)
    )
    page = admin_client.get(LIST, {"categories": shop.category.pk}).text
    assert '<select name="categories" class="admin-autocomplete"' in page
    assert f'<option value="{shop.category.pk}" selected>Tea · acme/se</option>' in page
    assert "Cups 3" not in page


@pytest.mark.parametrize(
    ("action", "field", "before", "after", "message"),
    [
        ("hide", "hidden", False, True, "2 products were hidden."),
        ("unhide", "hidden", True, False, "2 products are no longer hidden."),
        ("restock", "in_stock", False, True, "2 products are in stock now."),
        ("sell_out", "in_stock", True, False, "2 products are sold out now."),
    ],
)
def test_actions_change_the_chosen_products(
    admin_client, many, action, field, before, after, message
):
    Product.objects.all().change(**{field: before})
    revision = Market.objects.get().catalog_revision
    chosen = Product.objects.filter(title__in=["Cup 0", "Cup 1"])
    response = act(admin_client, "product", action, *chosen.values_list("pk", flat=True))
    assert messages_of(response) == [message]
    changed = Product.objects.filter(**{field: after})
    assert set(changed.values_list("title", flat=True)) == {"Cup 0", "Cup 1"}
    assert set(Product.objects.changed_since(revision)) == set(changed)
    assert LogEntry.objects.count() == 2


def test_what_is_so_already_is_left_alone(admin_client, many):
    Product.objects.filter(product_id="pot").change(hidden=True)
    pks = list(Product.objects.values_list("pk", flat=True))
    assert messages_of(act(admin_client, "product", "hide", *pks)) == ["3 products were hidden."]


@pytest.mark.parametrize("action", ["hide", "unhide", "restock", "sell_out"])
def test_actions_need_the_right_to_change(staff, shop, action):
    Product.objects.all().change(hidden=action == "unhide", in_stock=action != "restock")
    before = Product.objects.values("hidden", "in_stock", "revision").get()
    client = staff("view_product")
    assert f'value="{action}"' not in client.get(LIST).text
    act(client, "product", action, shop.product.pk)
    assert Product.objects.values("hidden", "in_stock", "revision").get() == before
    act(staff("change_product"), "product", action, shop.product.pk)
    assert Product.objects.values("hidden", "in_stock", "revision").get() != before


def test_a_choice_over_all_pages_is_asked_about(admin_client, many):
    across = {"select_across": "1"}
    page = act(admin_client, "product", "hide", many.product.pk, query="?q=cup", **across)
    assert "Hide 3 products?" in page.text
    assert not Product.objects.filter(hidden=True).exists()
    answer = act(
        admin_client, "product", "hide", many.product.pk, query="?q=cup", _confirmed="yes", **across
    )
    assert messages_of(answer) == ["3 products were hidden."]
    assert Product.objects.get(hidden=False).product_id == "pot"


def test_only_so_many_are_deleted_at_once(admin_client, many, monkeypatch):
    monkeypatch.setattr(base, "_DELETED_AT_ONCE", 2)
    response = act(
        admin_client, "product", "delete_selected", many.product.pk, select_across="1", post="yes"
    )
    assert messages_of(response) == [
        "At most 2 rows can be deleted at once. Narrow the list first."
    ]
    assert Product.objects.count() == 4


def test_deleting_tells_serving_processes(admin_client, many):
    before = Market.objects.get().deletion_revision
    act(admin_client, "product", "delete_selected", many.product.pk, post="yes")
    assert Product.objects.count() == 3
    assert Market.objects.get().deletion_revision > before


def test_product_page_offers_what_makes_sense(admin_client, shop):
    url = f"{LIST}{shop.product.pk}/change/"
    page = admin_client.get(url).text
    assert ">Hide</button>" in page
    assert ">Show again</button>" not in page
    response = confirm(
        admin_client, "product", "hide", shop.product.pk, _from_detail=shop.product.pk
    )
    assert response["Location"] == url
    assert ">Show again</button>" in admin_client.get(url).text


def test_category_cannot_lie_below_itself(admin_client, shop):
    child = Category.objects.create(
        market=shop.market, category_id="green", name="Green", parent=shop.category
    )
    url = f"/admin/depict_reco/category/{shop.category.pk}/change/"
    data = {"name": "Tea", "parent": child.pk, "page_url": ""}
    assert "one of its own branches" in admin_client.post(url, data).text
    data["parent"] = ""
    assert admin_client.post(url, data).status_code == 302
    page = admin_client.get(url).text
    assert "Green" in page
    assert f"/admin/depict_reco/product/?market={shop.market.pk}&amp;categories=" in page


def test_category_keeps_to_its_market(admin_client, shop):
    other = Market.objects.create(
        tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    foreign = Category.objects.create(market=other, category_id="x", name="Fremmed")
    data = {"market": shop.market.pk, "category_id": "new", "name": "New", "parent": foreign.pk}
    response = admin_client.post("/admin/depict_reco/category/add/", data)
    assert "Not of this market: Fremmed." in response.text
    data["parent"] = shop.category.pk
    assert admin_client.post("/admin/depict_reco/category/add/", data).status_code == 302
    assert Category.objects.get(category_id="new").parent == shop.category
