from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from depict_reco.engine.interactions import Action
from depict_reco.models import Category, Event, Market, Product
from depict_reco.training import dataset
from depict_reco.training.dataset import open_window, read_dataset, read_items
from tests.shop import START, add_event, add_events, add_product, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(shop):
    """A market with three products of its own choosing: a, b, and c in two sizes."""
    Product.objects.all().delete()
    add_product(shop, "a", sku="A-1")
    add_product(shop, "b", sku="B-1")
    add_product(shop, "c-s", sku="C-S", item_group_id="c")
    add_product(shop, "c-l", sku="C-L", item_group_id="c")
    return shop


def read(market, *, window_days=1000, progress=lambda done, total: None):
    window = open_window(market, days=window_days)
    return read_dataset(window, items=read_items(market), progress=progress)


def at(minutes):
    return START + timedelta(minutes=minutes)


# Items


def test_an_item_is_an_item_group(market):
    items = read_items(market)

    assert items.ids == ["a", "b", "c"]
    assert items.by_product_id == {"a": 0, "b": 1, "c-s": 2, "c-l": 2, "c": 2}
    assert items.by_sku == {"A-1": 0, "B-1": 1, "C-S": 2, "C-L": 2}


@pytest.mark.parametrize(
    ("product_id", "sku", "item"),
    [
        ("a", "", 0),
        ("", "B-1", 1),
        ("B-1", "", 1),  # shops mix them up
        ("", "b", 1),
        ("c", "", 2),
        ("c-l", "A-1", 2),
        ("unknown", "A-1", 0),
    ],
)
def test_products_are_found_by_either_id(market, product_id, sku, item):
    add_event(market, product_id, sku=sku, time=at(1))

    assert read(market).interactions.items.tolist() == [item]


def test_the_id_of_one_product_goes_before_the_sku_of_another(market):
    add_product(market, "A-1", sku="b")

    names = read_items(market).by_name()
    assert (names["A-1"], names["b"], names["B-1"]) == (3, 1, 1)


def test_of_two_products_with_one_sku_the_first_counts(market):
    add_product(market, "d", sku="A-1")

    assert read_items(market).by_name()["A-1"] == 0


def test_vanished_and_hidden_products_are_items_since_they_may_come_back(market):
    Product.objects.filter(product_id="a").change(active=False)
    Product.objects.filter(product_id="b").change(hidden=True, in_stock=False)

    assert read_items(market).ids == ["a", "b", "c"]


def test_an_item_says_of_itself_what_its_first_product_says(market):
    product = add_product(
        market,
        "d",
        title="Teapot",
        brand="Tea & Co",
        description="Holds a litre",
        attributes={
            "colour": "red",
            "litres": 1.5,
            "dishwasher": True,
            "parts": ["lid"],
            "x": None,
        },
    )
    parent = Category.objects.create(market=market, category_id="home")
    child = Category.objects.create(market=market, category_id="tea", parent=parent)
    product.categories.add(child)

    text = read_items(market).texts[3]

    assert (text.title, text.brand, text.description) == ("Teapot", "Tea & Co", "Holds a litre")
    assert text.categories == ("tea", "home")
    assert text.attributes == {"colour": "red", "litres": "1.5", "dishwasher": "True"}


def test_a_circle_of_categories_is_walked_once(market):
    one = Category.objects.create(market=market, category_id="one")
    two = Category.objects.create(market=market, category_id="two", parent=one)
    one.parent = two
    one.save()
    Product.objects.get(product_id="a").categories.add(one)

    assert read_items(market).texts[0].categories == ("one", "two")


def test_products_of_other_markets_are_not_read(market):
    other = Market.objects.create(
        tenant=market.tenant, slug="us", currency="USD", default_locale="en"
    )
    add_product(other, "z")

    assert read_items(market).ids == ["a", "b", "c"]
    assert read_items(other).ids == ["z"]


# Events


