from __future__ import annotations

import math

import numpy as np
import pytest

from depict_reco.engine.sparse import EMPTY, Scored
from depict_reco.engine.tuning import BlendSearch, Question

N = 100
NO_PRIORS = np.empty((0, N), dtype=np.float32)


def scored(pairs):
    scores = np.array(list(pairs.values()), dtype=np.float32)
    return Scored(np.array(list(pairs), dtype=np.int32), scores)


def noise(random):
    """Return scores of all items that know nothing."""
    return Scored(np.arange(N, dtype=np.int32), random.random(N).astype(np.float32))


def search(questions, n_parts, priors=NO_PRIORS):
    return BlendSearch(questions, n_parts, priors)


def test_measures_by_hand():
    """The targets stand first, second and nowhere."""
    parts = [scored({1: 1.0, 2: 0.5})]
    found = search([Question(parts=parts, target=target) for target in (1, 2, 3)], 1)
    assert found.measures([1.0]) == pytest.approx((2 / 3, (1 + 1 / 2 + 0) / 3))
    assert found.goal([1.0]) == pytest.approx(math.log(2 / 3) + math.log(1 / 2), abs=1e-6)


def test_ties_count_as_half():
    found = search([Question(parts=[scored({1: 1.0, 2: 1.0})], target=1)], 1)
    assert found.measures([1.0]) == pytest.approx((1, 1 / 1.5))
    assert found.measures([0.0]) == pytest.approx((1, 1 / 1.5))


def test_weights_add_the_parts_up():
    question = Question(parts=[scored({1: 1.0, 2: 0.6}), scored({2: 1.0})], target=2)
    found = search([question], 2)
    assert found.measures([1.0, 0.0]) == pytest.approx((1, 1 / 2))
    assert found.measures([1.0, 0.5]) == pytest.approx((1, 1))


def test_an_answer_that_no_part_names_is_a_miss_whatever_its_prior():
    priors = np.zeros((1, N), dtype=np.float32)
    priors[0, 3] = 1.0
    found = search([Question(parts=[scored({1: 1.0})], target=3)], 1, priors)
    assert found.measures([1.0, 9.0]) == (0.0, 0.0)


def test_the_part_that_knows_is_found():
    random = np.random.default_rng(0)
    found = search(
        [
            Question(parts=[noise(random), scored({target: 1.0}), noise(random)], target=target)
            for target in range(N)
        ],
        3,
    )
    start = [1.0, 0.05, 1.0]
    assert found.measures(start)[0] < 0.5
    weights = found.best(start)
    assert found.measures(weights) == (1.0, 1.0)
    assert weights[1] > 2.0 > weights[0]


def test_a_planted_mixture_is_found():
    """Targets are the best of part 0 plus half of part 1."""
    random = np.random.default_rng(1)
    questions = []
    for _ in range(300):
        left, right = noise(random), noise(random)
        target = int(np.argmax(left.scores + 0.5 * right.scores))
        questions.append(Question(parts=[left, right], target=target))
    found = search(questions, 2)
    weights = found.best([1.0, 1.0])
    # held a little towards the start, where both count alike
    assert weights[1] / weights[0] == pytest.approx(0.6, abs=0.1)
    assert found.measures(weights)[1] > 0.94 > found.measures([1.0, 1.0])[1]


def test_a_prior_may_count_against_an_item():
    """Of two items that the part holds equal, the one that everybody wants is never right."""
    random = np.random.default_rng(2)
    priors = random.random((1, N)).astype(np.float32)
    questions = []
    for _ in range(200):
        pair = random.choice(N, 2, replace=False)
        part = scored({int(pair[0]): 1.0, int(pair[1]): 1.0})
        questions.append(Question(parts=[part], target=int(pair[np.argmin(priors[0, pair])])))
    found = search(questions, 1, priors)
    weights = found.best([1.0, 0.0])
    assert weights[1] < -2.0
    assert found.measures(weights)[1] == 1.0


def test_weights_of_parts_are_never_negative():
    """The part that is always wrong is switched off, no more."""
    random = np.random.default_rng(4)
    questions = [
        Question(parts=[noise(random), scored({(target + 1) % N: 1.0, target: 0.1})], target=target)
        for target in range(N)
    ]
    assert min(search(questions, 2).best([1.0, 1.0])) >= 0.0


def test_little_evidence_moves_the_weights_little():
    random = np.random.default_rng(5)

    def learned(n):
        questions = [
            Question(parts=[noise(random), scored({target: 1.0})], target=target)
            for target in range(n)
        ]
        return search(questions, 2).best([1.0, 0.05])[1]

    assert learned(1) < learned(100)


def test_the_start_stays_where_nothing_is_better():
    question = Question(parts=[scored({1: 1.0}), scored({1: 1.0})], target=1)
    assert search([question], 2).best([0.3, 0.7]) == [0.3, 0.7]


def test_the_search_is_never_worse_than_its_start():
    random = np.random.default_rng(3)
    questions = [
        Question(parts=[noise(random), noise(random)], target=int(random.integers(N)))
        for _ in range(40)
    ]
    found = search(questions, 2)
    assert found.goal(found.best([0.5, 0.5])) >= found.goal([0.5, 0.5])


def test_no_questions():
    assert search([], 2).best([1.0, 0.5]) == [1.0, 0.5]
    assert search([], 2).measures([1.0, 0.5]) == (0.0, 0.0)


def test_questions_without_any_answer():
    found = search([Question(parts=[EMPTY, EMPTY], target=4)], 2)
    assert found.best([1.0, 0.5]) == [1.0, 0.5]
