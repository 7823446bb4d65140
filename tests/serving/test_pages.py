"""Recommendations for pages that the shop renders itself."""

from __future__ import annotations

import logging
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.cache import SessionStore
from django.db import OperationalError
from django.test import RequestFactory

from depict_reco.models import Category, Market, Product, Tenant
from depict_reco.serving import pages
from depict_reco.serving.pages import Recommendations, recommendations
from tests import shop as shops

pytestmark = pytest.mark.django_db


def visit(*, cookie: str = "", language: str = ""):
    request = RequestFactory().get("/")
    if cookie:
        request.COOKIES["_dep_id"] = cookie
    if language:
        request.LANGUAGE_CODE = language
    return request


def ids(found: Recommendations) -> list[str]:
    assert found.problem == ""
    return [display.product_id for display in found]


# What a display says


def test_a_display_has_what_a_card_needs(trained_shop, settings):
    settings.DEPICT_RECO |= {"DISPLAY_ATTRIBUTES": ("badge", "title")}
    Product.objects.filter(product_id="teacup-1").change(
        price="12.5", sale_price="10", attributes={"badge": {"text": "new"}, "weight": 3}
    )
    (display,) = recommendations("cross_sell", product="teapot-1", limit=1)

    assert display.product_id == display.main_product_id == display.item_group_id == "teacup-1"
    assert (display.sku, display.title, display.brand) == (
        "sku-teacup-1", "Teacup 1", "Tea & Co",
    )  # fmt: skip
    assert (display.price, display.original_price) == (Decimal(10), Decimal("12.5"))
    assert display.discounted
    assert (display.currency, display.in_stock) == ("SEK", True)
    assert display.image_urls == [display.image_url] == ["https://img.example/teacup-1.jpg"]
    suffix = f"?recommendation_id={display.recommendation_id}"
    assert display.page_url == f"https://shop.example/teacup-1{suffix}"
    assert display.page_path == f"/teacup-1{suffix}"
    assert display.attributes == {"badge": {"text": "new"}}


def test_a_product_may_have_no_price(trained_shop):
    Product.objects.filter(product_id="teacup-1").change(price=None)
    (display,) = recommendations("cross_sell", product="teapot-1", limit=1)
    assert (display.price, display.original_price, display.discounted) == (None, None, False)


def test_the_answer_is_that_of_the_api(trained_shop):
    found = recommendations("similar", product="teapot-1", limit=4)
    assert found.answer is not None
    assert list(found.answer.product_ids) == ids(found)
    assert len({display.recommendation_id for display in found}) == 4


# What is asked


def test_one_tenant_with_one_market_goes_without_saying(trained_shop):
    found = recommendations("similar", product="teapot-1", limit=3)
    assert found.question is not None
    assert (found.question.tenant, found.question.market) == ("acme", "se")
    assert len(found) == 3


def test_products_are_named_in_any_way(trained_shop):
    stored = Product.objects.get(product_id="teapot-3")
    shown = recommendations("popular", limit=1)
    for given, expected in (
        ({"product": stored}, ("teapot-3",)),
        ({"product": {"product_id": 7}}, ("7",)),
        ({"product_ids": "teapot-3"}, ("teapot-3",)),
        ({"product_ids": [stored, 8, None, ""]}, ("teapot-3", "8")),
        ({"product_ids": Product.objects.filter(pk=stored.pk)}, ("teapot-3",)),
        ({"product_ids": shown}, (shown[0].product_id,)),
        ({"product_ids": {"spade-1": 2}, "product": stored}, ("spade-1", "teapot-3")),
        ({"product": "", "product_ids": ""}, ()),
        ({"product_ids": None}, ()),
    ):
        found = recommendations("checkout", **given)
        assert found.question is not None, found.problem
        assert found.question.product_ids == expected


def test_a_category_by_object_or_id(trained_shop):
    garden = Category.objects.get(category_id="garden")
    for given in (garden, "garden"):
        found = recommendations("category", category=given, limit=4)
        assert {name.partition("-")[0] for name in ids(found)} <= {"spade", "glove"}


def test_the_shopper_is_known_by_the_cookie_of_the_client(trained_shop):
    shops.add_event(trained_shop, "spade-2", session_id="0.k3x9")
    asked = visit(cookie="0.k3x9")
    assert ids(recommendations("recently_viewed", request=asked, limit=1)) == ["spade-2"]
    assert ids(recommendations("recently_viewed", session="0.k3x9", limit=1)) == ["spade-2"]
    other = recommendations("recently_viewed", request=asked, session="another", limit=1)
    assert other.question is not None
    assert other.question.session_id == "another"


def test_a_user_counts_when_signed_in(trained_shop):
    user = User(pk=41, username="me")
    for given, expected in ((user, "41"), (AnonymousUser(), None), ("c-7", "c-7"), (None, None)):
        found = recommendations("for_you", user=given)
        assert found.question is not None
        assert found.question.user_id == expected


