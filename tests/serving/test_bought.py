"""What a shopper buys again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from depict_reco.events.shoppers import ShopperEvent
from depict_reco.models import Artifact, Event, Product, RecommendationType
from depict_reco.serving.bought import bought_by
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tasks import train_market
from depict_reco.tenants.directory import directory
from tests import shop as shops
from tests.serving.asking import answer, ask

pytestmark = pytest.mark.django_db

LAST = shops.START + timedelta(days=shops.DAYS)


@pytest.fixture
def grocer(busy_shop):
    """The small shop, where 30 people buy puzzle 1 every week and teapot 5 once."""
    events = []
    for person in range(30):
        for week in range(8):
            day = shops.START + timedelta(days=7 * week + person % 7, hours=9)
            names = ["puzzle-1", "teapot-5"] if week == 0 else ["puzzle-1"]
            events += [(f"person-{person}", name, day) for name in names]
    Event.objects.bulk_create(
        Event(
            tenant_id=busy_shop.tenant_id, market=busy_shop, type="purchase", user_id=person,
            product_id=name, time=time, deduplication_id=f"{person} {name} {time}",
            transaction_id=f"{person} {time}",
        )
        for person, name, time in events
    )  # fmt: skip
    train_market(busy_shop)
    return busy_shop


def test_what_is_bought_every_week_is_bought_again_and_a_teapot_is_not(grocer):
    shops.add_event(grocer, "teapot-5", type="purchase", user_id="me", time=LAST)
    shops.add_event(
        grocer, "puzzle-1", type="purchase", user_id="me", time=LAST - timedelta(days=7)
    )

    found = answer("buy_again", user_id="me", limit=5)

    assert found.product_ids[0] == "puzzle-1"
    assert found.sources[0] == "buy_again"


def test_a_purchase_of_this_moment_counts_without_a_training(grocer):
    assert "buy_again" not in answer("buy_again", user_id="me").sources

    shops.add_event(grocer, "spade-4", type="purchase", user_id="me")

    assert "spade-4" in ask("buy_again", user_id="me", limit=8)


def test_products_of_the_request_and_those_nobody_can_buy_are_not_answered(grocer):
    for name in ("puzzle-1", "spade-4", "teapot-hidden"):
        shops.add_event(grocer, name, type="purchase", user_id="me")
    assert {"puzzle-1", "spade-4"} <= set(ask("buy_again", user_id="me", limit=128))

    Product.objects.filter(product_id="spade-4").change(in_stock=False)
    found = ask("buy_again", "puzzle-1", user_id="me", limit=128)

    assert not {"puzzle-1", "spade-4", "teapot-hidden"} & set(found)
    assert len(found) == shops.ELIGIBLE - 2


def test_variants_are_one_product_and_the_bought_name_may_be_a_sku(grocer):
    shops.add_event(grocer, "", sku="sku-bear-l", type="purchase", user_id="me")

    found = ask("buy_again", user_id="me", limit=128)

    assert len([name for name in found if name.startswith("bear")]) == 1


def test_one_who_bought_nothing_goes_down_the_chain(grocer):
    shops.add_event(grocer, "spade-2", session_id="here")

    found = answer("buy_again", session_id="here", limit=2)
    assert found.product_ids == answer("for_you", session_id="here", limit=2).product_ids
    assert found.sources == ("sessions", "sessions")
    assert set(answer("buy_again", limit=5).sources) <= {"trending", "popular", "catalogue"}


def test_products_newer_than_the_model_are_no_trouble(grocer):
    shops.add_product(grocer, "novelty")
    shops.add_event(grocer, "novelty", type="purchase", user_id="me")

    assert len(ask("buy_again", user_id="me", limit=128)) == shops.ELIGIBLE + 1


def test_one_query(grocer, settings, django_assert_num_queries):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    shops.add_event(grocer, "puzzle-1", type="purchase", user_id="me")
    ask("buy_again")

    with django_assert_num_queries(0):
        ask("buy_again", "teapot-1")
    with django_assert_num_queries(1):
        assert "puzzle-1" in ask("buy_again", user_id="me", session_id="here", dsid="there")


def test_other_types_do_not_look_at_old_purchases(grocer, django_assert_num_queries):
    shops.add_event(grocer, "puzzle-1", type="purchase", user_id="me")
    for view in range(51):
        time = LAST + timedelta(minutes=view)
        shops.add_event(grocer, "spade-2", user_id="me", time=time)

    assert "recently_viewed" not in answer("recently_viewed", "spade-2", user_id="me").sources
    assert "puzzle-1" in ask("buy_again", user_id="me", limit=8)


def test_a_type_may_ask_in_a_chain_of_its_own(grocer):
    shops.add_event(grocer, "puzzle-1", type="purchase", user_id="me")
    RecommendationType.objects.filter(name="front_page").update(
        parameters={"chain": ["buy_again", "popular"]}
    )
    directory.cache_clear()

    assert "buy_again" in answer("front_page", user_id="me").sources


# The days that a purchase is ago


def event(name, type_, time, quantity=1):
    return ShopperEvent(name, "", type_, time, quantity)


@pytest.fixture
def snapshot(grocer):
    ask("popular")
    return snapshot_book().get(directory().tenant("acme").markets["se"])


def bought(snapshot, *events):
    """Return (name, days ago) of what was bought, from events that stand newest first."""
    groups = {code: group for group, code in snapshot.columns.codes_by_group().items()}
    return [(groups[code], round(age, 1)) for code, age in bought_by(snapshot, events)]


def test_days_are_counted_by_the_clock_of_the_shop(snapshot):
    """The history of the shop is old, and its newest event was a moment ago when it was trained."""
    newest = Event.objects.order_by("-time").first().time

    found = bought(snapshot, event("puzzle-1", "purchase", newest - timedelta(days=3)))

    assert found == [("puzzle-1", pytest.approx(3.0, abs=0.1))]


def test_a_shopper_may_be_ahead_of_the_training(snapshot):
    later = timezone.now() + timedelta(days=400)

    found = bought(
        snapshot,
        event("spade-1", "page_view", later),
        event("puzzle-1", "purchase", later - timedelta(days=2)),
    )

    assert found == [("puzzle-1", 2.0)]


def test_a_return_takes_back_the_last_purchase_before_it(snapshot):
    newest = Event.objects.order_by("-time").first().time
    days = [newest - timedelta(days=day) for day in range(6)]

    found = bought(
        snapshot,
        event("puzzle-1", "purchase", days[0]),
        event("puzzle-1", "return", days[1]),
        event("spade-1", "return", days[1]),
        event("puzzle-1", "purchase", days[2]),
        event("unknown", "purchase", days[3]),
        event("puzzle-1", "purchase", days[4]),
        event("teapot-1", "add_to_cart", days[5]),
    )

    assert [(name, round(age)) for name, age in found] == [("puzzle-1", 0), ("puzzle-1", 4)]


def test_a_return_of_a_part_takes_nothing_back(snapshot):
    newest = Event.objects.order_by("-time").first().time
    back = event("puzzle-1", "return", newest, 3)

    assert bought(snapshot, back, event("puzzle-1", "purchase", newest, 3)) == []
    assert len(bought(snapshot, back, event("puzzle-1", "purchase", newest, 4))) == 1
    both = [event("puzzle-1", "purchase", newest, 2)] * 2
    assert len(bought(snapshot, back, *both)) == 1


def test_without_a_model_nothing_is_known(shop):
    ask("popular")
    snapshot = snapshot_book().get(directory().tenant("acme").markets["se"])
    assert bought_by(snapshot, [event("puzzle-1", "purchase", timezone.now())]) == ()
    assert not Artifact.objects.exists()
