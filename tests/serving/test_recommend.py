from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import DataError, OperationalError
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.models import Market, Product, RecommendationType, Tenant
from depict_reco.serving import recommend as recommending
from depict_reco.serving.defaults import DEFAULT_TYPES
from depict_reco.serving.requests import UNKNOWN_TYPE
from depict_reco.tasks import train_market
from tests import shop as shops
from tests.serving.asking import answer, ask, displays

pytestmark = pytest.mark.django_db

TEAPOTS = {f"teapot-{number}" for number in range(1, 6)}
TYPES = [name for name, _, _ in DEFAULT_TYPES]


def kinds(product_ids):
    """Return the kinds of products in the order of their first appearance."""
    return list(dict.fromkeys(name.partition("-")[0] for name in product_ids))


def set_type(market, name, **fields):
    RecommendationType.objects.update_or_create(
        tenant=market.tenant, market=None, name=name, defaults=fields
    )


# What each type answers


@pytest.mark.parametrize("type_", ["similar", "related"])
def test_similar_products_are_those_to_choose_from_instead(trained_shop, type_):
    assert set(ask(type_, "teapot-1", limit=4)) == TEAPOTS - {"teapot-1"}


@pytest.mark.parametrize("type_", ["cross_sell", "checkout", "after_basket"])
@pytest.mark.parametrize(
    ("product", "complement"), [("teapot-3", "teacup-3"), ("glove-2", "spade-2")]
)
def test_complements_are_what_is_bought_together(trained_shop, type_, product, complement):
    assert ask(type_, product, limit=1) == [complement]


def test_a_basket_of_two_is_completed_on_both_sides(trained_shop):
    assert set(ask("checkout", "teapot-3", "spade-2", limit=2)) == {"teacup-3", "glove-2"}


def test_an_order_line_may_be_named_by_sku_or_by_group(trained_shop):
    assert ask("cross_sell", "sku-teapot-3", limit=1) == ["teacup-3"]
    assert "bear-s" not in ask("similar", "bear", limit=128)


def test_upsell_is_similar_and_dearer(trained_shop):
    found = ask("upsell", "teapot-2", limit=128)
    sources = answer("upsell", "teapot-2", limit=128).sources
    dearer = {name for name, source in zip(found, sources, strict=True) if source == "upsell"}

    assert dearer == {"teapot-3", "teapot-4", "teapot-5"}
    assert set(found[:3]) == dearer


def test_upsell_is_measured_by_the_dearest_product_that_is_paid_for(trained_shop):
    Product.objects.filter(product_id="teapot-5").change(sale_price="150")

    found = answer("upsell", "teapot-1", "teapot-2", limit=20)

    assert set(found.product_ids[:2]) == {"teapot-3", "teapot-4"}
    assert found.sources.count("upsell") == 2


def test_upsell_of_a_sold_out_product_is_dearer_too(trained_shop):
    Product.objects.filter(product_id="teapot-3").change(in_stock=False)

    found = answer("upsell", "teapot-3", limit=2)

    assert set(found.product_ids) == {"teapot-4", "teapot-5"}
    assert found.sources == ("upsell", "upsell")


def test_for_you_goes_on_from_what_was_looked_at(trained_shop):
    # visits run teapot-1, teapot-2, teapot-3 and so on
    assert ask("for_you", "teapot-1", "teapot-2", limit=1) == ["teapot-3"]


def test_for_you_reads_the_history_of_session_and_user(trained_shop):
    now = timezone.now()
    shops.add_event(trained_shop, "spade-1", session_id="here", time=now - timedelta(minutes=2))
    shops.add_event(trained_shop, "spade-2", user_id="me", time=now - timedelta(minutes=1))

    found = answer("for_you", limit=1, session_id="here", user_id="me")

    assert (found.product_ids, found.sources) == (("spade-3",), ("sessions",))


def test_for_you_without_a_shopper_is_what_is_on_the_rise(trained_shop):
    assert ask("for_you", limit=1) == ask("trending", limit=1) == ["puzzle-5"]


def test_a_shopper_nobody_knows_is_like_none(trained_shop):
    assert ask("for_you", session_id="never seen", limit=5) == ask("for_you", limit=5)


def test_server_is_nobody(trained_shop):
    shops.add_event(trained_shop, "spade-2", session_id="server")

    assert ask("for_you", session_id="server", dsid="server", limit=1) == ["puzzle-5"]


