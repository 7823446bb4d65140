from __future__ import annotations

import numpy as np
import pytest

from depict_reco.engine.logistic import fit_logistic


def questions(weights, *, count, seed=0):
    """Return questions of ten candidates each that are answered by chance with these weights."""
    random = np.random.default_rng(seed)
    rows, answers = [], []
    for _ in range(count):
        row = np.concatenate((random.normal(size=(10, len(weights) - 1)), np.ones((10, 1))), axis=1)
        chance = 1 / (1 + np.exp(-(row @ np.asarray(weights))))
        rows.append(row)
        answers.append(random.random(10) < chance)
    return rows, answers


def prior(*weights):
    return np.array(weights, dtype=np.float32)


def test_many_answers_are_believed():
    rows, answers = questions((2.0, -1.0, 0.0, -0.5), count=3000)
    found = fit_logistic(rows, answers, prior=prior(0, 0, 0, 0))
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([2.0, -1.0, 0.0, -0.5], abs=0.15)


def test_few_answers_leave_the_prior_nearly_as_it_was():
    rows, answers = questions((2.0, -1.0, 0.0), count=1)
    found = fit_logistic(rows, answers, prior=prior(0.5, 0.25, 0))
    assert found[:2].tolist() == pytest.approx([0.5, 0.25], abs=0.05)


def test_what_never_varies_keeps_its_prior():
    rows, answers = questions((2.0, 0.0), count=200)
    rows = [np.insert(row, 0, 7.0, axis=1) for row in rows]
    assert fit_logistic(rows, answers, prior=prior(0.3, 0, 0))[0] == pytest.approx(0.3, abs=0.2)


@pytest.mark.parametrize("answer", [False, True])
def test_answers_that_are_all_alike_are_no_trouble(answer):
    rows, answers = questions((1.0, 0.0), count=60)
    answers = [np.full(len(given), answer) for given in answers]
    assert np.isfinite(fit_logistic(rows, answers, prior=prior(0, 0))).all()


def test_fits_are_deterministic():
    rows, answers = questions((1.0, -1.0, 0.5), count=100)
    one, two = (fit_logistic(rows, answers, prior=prior(0, 0, 0)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
