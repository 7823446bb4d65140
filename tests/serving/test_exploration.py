"""How new products get into answers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from depict_reco.models import Product, RecommendationType, Tenant
from depict_reco.serving import exploration, recommend
from depict_reco.serving.exploration import NEW_SECONDS, TURN_SECONDS
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tasks import train_market
from tests import shop as shops
from tests.serving.asking import answer, ask

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(request, monkeypatch):
    """The time by which turns go; call it to change the time."""
    if "trained_shop" in request.fixturenames:  # other tests use its model, too
        request.getfixturevalue("trained_shop")
    clock = mock.Mock(return_value=NOON)
    monkeypatch.setattr(exploration.timezone, "now", clock)

    def set_time(time):
        clock.return_value = time

    return set_time


def explore(share, *names, **parameters):
    types = RecommendationType.objects.filter(name__in=names)
    types.update(parameters={"exploration": share, **parameters})
    Tenant.objects.touch({Tenant.objects.get(slug="acme").pk})


def add_new(market, name, **fields):
    return shops.add_product(market, name, first_seen_at=NOON - timedelta(days=2), **fields)


@pytest.fixture
def new_shop(trained_shop):
    """The trained shop with eight new products that the model has not seen."""
    for number in range(4):
        add_new(trained_shop, f"kettle-{number}", title=f"Teapot kettle {number}", brand="Tea & Co")
        add_new(trained_shop, f"rake-{number}", title=f"Rake {number}", category="garden")
    return trained_shop


def explored(type_, *product_ids, **fields):
    """Return the products of the answer that are there to be tried, and their places."""
    found = answer(type_, *product_ids, **fields)
    return {
        name: place
        for place, (name, source) in enumerate(zip(found.product_ids, found.sources, strict=True))
        if source == "exploration"
    }


@pytest.mark.parametrize("type_", ["popular", "similar", "cross_sell", "for_you"])
def test_it_is_off_by_default(new_shop, type_):
    assert explored(type_, "teapot-1", limit=20) == {}
    assert "kettle-0" not in ask("popular", limit=9)


@pytest.mark.parametrize(
    ("share", "limit", "count"),
    [(0.25, 8, 2), (0.25, 7, 1), (0.25, 3, 0), (0.5, 8, 4), (0.5, 1, 0), (0.5, 2, 1), (0.3, 10, 3),
     (0.15, 20, 3), (0.01, 20, 0), (0, 20, 0)],
)  # fmt: skip
def test_the_share_is_rounded_down_and_never_has_the_first_place(new_shop, share, limit, count):
    usual = ask("popular", limit=limit)
    explore(share, "popular")

    found = answer("popular", limit=limit)
    places = explored("popular", limit=limit)

    assert len(found.product_ids) == len(set(found.product_ids)) == limit
    assert len(places) == count
    assert 0 not in places.values()
    kept = [name for name in found.product_ids if name not in places]
    assert kept == usual[: limit - count]


def test_places_are_spread_over_the_answer(new_shop):
    explore(0.2, "popular")
    assert sorted(explored("popular", limit=20).values()) == [2, 7, 12, 17]


def test_what_reads_like_the_products_asked_about_goes_first(new_shop):
    explore(0.5, "similar", "for_you")
    shops.add_event(new_shop, "spade-2", session_id="here")

    assert set(explored("similar", "teapot-1", limit=8)) == {f"kettle-{n}" for n in range(4)}
    assert set(explored("for_you", "teapot-1", limit=4)) < {f"kettle-{n}" for n in range(4)}
    assert set(explored("for_you", session_id="here", limit=4)) < {f"rake-{n}" for n in range(4)}


def test_products_that_the_model_has_read_are_compared_as_well(new_shop):
    train_market(new_shop)
    explore(0.5, "popular")
    assert set(explored("popular", "teapot-1", limit=8)) == {f"kettle-{n}" for n in range(4)}
    assert set(explored("popular", "spade-1", limit=8)) == {f"rake-{n}" for n in range(4)}


def test_new_products_that_are_there_for_another_reason_count_and_stay(new_shop):
    train_market(new_shop)
    Product.objects.filter(product_id__in=["kettle-0", "kettle-1"]).change(in_stock=False)
    explore(0, "similar", chain=["content", "popular"])
    usual = answer("similar", "teapot-1", limit=8)
    own = {name for name in usual.product_ids if name.startswith("kettle")}
    assert own == {"kettle-2", "kettle-3"}
    explore(0.5, "similar", chain=["content", "popular"])

    found = answer("similar", "teapot-1", limit=8)

    assert own <= set(found.product_ids)
    assert found.sources.count("exploration") == 2
    assert found.product_ids[0] == usual.product_ids[0]
    explore(0.25, "similar", chain=["content", "popular"])
    assert answer("similar", "teapot-1", limit=8).product_ids == usual.product_ids


def test_a_category_has_its_own_new_products(new_shop):
    explore(0.25, "category", "popular")
    assert explored("category", category_id="garden", limit=8).keys() < {
        f"rake-{n}" for n in range(4)
    }
    assert len(explored("category", category_id="toys", limit=8)) == 2, "toys has none: any will do"


def test_without_anything_to_go_by_the_newest_take_turns(new_shop):
    explore(0.5, "popular")
    assert len(explored("popular", limit=16)) == 8
    assert set(explored("popular", limit=16)) == {
        f"{kind}-{n}" for kind in ("kettle", "rake") for n in range(4)
    }


def test_for_an_hour_it_is_the_same_products_turn(new_shop, clock):
    explore(0.25, "popular")
    first = explored("popular", user_id="me", limit=8)
    assert len(first) == 2
    clock(NOON + timedelta(minutes=59))
    assert explored("popular", user_id="me", limit=8) == first
    clock(NOON + timedelta(hours=1))
    assert not explored("popular", user_id="me", limit=8).keys() & first.keys()


@pytest.mark.parametrize("limit", [4, 8, 12])
def test_all_have_equally_many_turns(new_shop, clock, limit):
    explore(0.25, "popular")
    turns = Counter()
    for hour in range(8):
        clock(NOON + timedelta(seconds=hour * TURN_SECONDS))
        turns.update(explored("popular", session_id="here", limit=limit).keys())
    assert set(turns.values()) == {limit // 4}
    assert len(turns) == 8


def test_shoppers_and_requests_have_turns_of_their_own(new_shop):
    explore(0.25, "popular")
    by_shopper = {frozenset(explored("popular", user_id=f"u{n}", limit=4)) for n in range(40)}
    by_request = {frozenset(explored("popular", f"glove-{n}", limit=4)) for n in range(1, 6)}
    assert len(by_shopper) == 8
    assert len(by_request) > 1


def test_what_cannot_be_bought_or_is_asked_about_is_not_tried(new_shop):
    explore(0.5, "popular")
    Product.objects.filter(product_id="rake-0").change(in_stock=False)
    Product.objects.filter(product_id="rake-1").change(hidden=True)
    Product.objects.filter(product_id="rake-2").change(active=False)
    RecommendationType.objects.filter(name="trending").update(
        parameters={"exploration": 0.5, "exclude_category_ids": ["garden"]}
    )
    Tenant.objects.touch({new_shop.tenant_id})

    assert set(explored("popular", limit=16)) == {"rake-3"} | {f"kettle-{n}" for n in range(4)}
    assert "kettle-2" not in ask("popular", "kettle-2", limit=128)
    assert set(explored("trending", limit=8)) == {f"kettle-{n}" for n in range(4)}


def test_what_is_old_or_well_known_is_not_tried(trained_shop):
    explore(0.5, "category")
    assert explored("category", category_id="garden", limit=8) == {}

    Product.objects.filter(product_id__in=["bear-s", "puzzle-2"]).update(
        first_seen_at=NOON - timedelta(seconds=NEW_SECONDS - 1)
    )
    Product.objects.filter(product_id="puzzle-3").update(
        first_seen_at=NOON - timedelta(seconds=NEW_SECONDS + 1)
    )
    Product.objects.filter(product_id__startswith="puzzle-").change(price=7)
    Product.objects.filter(product_id="bear-s").change(price=7)
    snapshot_book.cache_clear()

    assert set(explored("category", category_id="garden", limit=8)) == {"puzzle-2"}


def test_where_all_is_new_nothing_needs_a_place(shop):
    """A shop without a model, all of whose products came yesterday."""
    Product.objects.all().update(first_seen_at=NOON - timedelta(days=1))
    usual = ask("similar", "teapot-1", limit=20)
    explore(0.5, "similar")

    assert ask("similar", "teapot-1", limit=20) == usual
    assert len(ask("similar", "teapot-1", limit=128)) == shops.ELIGIBLE - 1


def test_a_variant_does_not_come_twice(new_shop):
    for size in "sml":
        add_new(new_shop, f"lamp-{size}", item_group_id="lamp")
    explore(0.5, "popular")

    for limit in (2, 9, 18, 128):
        found = ask("popular", limit=limit)
        assert len([name for name in found if name.startswith("lamp")]) <= 1
        assert len(found) == min(limit, shops.ELIGIBLE + 9)


def test_an_empty_market_has_nothing_to_try(shop):
    Product.objects.all().change(active=False)
    explore(0.5, "popular")
    assert ask("popular") == []


def test_odd_ids_are_no_trouble(new_shop):
    explore(0.5, "popular")
    for name in ("\0", "\ud800", "🐻" * 1000):
        assert len(explored("popular", name, user_id=name, limit=8)) == 4


def test_no_query_more(new_shop, settings, django_assert_num_queries):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    explore(0.5, "popular")
    ask("popular")
    with django_assert_num_queries(0):
        assert explored("popular", "teapot-1", limit=8)


def test_types_without_a_share_do_not_look(new_shop, monkeypatch):
    monkeypatch.setattr(recommend, "explore", mock.Mock(side_effect=AssertionError))
    assert len(ask("popular", limit=8)) == 8
    explore(0.5, "popular")
    with pytest.raises(AssertionError):
        ask("popular", limit=8)
