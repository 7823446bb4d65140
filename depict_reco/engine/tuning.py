"""Learn how much to trust each part of a blend, from held-out questions.

A question is a state of a session or a basket and the item that came next. A blend gives each
candidate a chance, as a conditional logit model does (McFadden, 1974); its weights are those under
which the right answers were likely. Likelihood alone cares most for answers that nobody could
have ranked well, a shop for those at the top: between the two stands the power of the chance
that is summed (generalised cross entropy; Zhang and Sabuncu, 2018). Several powers are tried,
and the held-out hit rate and reciprocal rank say which served best.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.sparse import Scored

POWERS = (0.0, 0.3, 0.6)
"""Of the chance; 0 is the likelihood, 1 would count hits at the first place only."""
STRENGTH = 0.2
"""How many questions' worth of evidence the weights are held to where they started."""
CANDIDATES = 300
"""Best items of each part that a question keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The evidence of each part for one question (``Scored.evidence``), and the right answer."""

    parts: Sequence[Scored]
    target: int


class BlendSearch:
    """The weights of a blend of ``n_parts`` parts, none of them negative, and of the priors.

    Parameters
    ----------
    priors
        float32 (n_priors, n_items): what speaks for an item whatever is asked. Their weights may
        be negative.
    """

    def __init__(
        self, questions: Iterable[Question], n_parts: int, priors: NDArray[np.float32]
    ) -> None:
        blocks: list[NDArray[np.float32]] = []
        places: list[int] = []
        for question in questions:
            block, place = _layout(question, n_parts, priors)
            blocks.append(block)
            places.append(place)
        self.n_questions = len(blocks)
        self._n_parts = n_parts
        lengths = np.asarray([block.shape[1] for block in blocks], dtype=np.int64)
        self._starts = np.cumsum(lengths) - lengths
        self._owner = np.repeat(np.arange(self.n_questions), lengths)
        self._targets = self._starts + np.asarray(places, dtype=np.int64)
        empty = np.empty((n_parts + len(priors), 0), dtype=np.float32)
        self._evidence = np.concatenate([empty, *blocks], axis=1)
        self._named = np.any(self._evidence[:n_parts, self._targets] > 0, axis=0)

    def measures(self, weights: Sequence[float]) -> tuple[float, float]:
        """Return HR@20 and MRR@20 of the questions; ties share the average of their ranks."""
        if not self.n_questions:
            return 0.0, 0.0
        score = np.asarray(weights, dtype=np.float32) @ self._evidence
        own = score[self._targets][self._owner]
        better = np.bincount(self._owner[score > own], minlength=self.n_questions)
        equal = np.bincount(self._owner[score == own], minlength=self.n_questions)
        rank = np.where(self._named, better + (equal + 1) / 2, np.inf)
        hit = rank <= 20
        return float(hit.mean()), float(np.where(hit, 1.0 / rank, 0.0).mean())

    def goal(self, weights: Sequence[float]) -> float:
        """Return log HR@20 + log MRR@20: a gain of one per cent counts alike in both."""
        hit_rate, reciprocal_rank = self.measures(weights)
        return float(np.log(hit_rate + 1e-9) + np.log(reciprocal_rank + 1e-9))

    def best(self, start: Sequence[float]) -> list[float]:
        """Return the best weights found, ``start`` (shape (n_parts + n_priors,)) among them."""
        found = [list(start)]
        if self.n_questions:
            weights = np.asarray(start, dtype=np.float64)
            for power in POWERS:
                weights = self._fitted(weights, np.asarray(start, dtype=np.float64), power)
                found.append([round(float(weight), 4) for weight in weights])
        return max(found, key=self.goal)

    def _fitted(
        self, first: NDArray[np.float64], start: NDArray[np.float64], power: float
    ) -> NDArray[np.float64]:
        """Maximise the mean power of the right answers' chances, held towards ``start``."""
        strength = STRENGTH / self.n_questions

        def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, slope = self._chances(weights, power)
            away = weights - start
            return float(strength * (away @ away)) - value, 2.0 * strength * away - slope

        # here, for processes that only answer would carry its weight for nothing
        from scipy.optimize import minimize

        bounds = [(0.0, np.inf)] * self._n_parts
        bounds += [(-np.inf, np.inf)] * (len(start) - self._n_parts)
        found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds)
        return np.asarray(found.x)

    def _chances(
        self, weights: NDArray[np.float64], power: float
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the mean of (chance ** power - 1) / power over the questions, and its slope."""
        score = weights.astype(np.float32) @ self._evidence
        score -= np.maximum.reduceat(score, self._starts)[self._owner]
        chance = np.exp(score)
        total = np.add.reduceat(chance, self._starts)
        logs = (score[self._targets] - np.log(total)).astype(np.float64)
        counts = np.exp(power * logs)
        value = logs.mean() if power == 0.0 else ((counts - 1.0) / power).mean()
        shares = (counts / total).astype(np.float32)
        chance *= shares[self._owner]
        slope = self._evidence[:, self._targets] @ counts - self._evidence @ chance
        return float(value), slope.astype(np.float64) / self.n_questions


def _layout(
    question: Question, n_parts: int, priors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], int]:
    """Return the evidence parts and priors x candidates, and the place of the right answer."""
    kept = []
    for part in question.parts:
        items, scores = part.items, part.scores
        if len(items) > CANDIDATES:
            chosen = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
            items, scores = items[chosen], scores[chosen]
        kept.append(items[scores > 0])
    named = np.unique(np.concatenate([*kept, np.array([question.target])])).astype(np.int32)
    block = np.zeros((n_parts + len(priors), len(named)), dtype=np.float32)
    for row, part in enumerate(question.parts):
        at = np.minimum(np.searchsorted(named, part.items), len(named) - 1)
        known = named[at] == part.items
        block[row, at[known]] = part.scores[known]
    block[n_parts:] = priors[:, named]
    return block, int(np.searchsorted(named, question.target))
