from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depict_reco.engine.content import ContentModel
from depict_reco.engine.explain import POPULARITY, Question, explain
from depict_reco.engine.interactions import Action
from depict_reco.engine.model import (
    BASKET_PARTS,
    NEXT_PARTS,
    SUBSTITUTE_PARTS,
    FitOptions,
    ShopModel,
    Weights,
)
from depict_reco.engine.occurrences import Count
from tests.engine.test_model import CUPS, KETTLES, TEAS, planted, query, texts
from tests.engine.test_occurrences import happened

ASKED = [
    (Question.NEXT_ITEMS, [0, 4]), (Question.NEXT_ITEMS, [7]), (Question.COMPLEMENTS, [0]),
    (Question.COMPLEMENTS, [3, 7]), (Question.SUBSTITUTES, [2]), (Question.SUBSTITUTES, [2, 5]),
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return ShopModel.fit(planted(), texts(), options=FitOptions())


def reasons_for(model, question, asked, item, **options):
    return explain(model, question, query(*asked), [item], **options)[0]


def alone(model, part, weight=1.0):
    """Return the model in which one part of the next items has a weight."""
    weights = tuple(weight if name == part else 0.0 for name in NEXT_PARTS)
    return model.with_weights(replace(model.weights, next_items=(*weights, 0.0, 0.0)))


@pytest.mark.parametrize(("question", "asked"), ASKED)
def test_shares_are_those_of_the_blend(model, question, asked):
    """What is explained is what was added up: differences of amounts are those of the scores."""
    answer = getattr(model, question.value)(query(*asked))
    found = explain(model, question, query(*asked), answer.items.tolist())
    logits = np.log(answer.scores.astype(np.float64))
    totals = []
    for item, reasons in zip(answer.items.tolist(), found, strict=True):
        positive = sum(reason.share for reason in reasons if reason.share > 0)
        assert positive == pytest.approx(1.0)
        amounts = amounts_of(model, question, query(*asked), item)
        whole = sum(amount for amount in amounts.values() if amount > 0)
        for reason in reasons:
            assert reason.share == pytest.approx(amounts[reason.part] / whole, abs=1e-6)
        totals.append(sum(amounts.values()))
    np.testing.assert_allclose(np.diff(totals), np.diff(logits), atol=1e-4)


def amounts_of(model, question, asked, item):
    """Return what each part adds, worked out item by item."""
    parts = {
        Question.NEXT_ITEMS: model.next_parts,
        Question.COMPLEMENTS: model.basket_parts,
        Question.SUBSTITUTES: model.substitute_parts,
    }[question](asked)
    names = {
        Question.NEXT_ITEMS: NEXT_PARTS,
        Question.COMPLEMENTS: BASKET_PARTS,
        Question.SUBSTITUTES: SUBSTITUTE_PARTS,
    }[question]
    weights = getattr(model.weights, question.value)
    found = {}
    for name, part, weight in zip(names, parts, weights[: len(names)], strict=True):
        evidence = part.evidence(weight) if weight > 0 else part.evidence(0.0)
        here = dict(zip(evidence.items.tolist(), evidence.scores.tolist(), strict=True))
        found[name] = here.get(item, 0.0)
    priors = model.popularity.priors[:, item]
    found[POPULARITY] = float(np.dot(priors, weights[len(parts) :]))
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from([Action.VIEW, Action.VIEW, Action.CART, Action.PURCHASE, Action.RETURN]),
        st.integers(-1, 6),
        st.integers(-1, 5),
    ),
    min_size=5,
    max_size=60,
)


