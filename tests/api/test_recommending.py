"""From the request over HTTP to real displays, on the small shop with a model of its events."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import jsonschema
import pytest
from django.test import Client
from rest_framework.request import Request

from depict_reco.models import ApiKey, Product

CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text())
V2 = {"tenant": "acme", "market": "se", "type": "checkout", "product_ids": ["teapot-1"]}
V3 = {"merchant": "acme", "market": "se", "locale": "sv-SE", "type": "checkout",
      "product_ids": ["teapot-1"]}  # fmt: skip


@pytest.fixture
def ask(trained_shop, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    secret = ApiKey.objects.issue(trained_shop.tenant, name="shop", scopes=["recommend"])[1]
    client = Client(headers={"X-API-KEY": secret})

    def post(path, body, **headers):
        response = client.post(path, json.dumps(body), content_type="text/plain", headers=headers)
        assert response.status_code == 200, response.content
        return response.json()

    return post


def check_against_contract(answer, name):
    root = {"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]}
    jsonschema.Draft202012Validator(root).validate(answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/recommend/products/general", {"type": "popular"}),
        ("/v2/recommend/products/product", {"type": "similar", "product_id": "teapot-1"}),
        ("/v2/recommend/products/category", {"type": "category", "category_id": "garden"}),
        ("/v2/recommend/products/products", {"type": "checkout", "product_ids": ["teapot-1"]}),
        ("/v2/recommend/products/products", {"type": "popular", "product_ids": []}),
        ("/v2/recommend/products/product", {"type": "for_you", "product_id": "nonsense"}),
    ],
)
def test_v2_answers_flat_displays(ask, path, body):
    answer = ask(path, {"tenant": "acme", "market": "se", **body})

    check_against_contract(answer, "RecommendResponse")
    legacy = {"$ref": "#/components/schemas/LegacyDisplay", "components": CONTRACT["components"]}
    assert len(answer["displays"]) == 20
    for display in answer["displays"]:
        jsonschema.Draft202012Validator(legacy).validate(display)
        assert "variant_displays" not in display


def test_v2_takes_the_anchor_of_its_endpoint(ask):
    about = {"tenant": "acme", "market": "se", "limit": 3}
    path = "/v2/recommend/products"

    product = ask(f"{path}/product", {**about, "type": "cross_sell", "product_id": "teapot-1"})
    basket = ask(f"{path}/products", {**about, "type": "checkout", "product_ids": ["spade-2"]})
    category = ask(f"{path}/category", {**about, "type": "category", "category_id": "garden"})

    assert product["displays"][0]["product_id"] == "teacup-1"
    assert basket["displays"][0]["product_id"] == "glove-2"
    assert {display["product_id"].split("-")[0] for display in category["displays"]} <= {
        "spade",
        "glove",
    }


def test_v3_answers_displays_with_variants(ask):
    answer = ask("/v3/recommend/products", V3)

    check_against_contract(answer, "RecommendResponseV3")
    first = answer["displays"][0]
    assert first["variant_displays"][first["variant_index"]]["product_id"] == "teacup-1"
    assert first["recommendation_id"]


def test_v3_with_a_locale_that_the_market_lacks_answers_in_its_default(ask, trained_shop):
    Product.objects.filter(product_id="teacup-1").change(texts={"en-SE": {"title": "Cup one"}})

    def title(locale):
        display = ask("/v3/recommend/products", {**V3, "locale": locale, "limit": 1})["displays"][0]
        return display["variant_displays"][display["variant_index"]]["title"]

    assert title("en-SE") == "Cup one"
    assert title("xx-XX") == title("sv-SE") == "Teacup 1"


def test_get_displays_answers_the_products_it_knows(ask):
    answer = ask(
        "/v3/get-displays",
        {"merchant": "acme", "market": "se", "locale": "sv-SE",
         "product_ids": ["teapot-2", "nonsense", "spade-1"]},
    )  # fmt: skip

    shown = [
        display["variant_displays"][display["variant_index"]]["product_id"]
        for display in answer["displays"]
    ]
    assert shown == ["teapot-2", "spade-1"]


def test_limit_is_kept(ask):
    for limit, count in [(1, 1), (5.0, 5), (None, 20)]:
        answer = ask("/v2/recommend/products/products", {**V2, "limit": limit})
        assert len(answer["displays"]) == count


def test_logic_is_told_to_those_who_debug(ask):
    plain = ask("/v2/recommend/products/products", V2)
    debugging = ask("/v2/recommend/products/products", V2, **{"X-Debug": "true"})

    assert "logic" not in plain["displays"][0]
    assert debugging["displays"][0]["logic"]


def test_an_unknown_type_or_market_is_told_in_the_documented_words(ask):
    for changed in ({"type": "nonsense"}, {"market": "xx"}, {"type": "\0😀"}):
        answer = ask("/v2/recommend/products/products", {**V2, **changed})

        check_against_contract(answer, "RecommendResponse")
        assert answer == {
            "displays": [],
            "error": "(tenant, market, type) not yet configured. Please contact Depict.",
        }


def test_odd_ids_are_answered(ask):
    body = {**V2, "type": "for_you", "product_ids": ["\0", "😀", "x" * 100_000, "", "a/b"],
            "user_id": "\0", "session_id": "x" * 100_000, "dsid": "😀"}  # fmt: skip

    assert ask("/v2/recommend/products/products", body)["displays"]


def test_a_warm_process_asks_nothing_without_a_shopper_and_once_with_one(
    ask, django_assert_num_queries, django_assert_max_num_queries
):
    shopper = {**V2, "type": "for_you", "session_id": "session-of-somebody"}
    ask("/v2/recommend/products/products", V2)
    ask("/v2/recommend/products/products", shopper)

    with django_assert_num_queries(0):
        ask("/v2/recommend/products/products", V2)
        ask("/v3/recommend/products", V3)
        ask("/v2/recommend/products/products", {**V2, "product_ids": ["nonsense"]})
    with django_assert_max_num_queries(1):
        ask("/v2/recommend/products/products", shopper)


def test_a_request_is_gone_with_its_answer(ask):
    def alive():
        return [one for one in gc.get_objects() if type(one) is Request]

    ask("/v2/recommend/products/products", V2)
    gc.collect()
    gc.disable()  # which would take what is left
    try:
        before = alive()  # other tests' may be there
        ask("/v2/recommend/products/products", V2)
        assert len(alive()) == len(before)
    finally:
        gc.enable()