@pytest.mark.parametrize(
    ("failure", "away"), [(OperationalError("gone"), True), (DataError("a fault of ours"), False)]
)
def test_an_answer_goes_without_a_history_that_cannot_be_read(
    trained_shop, monkeypatch, caplog, failure, away
):
    ask("for_you", limit=4)

    def refuse(*args, **kwargs):
        raise failure

    monkeypatch.setattr(recommending, "recent_products", refuse)
    assert len(ask("for_you", "teapot-1", session_id="s", limit=4)) == 4
    assert ("The database does not answer" in caplog.text) is away
    assert ("a fault of ours" in caplog.text) is not away


def test_the_history_may_name_products_by_sku_only(trained_shop):
    shops.add_event(trained_shop, "", sku="sku-spade-2", session_id="here", type="purchase")
    shops.add_event(trained_shop, "old name", sku="sku-glove-1", session_id="here")

    assert ask("recently_viewed", session_id="here", limit=2) in (
        [["glove-1", "spade-2"], ["spade-2", "glove-1"]]
    )


def test_recently_viewed_is_newest_first_and_each_once(trained_shop):
    start = timezone.now() - timedelta(hours=1)
    viewed = ["spade-1", "bear-s", "teacup-2", "spade-1", "bear-m", "teapot-hidden", "unknown"]
    for minute, product in enumerate(viewed):
        shops.add_event(
            trained_shop, product, session_id="here", time=start + timedelta(minutes=minute)
        )

    found = answer("recently_viewed", session_id="here", limit=5)

    assert found.product_ids[:3] == ("bear-s", "spade-1", "teacup-2")
    assert found.sources[:4].count("recently_viewed") == 3


def test_popular_is_what_most_people_want(trained_shop):
    assert ask("popular", limit=1) == ["bear-s"]


@pytest.mark.parametrize("type_", ["trending", "landing_page"])
def test_trending_is_what_is_on_the_rise(trained_shop, type_):
    assert ask(type_, limit=1) == ["puzzle-5"]


def test_new_in_is_newest_first_at_once(trained_shop):
    now = timezone.now()
    shops.add_product(trained_shop, "new-1", first_seen_at=now - timedelta(days=1))
    shops.add_product(trained_shop, "new-2", first_seen_at=now)

    assert ask("new_in", limit=2) == ["new-2", "new-1"]


@pytest.mark.parametrize("type_", ["category", "popular", "trending", "new_in"])
def test_a_category_has_its_own_products_and_those_of_its_descendants_first(trained_shop, type_):
    assert set(ask(type_, category_id="teacups", limit=5)) == {f"teacup-{n}" for n in range(1, 6)}
    assert set(kinds(ask(type_, category_id="garden", limit=10))) == {"spade", "glove"}


def test_a_small_category_is_filled_up_with_others(trained_shop):
    found = ask("category", category_id="teacups", limit=12)

    assert kinds(found[:5]) == ["teacup"]
    assert len(found) == len(set(found)) == 12


@pytest.mark.parametrize("category_id", ["nope", "", "\0", "🐻" * 1000])
def test_an_unknown_category_is_like_none(trained_shop, category_id):
    assert ask("category", category_id=category_id, limit=9) == ask("category", limit=9)


# Where there is little to go by


@pytest.mark.parametrize("type_", TYPES)
def test_a_shop_without_a_model_answers_everything(shop, type_):
    found = ask(type_, "teapot-1", limit=128, category_id="toys", session_id="someone")

    assert len(found) == shops.ELIGIBLE - 1
    assert "teapot-1" not in found


@pytest.mark.parametrize("type_", TYPES)
def test_a_shop_without_events_answers_everything(shop, type_):
    train_market(shop)

    assert len(ask(type_, "teapot-1", limit=128)) == shops.ELIGIBLE - 1
    assert ask("similar", "teapot-1", limit=1)[0] in TEAPOTS


@pytest.mark.parametrize("type_", TYPES)
def test_a_market_without_products_answers_with_nothing(shop, type_):
    Market.objects.create(tenant=shop.tenant, slug="us", currency="USD", default_locale="en-US")

    assert answer(type_, "teapot-1", market="us", session_id="s").body == b'{"displays":[]}'


@pytest.mark.parametrize("type_", TYPES)
def test_a_market_that_lost_all_its_products_answers_with_nothing(trained_shop, type_):
    Product.objects.all().delete()

    assert answer(type_, "teapot-1", session_id="s").body == b'{"displays":[]}'


def test_a_product_newer_than_the_model_is_compared_by_its_text(trained_shop):
    shops.add_product(trained_shop, "new", title="Teapot 6", brand="Tea & Co", category="teapots")

    found = answer("similar", "new", limit=5)

    assert set(found.product_ids) == TEAPOTS
    assert set(found.sources) == {"content"}


def test_a_product_newer_than_the_model_can_be_an_answer(trained_shop):
    shops.add_product(trained_shop, "new", category="teapots")

    for type_ in TYPES:
        assert "new" in ask(type_, "teapot-1", limit=128)