@given(ROWS, st.sampled_from(Question), st.lists(st.integers(0, 8), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_every_answer_of_any_shop_can_be_explained(rows, question, asked):
    content = ContentModel.fit(texts())
    model = ShopModel.fit(happened(rows, n_items=9), (), options=FitOptions(), content=content)
    answer = getattr(model, question.value)(query(*asked))
    for reasons in explain(model, question, query(*asked), answer.items.tolist()):
        assert sum(reason.share for reason in reasons if reason.share > 0) == pytest.approx(1.0)
        for reason in reasons:
            assert (reason.facts is not None) == (reason.share > 0 and reason.part != POPULARITY)
            assert reason.item is None or reason.item in asked
            assert reason.via is None or reason.part == "walks"
            for count in astuple(reason.facts) if reason.facts else ():
                both, of, viewed = count
                assert 0 <= viewed <= both <= of


def test_facts_of_a_basket_are_counted(model):
    """Kettle 0 was bought ten times, each time with tea 3 and cup 6."""
    reasons = reasons_for(model, Question.COMPLEMENTS, [0], 3)
    assert reasons[0].part in ("baskets", "linear")
    assert reasons[0].item == 0
    assert reasons[0].facts.baskets == Count(both=10, of=10)
    # that was in ten visits of their own; in thirty more the kettle was looked at beside others
    assert reasons[0].facts.visits == Count(both=10, of=40, viewed=0)
    assert reasons[0].facts.following == Count(both=10, of=30, viewed=0)


def test_facts_of_a_visit_are_counted(model):
    reasons = reasons_for(model, Question.SUBSTITUTES, [0], 1)
    facts = next(reason.facts for reason in reasons if reason.part == "views")
    assert facts.visits == Count(both=30, of=40, viewed=30)
    # kettles were seen in three orders; in two of them 1 comes right after 0
    assert facts.following == Count(both=20, of=30, viewed=20)
    assert facts.wanted == Count(both=0, of=30)


def test_each_part_names_the_item_that_it_relates_most():
    """Tea brings the pot and nothing else; the mug brings the cup."""
    rows, basket = [], 0
    for _ in range(6):
        for pair in ((0, 1), (2, 3)):
            rows += [(item, Action.PURCHASE, basket, basket) for item in pair]
            basket += 1
    model = ShopModel.fit(happened(rows), texts()[:4], options=FitOptions())
    for question, part in ((Question.COMPLEMENTS, "baskets"), (Question.NEXT_ITEMS, "sessions")):
        for item, brings in ((0, 1), (2, 3)):
            reasons = reasons_for(model, question, [2, 0], brings, strongest=9)
            assert next(r.item for r in reasons if r.part == part) == item
            assert next(r.facts.baskets for r in reasons if r.part == part) == Count(both=6, of=6)


def test_of_the_latest_part_the_last_item_speaks(model):
    reasons = reasons_for(alone(model, "latest"), Question.NEXT_ITEMS, [5, 0], 1)
    assert [(reason.part, reason.item) for reason in reasons] == [("latest", 0)]


def test_walks_name_what_lies_between():
    """Nobody saw 0 and 2 in one visit; 1 was seen with either."""
    rows = [(item, Action.VIEW, visit, -1) for visit in range(4) for item in (0, 1)]
    rows += [(item, Action.VIEW, 9 + visit, -1) for visit in range(4) for item in (1, 2)]
    model = ShopModel.fit(happened(rows), texts()[:4], options=FitOptions())
    (reason,) = reasons_for(alone(model, "walks"), Question.NEXT_ITEMS, [0], 2)
    assert (reason.part, reason.item, reason.via) == ("walks", 0, 1)
    assert reason.facts.visits == Count(both=0, of=4, viewed=0)


def test_what_speaks_against_an_item_has_a_negative_share(model):
    priors = np.zeros((2, 9), dtype=np.float32)
    priors[1, 6] = 1.0
    changed = replace(model, popularity=replace(model.popularity, priors=priors))
    changed = changed.with_weights(
        replace(Weights(), companions=(1.0, *[0.0] * len(BASKET_PARTS), -0.25))
    )
    reasons = reasons_for(changed, Question.COMPLEMENTS, [0], 6)
    assert [reason.part for reason in reasons] == ["baskets", POPULARITY]
    assert [reason.share for reason in reasons] == pytest.approx([1.0, -0.25])
    assert reasons[1].facts is None


def test_only_the_strongest_are_counted(model):
    reasons = reasons_for(model, Question.NEXT_ITEMS, [0], 1, strongest=2)
    assert [reason.facts is not None for reason in reasons[:3]] == [True, True, False]


def test_an_item_that_was_not_answered_cannot_be_explained(model):
    with pytest.raises(ValueError, match="Item 0 is no answer"):
        reasons_for(model, Question.NEXT_ITEMS, [0, 4], 0)


def test_long_queries_are_explained_by_what_was_looked_at():
    model = ShopModel.fit(planted(), texts(), options=FitOptions(longest_session=2))
    asked = [*KETTLES[:1], *CUPS, *TEAS[:2]]
    for reason in reasons_for(model, Question.NEXT_ITEMS, asked, TEAS[2], strongest=9):
        assert reason.item in (*TEAS[:2], None)
