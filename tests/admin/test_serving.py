from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.models import Market, Product, RecommendationType, Tenant
from depict_reco.serving.explain import Explained, LeftOut
from depict_reco.serving.reasons import Explanation
from depict_reco.serving.requests import Answer
from depict_reco.tasks import train_market
from tests import shop as shops
from tests.admin.conftest import messages_of

LIST = "/admin/depict_reco/recommendationtype/"


def type_data(shop, **changes):
    return {
        "tenant": shop.tenant.pk,
        "market": "",
        "name": "new_type",
        "kind": "product",
        "strategy": "complements",
        "default_limit": "12",
        "parameters": "{}",
        "active": "on",
        **changes,
    }


@pytest.fixture
def asked(monkeypatch):
    """Record the questions of the preview and answer them with one display."""
    questions = []

    def answer(question, *, left_out):
        questions.append(question)
        display = {
            "product_id": "cup", "title": "Cup <b>", "original_price": 20.0, "sale_price": 15.5,
            "currency": "SEK", "image_url": "https://img.example/cup.jpg", "logic": "substitutes",
        }  # fmt: skip
        said = [("bought together in <3> of 4 baskets", 0.875), ("same category: Tea", 0.125)]
        return Explained(
            answer=Answer(body=json.dumps({"displays": [display]}).encode()),
            explanations=(
                tuple(
                    Explanation(text=text, share=share, source="substitutes", part="views")
                    for text, share in said
                ),
            ),
            left_out=(
                LeftOut(product_id="pot", title="Teapot & lid", reason="sold out"),
                LeftOut(product_id="gone", title="Gone", reason="hidden"),
            )[:left_out],
        )

    monkeypatch.setattr("depict_reco.admin.preview.explained", answer)
    return questions


def test_type_is_added(admin_client, shop):
    parameters = '{"exclude_category_ids": ["tea"]}'
    data = type_data(shop, parameters=parameters, market=shop.market.pk)
    assert admin_client.post(f"{LIST}add/", data).status_code == 302
    kind = RecommendationType.objects.get(name="new_type")
    assert kind.parameters == {"exclude_category_ids": ["tea"]}
    assert kind.market == shop.market


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"parameters": '{"chian": []}'}, "Unknown parameter 'chian'"),
        ({"parameters": '{"chain": ["magic"]}'}, "Unknown source 'magic'"),
        ({"parameters": '{"chain": "popular"}'}, "must be a list of strings"),
        ({"parameters": "[]"}, "This must be a JSON object"),
        ({"default_limit": "0"}, "greater than or equal to 1"),
        ({"default_limit": "129"}, "less than or equal to 128"),
        ({"name": "similar"}, "already exists"),
        ({"strategy": "guess"}, "Select a valid choice"),
    ],
)
def test_mistakes_are_explained(admin_client, shop, changes, error):
    response = admin_client.post(f"{LIST}add/", type_data(shop, **changes))
    assert response.status_code == 200
    assert error in str(response.context["errors"]).replace("&#x27;", "'") or (
        "violated" in str(response.context["errors"]) and error == "already exists"
    )


def test_market_of_another_tenant_is_refused(admin_client, shop):
    other = Tenant.objects.create(slug="other", name="Other")
    market = Market.objects.create(tenant=other, slug="no", currency="NOK", default_locale="nb-NO")
    response = admin_client.post(f"{LIST}add/", type_data(shop, market=market.pk))
    assert "The market belongs to another tenant." in response.text


def test_page_explains_the_strategies(admin_client, shop):
    page = admin_client.get(f"{LIST}{shop.kind.pk}/change/").text
    assert "popular → catalogue" in page
    assert f'<a href="{LIST}{shop.kind.pk}/preview/">Try it</a>' in page


