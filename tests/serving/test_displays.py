from __future__ import annotations

import json
from decimal import Decimal

import pytest

from depict_reco.models import Product
from depict_reco.serving import encoding
from depict_reco.serving.displays import with_recommendation_id
from depict_reco.serving.recommend import displays_of
from depict_reco.serving.tracking import read_recommendation_id
from tests.serving.asking import answer, displays
from tests.shop import add_product

pytestmark = pytest.mark.django_db

FLAT = {
    "product_id", "main_product_id", "item_group_id", "sku", "title", "brand", "price",
    "original_price", "sale_price", "currency", "image_url", "image_urls", "page_url", "in_stock",
    "recommendation_id",
}  # fmt: skip
MODERN = {
    "recommendation_id", "variant_index", "variant_displays", "variant_skus",
    "variant_product_ids",
}  # fmt: skip


def shown(product_id, **fields):
    """Return the display of one product, whatever its place among the newest."""
    found = displays("new_in", limit=128, **fields)
    return next(x for x in found if product_id in json.dumps(x))


def lamp(shop, **fields):
    return add_product(shop, "lamp", **fields)


def test_a_flat_display_has_every_documented_field(shop):
    lamp(
        shop,
        sku="L-1",
        item_group_id="lamps",
        main_product_id="main-lamp",
        title="Lamp",
        brand="Lux",
        price=Decimal("100"),
        sale_price=Decimal("79.50"),
        additional_image_urls=["https://img.example/2.jpg", "", "https://img.example/3.jpg"],
    )

    display = shown("lamp")
    token = display["recommendation_id"]

    assert display == {
        "product_id": "lamp",
        "main_product_id": "main-lamp",
        "item_group_id": "lamps",
        "sku": "L-1",
        "title": "Lamp",
        "brand": "Lux",
        "price": "79.50",
        "original_price": 100,
        "sale_price": 79.5,
        "currency": "SEK",
        "image_url": "https://img.example/lamp.jpg",
        "image_urls": [
            "https://img.example/lamp.jpg",
            "https://img.example/2.jpg",
            "https://img.example/3.jpg",
        ],
        "page_url": f"https://shop.example/lamp?recommendation_id={token}",
        "in_stock": True,
        "recommendation_id": token,
    }


def test_what_a_product_lacks_is_filled_in_sensibly(shop):
    lamp(shop, price=None, image_url="", page_url="")

    display = shown("lamp")

    assert display["sku"] == display["item_group_id"] == display["main_product_id"] == "lamp"
    assert display["price"] is display["original_price"] is display["sale_price"] is None
    assert (display["image_url"], display["image_urls"], display["page_url"]) == ("", [], "")


@pytest.mark.parametrize(
    ("price", "sale_price", "text", "original", "current"),
    [
        ("100", None, "100.00", 100, 100),
        ("999", "899", "899.00", 999, 899),
        ("19.9", None, "19.90", 19.9, 19.9),
        ("0.125", None, "0.125", 0.125, 0.125),
        ("1000000", None, "1000000.00", 1000000, 1000000),
        ("0", None, "0.00", 0, 0),
        (None, "5", "5.00", 5, 5),
    ],
)
def test_prices_are_a_decimal_text_and_two_numbers(
    shop, price, sale_price, text, original, current
):
    lamp(shop, price=price, sale_price=sale_price)

    display = shown("lamp")

    assert display["price"] == text
    assert (display["original_price"], display["sale_price"]) == (original, current)
    assert type(display["original_price"]) is type(original)


def test_a_product_may_have_a_currency_of_its_own(shop):
    lamp(shop, currency="EUR")

    assert shown("lamp")["currency"] == "EUR"


def test_both_forms_carry_their_own_fields_and_never_those_of_the_other(shop):
    for display in displays("popular", limit=128):
        assert set(display) == FLAT
    for display in displays("popular", limit=128, variants=True):
        assert set(display) == MODERN
        for variant in display["variant_displays"]:
            assert set(variant) == FLAT


def test_the_variant_form_names_the_variants_and_points_at_the_recommended_one(shop):
    Product.objects.filter(product_id="bear-s").change(in_stock=False)
    Product.objects.filter(product_id="bear-l").change(sku="")

    bear = shown("bear-m", variants=True)

    assert bear["variant_product_ids"] == ["bear-s", "bear-m", "bear-l"]
    assert bear["variant_skus"] == ["sku-bear-s", "sku-bear-m", "bear-l"]
    assert bear["variant_index"] == 1
    variants = bear["variant_displays"]
    assert [variant["in_stock"] for variant in variants] == [False, True, True]
    assert {variant["recommendation_id"] for variant in variants} == {bear["recommendation_id"]}
    assert {variant["item_group_id"] for variant in variants} == {"bear"}


@pytest.mark.parametrize("change", [{"hidden": True}, {"active": False}])
def test_hidden_and_vanished_variants_are_not_shown(shop, change):
    Product.objects.filter(product_id="bear-m").change(**change)

    assert shown("bear-s", variants=True)["variant_product_ids"] == ["bear-s", "bear-l"]


def test_a_display_of_debugging_names_the_source_that_found_it(shop):
    assert displays("popular", debug=True, limit=1)[0]["logic"] == "catalogue"
    assert displays("popular", debug=True, limit=1, variants=True)[0]["logic"] == "catalogue"
    assert "logic" not in displays("popular", limit=1)[0]


def test_recommendation_ids_say_what_was_shown_where(shop):
    found = displays("popular", limit=3)
    type_pk = shop.tenant.recommendation_types.get(name="popular").pk

    for position, display in enumerate(found):
        told = read_recommendation_id(display["recommendation_id"])
        product = Product.objects.get(product_id=display["product_id"])
        assert (told.product_pk, told.type_pk, told.position) == (product.pk, type_pk, position)


