"""The accuracy that was reached on real shops must not be lost; skips where they are absent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import shops
from depict_reco.engine.holdout import measure
from depict_reco.engine.model import basket_groups, session_groups
from depict_reco.engine.neighbours import fit_cooccurrence
from depict_reco.engine.sessions import SessionNeighbours, SessionOptions
from depict_reco.engine.sparse import without


def needs(name):
    return pytest.mark.skipif(
        not shops.available(name),
        reason=f"{name} is in no folder that DEPICT_RECO_DATA names, nor in ../shared/data",
    )


def measured_sessions(shop):
    """Ask the session neighbours alone."""
    index = SessionNeighbours.fit(session_groups(shop.train), options=SessionOptions())
    return measure(
        shop.questions,
        lambda query: without(index.scores(query), query),
        shop.train.n_items,
    )


@needs(shops.RETAILROCKET)
def test_session_neighbours_on_retailrocket():
    report = measured_sessions(shops.retailrocket())
    assert report["questions"] == 2633
    assert report["hr@20"] >= 0.385
    assert report["mrr@20"] >= 0.153


@needs(shops.YOOCHOOSE)
def test_session_neighbours_on_yoochoose():
    report = measured_sessions(shops.yoochoose())
    assert report["questions"] == 6677
    assert report["hr@20"] >= 0.54
    assert report["mrr@20"] >= 0.245


@pytest.fixture(scope="module")
def grocer():
    """Return the baskets of the grocer by name of product: all of them, as a shop's past."""
    shop = shops.groceries()
    code = {name: number for number, name in enumerate(shop.names)}
    return shop, basket_groups(shop.train), code


@needs(shops.GROCERIES)
def test_groceries_are_those_that_are_known(grocer):
    """9,835 baskets of 169 products, four fifths of them to learn from."""
    shop, baskets, code = grocer
    assert len(baskets) == 7868
    assert len(shop.names) in (168, 169)
    assert {"whole milk", "cream cheese ", "liquor"} <= code.keys()


@needs(shops.GROCERIES)
def test_cooccurrence_of_groceries_equals_counting(grocer):
    """Score c / (√(f_i · f_j) + 1), counted again from the file by sets."""
    _, baskets, code = grocer
    model = fit_cooccurrence(baskets, count=200)
    sets = [set(baskets.row(row).tolist()) for row in range(len(baskets))]
    for left, right in (
        ("whole milk", "yogurt"),
        ("liquor", "bottled beer"),
        ("ham", "white bread"),
    ):
        both, first, second = 0.0, 0.0, 0.0
        for basket in sets:
            weight = 1 / math.log2(len(basket) + 1)
            first += weight * (code[left] in basket)
            second += weight * (code[right] in basket)
            both += weight * (code[left] in basket and code[right] in basket)
        row = slice(model.indptr[code[left]], model.indptr[code[left] + 1])
        found = dict(zip(model.items[row].tolist(), model.scores[row].tolist(), strict=True))
        expected = both / (math.sqrt(first * second) + 1)
        assert found[code[right]] == pytest.approx(expected, rel=1e-4)


@needs(shops.GROCERIES)
@pytest.mark.parametrize(
    ("product", "companion"),
    [
        ("Instant food products", "hamburger meat"),
        ("flour", "sugar"),
        ("baking powder", "whipped/sour cream"),
        ("liquor", "bottled beer"),
    ],
)
def test_well_known_pairs_of_groceries(grocer, product, companion):
    """What textbooks find in these baskets is far more common together than by chance, and near."""
    _, baskets, code = grocer
    incidence = baskets.incidence()
    left, right = code[product], code[companion]
    held = np.asarray(incidence.sum(axis=0)).ravel()
    both = float(incidence[:, [left]].multiply(incidence[:, [right]]).sum())
    lift = both * len(baskets) / (held[left] * held[right])
    assert lift > 2.5
    scored = fit_cooccurrence(baskets).scores_of(np.array([left], dtype=np.int32))
    assert code[companion] in scored.items[:12]
