"""Accuracy of rankings, against the full catalogue and without favouring ties.

HR@k is the share of questions whose answer stands among the first k, MRR@k the mean reciprocal
rank of it (0 beyond k), NDCG@k the same with a logarithmic discount. Equal scores share the
average of their ranks, so that a model cannot win by scoring everything alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from depict_reco.engine.sparse import Scored


def rank_of(target: int, scored: Scored, n_candidates: int) -> float:
    """Return the rank (1 is best) of one item among ``n_candidates`` items.

    Items that ``scored`` does not name share the last places.
    """
    place = np.flatnonzero(scored.items == target)
    positive = scored.scores > 0
    if len(place) == 0 or not positive[place[0]]:
        named = int(positive.sum())
        return named + (n_candidates - named + 1) / 2
    score = scored.scores[place[0]]
    better = int((scored.scores > score).sum())
    equal = int((scored.scores == score).sum())
    return better + (equal + 1) / 2


@dataclass(slots=True)
class Tally:
    """Ranks collected one by one, and the measures they add up to."""

    ranks: list[float] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    fallbacks: int = 0

    def add(self, target: int, scored: Scored, n_candidates: int, *, shown: int = 20) -> None:
        """Note the rank of a target, and the first ``shown`` items for coverage."""
        self.ranks.append(rank_of(target, scored, n_candidates))
        if len(scored.items) > shown:
            first = np.argpartition(-scored.scores, shown - 1)[:shown]
            self.shown.update(scored.items[first].tolist())
        else:
            self.shown.update(scored.items.tolist())
        self.fallbacks += not len(scored.items)

    def hit_rate(self, k: int) -> float:
        return float((np.asarray(self.ranks) <= k).mean()) if self.ranks else 0.0

    def mrr(self, k: int) -> float:
        ranks = np.asarray(self.ranks)
        return float(np.where(ranks <= k, 1.0 / ranks, 0.0).mean()) if self.ranks else 0.0

    def ndcg(self, k: int) -> float:
        ranks = np.asarray(self.ranks)
        gains = np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0)
        return float(gains.mean()) if self.ranks else 0.0

    def report(self, n_items: int) -> dict[str, float]:
        """Return the measures by name, rounded to four places."""
        measures = {f"hr@{k}": self.hit_rate(k) for k in (5, 10, 20)}
        measures["mrr@20"] = self.mrr(20)
        measures["ndcg@20"] = self.ndcg(20)
        measures["coverage"] = len(self.shown) / n_items if n_items else 0.0
        measures["fallback"] = self.fallbacks / len(self.ranks) if self.ranks else 0.0
        return {"questions": len(self.ranks)} | {k: round(v, 4) for k, v in measures.items()}
