"""Every model of the engine keeps the contract that depict_reco.testing ships."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from depict_reco.engine.content import ContentModel, ProductText
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.linear import Gram
from depict_reco.engine.model import FitOptions, ShopModel
from depict_reco.engine.neighbours import (
    fit_cooccurrence,
    fit_transitions,
    fit_two_steps,
    transition_counts,
)
from depict_reco.engine.repeat import RepeatModel
from depict_reco.engine.sessions import SessionNeighbours, SessionOptions
from depict_reco.engine.sparse import EMPTY, Scored
from depict_reco.testing import ScorerContract, groups_of


class TestSessions(ScorerContract):
    def fit(self, groups):
        return SessionNeighbours.fit(groups, options=SessionOptions())

    def score(self, model, query):
        return model.scores(query)


class TestFewSessionNeighbours(TestSessions):
    def fit(self, groups):
        options = SessionOptions(neighbours=30, half_life=0.5, forward=0.5)
        return SessionNeighbours.fit(groups, options=options)


class RelatedContract(ScorerContract):
    def score(self, model, query):
        return model.scores_of(query)


class TestCooccurrence(RelatedContract):
    def fit(self, groups):
        return fit_cooccurrence(groups)


class TestTransitions(RelatedContract):
    def fit(self, groups):
        return fit_transitions(transition_counts(groups), backward=0.3)


class TestEase(RelatedContract):
    def fit(self, groups):
        return Gram.of(groups).ease(count=200, regularisation=1.0)


class TestTwoSteps(RelatedContract):
    """Two steps lead from an item to its companions' companions."""

    def fit(self, groups):
        return fit_two_steps(fit_cooccurrence(groups))

    def test_ids_at_the_limits(self):
        """From one of two items two steps lead nowhere but back: a third is needed."""
        n_items = (1 << 16) + 2
        groups = groups_of([[0, n_items - 1], [n_items - 1, 1 << 15]], n_items=n_items)
        scored = self.score(self.fit(groups), np.array([0], dtype=np.int32))
        assert scored.items.tolist() == [1 << 15]

    def test_item_without_history(self):
        model = self.fit(groups_of([[0, 1], [1, 2]], n_items=4))
        assert self.score(model, np.array([3], dtype=np.int32)).items.tolist() == []
        assert self.score(model, np.array([3, 0], dtype=np.int32)).items.tolist() == [2]


class TestContent(ScorerContract):
    """A product's title names the groups that it is in, so that it reads like its companions."""

    def fit(self, groups):
        return ContentModel.fit(texts_of(groups))

    def score(self, model, query):
        return model.neighbours.scores_of(query)


@pytest.mark.usefixtures("every_way_of_blending")
class TestShopModelNext(ScorerContract):
    def fit(self, groups):
        return ShopModel.fit(
            interactions_of(groups), [ProductText()] * groups.n_items, options=FitOptions()
        )

    def score(self, model, query):
        return model.next_items(query)

    def arrays(self, model):
        return model.arrays()

    def with_arrays(self, model, arrays):
        return ShopModel.from_arrays(arrays, model.settings())


class TestShopModelComplements(TestShopModelNext):
    def score(self, model, query):
        return model.complements(query)


class TestShopModelSubstitutes(TestShopModelNext):
    def score(self, model, query):
        return model.substitutes(query)


class TestRepeat(ScorerContract):
    """Each group is a shopper who bought one product a day, the last one on the same day as all.

    The most popular products are scored for everybody, and are left out here.
    """

    def fit(self, groups):
        days = [np.arange(length) - length + 1 for length in np.diff(groups.indptr)]
        times = np.concatenate([np.empty(0), *days]) * 86_400.0 + 1e9
        order = np.argsort(times, kind="stable")
        bought = interactions_of(groups)
        model = RepeatModel.fit(
            replace(
                bought,
                items=bought.items[order],
                shoppers=bought.baskets[order],
                times=times[order],
            )
        )
        return replace(model, candidates=model.candidates[:0])

    def score(self, model, query):
        return model.scores(query, np.arange(len(query), dtype=np.float64)[::-1])

    def test_no_groups(self):
        """What a shopper has bought can be bought again, whatever is known of it."""
        scored = self.score(self.fit(groups_of([], n_items=5)), np.array([3], dtype=np.int32))
        assert scored.items.tolist() == [3]

    def test_item_without_history(self):
        model = self.fit(groups_of([[0, 1], [1, 2]], n_items=4))
        assert self.score(model, np.array([3], dtype=np.int32)).items.tolist() == [3]
        assert self.score(model, np.array([3, 0], dtype=np.int32)).items.tolist() == [0, 1, 3]


class _Broken(TestCooccurrence):
    """The same model with one fault."""

    def __init__(self, spoil):
        self._spoil = spoil

    def score(self, model, query):
        return self._spoil(super().score(model, query))


_Broken.__test__ = False


@pytest.mark.parametrize(
    "spoil",
    [
        lambda scored: Scored(scored.items, scored.scores * 0 * -1),
        lambda scored: Scored(scored.items, scored.scores / 0.0),
        lambda scored: Scored(scored.items, scored.scores.astype(np.float64)),
        lambda scored: Scored(scored.items.astype(np.int64), scored.scores),
        lambda scored: Scored(np.zeros_like(scored.items), scored.scores),
        lambda scored: Scored(scored.items + 16, scored.scores),
    ],
    ids=["negative zero", "infinite", "double", "int64", "repeated", "unknown"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_contract_finds_unsound_scores(spoil):
    with pytest.raises(AssertionError):
        _Broken(spoil).test_scores_are_sound()


def test_contract_finds_a_model_that_says_nothing():
    with pytest.raises(AssertionError):
        _Broken(lambda scored: EMPTY).test_checkerboard()


def test_contract_finds_a_model_that_relates_everything():
    everything = Scored(np.arange(12, dtype=np.int32), np.ones(12, dtype=np.float32))
    with pytest.raises(AssertionError):
        _Broken(lambda scored: everything).test_checkerboard()


def test_contract_finds_chance():
    random = np.random.default_rng()

    class Chance(TestCooccurrence):
        __test__ = False

        def fit(self, groups):
            weights = random.random(len(groups)).astype(np.float32)
            return fit_cooccurrence(groups, weights=weights)

    with pytest.raises(AssertionError):
        Chance().test_fit_is_deterministic()


def test_contract_finds_a_model_that_loses_what_it_saves(tmp_path):
    class Forgetful(TestCooccurrence):
        __test__ = False

        def with_arrays(self, model, arrays):
            return fit_cooccurrence(groups_of([], n_items=16))

    with pytest.raises(AssertionError):
        Forgetful().test_saved_and_mapped(tmp_path)


def test_hooks_must_be_given():
    with pytest.raises(NotImplementedError):
        ScorerContract().test_checkerboard()


def interactions_of(groups):
    """Return groups as purchases, each a session and a basket of its own."""
    owner = np.repeat(np.arange(len(groups), dtype=np.int32), np.diff(groups.indptr))
    return Interactions(
        items=groups.items,
        actions=np.full(len(owner), Action.PURCHASE, dtype=np.int8),
        sessions=owner,
        baskets=owner,
        shoppers=np.full(len(owner), -1, dtype=np.int32),
        times=groups.times[owner],
        n_items=groups.n_items,
    )


def texts_of(groups):
    """Return a text for each item that names the groups it is in."""
    words = [[] for _ in range(groups.n_items)]
    for row in range(len(groups)):
        for item in groups.row(row).tolist():
            words[item].append(f"group{row}")
    return [ProductText(title=" ".join(line)) for line in words]
