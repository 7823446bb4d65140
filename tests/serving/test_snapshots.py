from __future__ import annotations

import json
import threading
from unittest import mock

import pytest
from django.db import InterfaceError, OperationalError, connection, connections
from django.utils import timezone

from depict_reco.artifacts.publish import roll_back
from depict_reco.models import Category, Product, RecommendationType
from depict_reco.serving import refresh
from depict_reco.serving.displays import Displays
from depict_reco.serving.requests import UNKNOWN_TYPE
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tasks import train_market
from depict_reco.tenants.directory import directory
from tests import shop as shops
from tests.serving.asking import answer, ask, displays

pytestmark = pytest.mark.django_db


def product(product_id):
    return Product.objects.get(product_id=product_id)


def entry(market="se"):
    return directory().tenant("acme").markets[market]


def in_kitchen():
    """Return what kinds of products the category holds; it is filled up with others."""
    found = ask("category", category_id="kitchen", limit=15)
    return {name.partition("-")[0] for name in found}


# What changes in the database is seen


def test_changes_wait_for_the_refresh(shop, settings):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    assert "spade-1" in ask("popular", limit=128)

    Product.objects.filter(product_id="spade-1").change(in_stock=False)
    assert "spade-1" in ask("popular", limit=128)

    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 0.0}
    assert "spade-1" not in ask("popular", limit=128)


@pytest.mark.parametrize(
    "change", [{"in_stock": False}, {"hidden": True}, {"active": False}], ids=str
)
def test_a_product_comes_and_goes(trained_shop, change):
    assert "teacup-1" in ask("cross_sell", "teapot-1", limit=128)

    Product.objects.filter(product_id="teacup-1").change(**change)
    assert "teacup-1" not in ask("cross_sell", "teapot-1", limit=128)

    back = {name: not value for name, value in change.items()}
    Product.objects.filter(product_id="teacup-1").change(**back)
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


def test_price_and_title_change(shop):
    ask("popular")
    spade = product("spade-1")
    spade.price, spade.title = "7.5", "Shovel"
    spade.save()

    display = next(d for d in displays("popular", limit=128) if d["product_id"] == "spade-1")
    assert (display["price"], display["title"]) == ("7.50", "Shovel")


def test_all_variants_of_a_changed_product_are_rendered_anew(shop):
    displays("popular", limit=128, variants=True)
    Product.objects.filter(product_id="bear-l").change(title="Huge bear")

    found = displays("popular", limit=128, variants=True)
    bear = next(d for d in found if "bear-s" in d["variant_product_ids"])

    assert [v["title"] for v in bear["variant_displays"]] == ["Bear S", "Bear M", "Huge bear"]


def test_a_price_decides_upsell_at_once(trained_shop):
    assert "teapot-1" not in ask("upsell", "teapot-2", limit=3)

    Product.objects.filter(product_id="teapot-1").change(price="9999")

    assert "teapot-1" in ask("upsell", "teapot-2", limit=4)


def test_a_product_is_deleted(trained_shop):
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]

    product("teacup-1").delete()
    found = ask("cross_sell", "teapot-1", limit=128)
    assert "teacup-1" not in found
    assert len(found) == shops.ELIGIBLE - 2

    Product.objects.filter(product_id="teapot-1").delete()
    assert "teapot-1" not in ask("popular", limit=128)


def test_a_product_is_new(shop):
    ask("popular")
    shops.add_product(shop, "new", first_seen_at=timezone.now())

    assert ask("new_in", limit=1) == ["new"]


def test_a_product_joins_a_group_and_gets_another_id_or_sku(shop):
    ask("popular")
    Product.objects.filter(product_id="spade-1").change(item_group_id="bear")
    assert "spade-1" not in ask("popular", "bear-s", limit=128)

    Product.objects.filter(product_id="glove-1").change(product_id="mitten", sku="M")
    assert "mitten" in ask("popular", limit=128)
    assert "mitten" not in ask("popular", "M", limit=128)