# What is never answered


@pytest.mark.parametrize("type_", TYPES)
def test_hidden_sold_out_and_vanished_products_are_never_shown(trained_shop, type_):
    found = ask(type_, "teapot-1", limit=128)

    assert not {"teapot-hidden", "teapot-sold-out", "teapot-gone"} & set(found)
    assert len([name for name in found if name.startswith("bear-")]) == 1


def test_no_variant_of_a_product_in_the_request_is_answered(trained_shop):
    assert not [x for x in ask("popular", "bear-l", limit=128) if x.startswith("bear")]


def test_a_group_is_shown_by_a_variant_that_can_be_bought(trained_shop):
    Product.objects.filter(product_id="bear-s").change(in_stock=False)
    assert ask("popular", limit=1) == ["bear-m"]

    Product.objects.filter(product_id__startswith="bear").change(in_stock=False)
    assert not [x for x in ask("popular", limit=128) if x.startswith("bear")]


def test_unknown_products_of_a_request_are_skipped(trained_shop):
    odd = ("nope", "", "\0", "🐻", "\ud800", "x" * 100_000)

    assert ask("cross_sell", *odd, "teapot-3", *odd, limit=9) == ask(
        "cross_sell", "teapot-3", limit=9
    )


def test_a_request_may_name_everything(trained_shop):
    everything = Product.objects.values_list("product_id", flat=True)

    for type_ in TYPES:
        assert ask(type_, *everything) == []


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_rules_hold_for_any_catalogue_and_request(trained_shop, data):
    names = sorted(Product.objects.values_list("product_id", flat=True))
    some = st.lists(st.sampled_from(names), max_size=12)
    with_groups = data.draw(some)
    Product.objects.all().change(hidden=False, in_stock=True, active=True)
    Product.objects.with_ids(data.draw(some)).change(hidden=True)
    Product.objects.with_ids(data.draw(some)).change(in_stock=False)
    Product.objects.with_ids(data.draw(some)).change(active=False)
    Product.objects.with_ids(with_groups).change(item_group_id="drawn")
    groups = {product.product_id: product.group_id for product in Product.objects.all()}
    asked = data.draw(st.lists(st.sampled_from([*names, "unknown", "", "drawn"]), max_size=8))
    limit = data.draw(st.integers(1, 128))

    found = ask(
        data.draw(st.sampled_from(TYPES)),
        *asked,
        limit=limit,
        category_id=data.draw(st.sampled_from([None, "unknown", *shops.CATEGORIES])),
    )

    recommendable = set(Product.objects.recommendable().values_list("product_id", flat=True))
    shown_groups = [groups[name] for name in found]
    asked_groups = {groups.get(name, name) for name in asked}
    eligible_groups = {groups[name] for name in recommendable} - asked_groups
    assert set(found) <= recommendable
    assert len(shown_groups) == len(set(shown_groups))
    assert not asked_groups & set(shown_groups)
    assert len(found) == min(limit, len(eligible_groups))
    Product.objects.with_ids(with_groups).change(item_group_id="")
    Product.objects.filter(product_id__startswith="bear-").change(item_group_id="bear")


# How many


def test_the_limit_is_the_type_s_own_unless_one_is_given(trained_shop):
    assert len(ask("popular")) == 20
    assert len(ask("popular", limit=1)) == 1
    set_type(trained_shop, "popular", default_limit=7)
    assert len(ask("popular")) == 7


@pytest.mark.parametrize("limit", [128, 100_000])
def test_at_most_128_are_answered(shop, limit):
    for number in range(150):
        shops.add_product(shop, f"more-{number}")

    found = ask("popular", limit=limit)

    assert len(found) == len(set(found)) == 128
    assert len({d["recommendation_id"] for d in displays("popular", limit=limit)}) == 128


# Types


UNKNOWN = {"displays": [], "error": UNKNOWN_TYPE}


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "nope"},
        {"tenant": "ACME"},
        {"market": "nope"},
        {"tenant": ""},
        {"market": "\0"},
        {"tenant": "🐻"},
        {"market": "\ud800"},
    ],
)
def test_an_unknown_shop_or_market_is_told_so(shop, fields):
    assert json.loads(answer("popular", **fields).body) == UNKNOWN
    assert UNKNOWN_TYPE == "(tenant, market, type) not yet configured. Please contact Depict."


@pytest.mark.parametrize("type_", ["nope", "", "Popular", "\0", "🐻", "\ud800", "x" * 100_000])
def test_an_unknown_type_is_told_so(shop, type_):
    found = answer(type_)

    assert json.loads(found.body) == UNKNOWN
    assert found.error == UNKNOWN_TYPE
    assert found.product_ids == ()


