"""Logistic regression, drawn towards a prior: how much does each piece of evidence tell?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

STRENGTHS = (3.0, 30.0, 300.0)
"""How strongly weights are drawn towards the prior, in answers that it counts; one is chosen."""

_STEPS = 30
_FURTHEST = 30.0


def fit_logistic(
    rows: Sequence[NDArray[np.float64]],
    answers: Sequence[NDArray[np.bool_]],
    *,
    prior: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Fit weights on questions, in time order, by Newton's method (Cox, 1958).

    How strongly to draw towards the prior is decided by the likelihood of the newest quarter.

    Parameters
    ----------
    rows
        Per question the evidence (c, k) of its candidates; the last column is 1 throughout.
    answers
        Per question which candidates were right, (c,).
    prior
        (k,): weights that are kept as far as nothing speaks against them; that of the last column
        is always free.

    Returns
    -------
    NDArray
        float32 (k,).
    """
    older = max(len(rows) * 3 // 4, 1)
    if older == len(rows):
        return _fitted(np.concatenate(rows), np.concatenate(answers), prior, STRENGTHS[-1])
    past, newest = np.concatenate(rows[:older]), np.concatenate(rows[older:])
    known, asked = np.concatenate(answers[:older]), np.concatenate(answers[older:])
    losses = {
        strength: _loss(newest, asked, _fitted(past, known, prior, strength))
        for strength in STRENGTHS
    }
    best = min(losses, key=losses.__getitem__)
    return _fitted(np.concatenate((past, newest)), np.concatenate((known, asked)), prior, best)


def _fitted(
    rows: NDArray[np.float64],
    answers: NDArray[np.bool_],
    prior: NDArray[np.float32],
    strength: float,
) -> NDArray[np.float32]:
    # Evidence is scaled to a deviation of 1, so that the prior holds all of it equally.
    scale = rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    held = np.full(rows.shape[1], strength)
    held[-1] = 1e-6
    scaled = rows / scale
    start = prior.astype(np.float64) * scale
    weights = start.copy()
    for _ in range(_STEPS):
        chance = _chance(scaled @ weights)
        slope = scaled.T @ (answers - chance) - held * (weights - start)
        curve = (scaled * (chance * (1 - chance))[:, None]).T @ scaled + np.diag(held)
        step = np.linalg.solve(curve, slope)
        weights += step / max(1.0, float(np.abs(step).max()) / 2.0)
        if np.abs(step).max() < 1e-6:
            break
    return (weights / scale).astype(np.float32)


def _loss(
    rows: NDArray[np.float64], answers: NDArray[np.bool_], weights: NDArray[np.float32]
) -> float:
    chance = _chance(rows @ weights)
    return float(-np.log(np.where(answers, chance, 1 - chance) + 1e-12).mean())


def _chance(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    chance: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(sums, -_FURTHEST, _FURTHEST)))
    return chance