def test_a_product_that_is_older_than_thought_is_no_longer_new(shop):
    shops.add_product(shop, "new", first_seen_at=timezone.now())
    assert ask("new_in", limit=1) == ["new"]

    Product.objects.filter(product_id="new").change(first_seen_at=shops.START.replace(year=2001))
    assert ask("new_in", limit=128)[-1] == "new"


def test_a_category_moves(shop):
    assert "spade-1" not in ask("category", category_id="kitchen", limit=10)
    spades = Category.objects.get(category_id="spades")
    spades.parent = Category.objects.get(category_id="kitchen")
    spades.save()

    assert in_kitchen() == {"teapot", "teacup", "spade"}


def test_a_category_moves_while_a_product_changes(shop):
    ask("popular")
    spades = Category.objects.get(category_id="spades")
    spades.parent = Category.objects.get(category_id="kitchen")
    spades.save()
    Product.objects.filter(product_id="bear-s").change(price="5")

    assert in_kitchen() == {"teapot", "teacup", "spade"}


def test_a_category_disappears(shop):
    assert set(ask("category", category_id="spades", limit=5)) == {
        f"spade-{number}" for number in range(1, 6)
    }
    Category.objects.filter(category_id="spades").delete()

    assert ask("category", category_id="spades", limit=5) == ask("category", limit=5)


def test_a_product_changes_category(shop):
    ask("popular")
    bear = product("bear-s")
    bear.categories.set([Category.objects.get(category_id="teapots")])
    bear.save()

    assert "bear-s" in ask("category", category_id="teapots", limit=6)


def test_a_type_changes(shop):
    assert len(ask("popular")) == 20
    row = RecommendationType.objects.get(name="popular")
    row.default_limit = 2
    row.save()
    assert len(ask("popular")) == 2

    RecommendationType.objects.filter(name="popular").update(active=False)
    assert answer("popular").error == UNKNOWN_TYPE

    row.delete()
    assert answer("popular").error == UNKNOWN_TYPE


@pytest.mark.parametrize("whose", ["tenant", "market"])
def test_a_shop_closes_and_opens_again(shop, whose):
    row = shop.tenant if whose == "tenant" else shop
    assert ask("popular")

    row.active = False
    row.save()
    assert answer("popular").error == UNKNOWN_TYPE

    row.active = True
    row.save()
    assert ask("popular")


def test_a_market_s_currency_and_locales_change(shop):
    Product.objects.filter(product_id="bear-s").change(texts={"fi": {"title": "Karhu"}})
    assert displays("popular", "x", limit=1, locale="fi")[0]["currency"] == "SEK"

    shop.currency, shop.locales = "EUR", ["fi"]
    shop.save()

    found = displays("popular", limit=128, locale="fi")
    assert {display["currency"] for display in found} == {"EUR"}
    assert "Karhu" in {display["title"] for display in found}


def test_a_new_artifact_and_a_rollback_are_seen(busy_shop):
    assert answer("cross_sell", "teapot-1", limit=1).sources == ("trending",)

    train_market(busy_shop)
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]

    for number in range(400):  # from now on gloves are bought with teapots
        fields = {"type": "purchase", "transaction_id": f"new-{number}", "session_id": f"n{number}"}
        shops.add_event(busy_shop, "teapot-1", **fields)
        shops.add_event(busy_shop, "glove-4", **fields)
    train_market(busy_shop)
    assert ask("cross_sell", "teapot-1", limit=1) == ["glove-4"]

    roll_back(busy_shop)
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


# How it is refreshed


def test_nothing_is_read_again_when_nothing_changed(shop):
    first = snapshot_book().get(entry())

    assert snapshot_book().get(entry()) is first