def test_an_answer_without_error_has_no_error_field(shop):
    assert set(json.loads(answer("popular").body)) == {"displays"}


def test_an_inactive_type_is_unknown(shop):
    set_type(shop, "popular", active=False)

    assert json.loads(answer("popular").body) == UNKNOWN


def test_a_type_of_the_market_goes_before_that_of_the_tenant(trained_shop):
    us = Market.objects.create(
        tenant=trained_shop.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    shops.add_product(us, "only-one")
    own = RecommendationType.objects.create(
        tenant=trained_shop.tenant,
        market=trained_shop,
        name="popular",
        kind="user_only",
        strategy="newest",
        default_limit=3,
    )
    shops.add_product(trained_shop, "new", first_seen_at=timezone.now())

    assert ask("popular")[0] == "new"
    assert len(ask("popular")) == 3
    assert ask("popular", market="us") == ["only-one"]

    own.active = False
    own.save()
    assert ask("popular")[0] == "bear-s"


def test_types_of_another_tenant_are_not_seen(shop):
    other = Tenant.objects.create(slug="other", name="Other")
    RecommendationType.objects.create(
        tenant=other, name="secret", kind="user_only", strategy="popular"
    )

    assert json.loads(answer("secret").body) == UNKNOWN


def test_products_of_another_market_are_not_seen(trained_shop):
    us = Market.objects.create(
        tenant=trained_shop.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    shops.add_product(us, "american")

    assert "american" not in ask("popular", limit=128)
    assert ask("popular", "teapot-1", market="us", limit=128) == ["american"]


def test_a_type_can_leave_categories_out(trained_shop):
    set_type(
        trained_shop, "popular", parameters={"exclude_category_ids": ["kitchen", "toys", "nope"]}
    )

    assert set(kinds(ask("popular", limit=128))) == {"spade", "glove"}


def test_a_type_can_have_a_chain_of_its_own(trained_shop):
    set_type(trained_shop, "popular", parameters={"chain": ["complements"]})

    assert kinds(ask("popular", "teapot-1", limit=128))[0] == "teacup"
    assert ask("popular", limit=128) == []


@pytest.mark.parametrize("parameters", [[], None, {"chain": ["nope"]}, {"chain": "x"}, "text"])
def test_parameters_written_past_the_checks_do_not_stop_the_shop(trained_shop, parameters):
    set_type(trained_shop, "popular", parameters=parameters or 0)

    assert ask("popular", limit=1) == ["bear-s"]


@pytest.mark.parametrize("text", ["\0", "🐻", "x" * 100_000, "\ud800", "'; --", "%s", " "])
def test_odd_shopper_ids_are_answered(trained_shop, text):
    expected = ask("for_you", limit=3)

    for field in ("session_id", "user_id", "dsid"):
        assert ask("for_you", limit=3, **{field: text}) == expected


# Queries


@pytest.fixture
def warm(trained_shop, settings):
    """A process that knows everything and will not ask again for an hour."""
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 3600.0}
    shops.add_event(trained_shop, "spade-2", session_id="here")
    ask("popular")
    return trained_shop


@pytest.mark.parametrize("type_", TYPES)
def test_a_warm_process_asks_the_database_nothing(warm, type_, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer(type_, "teapot-1", category_id="garden", limit=128)


@pytest.mark.parametrize("type_", TYPES)
def test_a_shopper_costs_one_query_at_most(warm, type_, django_assert_max_num_queries):
    with django_assert_max_num_queries(1):
        answer(type_, "teapot-1", session_id="here", user_id="me", dsid="there", limit=128)


def test_only_types_that_read_the_history_ask_for_it(warm, django_assert_num_queries):
    for type_ in ("for_you", "front_page", "recently_viewed"):
        with django_assert_num_queries(1):
            answer(type_, session_id="here")
    for type_ in ("similar", "cross_sell", "checkout", "popular", "trending", "new_in"):
        with django_assert_num_queries(0):
            answer(type_, "teapot-1", session_id="here")


def test_a_refresh_without_news_is_one_query(warm, settings, django_assert_num_queries):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 0.0}

    with django_assert_num_queries(1):
        answer("popular")


def test_the_queries_of_a_change_do_not_grow_with_the_catalogue(
    warm, settings, django_assert_num_queries
):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 0.0}
    for number in range(100):
        shops.add_product(warm, f"more-{number}", category="toys")
    # tenants; how many have changed; links, products, categories
    with django_assert_num_queries(5):
        answer("popular")
    Product.objects.filter(product_id__startswith="more-").change(price=5)
    with django_assert_num_queries(5):
        answer("popular")