def test_events_become_columns_in_time_order(market):
    add_event(market, "b", time=at(5), type="add_to_cart", session_id="s1", user_id="u1")
    add_event(market, "a", time=at(1), type="page_view", session_id="s1", user_id="u1")
    add_event(market, "c-s", time=at(9), type="purchase", session_id="s1", transaction_id="t1")
    add_event(market, "a", time=at(7), type="click", session_id="s2", user_id="u2")
    add_event(market, "", sku="C-L", time=at(11), type="return", session_id="s1")

    data = read(market)

    got = data.interactions
    assert got.items.tolist() == [0, 1, 0, 2, 2]
    assert got.actions.tolist() == [
        Action.VIEW, Action.CART, Action.VIEW, Action.PURCHASE, Action.RETURN,
    ]  # fmt: skip
    assert got.sessions.tolist() == [0, 0, 1, 0, 0]
    assert got.shoppers.tolist() == [0, 0, 1, -1, -1]
    assert got.baskets.tolist() == [-1, -1, -1, 0, -1]
    assert got.times.tolist() == [at(m).timestamp() for m in (1, 5, 7, 9, 11)]
    assert got.n_items == 3
    assert data.window == (at(1), at(11))
    assert data.n_unknown == 0


def test_what_was_only_on_the_screen_says_nothing(market):
    add_event(market, "a", type="element_visible", time=at(1))
    add_event(market, "a", type="recommendations_inserted", time=at(2))
    add_event(market, "a", type="product_unavailable", time=at(3))
    add_event(market, "a", type="transaction_mapping", time=at(4), session_id="s", user_id="u")
    add_event(market, "a", type="native_shopify_collection_view", time=at(5))

    data = read(market)

    assert (len(data.interactions), data.n_unknown, data.window) == (0, 0, None)


def test_events_of_unknown_products_are_counted_and_left_out(market):
    add_event(market, "a", time=at(1))
    add_event(market, "nope", time=at(2))
    add_event(market, "", type="page_view", time=at(3))

    data = read(market)

    assert data.interactions.items.tolist() == [0]
    assert data.n_unknown == 2


def test_a_session_is_told_by_its_id_though_it_pauses(market):
    for minute in (0, 5, 300):
        add_event(market, "a", session_id="s", time=at(minute))

    assert read(market).interactions.sessions.tolist() == [0, 0, 0]


def test_a_session_id_that_is_kept_for_ever_names_several_sessions(market):
    for minute in (0, 5, 500, 510):
        add_event(market, "a", type="purchase", session_id="s", time=at(minute))
        add_event(market, "a", session_id="t", time=at(minute + 1))

    got = read(market).interactions
    assert got.sessions.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    assert got.baskets.tolist() == [0, -1, 0, -1, 1, -1, 1, -1]


def test_an_order_without_a_session_is_one(market):
    for product, order in (("a", "t1"), ("b", "t1"), ("a", "t2")):
        add_event(market, product, type="purchase", transaction_id=order, user_id="u", time=at(1))

    got = read(market).interactions
    assert got.sessions.tolist() == [0, 0, 1]
    assert got.baskets.tolist() == [0, 0, 1]


def test_a_session_and_an_order_of_the_same_name_are_two(market):
    add_event(market, "a", session_id="1", time=at(1))
    add_event(market, "a", transaction_id="1", type="purchase", time=at(2))

    assert read(market).interactions.sessions.tolist() == [0, 1]


def test_without_ids_a_session_ends_with_half_an_hour_of_silence(market):
    for minute in (0, 20, 50, 80.5):
        add_event(market, "a", user_id="u", time=at(minute))
    add_event(market, "a", user_id="v", time=at(51))

    # 0, 20, 50 of u; 51 of v; then u again, after 30.5 minutes
    assert read(market).interactions.sessions.tolist() == [0, 0, 0, 1, 2]


def test_what_nobody_did_belongs_to_no_session(market):
    add_event(market, "a", time=at(1))

    got = read(market).interactions
    assert (got.sessions.tolist(), got.shoppers.tolist()) == ([-1], [-1])


def test_a_return_is_part_of_no_basket(market):
    add_event(market, "a", type="purchase", transaction_id="t", time=at(1))
    add_event(market, "b", type="return", transaction_id="t", time=at(2))

    assert read(market).interactions.baskets.tolist() == [0, -1]