def test_a_small_change_keeps_what_is_rendered(shop):
    displays("popular", limit=128)
    Product.objects.filter(product_id="bear-s").change(price="5")

    with mock.patch.object(Displays, "_render", autospec=True, side_effect=Displays._render) as r:
        displays("popular", limit=128)

    assert r.call_count == 1


def test_a_state_is_not_exchanged_for_an_older_one(shop):
    old = entry()
    Product.objects.filter(product_id="bear-s").change(price="5")
    newer = snapshot_book().get(entry())

    assert snapshot_book().get(old) is newer


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_fails_leaves_the_old_state(shop, error):
    ask("popular")
    with mock.patch.object(refresh, "read_rows", side_effect=error("gone")):
        Product.objects.filter(product_id="spade-1").change(in_stock=False)
        assert "spade-1" in ask("popular", limit=128)

    assert "spade-1" not in ask("popular", limit=128)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_without_a_database_everything_known_is_answered(trained_shop, error):
    expected = ask("cross_sell", "teapot-1")
    with mock.patch.object(connections["default"], "cursor", side_effect=error("gone")):
        assert ask("cross_sell", "teapot-1") == expected
        assert ask("for_you", "teapot-1", session_id="here", limit=1) == ["teapot-2"]


def test_the_first_state_needs_a_database(shop):
    with (
        mock.patch.object(refresh, "read_rows", side_effect=OperationalError("gone")),
        pytest.raises(OperationalError),
    ):
        ask("popular")
    assert ask("popular")


def test_types_stay_when_the_database_fails_while_they_are_read(shop):
    ask("popular", limit=1)
    RecommendationType.objects.filter(name="popular").update(default_limit=3)

    with mock.patch(
        "depict_reco.serving.types.RecommendationType.objects.active",
        side_effect=OperationalError("gone"),
    ):
        assert len(ask("popular")) == 20
    assert len(ask("popular")) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "sqlite" in connection.vendor, reason="threads share nothing with SQLite in memory"
)
def test_while_one_thread_refreshes_others_are_answered(artifact_dir):
    shops.make_shop()
    ask("popular")
    Product.objects.filter(product_id="spade-1").change(in_stock=False)
    reading, go_on = threading.Event(), threading.Event()
    read_rows = refresh.read_rows

    def slow(*args, **kwargs):
        reading.set()
        assert go_on.wait(20)
        return read_rows(*args, **kwargs)

    answers = {}

    def ask_first():
        answers["refresher"] = ask("popular", limit=128)
        connection.close()

    with mock.patch.object(refresh, "read_rows", slow):
        thread = threading.Thread(target=ask_first)
        thread.start()
        assert reading.wait(20)
        answers["other"] = ask("popular", limit=128)
        go_on.set()
        thread.join(20)

    assert "spade-1" in answers["other"]
    assert "spade-1" not in answers["refresher"]
    assert "spade-1" not in ask("popular", limit=128)


def test_rendering_goes_on_while_displays_are_renewed(shop):
    """Others render from the old displays, which grow by it, while the new ones are made."""
    displays("popular", limit=3, variants=True)
    snapshot = snapshot_book().get(entry())
    kept = snapshot.displays._kept

    class Meanwhile(tuple):
        """A key at whose sight another thread renders one more display."""

        def __getitem__(self, at):
            kept.put((999, "another thread", False), b"{}")
            return super().__getitem__(at)

    kept.put(Meanwhile((998, "sv-SE", False)), b"{}")
    renewed = snapshot.displays.renewed(snapshot.columns, [])

    assert len(renewed._kept._young) == 4
    assert len(kept._young) == 5


def test_an_answer_is_one_json_object_after_any_change(trained_shop):
    for step in range(3):
        Product.objects.filter(product_id__startswith="spade").change(price=step)
        body = json.loads(answer("popular", limit=128).body)
        prices = {d["price"] for d in body["displays"] if d["product_id"].startswith("spade")}
        assert prices == {f"{step}.00"}
