"""Learn how much to trust each part of a blend, from held-out questions.

A question is a state of a session or a basket and the item that came next. The parts' scores of
all questions are laid out once, so that trying a set of weights is one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.sparse import Scored

GRID = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
CANDIDATES = 300
"""Best items of each part that a question keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The parts' scores for one question, each with its maximum at 1, and the right answer."""

    parts: Sequence[Scored]
    target: int


class WeightSearch:
    """Coordinate ascent over the weights of a blend.

    The goal is log HR@20 + log MRR@20: a gain of one per cent counts alike in both. Ties share
    the average of their ranks, as in ``metrics``.
    """

    def __init__(self, questions: Iterable[Question], n_parts: int) -> None:
        columns: list[NDArray[np.float32]] = []
        targets: list[NDArray[np.float32]] = []
        lengths: list[int] = []
        for question in questions:
            block, target = _layout(question, n_parts)
            columns.append(block)
            targets.append(target)
            lengths.append(block.shape[1])
        self.n_questions = len(columns)
        empty = np.empty((n_parts, 0), dtype=np.float32)
        self._scores = np.concatenate([empty, *columns], axis=1)
        self._targets = np.stack(targets, axis=1) if targets else np.empty((n_parts, 0), np.float32)
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._owner = np.repeat(np.arange(self.n_questions), self._lengths)

    def goal(self, weights: NDArray[np.float32]) -> float:
        """Return log HR@20 + log MRR@20 of a blend with these weights (shape (n_parts,))."""
        if not self.n_questions:
            return float("-inf")
        target = weights @ self._targets
        score = weights @ self._scores
        own = target[self._owner]
        better = np.bincount(self._owner[score > own], minlength=self.n_questions)
        equal = np.bincount(self._owner[score == own], minlength=self.n_questions)
        rank = np.where(target > 0, better + (equal + 1) / 2, np.inf)
        hit = rank <= 20
        mrr = np.where(hit, 1.0 / np.maximum(rank, 1.0), 0.0).mean()
        return float(np.log(hit.mean() + 1e-9) + np.log(mrr + 1e-9))

    def best(self, start: Sequence[float], *, rounds: int = 3) -> tuple[list[float], float]:
        """Return the best weights found from ``start``, and their goal."""
        weights = np.asarray(start, dtype=np.float32)
        goal = self.goal(weights)
        for _ in range(rounds):
            before = goal
            for part in range(len(weights)):
                for value in GRID:
                    trial = weights.copy()
                    trial[part] = value
                    reached = self.goal(trial)
                    if reached > goal + 1e-9 and trial.any():
                        weights, goal = trial, reached
            if goal <= before:
                break
        return [round(float(weight), 4) for weight in weights], goal


def _layout(question: Question, n_parts: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores parts x candidates, the target among them, and the target's own."""
    kept = []
    for part in question.parts:
        items, scores = part.items, part.scores
        if len(items) > CANDIDATES:
            chosen = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
            items, scores = items[chosen], scores[chosen]
        kept.append((items, scores))
    candidates = np.unique(np.concatenate([items for items, _ in kept] + [[question.target]]))
    block = np.zeros((n_parts, len(candidates)), dtype=np.float32)
    for row, (items, scores) in enumerate(kept):
        block[row, np.searchsorted(candidates, items)] = scores
    return block, block[:, np.searchsorted(candidates, question.target)]