def test_what_the_shopper_said_of_consent_counts(trained_shop):
    shops.add_event(trained_shop, "spade-2", session_id="me")
    Tenant.objects.filter(pk=trained_shop.tenant_id).update(consent_required=True)
    Tenant.objects.touch({trained_shop.tenant_id})
    for given, remembered in (
        (None, False), ("", False), (True, True), ("granted", True), (False, False), ("no", False),
    ):  # fmt: skip
        found = recommendations("recently_viewed", session="me", consent=given, limit=1)
        assert (ids(found) == ["spade-2"]) is remembered


def test_a_session_of_django_is_no_shopper_id(trained_shop):
    found = recommendations("for_you", session=SessionStore("secret"))
    assert found == []
    assert "not a SessionStore" in found.problem
    assert "secret" not in found.problem


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ("", None), ("en-se", "en-SE"), ("en", "en-SE"), ("en-gb", "en-SE"), ("sv", "sv-SE"),
        ("de", None),
    ],
)  # fmt: skip
def test_the_locale_follows_the_language_of_the_request(shop, language, locale):
    found = recommendations("popular", request=visit(language=language))
    assert found.question is not None
    assert found.question.locale == locale


def test_a_locale_that_is_given_counts(shop):
    found = recommendations("popular", request=visit(language="en"), locale="sv-SE")
    assert found.question is not None
    assert found.question.locale == "sv-SE"


def test_of_several_shops_one_is_named(shop, settings):
    other = Tenant.objects.create(slug="other")
    assert "There are 2 active tenants: pass tenant=" in recommendations("popular").problem
    assert recommendations("popular", market=shop).problem == ""
    assert recommendations("popular", tenant="acme").problem == ""
    assert "'other' has 0 active markets" in recommendations("popular", tenant=other).problem
    settings.DEPICT_RECO |= {"DEFAULT_TENANT": "acme"}
    assert recommendations("popular").problem == ""
    Market.objects.create(tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO")
    assert "'acme' has 2 active markets: pass market=" in recommendations("popular").problem
    settings.DEPICT_RECO |= {"DEFAULT_MARKET": "no"}
    found = recommendations("popular")
    assert found.question is not None
    assert found.question.market == "no"


# What goes wrong


@pytest.mark.parametrize(
    ("type_", "given", "problem"),
    [
        (
            "none",
            {},
            "Tenant 'acme' has no active type 'none' here; it has after_basket, ",
        ),
        ("popular", {"tenant": "x"}, "There is no active tenant 'x'."),
        ("popular", {"market": "x"}, "Tenant 'acme' has no active market 'x'."),
        ("popular", {"limit": 0}, "limit must be a number from 1 to 128, not 0."),
        ("popular", {"limit": "many"}, "limit must be a number from 1 to 128, not 'many'."),
        ("popular", {"limit": 129}, "limit must be a number from 1 to 128, not 129."),
        ("popular", {"market": SimpleNamespace(tenant_id=0, slug="se")}, "no active tenant 0"),
    ],
)
def test_a_mistake_is_told_and_leaves_an_empty_list(shop, caplog, type_, given, problem):
    with caplog.at_level(logging.WARNING, logger="depict_reco"):
        found = recommendations(type_, **given)
    assert found == []
    assert problem in found.problem
    assert problem in caplog.text


@pytest.mark.parametrize("error", [OperationalError("gone"), OSError("disk"), KeyError("x")])
def test_no_failure_reaches_the_page(shop, monkeypatch, caplog, error):
    def fail(request):
        raise error

    monkeypatch.setattr(pages, "recommend", fail)
    found = recommendations("popular")
    assert found == []
    assert str(error) in found.problem
    assert "No recommendations of type 'popular'" in caplog.text


def test_a_page_goes_on_without_the_database(trained_shop, settings, lasting_outage):
    assert len(recommendations("for_you", session="me", limit=5)) == 5
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    pages.directory().refresh()
    from depict_reco.tenants.outages import outages

    outages().database.begin()
    assert len(recommendations("for_you", session="me", limit=5)) == 5


# Queries


def test_a_warm_process_asks_the_database_nothing(
    trained_shop, settings, django_assert_num_queries
):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    market = Market.objects.get()
    product = Product.objects.get(product_id="teapot-1")
    recommendations("popular")
    asked = visit(cookie="me", language="sv")
    with django_assert_num_queries(0):
        for type_ in ("similar", "cross_sell", "popular", "trending"):
            assert recommendations(type_, request=asked, market=market, product=product)
    with django_assert_num_queries(1):
        assert recommendations("for_you", request=asked, market=market)
    with django_assert_num_queries(0):
        assert recommendations("for_you", request=visit(), market=market)