def test_a_returned_line_is_no_longer_part_of_its_order(market):
    for product in ("a", "b"):
        add_event(market, product, type="purchase", transaction_id="t", time=at(1))
    add_event(market, "b", type="purchase", transaction_id="u", time=at(1))
    add_event(market, "a", type="return", transaction_id="t", time=at(9))

    got = read(market).interactions
    assert got.baskets.tolist() == [-1, 0, 1, -1]
    assert got.actions.tolist() == [*[Action.PURCHASE] * 3, Action.RETURN]


def test_moments_keep_their_microseconds(market):
    moments = [START + timedelta(microseconds=more) for more in (0, 1, 499_999, 999_999)]
    for moment in moments:
        add_event(market, "a", time=moment)

    data = read(market)

    assert data.interactions.times.tolist() == pytest.approx(
        [moment.timestamp() for moment in moments], abs=5e-7
    )
    assert data.window == (moments[0], moments[-1])


def test_a_visitor_who_is_no_person_is_capped(market):
    start = START.timestamp()
    Event.objects.bulk_create(
        Event(
            tenant_id=market.tenant_id, market=market, type="page_view", product_id="a",
            session_id="bot", deduplication_id=f"bot-{number}",
            time=datetime.fromtimestamp(start + number, tz=UTC),
        )
        for number in range(700)
    )  # fmt: skip
    for person in ("p", "q"):
        add_event(market, "b", session_id=person, time=at(30))
    add_event(market, "b", type="purchase", session_id="bot", time=at(31))

    data = read(market)

    assert data.n_runaway == 200
    assert data.interactions.times.tolist() == [
        *[start + number for number in range(200, 700)],
        *[at(minute).timestamp() for minute in (30, 30, 31)],
    ]


def test_blocks_make_no_difference(busy_shop, monkeypatch):
    whole = read(busy_shop)
    monkeypatch.setattr(dataset, "_CHUNK", 7)

    parts = read(busy_shop)

    for name in ("items", "actions", "sessions", "baskets", "shoppers", "times"):
        np.testing.assert_array_equal(
            getattr(parts.interactions, name), getattr(whole.interactions, name)
        )


def test_the_window_counts_back_from_the_newest_event(market):
    for day in (0, 9, 10, 20):
        add_event(market, "a", time=START + timedelta(days=day))

    data = read(market, window_days=10)

    assert data.window == (START + timedelta(days=10), START + timedelta(days=20))
    assert len(data.interactions) == 2


def test_a_window_says_how_many_days_its_events_span(market):
    assert open_window(market, days=10).days() == 0.0
    for day in (0, 12, 18, 20):
        add_event(market, "a", time=START + timedelta(days=day))

    assert open_window(market, days=10).days() == 8.0
    assert open_window(market, days=1000).days() == 20.0


def test_events_of_other_markets_are_not_read(market):
    other = make_shop("other")
    add_events(other)
    add_event(market, "a", time=at(1))

    assert len(read(market).interactions) == 1


def test_reading_twice_gives_the_same(busy_shop):
    first, second = read(busy_shop), read(busy_shop)

    for name in ("items", "actions", "sessions", "baskets", "shoppers", "times"):
        one, two = getattr(first.interactions, name), getattr(second.interactions, name)
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype
    assert first.items == second.items


def test_progress_ends_with_everything(busy_shop):
    steps = []
    data = read(busy_shop, progress=lambda done, total: steps.append((done, total)))

    assert steps[0][0] == 0
    assert steps[-1] == (len(data.interactions), len(data.interactions))


def test_the_number_of_queries_does_not_grow_with_the_shop(busy_shop, django_assert_num_queries):
    # newest event, oldest, count; categories, links, products; events
    with django_assert_num_queries(7):
        read(busy_shop)


def test_an_empty_market_has_nothing(shop):
    Product.objects.all().delete()
    data = read(shop)

    assert (data.items.ids, len(data.interactions), data.window) == ([], 0, None)
