from __future__ import annotations

import json

import pytest

from depict_reco.models import Market, Product, RecommendationType, Tenant
from depict_reco.serving.requests import Answer

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

    def answer(question):
        questions.append(question)
        display = {
            "product_id": "cup", "title": "Cup <b>", "original_price": 20.0, "sale_price": 15.5,
            "currency": "SEK", "image_url": "https://img.example/cup.jpg", "logic": "substitutes",
        }  # fmt: skip
        return Answer(body=json.dumps({"displays": [display]}).encode(), product_ids=("cup",))

    monkeypatch.setattr("depict_reco.admin.preview.recommend", answer)
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
    assert f'href="{LIST}{shop.kind.pk}/preview/"' in page


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
