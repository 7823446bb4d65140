"""The example shop in Chromium: the template tag, the script, Depict's own client in their place,
and what the database holds after.

UPDATE_IMAGES=1 keeps pictures of the shop in docs/images.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.demo import ROOT, demo_command, served_demo
from tests.e2e.storefront import BROWSER, run

pytestmark = pytest.mark.browser

BROWSED = ["22423", "22699", "22138"]
"""The cake stand, a teacup, a baking set."""

STORED = """
import json, sys
from depict_reco.models import Event, Product, RecommendationType
from depict_reco.serving.tracking import read_recommendation_id
def shown_by(text):
    found = read_recommendation_id(text)
    return found and [
        RecommendationType.objects.get(pk=found.type_pk).name,
        Product.objects.get(pk=found.product_pk).product_id,
        found.position,
    ]
fields = "type", "product_id", "recommendation_id"
rows = Event.objects.filter(session_id=sys.stdin.read()).order_by("pk").values(*fields)
print(json.dumps([{**row, "shown": shown_by(row["recommendation_id"])} for row in rows]))
"""


def test_the_script(chromium: str) -> None:
    """Its own tests, in its own language."""
    done = subprocess.run(
        ["node", "--test", "storefront.test.mjs"],
        cwd=BROWSER,
        env={**os.environ, "CHROMIUM": chromium},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-8000:]


@pytest.fixture(scope="module")
def demo():
    with (
        tempfile.TemporaryDirectory(prefix="reco-shop-") as folder,
        served_demo(Path(folder)) as demo,
    ):
        yield demo


@pytest.fixture(scope="module")
def visit(demo, chromium):
    """What a shopper did in the shop, and saw."""
    images = str(ROOT / "docs/images") if os.environ.get("UPDATE_IMAGES") else None
    asked = {"chromium": chromium, "shop": f"{demo.url}/uk", "browsed": BROWSED, "images": images}
    report = json.loads(run(["node", "shop.mjs", json.dumps(asked)]))
    assert report["problems"] == report["refused"] == []
    return report


@pytest.fixture(scope="module")
def rows(demo, visit):
    """The events in the database, when no more come."""
    time.sleep(1)
    connection = sqlite3.connect(demo.folder / "db.sqlite3")
    connection.row_factory = sqlite3.Row
    with connection:
        found = connection.execute(
            "SELECT * FROM depict_reco_event WHERE session_id = ? ORDER BY id",
            [visit["shopper"]["known"]],
        )
        return [dict(row) for row in found]


def test_the_front_page_follows_the_shopper(visit):
    before, after = visit["forYou"]
    assert len(before) == len(after) == 6
    assert len(set(before) & set(after)) <= 2
    assert not set(BROWSED) & set(after)


def test_one_id_for_browser_and_server(visit):
    shopper = visit["shopper"]
    assert shopper["kept"] == shopper["known"]
    assert f"_dep_id={shopper['known']}" in shopper["cookie"]


def test_each_act_is_stored_once_with_its_recommendation(visit, rows):
    def told(one: dict[str, Any]) -> tuple[str, str, str]:
        return one["type"], one["product_id"], one["recommendation_id"]

    stored = Counter(told(row) for row in rows if row["type"] != "element_visible")
    assert stored == Counter(map(told, visit["did"]))


def test_each_card_is_seen_once(visit, rows):
    stored = Counter(row["recommendation_id"] for row in rows if row["type"] == "element_visible")
    assert set(stored.values()) == {1}  # of rows that the shopper only passed, some are among them
    assert set(visit["seen"]) <= set(stored)
    # six cards a row, two rows on two front pages and three products, one in the basket, two thanks
    assert len(visit["seen"]) == len(set(visit["seen"])) == 6 * (2 * 2 + 3 * 2 + 1 + 2)
    clicked = {one["recommendation_id"] for one in visit["did"] if one["type"] == "click"}
    assert len(clicked) == 2


def test_the_order_has_its_lines(rows):
    lines = [row for row in rows if row["type"] == "purchase"]
    assert len(lines) == 2
    assert len({line["transaction_id"] for line in lines}) == 1
    assert {(line["quantity"], line["currency"]) for line in lines} == {(1, "GBP")}
    assert all(line["price"] > 0 for line in lines)


# --- the same shop with Depict's own client --------------------------------------------------


@pytest.fixture(scope="module")
def client_visit(demo, chromium):
    """What a shopper did on the pages that Depict's client fills, and saw."""
    run(["node", "build.mjs"], environment={"VAR_DIR": str(demo.folder)})
    images = str(ROOT / "docs/images") if os.environ.get("UPDATE_IMAGES") else None
    asked = {"chromium": chromium, "shop": f"{demo.url}/uk/depict", "images": images}
    report = json.loads(run(["node", "depict.mjs", json.dumps({**asked, "product": BROWSED[0]})]))
    assert report["problems"] == report["refused"] == []
    return report


@pytest.fixture(scope="module")
def client_rows(demo, client_visit):
    """The events in the database, once no more come; beacons come when they like."""

    def stored() -> list[dict[str, Any]]:
        command = demo_command(folder=demo.folder)
        command["args"] = [sys.executable, "manage.py", "shell", "-v", "0", "-c", STORED]
        shopper = client_visit["shopper"]
        done = subprocess.run(**command, input=shopper, capture_output=True, check=True)
        return json.loads(done.stdout)

    end = time.monotonic() + 60
    while len(rows := stored()) < len(client_visit["did"]):
        assert time.monotonic() < end, rows
    time.sleep(1)  # what comes twice comes late
    return stored()


def test_depicts_client_fills_the_rows_of_the_shop(client_visit):
    answers = client_visit["answers"]
    assert [(one["endpoint"], one["question"]["type"]) for one in answers] == [
        ("general", "for_you"),
        ("category", "category"),
        *[("product", "cross_sell"), ("product", "similar")] * 2,
        *[("products", "checkout")] * 2,
        ("products", "after_basket"),
    ]
    for answer in answers:
        assert len(answer["displays"]) == 6
        assert answer["cards"] == [
            {
                "recommendation_id": display["recommendation_id"],
                "title": display["title"],
                "path": f"/uk/depict/product/{display['product_id']}",
            }
            for display in answer["displays"]
        ]
    assert set(client_visit["hosts"]) == {"127.0.0.1"}


def test_what_the_client_tells_is_stored_once(client_visit, client_rows):
    def told(one: dict[str, Any]) -> tuple[str, str, str]:
        return one["type"], one["product_id"], one["recommendation_id"]

    assert Counter(map(told, client_rows)) == Counter(map(told, client_visit["did"]))
    assert Counter(row["type"] for row in client_rows) == {
        "element_visible": 9 * 6, "page_view": 2, "click": 2, "add_to_cart": 2, "purchase": 2,
    }  # fmt: skip


def test_what_the_client_tells_belongs_to_type_product_and_place(client_visit, client_rows):
    displays = {
        display["recommendation_id"]: [answer["question"]["type"], display["product_id"], position]
        for answer in client_visit["answers"]
        for position, display in enumerate(answer["displays"])
    }
    assert len(displays) == 9 * 6
    for row in client_rows:
        assert row["shown"] == displays.get(row["recommendation_id"]), row
    clicks = [row["shown"] for row in client_rows if row["type"] == "click"]
    assert sorted((kind, position) for kind, _, position in clicks) == [
        ("checkout", 0), ("cross_sell", 1),
    ]  # fmt: skip
