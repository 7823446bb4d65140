from __future__ import annotations

import math

import numpy as np
import pytest

from depict_reco.engine.sparse import EMPTY, Scored
from depict_reco.engine.tuning import Question, WeightSearch

N = 100


def floats(*values):
    return np.array(values, dtype=np.float32)


def scored(pairs):
    return Scored(np.array(list(pairs), dtype=np.int32), floats(*pairs.values()))


def noise(random):
    """Return scores of all items that know nothing."""
    return Scored(np.arange(N, dtype=np.int32), random.random(N).astype(np.float32))


def goal_of(hit_rate, reciprocal_rank):
    return pytest.approx(math.log(hit_rate) + math.log(reciprocal_rank), abs=1e-6)


def test_goal_by_hand():
    """The targets stand first, second and nowhere."""
    search = WeightSearch(
        [
            Question(parts=[scored({1: 1.0, 2: 0.5})], target=1),
            Question(parts=[scored({1: 1.0, 2: 0.5})], target=2),
            Question(parts=[scored({1: 1.0, 2: 0.5})], target=3),
        ],
        n_parts=1,
    )
    assert search.goal(floats(1.0)) == goal_of(2 / 3, (1 + 1 / 2 + 0) / 3)
    assert search.goal(floats(0.0)) < -40


def test_ties_count_as_half():
    search = WeightSearch([Question(parts=[scored({1: 1.0, 2: 1.0})], target=1)], n_parts=1)
    assert search.goal(floats(1.0)) == goal_of(1, 1 / 1.5)


def test_weights_add_the_parts_up():
    question = Question(parts=[scored({1: 1.0, 2: 0.6}), scored({2: 1.0})], target=2)
    search = WeightSearch([question], n_parts=2)
    assert search.goal(floats(1.0, 0.0)) == goal_of(1, 1 / 2)
    assert search.goal(floats(1.0, 0.5)) == goal_of(1, 1)


def test_the_part_that_knows_is_found():
    random = np.random.default_rng(0)
    questions = [
        Question(parts=[noise(random), scored({target: 1.0}), noise(random)], target=target)
        for target in range(N)
    ]
    search = WeightSearch(questions, n_parts=3)
    assert search.goal(floats(1.0, 0.05, 1.0)) < math.log(0.5)
    weights, goal = search.best((1.0, 0.05, 1.0))
    assert weights[1] >= 1.0 > weights[0]
    assert goal == goal_of(1, 1)


def test_a_planted_mixture_is_found():
    """Targets are the best of part 0 plus half of part 1."""
    random = np.random.default_rng(1)
    questions = []
    for _ in range(300):
        left, right = noise(random), noise(random)
        target = int(np.argmax(left.scores + 0.5 * right.scores))
        questions.append(Question(parts=[left, right], target=target))
    search = WeightSearch(questions, n_parts=2)
    weights, goal = search.best((1.0, 1.0))
    assert weights[1] / weights[0] == pytest.approx(0.5, abs=0.05)
    assert goal == goal_of(1, 1)


def test_the_start_stays_where_nothing_is_better():
    question = Question(parts=[scored({1: 1.0}), scored({1: 1.0})], target=1)
    weights, goal = WeightSearch([question], n_parts=2).best((0.3, 0.7))
    assert weights == [0.3, 0.7]
    assert goal == goal_of(1, 1)


def test_the_search_is_never_worse_than_its_start():
    random = np.random.default_rng(3)
    questions = [
        Question(parts=[noise(random), noise(random)], target=int(random.integers(N)))
        for _ in range(40)
    ]
    search = WeightSearch(questions, n_parts=2)
    _, goal = search.best((0.5, 0.5))
    assert goal >= search.goal(floats(0.5, 0.5))


def test_no_questions():
    search = WeightSearch([], n_parts=2)
    assert search.best((1.0, 0.5)) == ([1.0, 0.5], -math.inf)


def test_questions_without_any_answer():
    search = WeightSearch([Question(parts=[EMPTY, EMPTY], target=4)], n_parts=2)
    assert search.best((1.0, 0.5))[0] == [1.0, 0.5]
