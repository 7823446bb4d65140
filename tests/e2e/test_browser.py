"""Depict's own client in Chromium: what a shopper does arrives, once, where it belongs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT
from tests.e2e.storefront import Storefront

pytestmark = pytest.mark.browser

ROWS = """
from depict_reco.serving.tracking import read_recommendation_id
def meaning(text):
    found = read_recommendation_id(text)
    return found and {
        "type": RecommendationType.objects.get(pk=found.type_pk).name,
        "product_id": Product.objects.get(pk=found.product_pk).product_id,
        "position": found.position,
    }
fields = (
    "type", "session_id", "product_id", "sku", "quantity", "currency", "transaction_id",
    "recommendation_id",
)
result = [
    {**row, "price": str(row["price"]), "meaning": meaning(row["recommendation_id"])}
    for row in Event.objects.order_by("pk").values(*fields, "price")
]
"""
COUNTERS = """
from depict_reco.analytics.models import DailyCounter
from depict_reco.tasks import roll_up
roll_up()
fields = ("type_name", "position", "visible", "clicks", "direct_carts", "direct_orders")
result = [
    {**row, "direct_revenue": str(row["direct_revenue"])}
    for row in DailyCounter.objects.live().values(*fields, "direct_revenue")
]
"""
NUMBERS = ("clicks", "direct_carts", "direct_orders", "direct_revenue")


@pytest.fixture(scope="module")
def storefront(chromium):
    folder = Path(tempfile.mkdtemp(prefix="reco-browser-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    whole = Storefront(folder)
    try:
        whole.start()
        yield whole
    finally:
        whole.clean_up()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def visit(storefront, chromium):
    """What a shopper did in the shop; UPDATE_IMAGES=1 keeps pictures of it in docs/images."""
    images = ROOT / "docs/images" if os.environ.get("UPDATE_IMAGES") else None
    report = storefront.visit(chromium, images=images)
    assert report["problems"] == []
    return report


@pytest.fixture(scope="module")
def rows(visit, storefront):
    """The events in the database, once no more come; beacons come when they like."""
    end = time.monotonic() + 20
    while len(found := storefront.do(ROWS)) < len(expected(visit)):
        assert time.monotonic() < end, found
        time.sleep(0.2)
    time.sleep(1)  # what comes twice comes late
    return storefront.do(ROWS)


def shown(visit):
    """Return what each display was: its type, position and product."""
    return {
        display["recommendation_id"]: {
            "type": answer["question"]["type"],
            "product_id": display["product_id"],
            "position": position,
        }
        for answer in visit["answers"]
        for position, display in enumerate(answer["displays"])
    }


def expected(visit):
    """Return the events that are to be stored: type, product and display."""
    displays, found, followed, bought = shown(visit), [], {}, []
    for act in visit["acts"]:
        display = act.get("recommendation_id", "")
        if act["type"] == "purchase":
            found += [("purchase", product, "") for product in bought]
            continue
        product = act.get("product_id") or displays[display]["product_id"]
        if act["type"] == "click":
            followed[product] = display
        if act["type"] == "add_to_cart":
            bought.append(product)
        found.append((act["type"], product, display))
    # pages that a card led to carry its id in their address
    return [
        (kind, product, display or ("" if kind == "purchase" else followed[product]))
        for kind, product, display in found
    ]


def test_nothing_goes_to_other_hosts(visit):
    assert visit["hosts"] == ["127.0.0.1", "localhost"]


def test_all_four_kinds_are_fetched(visit):
    asked = {(one["path"].rpartition("/")[2], one["question"]["type"]) for one in visit["answers"]}
    assert asked == {
        ("general", "for_you"),
        ("product", "cross_sell"),
        ("product", "similar"),
        ("category", "category"),
        ("products", "checkout"),
    }
    assert {one["contentType"] for one in visit["answers"]} == {"text/plain;charset=UTF-8"}
    assert {one["question"]["dsid"] for one in visit["answers"]} == {
        frame["event"]["dsid"] for frame in visit["frames"]
    }


def test_answers_are_rendered_as_cards(visit):
    for answer in visit["answers"]:
        assert len(answer["displays"]) == 4
        assert answer["cards"] == [
            {
                "recommendationId": display["recommendation_id"],
                "productId": display["product_id"],
                "title": display["title"],
            }
            for display in answer["displays"]
        ]


def test_the_recommendations_are_those_of_the_shop(visit):
    first = next(one for one in visit["answers"] if one["question"]["type"] == "cross_sell")
    teapot = first["question"]["product_id"]
    assert teapot.startswith("teapot-")
    assert first["displays"][0]["product_id"] == teapot.replace("teapot", "teacup")


def test_frames_are_acknowledged_and_stored(visit):
    kinds = Counter(frame["event"]["type"] for frame in visit["frames"])
    assert kinds["element_visible"] == len(shown(visit)) == 28
    assert kinds["page_view"] == kinds["add_to_cart"] == 2
    assert kinds["ws_click"] in (1, 2, 3)  # a page that is left may take its click along
    answered = [visit["replies"].get(frame["id"]) for frame in visit["frames"]]
    unanswered = answered.count(None)
    assert answered.count(["ack", "ok"]) == len(answered) - unanswered
    assert unanswered <= 2


def test_the_database_holds_what_the_shopper_did_once_each(visit, rows):
    stored = [(row["type"], row["product_id"], row["recommendation_id"]) for row in rows]
    assert Counter(stored) == Counter(expected(visit))
    assert Counter(row["type"] for row in rows) == {
        "element_visible": 28, "page_view": 2, "click": 3, "add_to_cart": 2, "purchase": 2,
    }  # fmt: skip


def test_each_recommendation_is_known_by_type_product_and_position(visit, rows):
    displays = shown(visit)
    named = [row for row in rows if row["recommendation_id"]]
    assert len(named) == 35
    for row in named:
        assert row["meaning"] == displays[row["recommendation_id"]]
    clicks = [(row["meaning"]["type"], row["meaning"]["position"]) for row in rows
              if row["type"] == "click"]  # fmt: skip
    assert sorted(clicks) == [("category", 1), ("cross_sell", 0), ("for_you", 2)]


def test_the_order_is_of_one_shopper_and_names_products(visit, rows):
    lines = [row for row in rows if row["type"] == "purchase"]
    assert {row["sku"] for row in lines} == {f"sku-{row['product_id']}" for row in lines}
    for row in lines:
        assert (row["transaction_id"], row["quantity"], row["price"], row["currency"]) == (
            "order-1", 2, "100.0000", "SEK",
        )  # fmt: skip
    assert visit["purchaseAnswer"] == {"accepted": 2, "duplicates": 0}
    assert {row["session_id"] for row in rows} == {visit["frames"][0]["event"]["dsid"]}


def test_the_counters_credit_what_led_to_it(visit, rows, storefront):
    sums = defaultdict(Counter)  # what has a currency stands in rows of its own
    for row in storefront.do(COUNTERS):
        place = row.pop("type_name"), row.pop("position")
        sums[place].update({name: float(number) for name, number in row.items()})
    brought = {
        place: tuple(int(of[name]) for name in NUMBERS)
        for place, of in sums.items()
        if of["clicks"]
    }
    # the teapot came from the front page, the teacup straight from a card beside it; the order
    # is one, and counts for the later click
    assert brought == {
        ("for_you", 3): (1, 1, 0, 200),
        ("cross_sell", 1): (1, 1, 1, 200),
        ("category", 2): (1, 0, 0, 0),
    }
    visible = Counter()
    for (type_name, _), of in sums.items():
        visible[type_name] += int(of["visible"])
    assert +visible == {"for_you": 4, "category": 4, "checkout": 4, "cross_sell": 8, "similar": 8}