def test_texts_follow_the_locale(shop):
    lamp(
        shop,
        title="Lampa",
        texts={"en-SE": {"title": "Lamp", "page_url": "https://shop.example/en/lamp"}},
    )

    assert shown("lamp")["title"] == "Lampa"
    assert shown("lamp", locale="sv-SE")["title"] == "Lampa"
    english = shown("lamp", locale="en-SE")
    assert english["title"] == "Lamp"
    assert english["page_url"].startswith("https://shop.example/en/lamp?recommendation_id=")


@pytest.mark.parametrize("locale", ["xx", "", "en-SE\0", "🐻", "\ud800"])
def test_an_unknown_locale_is_the_default_one(shop, locale):
    lamp(shop, title="Lampa", texts={"xx": {"title": "Lost"}})

    assert shown("lamp", locale=locale)["title"] == "Lampa"


def test_chosen_attributes_are_shown_and_cannot_displace_fields(shop, settings):
    lamp(shop, attributes={"colour": "red", "sizes": ["s", "m"], "title": "x", "secret": 1})
    assert "colour" not in shown("lamp")

    settings.DEPICT_RECO |= {"DISPLAY_ATTRIBUTES": ("colour", "sizes", "title", "absent")}
    display = shown("lamp")

    assert (display["colour"], display["sizes"]) == ("red", ["s", "m"])
    assert display["title"] == "Lamp"
    assert not {"absent", "secret"} & set(display)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/p", "https://a.example/p?recommendation_id=ID"),
        ("https://a.example/p?", "https://a.example/p?recommendation_id=ID"),
        ("https://a.example/p?q=1", "https://a.example/p?q=1&recommendation_id=ID"),
        ("https://a.example/p?q=1&", "https://a.example/p?q=1&recommendation_id=ID"),
        ("https://a.example/p#top", "https://a.example/p?recommendation_id=ID#top"),
        ("https://a.example/p?q=%C3%A5#a?b", "https://a.example/p?q=%C3%A5&recommendation_id=ID#a?b"),
        ("/p", "/p?recommendation_id=ID"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_page_url_keeps_its_query_and_fragment(url, expected):
    assert with_recommendation_id(url, "ID") == expected


def test_the_parameter_of_the_page_url_can_be_renamed_and_left_out(shop, settings):
    assert "recommendation_id=" in shown("puzzle-1")["page_url"]

    settings.DEPICT_RECO |= {"RECOMMENDATION_ID_PARAMETER": "rid"}
    display = shown("puzzle-1")
    assert display["page_url"] == (
        f"https://shop.example/puzzle-1?rid={display['recommendation_id']}"
    )

    settings.DEPICT_RECO |= {"RECOMMENDATION_ID_PARAMETER": ""}
    assert shown("puzzle-1")["page_url"] == "https://shop.example/puzzle-1"


def test_odd_texts_and_large_numbers_are_shown_as_they_are(shop, settings):
    settings.DEPICT_RECO |= {"DISPLAY_ATTRIBUTES": ("deep", "big")}
    name = 'odd/🐻 "quoted" \\ </script>'
    attributes = {"deep": {"a": [1, 2.5, None, True]}, "big": 2**70}
    add_product(shop, name, title="\u2028 \x07 Äpfel 🍎", attributes=attributes)

    display = next(x for x in displays("new_in", limit=128) if x["product_id"] == name)

    assert display["title"] == "\u2028 \x07 Äpfel 🍎"
    assert {key: display[key] for key in attributes} == attributes


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, 'åäö🐻\u2028\x00"\\/']},
        [0.1, 1e300, -0.0, 123456789012345],
        {"": {}, "b": []},
    ],
)
def test_both_encoders_say_the_same(value, monkeypatch):
    fast = encoding.to_json(value)
    monkeypatch.setattr(encoding, "orjson", None)

    assert json.loads(fast) == json.loads(encoding.to_json(value)) == value


@pytest.mark.parametrize("without", [False, True])
def test_what_utf8_cannot_say_becomes_a_question_mark(without, monkeypatch):
    if without:
        monkeypatch.setattr(encoding, "orjson", None)

    assert encoding.to_json({"a": "x\ud800y", "n": 2**70}) == (
        b'{"a":"x?y","n":1180591620717411303424}'
    )


def test_named_products_are_displayed_in_their_order_and_once(shop):
    body = json.loads(
        displays_of(
            tenant="acme",
            market="se",
            locale="sv-SE",
            product_ids=[
                "spade-1", "bear-m", "nope", "bear-s", "spade-1", "teapot-sold-out",
                "teapot-hidden", "teapot-gone",
            ],
        )
    )  # fmt: skip

    chosen = [x["variant_displays"][x["variant_index"]]["product_id"] for x in body["displays"]]
    assert chosen == ["spade-1", "bear-m", "bear-s", "teapot-sold-out"]
    tokens = [x["recommendation_id"] for x in body["displays"]]
    assert len(set(tokens)) == 4
    assert {read_recommendation_id(token).type_pk for token in tokens} == {0}


def test_products_of_nowhere_have_no_displays(shop):
    for tenant, market in (("nope", "se"), ("acme", "nope")):
        body = displays_of(tenant=tenant, market=market, locale="", product_ids=["spade-1"])
        assert body == b'{"displays":[]}'


def test_an_answer_is_json_in_utf8(shop):
    lamp(shop, title="Lampa för läsning")

    body = answer("new_in", limit=128).body

    assert "Lampa för läsning" in body.decode("utf-8")
