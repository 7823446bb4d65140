"""What many people want: decayed popularity, and what is on the rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Action, Interactions

DAY = 86_400.0
WEIGHTS = {Action.VIEW: 1.0, Action.CART: 4.0, Action.PURCHASE: 10.0, Action.RETURN: -10.0}
"""What an interaction says of the wish for a product; a return takes a purchase back."""

PRIORS = ("recent", "lasting")
_PRIOR_HALF_LIVES = (0.02, 0.5)
"""Shares of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """Two scores per item, each of shape (n_items,) and at least 0, and the priors of blends.

    ``priors`` float32 (2, n_items) between 0 and 1: the root of how often an item was wanted of
    late, and all along. Their difference is what has come into fashion, or gone out of it.
    """

    popular: NDArray[np.float32]
    trending: NDArray[np.float32]
    priors: NDArray[np.float32]

    @property
    def liked(self) -> NDArray[np.float32]:
        """How much each item was wanted all along, float32 (n_items,) from 0 to 1."""
        lasting: NDArray[np.float32] = self.priors[PRIORS.index("lasting")]
        return lasting

    @classmethod
    def fit(
        cls, interactions: Interactions, *, half_life: float = 30.0, recent: float = 14.0
    ) -> Self:
        """Count weighted interactions, halving their weight every ``half_life`` days.

        ``trending`` compares the rate of the last ``recent`` days with that of the time before,
        each drawn towards the market's own average, times the square root of the recent count,
        so that a product neither trends by two sales nor by being large. However often a session
        looks at an item, it counts once, and so do its other actions: the newest of each.
        """
        n = interactions.n_items
        if len(interactions) == 0:
            zeros = np.zeros(n, dtype=np.float32)
            priors = np.zeros((len(PRIORS), n), dtype=np.float32)
            return cls(popular=zeros, trending=zeros, priors=priors)
        interactions = interactions.select(_once_per_session(interactions))
        values = np.array([WEIGHTS[action] for action in sorted(WEIGHTS)], dtype=np.float64)
        weights = values[interactions.actions]
        age = (interactions.times[-1] - interactions.times) / DAY
        decayed = weights * 0.5 ** (age / half_life)
        popular = np.bincount(interactions.items, weights=decayed, minlength=n)
        span = float(age[0])
        recent = min(recent, max(span / 4, 1.0 / 24))
        new = age <= recent
        now = np.bincount(interactions.items[new], weights=weights[new], minlength=n)
        before = np.bincount(interactions.items[~new], weights=weights[~new], minlength=n)
        now, before = np.maximum(now, 0.0), np.maximum(before, 0.0)
        base = before * (recent / max(span - recent, recent))
        prior = max(float(now.mean()), 1.0)
        lift = (now + prior) / (base + prior)
        return cls(
            popular=np.maximum(popular, 0.0).astype(np.float32),
            trending=(lift * np.sqrt(now)).astype(np.float32),
            priors=np.stack([_prior(interactions, weights, h * span) for h in _PRIOR_HALF_LIVES]),
        )


def _prior(
    interactions: Interactions, weights: NDArray[np.float64], half_life: float
) -> NDArray[np.float32]:
    """Return the root of the weights that each item gathered, decayed by age in days; at most 1."""
    age = (interactions.times[-1] - interactions.times) / DAY
    decayed = weights * 0.5 ** (age / half_life) if half_life > 0 else weights
    gathered = np.bincount(interactions.items, weights=decayed, minlength=interactions.n_items)
    gathered = np.maximum(gathered, 0.0)
    return np.sqrt(gathered / max(float(gathered.max()), 1e-12)).astype(np.float32)


def _once_per_session(interactions: Interactions) -> NDArray[np.bool_]:
    """Return the last of each action on each item in each session, shape (n,).

    Interactions without a session are all kept.
    """
    known = np.flatnonzero(interactions.sessions >= 0)[::-1]
    pairs = interactions.sessions[known].astype(np.int64) * interactions.n_items
    pairs = (pairs + interactions.items[known]) * len(Action) + interactions.actions[known]
    _, last = np.unique(pairs, return_index=True)
    kept = interactions.sessions < 0
    kept[known[last]] = True
    return kept