def test_preview_asks_what_was_chosen(admin_client, shop, asked):
    Product.objects.create(market=shop.market, product_id="cup", title="Cup")
    query = {
        "market": shop.market.pk, "product_ids": ["pot", "gone"], "category_id": "tea",
        "shopper": "user-1", "locale": "en-GB", "limit": "5",
    }  # fmt: skip
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", query)
    assert page.status_code == 200
    question = asked[0]
    assert (question.tenant, question.market, question.type) == ("acme", "se", "similar")
    assert question.product_ids == ("pot", "gone")
    assert (question.category_id, question.locale, question.limit) == ("tea", "en-GB", 5)
    assert question.shopper_ids == ("user-1",)
    assert question.debug is True
    text = page.text
    assert "Cup &lt;b&gt;" in text
    assert "<del>20.00 SEK</del> <ins>15.50 SEK</ins>" in text
    assert '<span class="reco-source">substitutes</span>' in text
    assert '<img src="https://img.example/cup.jpg"' in text
    assert "Teapot" in text.split("For these products")[1]
    assert '<option value="pot" selected>Teapot (pot)</option>' in text
    assert '<option value="gone" selected>gone</option>' in text
    assert "<span>bought together in &lt;3&gt; of 4 baskets</span>" in text
    assert '<span class="reco-share">88 %</span>' in text
    left_out = text.split("Left out")[1]
    assert f'<a href="/admin/depict_reco/product/{shop.product.pk}/change/">' in left_out
    assert "Teapot &amp; lid" in left_out
    assert "sold out" in left_out


def test_preview_begins_with_the_first_market(admin_client, shop, asked):
    assert admin_client.get(f"{LIST}{shop.kind.pk}/preview/").status_code == 200
    question = asked[0]
    assert (question.market, question.product_ids, question.limit) == ("se", (), None)
    assert question.shopper_ids == ()


def test_preview_refuses_odd_limits(admin_client, shop, asked):
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", {"limit": "500"})
    assert "less than or equal to 128" in page.text
    assert asked == []


def test_preview_shows_markets_of_the_tenant_only(admin_client, shop, asked):
    other = Tenant.objects.create(slug="other", name="Other")
    market = Market.objects.create(tenant=other, slug="no", currency="NOK", default_locale="nb-NO")
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", {"market": market.pk})
    assert asked[0].market == "se"
    assert "other/no" not in page.text


def test_preview_of_a_type_without_market_says_so(admin_client, db, asked):
    tenant = Tenant.objects.create(slug="empty", name="Empty")
    kind = RecommendationType.objects.create(
        tenant=tenant, name="x", kind="product", strategy="popular"
    )
    page = admin_client.get(f"{LIST}{kind.pk}/preview/")
    assert "no active market" in page.text
    assert asked == []


def test_preview_needs_the_right_to_view(staff, shop, asked):
    url = f"{LIST}{shop.kind.pk}/preview/"
    assert staff("view_product").get(url).status_code == 403
    assert asked == []
    assert staff("view_recommendationtype").get(url).status_code == 200


def test_preview_of_nothing_is_not_found(admin_client, db):
    assert admin_client.get(f"{LIST}999/preview/").status_code == 404


def test_preview_shows_what_serving_answers(admin_client, shop):
    """No stand-in: the market has no model, so the answer comes from the catalogue."""
    Product.objects.create(market=shop.market, product_id="cup", title="Cup", price=20)
    shop.market.current_artifact.delete()
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", {"product_ids": "pot"})
    assert page.status_code == 200
    assert [card.product_id for card in page.context["cards"]] == ["cup"]
    assert page.context["cards"][0].source


def test_preview_says_why(admin_client, shop, artifact_dir):
    """No stand-in: a model is trained, and what it counted stands on the page."""
    market = shops.make_shop("tea")
    shops.add_events(market)
    train_market(market)
    Product.objects.filter(market=market, product_id="teacup-1").change(in_stock=False)
    kind = RecommendationType.objects.get(tenant=market.tenant, name="checkout")
    query = {"product_ids": ["teapot-1", "spade-2"], "limit": "4"}
    page = admin_client.get(f"{LIST}{kind.pk}/preview/", query)
    text = "bought together with “Spade 2” in 12 of 12 baskets"
    assert page.context["cards"][0].product_id == "glove-2"
    assert page.context["cards"][0].reasons[0][0] == text
    assert text in page.text
    left_out = [(row.product_id, row.reason) for row in page.context["left_out"]]
    assert ("teacup-1", "sold out") in left_out


@pytest.mark.parametrize("type_", ["checkout", "trending"])
def test_preview_asks_the_database_as_often_for_many_products_as_for_few(admin_client, shop, type_):
    market = shops.make_shop("tea")
    kind = RecommendationType.objects.get(tenant=market.tenant, name=type_)
    counts = []
    for limit, products in ((2, 1), (2, 1), (26, 5)):
        query = {"product_ids": [f"teapot-{n + 1}" for n in range(products)], "limit": limit}
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(f"{LIST}{kind.pk}/preview/", query)
        assert len(page.context["cards"]) == min(limit, shops.ELIGIBLE - products)
        counts.append(len(captured))
    assert counts[1] == counts[2], [query["sql"] for query in captured]


