"""A new model is loaded beside the requests."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from unittest import mock

import pytest
from django.db import OperationalError, ProgrammingError

from depict_reco.artifacts.current import load_current
from depict_reco.artifacts.repairs import repairs
from depict_reco.models import Market, Product
from depict_reco.serving import snapshots
from depict_reco.serving.background import Background
from depict_reco.serving.readiness import market_states
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tenants.directory import directory
from depict_reco.tenants.outages import outages
from tests.conftest import wait_for
from tests.serving.asking import ask, displays

pytestmark = pytest.mark.django_db


def entry():
    return directory().tenant("acme").markets["se"]


def advance(shop):
    Market.objects.advance(shop.pk, "artifact_revision")


@pytest.fixture
def loading(trained_shop, monkeypatch, settings):
    """A process that is loading a model until ``go_on`` is set; yields that and the model."""
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 0.0}
    monkeypatch.setattr(snapshots, "Background", Background)
    snapshot_book.cache_clear()
    ask("popular")
    new = replace(load_current(trained_shop.pk, known=None), pk=-1, version="new")
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*_, **__):
        begun.set()
        assert go_on.wait(30)
        return new

    with mock.patch.object(snapshots, "load_current", slowly):
        advance(trained_shop)
        ask("popular")
        assert begun.wait(20)
        try:
            yield go_on, new
        finally:
            go_on.set()
            wait_for(lambda: not snapshot_book().is_loading(trained_shop.pk))


def test_nobody_waits_for_a_new_model(loading):
    go_on, new = loading
    book, market, waits, stop = snapshot_book(), entry(), [], threading.Event()

    def keep_asking():
        while not stop.is_set():
            began = time.monotonic()
            told = book.get(market)
            assert told.artifact is not new
            waits.append(time.monotonic() - began)
            time.sleep(0.002)

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)  # what loading takes
    for price in (7, 8):
        Product.objects.filter(product_id="spade-1").change(price=price)
        found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}
        assert found["spade-1"] == f"{price}.00"
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(waits) > 20
    assert max(waits) < 0.5

    go_on.set()
    wait_for(lambda: book.get(entry()).artifact is new)
    snapshot = book.get(entry())
    assert snapshot.columns.prices[snapshot.columns.code_of("spade-1")] == 8.0
    assert snapshot.market == entry()


def test_rankings_are_kept_until_the_new_model_is_there(loading):
    go_on, new = loading
    before = snapshot_book().get(entry())
    assert snapshot_book().get(entry()) is before

    go_on.set()
    wait_for(lambda: snapshot_book().get(entry()).artifact is new)
    assert snapshot_book().get(entry()).kept is not before.kept


@pytest.mark.parametrize("change", [{"title": "New"}, {"item_group_id": "of-its-own"}], ids=str)
def test_a_catalogue_that_changed_while_the_states_were_built(loading, change):
    """The swap brings the new model together with the newest catalogue."""
    go_on, new = loading
    book, build = snapshot_book(), snapshots.MarketSnapshot.build
    building, changed = threading.Event(), threading.Event()

    def slowly(*args, **kwargs):
        made = build(*args, **kwargs)
        if args[2] is new and not changed.is_set():
            building.set()
            assert changed.wait(20)
        return made

    with mock.patch.object(snapshots.MarketSnapshot, "build", staticmethod(slowly)):
        go_on.set()
        assert building.wait(20)
        Product.objects.filter(product_id="spade-1").change(**change)
        ask("popular")
        changed.set()
        wait_for(lambda: book.get(entry()).artifact is new)

    row = book.get(entry()).columns
    told = row.row(row.row_of("spade-1"))
    for field, value in change.items():
        assert str(getattr(told, field)) == value
    assert len(book.get(entry()).item_of_code) == row.n_codes


def test_a_model_is_loaded_when_the_database_is_back(trained_shop, lasting_outage):
    ask("popular")
    advance(trained_shop)
    with mock.patch.object(snapshots, "load_current", side_effect=OperationalError("gone")) as load:
        ask("popular")
        ask("popular")
    assert load.call_count == 1

    lasting_outage()
    with mock.patch.object(snapshots, "load_current", wraps=load_current) as load:
        ask("popular")
        ask("popular")
    assert load.call_count == 1


@pytest.mark.parametrize("error", [MemoryError, ProgrammingError])
def test_whatever_goes_wrong_is_tried_again_in_a_while(trained_shop, error):
    served = ask("cross_sell", "teapot-1")
    advance(trained_shop)
    with mock.patch.object(snapshots, "load_current", side_effect=error) as load:
        assert ask("cross_sell", "teapot-1") == served
        assert ask("cross_sell", "teapot-1") == served
    assert load.call_count == 1
    assert not outages().database.lasts

    with mock.patch.object(repairs(), "is_due", return_value=True):
        ask("popular")
    assert not repairs()._attempts


def test_readiness_tells_of_a_first_model_on_its_way(busy_shop, monkeypatch):
    ask("popular")
    advance(busy_shop)
    monkeypatch.setattr(snapshots.SnapshotBook, "is_loading", lambda *_: True)

    (state,) = market_states()

    assert state.problem == (
        "The first model is being loaded: answers rest on the catalogue alone."
    )
