from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from depict_reco.artifacts import gate
from depict_reco.artifacts.current import LoadedArtifact
from depict_reco.artifacts.gate import Challenge, Gate
from depict_reco.engine.holdout import Split
from depict_reco.engine.interactions import Groups, Interactions
from depict_reco.engine.sparse import Scored
from depict_reco.training.trainer import Trial

N_SESSIONS = 1000
N_ITEMS = 1000
"""Of which ten occur in sessions."""
NOON = 43_200.0


@dataclass
class Oracle:
    """A model that is right about a share of the questions: item i is followed by i + 1."""

    right: float
    n_items: int = N_ITEMS
    asked: int = 0

    def next_items(self, query):
        self.asked += 1
        follows = (query[-1:] + 1) % 10
        good = self.asked * 0.618 % 1.0 < self.right
        return Scored(follows if good else np.empty(0, np.int32), np.ones(int(good), np.float32))

    complements = next_items


class Foreign(Oracle):
    """The same, with its items numbered from the end; it has never heard of item 0."""

    def next_items(self, query):
        own = super().next_items(8 - query)
        return Scored(8 - own.items, own.scores)

    complements = next_items


def groups(n):
    """Return n sessions of two items, i and i + 1, one a second from NOON on."""
    first = np.arange(n) % 9
    return Groups(
        indptr=np.arange(n + 1, dtype=np.int64) * 2,
        items=np.stack((first, first + 1), axis=1).ravel().astype(np.int32),
        times=NOON + np.arange(n, dtype=np.float64),
        n_items=N_ITEMS,
    )


def trial(model: Any, *, accuracy=None, n=N_SESSIONS):
    none = np.empty(0)
    train = Interactions(
        items=none,
        actions=none,
        sessions=none,
        baskets=none,
        shoppers=none,
        times=none,
        n_items=N_ITEMS,
    )
    split = Split(train=train, sessions=groups(n), baskets=groups(0), views=groups(0), time=NOON)
    return Trial(
        model=model,
        split=split,
        item_ids=[f"i{number}" for number in range(N_ITEMS)],
        accuracy=accuracy or {},
    )


def moment(seconds):
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def figures(hit_rate, questions=5000):
    return {"next": {"hr@20": hit_rate, "mrr@20": hit_rate / 2, "questions": questions}}


@pytest.fixture
def served(monkeypatch):
    """Say what is served: its model, the end of its window and its measured accuracy."""

    def serve(model, *, until=NOON - 1, accuracy=None, item_ids=None):
        artifact = LoadedArtifact(
            pk=1,
            version="v1",
            path="1/1/v1",
            model=model,
            item_ids=item_ids or [f"i{number}" for number in range(N_ITEMS)],
            manifest={"window": [moment(0), moment(until)], "accuracy": accuracy or {}},
            degraded=False,
        )
        monkeypatch.setattr(gate, "load_current", lambda pk, known: artifact)

    return serve


@pytest.fixture
def market():
    class Market:
        pk = 1

    return Market()


def verdict(market, challenger):
    compare = Gate(market)
    compare(challenger)
    return compare.verdict.worse


def test_the_first_model_has_nothing_to_beat(monkeypatch, market):
    monkeypatch.setattr(gate, "load_current", lambda pk, known: None)

    assert verdict(market, trial(Oracle(0.0))) == ""


def test_a_model_that_is_worse_on_the_same_questions_is_found_out(served, market):
    served(Oracle(0.9), accuracy=figures(0.1))

    worse = verdict(market, trial(Oracle(0.5), accuracy=figures(0.9)))

    assert worse.startswith("worse than v1: next: HR@20 0.5")
    assert "(500 questions) against 0.9" in worse
    assert "next: MRR@20 0." in worse


@pytest.mark.parametrize("right", [1.0, 0.9, 0.86])
def test_what_is_as_good_or_nearly_so_passes(served, market, right):
    served(Oracle(0.9), accuracy=figures(0.9))

    # what each measured of itself is of no account when both were asked the same
    assert verdict(market, trial(Oracle(right), accuracy=figures(0.1))) == ""


def test_the_tolerance_is_a_setting(served, market, settings):
    served(Oracle(0.9))
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "GATE_TOLERANCE": 0.6}

    assert verdict(market, trial(Oracle(0.5))) == ""


def test_items_are_told_by_their_ids(served, market):
    """The served model numbers its items otherwise, and does not know all of them."""
    served(Foreign(1.0), item_ids=[f"i{number}" for number in range(8, -1, -1)])

    # one question in nine is about i9, which is not its to find
    assert "HR@20 0.300 (500 questions) against 0.888" in verdict(market, trial(Oracle(0.3)))


def test_few_questions_prove_nothing(served, market):
    served(Oracle(0.9), accuracy=figures(0.9, questions=199))

    assert verdict(market, trial(Oracle(0.0), n=300, accuracy=figures(0.0))) == ""


def test_without_common_questions_the_measured_accuracies_decide(served, market):
    served(Oracle(0.9), until=NOON + N_SESSIONS, accuracy=figures(0.5))

    assert verdict(market, trial(Oracle(0.9), accuracy=figures(0.47))) == ""
    assert verdict(market, trial(Oracle(0.9), accuracy=figures(0.4))) == (
        "worse than v1: next: HR@20 0.400 (5000 questions) against 0.500 (5000) of the served "
        "one; next: MRR@20 0.200 (5000 questions) against 0.250 (5000) of the served one"
    )


def test_a_served_model_that_saw_newer_events_must_be_better_in_both_ways(served, market):
    served(Oracle(0.9), until=NOON + 600, accuracy=figures(0.5))

    assert verdict(market, trial(Oracle(0.5), accuracy=figures(0.5))) == ""
    assert verdict(market, trial(Oracle(0.5), accuracy=figures(0.3))) != ""
    assert verdict(market, trial(Oracle(0.9), accuracy=figures(0.3))) == ""


def test_only_what_the_served_model_cannot_have_seen_is_asked(served, market):
    champion = Oracle(0.9)
    served(champion, until=NOON + 700)

    verdict(market, trial(Oracle(0.9)))

    assert champion.asked == 299


def test_what_tuned_the_trial_is_not_asked(served, market):
    champion = Oracle(0.9)
    served(champion, until=NOON - 5)

    verdict(market, trial(Oracle(0.9)))

    assert champion.asked == N_SESSIONS // 2


def test_a_difference_within_chance_is_none():
    served = {"next": {"hr@20": 0.3, "mrr@20": 0.1, "questions": 200}}
    new = {"next": {"hr@20": 0.26, "mrr@20": 0.085, "questions": 200}}
    assert Challenge(served=served, new=new).lost() == []

    many = {name: {**row, "questions": 20_000} for name, row in served.items()}
    new = {name: {**row, "questions": 20_000} for name, row in new.items()}
    assert len(Challenge(served=many, new=new).lost()) == 2


def test_a_question_that_only_one_was_asked_decides_nothing():
    challenge = Challenge(served={"basket": figures(0.9)["next"]}, new=figures(0.1))

    assert challenge.lost() == []
    assert not challenge.is_possible()