def test_preview_holds_no_script_or_style_of_its_own(admin_client, shop, asked):
    text = admin_client.get(f"{LIST}{shop.kind.pk}/preview/").text
    assert "<script>" not in text
    assert " style=" not in text
    assert "onchange=" not in text


def test_another_type_is_asked_the_same(admin_client, shop, asked):
    other = RecommendationType.objects.create(
        tenant=shop.tenant, name="after", kind="product", strategy="complements"
    )
    url = f"{LIST}{shop.kind.pk}/preview/"
    page = admin_client.get(url)
    assert f'<option value="{other.pk}">after</option>' in page.text
    assert f'<option value="{shop.kind.pk}" selected>similar</option>' in page.text
    answer = admin_client.get(url, {"type": other.pk, "product_ids": ["a", "b&c"], "limit": 3})
    assert answer.status_code == 302
    assert answer.url == f"{LIST}{other.pk}/preview/?product_ids=a&product_ids=b%26c&limit=3"
    assert len(asked) == 1
    for odd in (shop.kind.pk, "", "²", "x"):
        assert admin_client.get(url, {"type": odd, "market": odd}).status_code == 200


def test_types_of_other_tenants_and_markets_are_not_offered(admin_client, shop, asked):
    tenant = Tenant.objects.create(slug="other", name="Other")
    RecommendationType.objects.create(
        tenant=tenant, name="theirs", kind="product", strategy="popular"
    )
    market = Market.objects.create(
        tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    for name, fields in (
        ("norwegian", {"market": market}), ("closed", {"active": False}),
    ):  # fmt: skip
        RecommendationType.objects.create(
            tenant=shop.tenant, name=name, kind="product", strategy="popular", **fields
        )
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", {"market": shop.market.pk})
    assert [name for _, name in page.context["form"].fields["type"].choices] == ["similar"]
    page = admin_client.get(f"{LIST}{shop.kind.pk}/preview/", {"market": market.pk})
    names = [name for _, name in page.context["form"].fields["type"].choices]
    assert names == ["similar", "norwegian (no)"]


# From a product


def product_url(shop, page):
    return f"/admin/depict_reco/product/{shop.product.pk}/{page}/"


def test_a_product_is_tried_in_a_type_about_one_product(admin_client, shop):
    for name, kind in (("about", "user_only"), ("best", "multi_product")):
        RecommendationType.objects.create(
            tenant=shop.tenant, name=name, kind=kind, strategy="popular"
        )
    page = admin_client.get(product_url(shop, "change"))
    assert f'<a href="{product_url(shop, "try")}">Try it</a>' in page.text
    answer = admin_client.get(product_url(shop, "try"))
    expected = f"{LIST}{shop.kind.pk}/preview/?market={shop.market.pk}&product_ids=pot"
    assert (answer.status_code, answer.url) == (302, expected)


def test_without_a_type_about_one_product_any_other_serves(admin_client, shop):
    RecommendationType.objects.filter(pk=shop.kind.pk).update(kind="user_only")
    assert f"{LIST}{shop.kind.pk}/preview/" in admin_client.get(product_url(shop, "try")).url


@pytest.mark.parametrize("closed", ["type", "market"])
def test_a_product_that_cannot_be_tried(admin_client, shop, closed):
    row = shop.kind if closed == "type" else shop.market
    type(row).objects.filter(pk=row.pk).update(active=False)
    answer = admin_client.get(product_url(shop, "try"))
    assert answer.url == product_url(shop, "change")
    assert messages_of(answer) == [
        "Nothing can be recommended in acme/se: it has no active type, or is closed."
    ]


def test_trying_a_product_needs_the_right_to_both(staff, shop):
    for rights in (["view_product"], ["view_recommendationtype"]):
        assert staff(*rights).get(product_url(shop, "try")).status_code == 403
    page = staff("view_product").get(product_url(shop, "change"))
    assert "Try it" not in page.text
    both = staff("view_product", "view_recommendationtype")
    assert both.get(product_url(shop, "try")).status_code == 302
    assert "Try it" in both.get(product_url(shop, "change")).text


def test_a_product_that_is_gone_cannot_be_tried(admin_client, db):
    assert admin_client.get("/admin/depict_reco/product/999/try/").status_code == 404
