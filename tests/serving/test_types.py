from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from depict_reco.exceptions import TypeKeyError
from depict_reco.models import Market, RecommendationType, Tenant
from depict_reco.serving.candidates import SOURCES
from depict_reco.serving.defaults import DEFAULT_TYPES, add_default_types
from depict_reco.serving.strategies import CHAINS, Strategy, validate_parameters
from depict_reco.serving.types import type_book
from depict_reco.tenants.directory import directory

NAMES = [
    "similar", "related", "cross_sell", "upsell", "checkout", "after_basket", "front_page",
    "landing_page", "for_you", "popular", "trending", "new_in", "recently_viewed", "category",
    "buy_again",
]  # fmt: skip


@pytest.fixture
def acme(db):
    return Tenant.objects.create(slug="acme", name="Acme")


def test_every_strategy_has_a_chain_of_known_sources_that_never_runs_dry():
    assert set(CHAINS) == set(Strategy.values)
    for chain in CHAINS.values():
        assert set(chain) <= set(SOURCES)
        assert chain[-1] == "catalogue"


def test_a_tenant_gets_the_default_types(acme):
    assert add_default_types(acme) == 15

    rows = RecommendationType.objects.filter(tenant=acme)
    assert {row.name for row in rows} == set(NAMES) == {name for name, _, _ in DEFAULT_TYPES}
    for row in rows:
        row.full_clean()


def test_types_that_stand_are_left_alone(acme):
    own = RecommendationType.objects.create(
        tenant=acme, name="popular", kind="user_only", strategy="newest", default_limit=3
    )
    market = Market.objects.create(tenant=acme, slug="se", currency="SEK", default_locale="sv")
    RecommendationType.objects.create(
        tenant=acme, market=market, name="similar", kind="product", strategy="popular"
    )

    assert add_default_types(acme) == 14
    assert add_default_types(acme) == 0
    own.refresh_from_db()
    assert (own.strategy, own.default_limit) == ("newest", 3)


def test_new_types_are_made_known_to_serving_processes(acme):
    before = Tenant.objects.get().revision
    add_default_types(acme)
    after = Tenant.objects.get().revision
    assert after > before

    add_default_types(acme)
    assert Tenant.objects.get().revision == after


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"exclude_category_ids": ["a", "b"]},
        {"chain": ["content", "popular"]},
        {"chain": []},
        {"exploration": 0},
        {"exploration": 0.1, "chain": ["popular"]},
        {"exploration": 0.5},
    ],
)
def test_good_parameters(parameters):
    validate_parameters(parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([], "Parameters are a JSON object"),
        (None, "Parameters are a JSON object"),
        (
            {"chains": []},
            "Unknown parameter 'chains'; known are chain, exclude_category_ids, exp",
        ),
        ({"chain": "content"}, "chain must be a list of strings"),
        ({"exclude_category_ids": [1]}, "exclude_category_ids must be a list of strings"),
        ({"exploration": 0.51}, "exploration must be a number from 0 to 0.5, not 0.51: the share"),
        ({"exploration": -0.1}, "exploration must be a number from 0 to 0.5, not -0.1"),
        ({"exploration": True}, "exploration must be a number from 0 to 0.5, not True"),
        ({"exploration": "0.1"}, "exploration must be a number from 0 to 0.5, not '0.1'"),
        ({"exploration": None}, "exploration must be a number from 0 to 0.5, not None"),
        ({"exploration": float("nan")}, "exploration must be a number from 0 to 0.5, not nan"),
        (
            {"chain": ["magic"]},
            "Unknown source 'magic'; known are buy_again, catalogue",
        ),
    ],
)
def test_bad_parameters_are_refused_with_what_to_do(acme, parameters, message):
    with pytest.raises(ValueError, match=message):
        validate_parameters(parameters)
    row = RecommendationType(
        tenant=acme, name="x", kind="product", strategy="popular", parameters=parameters
    )
    with pytest.raises(ValidationError, match=message):
        row.clean()


@pytest.mark.parametrize("limit", [0, 129])
def test_a_limit_that_no_answer_can_have_is_refused(acme, limit):
    row = RecommendationType(
        tenant=acme, name="x", kind="product", strategy="popular", default_limit=limit
    )
    with pytest.raises(ValidationError, match="default_limit"):
        row.full_clean()


def test_a_type_belongs_to_a_market_of_its_tenant(acme):
    other = Tenant.objects.create(slug="other", name="Other")
    market = Market.objects.create(tenant=other, slug="se", currency="SEK", default_locale="sv")
    row = RecommendationType(
        tenant=acme, market=market, name="x", kind="product", strategy="popular"
    )

    with pytest.raises(ValidationError, match="another tenant"):
        row.clean()


def test_a_type_is_called_by_its_name_and_market(acme):
    market = Market.objects.create(tenant=acme, slug="se", currency="SEK", default_locale="sv")

    assert str(RecommendationType(tenant=acme, name="popular")) == "popular"
    assert str(RecommendationType(tenant=acme, market=market, name="popular")) == "popular (se)"


def test_a_type_that_recommendation_ids_have_no_room_for_is_refused(shop):
    fields = {"tenant": shop.tenant, "kind": "user_only", "strategy": "popular"}

    RecommendationType.objects.create(pk=2**20 - 1, name="last", **fields)
    with pytest.raises(TypeKeyError, match="up to 1,048,575, and this one would get 1,048,576"):
        RecommendationType.objects.create(pk=2**20, name="too far", **fields)

    assert not RecommendationType.objects.filter(name="too far").exists()


def test_a_type_that_got_in_past_the_check_is_not_answered(shop, caplog):
    RecommendationType.objects.bulk_create(
        [
            RecommendationType(
                pk=2**20, tenant=shop.tenant, name="x", kind="user_only", strategy="popular"
            )
        ]
    )
    names = {entry.name for entry in type_book().types_of(directory().tenant("acme"))}

    assert "popular" in names
    assert "x" not in names
    assert "Type x is not answered." in caplog.text
