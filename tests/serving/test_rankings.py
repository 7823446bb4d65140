"""Rankings that are kept: the same answers as made anew, as long as nothing has changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.models import Product, RecommendationType
from depict_reco.serving import recommend as recommending
from depict_reco.serving.defaults import DEFAULT_TYPES
from depict_reco.tasks import train_market
from tests.serving.asking import answer, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(monkeypatch):
    """Return the questions whose ranking was made, rather than found."""
    made = []
    make = recommending._ranking

    def noted(snapshot, entry, request):
        made.append(request)
        return make(snapshot, entry, request)

    monkeypatch.setattr(recommending, "_ranking", noted)
    return made


def test_a_question_that_comes_again_is_ranked_once(trained_shop, made):
    first, second = answer("similar", "teapot-1", limit=4), answer("similar", "teapot-1", limit=4)

    assert len(made) == 1
    assert first.product_ids == second.product_ids
    assert first.sources == second.sources


def test_its_recommendation_ids_are_new_each_time(trained_shop):
    bodies = [json.loads(answer("similar", "teapot-1", limit=4).body) for _ in range(2)]
    ids = [display["recommendation_id"] for body in bodies for display in body["displays"]]

    assert len(set(ids)) == 8


@pytest.mark.parametrize(
    "other",
    [
        {"type_": "similar", "limit": 3},
        {"type_": "upsell", "limit": 4},
        {"type_": "similar", "limit": 4, "category_id": "garden"},
    ],
)
def test_another_question_is_another(trained_shop, made, other):
    ask("similar", "teapot-1", limit=4)
    ask(other.pop("type_"), "teapot-1", **other)

    assert len(made) == 2


def test_a_sold_out_product_is_not_answered_again(trained_shop, made):
    assert "teapot-2" in ask("similar", "teapot-1", limit=4)
    Product.objects.filter(product_id="teapot-2").change(in_stock=False)

    assert "teapot-2" not in ask("similar", "teapot-1", limit=4)
    assert len(made) == 2


def test_a_changed_type_is_answered_as_it_is_now(trained_shop):
    assert set(answer("similar", "teapot-1", limit=4).sources) == {"substitutes"}
    RecommendationType.objects.filter(name="similar").update(parameters={"chain": ["popular"]})
    trained_shop.tenant.save()

    assert set(answer("similar", "teapot-1", limit=4).sources) == {"popular"}


def test_a_new_model_is_asked_anew(trained_shop, made):
    ask("similar", "teapot-1", limit=4)
    train_market(trained_shop)
    ask("similar", "teapot-1", limit=4)

    assert len(made) == 2


def test_what_a_shopper_did_is_never_kept(trained_shop, made):
    for _ in range(2):
        ask("for_you", "teapot-1", limit=4, session_id="s")
    assert len(made) == 2

    for _ in range(2):
        ask("for_you", "teapot-1", limit=4)
    assert len(made) == 3


def test_a_setting_keeps_none(trained_shop, made, settings):
    settings.DEPICT_RECO = settings.DEPICT_RECO | {"RANKINGS_KEPT": 0}
    for _ in range(2):
        ask("similar", "teapot-1", limit=4)

    assert len(made) == 2


@pytest.mark.parametrize(
    ("products", "category_id"),
    [(["x" * 256], None), (["teapot-1"], "x" * 256), (["a", "b", "c", "d", "e"], None)],
)
def test_long_questions_are_not_kept(trained_shop, made, products, category_id):
    for _ in range(2):
        ask("similar", *products, category_id=category_id, limit=4)

    assert len(made) == 2


def test_types_that_explore_take_turns(trained_shop, made):
    RecommendationType.objects.filter(name="similar").update(parameters={"exploration": 0.5})
    trained_shop.tenant.save()
    for _ in range(2):
        ask("similar", "teapot-1", limit=4)

    assert len(made) == 2


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    type_=st.sampled_from([name for name, _, _ in DEFAULT_TYPES]),
    products=st.lists(st.sampled_from(["teapot-1", "teacup-2", "spade-3", "nothing"]), max_size=4),
    limit=st.integers(1, 30),
)
def test_kept_and_made_are_the_same(trained_shop, type_, products, limit):
    found = [answer(type_, *products, limit=limit) for _ in range(2)]

    assert found[0].product_ids == found[1].product_ids
    assert found[0].sources == found[1].sources
