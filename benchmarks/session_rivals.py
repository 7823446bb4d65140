"""Session neighbours as they are published for research: sets and dicts in plain Python.

Written from the papers (Jannach and Ludewig, 2017; Ludewig and Jannach, 2018), with the
structures that the authors' framework is known for: a set of sessions per item, a set of items
per session, the newest of those that share an item, their weighted overlap, and a sum of votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

import numpy as np

from depict_reco.engine.interactions import Groups


class SetsOfSessions:
    """The vector form of session neighbours with div weights, over dicts and sets."""

    def __init__(self, groups: Groups, *, neighbours: int = 100, sample: int = 1000) -> None:
        self._neighbours, self._sample = neighbours, sample
        self._items: dict[int, frozenset[int]] = {}
        self._sessions: dict[int, set[int]] = {}
        self._times: dict[int, float] = {}
        for session, items in enumerate(np.split(groups.items, groups.indptr[1:-1])):
            held = frozenset(items.tolist())
            self._items[session], self._times[session] = held, float(groups.times[session])
            for item in held:
                self._sessions.setdefault(item, set()).add(session)

    def best(self, query: Sequence[int], count: int) -> list[int]:
        """Return the best items after a session, best first."""
        length = len(query)
        place = {item: step for step, item in enumerate(query, start=1)}
        weights = {item: step / length for item, step in place.items()}
        found: list[tuple[float, int]] = []
        for session in self._newest(query):
            shared = weights.keys() & self._items[session]
            found.append((sum(weights[item] for item in shared) / length, session))
        scores: dict[int, float] = {}
        for similarity, session in nlargest(self._neighbours, found):
            items = self._items[session]
            latest = max(place[item] for item in items if item in place)
            vote = similarity * (1.0 - 0.1 * (length - latest)) if length - latest < 10 else 0.0
            for item in items:
                if item not in place:
                    scores[item] = scores.get(item, 0.0) + vote
        return nlargest(count, scores, key=scores.__getitem__)

    def _newest(self, query: Sequence[int]) -> list[int]:
        sharing: set[int] = set()
        for item in query:
            sharing |= self._sessions.get(item, set())
        return nlargest(self._sample, sharing, key=self._times.__getitem__)
