from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from unittest import mock

import pytest
from django.db import (
    DataError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
)
from django.utils import timezone

from depict_reco.artifacts.publish import roll_back
from depict_reco.models import Category, Market, Product, RecommendationType
from depict_reco.serving import refresh, snapshots
from depict_reco.serving.displays import Displays
from depict_reco.serving.requests import UNKNOWN_TYPE
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tasks import train_market
from depict_reco.tenants.directory import directory
from depict_reco.tenants.outages import outages
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


@pytest.mark.parametrize("variants", [False, True])
@pytest.mark.parametrize("published", [False, True])
def test_a_market_s_settings_change_together_with_a_product(shop, variants, published):
    """Between the same two looks, and with a publishing besides."""

    def shown(product_id, locale):
        found = displays("popular", limit=128, locale=locale, variants=variants)
        found = [one["variant_displays"][0] for one in found] if variants else found
        one = next(x for x in found if x["product_id"] == product_id)
        return one["title"], one["price"], one["currency"]

    Product.objects.filter(product_id="puzzle-1").change(
        title="Pussel", texts={"fi": {"title": "Palapeli"}, "en-SE": {"title": "Puzzle"}}
    )
    assert shown("puzzle-1", "fi") == ("Pussel", "30.00", "SEK")
    assert shown("puzzle-1", "en-SE") == ("Puzzle", "30.00", "SEK")

    shop.currency, shop.default_locale, shop.locales = "EUR", "fi", ["sv-SE"]
    shop.save()
    Product.objects.filter(product_id="spade-1").change(price="7")
    if published:
        Market.objects.advance(shop.pk, "artifact_revision")

    assert shown("puzzle-1", "fi") == ("Palapeli", "30.00", "EUR")
    assert shown("puzzle-1", "en-SE") == ("Palapeli", "30.00", "EUR")
    assert shown("puzzle-1", "sv-SE") == ("Pussel", "30.00", "EUR")
    assert shown("spade-1", "fi") == ("Spade 1", "7.00", "EUR")


def test_locales_change_together_with_a_product(shop):
    Product.objects.filter(product_id="puzzle-1").change(texts={"fi": {"title": "Palapeli"}})
    ask("popular", locale="fi")

    shop.locales = ["fi"]
    shop.save()
    Product.objects.filter(product_id="spade-1").change(price="7")

    found = displays("popular", limit=128, locale="fi")
    assert "Palapeli" in {display["title"] for display in found}


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


@pytest.mark.parametrize("error", [ProgrammingError, DataError])
def test_a_fault_of_ours_leaves_the_old_state_and_is_no_outage(shop, settings, caplog, error):
    ask("popular")
    Product.objects.filter(product_id="spade-1").change(in_stock=False)
    settings.DEPICT_RECO |= {"RETRY_SECONDS": 3600}
    with mock.patch.object(refresh, "read_rows", side_effect=error("no such column")) as read:
        for _ in range(3):
            assert "spade-1" in ask("popular", limit=128)
        assert read.call_count == 1, "a fault does not go away from one request to the next"
    assert not outages().database.lasts
    assert snapshot_book().fails(entry())
    (record,) = (one for one in caplog.records if one.levelname == "ERROR")
    assert record.exc_info[0] is error
    assert record.getMessage() == "Market se cannot be read; it stays as it was."

    assert "spade-1" in ask("popular", limit=128)
    settings.DEPICT_RECO |= {"RETRY_SECONDS": 0}
    assert "spade-1" not in ask("popular", limit=128)
    assert not snapshot_book().fails(entry())


def test_a_fault_of_ours_in_the_first_state_is_raised(shop):
    with (
        mock.patch.object(refresh, "read_rows", side_effect=ProgrammingError("no such column")),
        pytest.raises(ProgrammingError),
    ):
        ask("popular")
    assert not outages().database.lasts


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


@contextmanager
def one_renews_and_another_asks(settings, *, refresh_seconds=1.0, idle=True):
    """Yield what ends the renewal, and the prices that the other thread was answered."""
    old = snapshot_book().get(entry())
    Product.objects.filter(product_id="spade-1").change(price="7")
    wanted = entry()
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": refresh_seconds}
    snapshot_book()._right_at[wanted.pk] -= 60 if idle else 0
    new = snapshots._renewed(old, wanted)  # in this thread: others do not see the test's rows
    renewing, go_on = threading.Event(), threading.Event()
    told = []

    def slowly(*_):
        renewing.set()
        assert go_on.wait(20)
        return new

    def ask_another():
        columns = snapshot_book().get(wanted).columns
        told.append(float(columns.prices[columns.code_of("spade-1")]))

    threads = [
        threading.Thread(target=lambda: snapshot_book().get(wanted)),
        threading.Thread(target=ask_another),
    ]
    with (
        mock.patch.object(snapshots, "_renewed", slowly),
        # these threads cannot ask the database, of which each would have one of its own
        mock.patch.object(snapshots, "_needs_image", return_value=False),
    ):
        threads[0].start()
        assert renewing.wait(20)
        threads[1].start()
        try:
            yield go_on, told, threads[1]
        finally:
            go_on.set()
            for thread in threads:
                thread.join(20)


def test_who_asks_an_idle_process_waits_for_the_one_that_renews(shop, monkeypatch, settings):
    monkeypatch.setattr(snapshots, "PATIENCE", 20.0)
    ask("popular")

    with one_renews_and_another_asks(settings) as (go_on, told, thread):
        thread.join(0.2)
        assert told == []
        go_on.set()
        thread.join(20)

    assert told == [7.0]


def test_who_asks_an_idle_process_waits_no_longer_than_a_while(shop, monkeypatch, settings):
    monkeypatch.setattr(snapshots, "PATIENCE", 0.1)
    ask("popular")

    with one_renews_and_another_asks(settings) as (_, told, thread):
        thread.join(20)
        assert told == [200.0]


def test_who_asks_a_busy_process_waits_for_nobody(shop, monkeypatch, settings):
    monkeypatch.setattr(snapshots, "PATIENCE", 20.0)
    ask("popular")

    with one_renews_and_another_asks(settings, refresh_seconds=60.0, idle=False) as (
        _,
        told,
        thread,
    ):
        thread.join(20)
        assert told == [200.0]


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
    renewed = snapshot.displays.renewed(snapshot.columns, [], market=snapshot.market)

    assert len(renewed._kept._young) == 4
    assert len(kept._young) == 5


def test_an_answer_is_one_json_object_after_any_change(trained_shop):
    for step in range(3):
        Product.objects.filter(product_id__startswith="spade").change(price=step)
        body = json.loads(answer("popular", limit=128).body)
        prices = {d["price"] for d in body["displays"] if d["product_id"].startswith("spade")}
        assert prices == {f"{step}.00"}
