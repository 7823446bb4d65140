"""Session neighbours: what did people want next whose sessions looked like this one?

The nearest past sessions are found through an inverted index and vote for their items. The
ideas: VS-kNN (Ludewig and Jannach, 2018), STAN (Garg et al., 2019) for the decay by position and
by distance from the match, VMIS-kNN (Kersbergen et al., 2022) for the bounded inverted index.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Groups
from depict_reco.engine.slots import distinct
from depict_reco.engine.sparse import EMPTY, Ints, Scored, spans, sum_by_item

LONGEST = 32_767
"""Items of a session, whose positions are kept in 16 bits."""
REACH = 5.0
"""Items further from the match than this many times the decay, worth under 1 %, do not vote."""
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How sessions are compared; lengths are counted in items."""

    postings: int = 1500
    """Newest sessions kept per item."""
    budget: int = 8000
    """Most sessions that one question looks at."""
    neighbours: int = 300
    """Nearest sessions that vote."""
    position_decay: float = 2.0
    """Query items lose a factor e of their weight per this many steps into the past."""
    distance_decay: float = 3.0
    """Items of a neighbour lose a factor e per this many steps from the match."""
    half_life: float = 0.0
    """Sessions lose half their weight per this share of the training window; 0: they keep it."""
    forward: float = 1.0
    """Weight of items that came before the match, against those that came after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNeighbours:
    """An inverted index over past sessions.

    ``posting_indptr`` (n_items + 1,), ``posting_sessions`` and ``posting_positions``: per item
    the sessions that contain it, newest first, and where in the session it last stood.
    ``session_indptr`` (n_sessions + 1,), ``session_items``: the sessions. ``session_weights``
    (n_sessions,) float32: freshness over length. ``idf`` (n_items,) float32.
    """

    posting_indptr: NDArray[np.int64]
    posting_sessions: NDArray[np.int32]
    posting_positions: NDArray[np.int16]
    session_indptr: NDArray[np.int64]
    session_items: NDArray[np.int32]
    session_weights: NDArray[np.float32]
    idf: NDArray[np.float32]
    options: SessionOptions

    @classmethod
    def fit(cls, sessions: Groups, *, options: SessionOptions) -> Self:
        """Index sessions that are in time order.

        Raises
        ------
        ValueError
            If a session is longer than LONGEST.
        """
        lengths = np.diff(sessions.indptr)
        if len(lengths) and lengths.max() > LONGEST:
            raise ValueError(f"A session of {lengths.max()} items is too long, cut it to {LONGEST}")
        owner = np.repeat(np.arange(len(sessions), dtype=np.int32), lengths)
        position = (
            np.arange(len(sessions.items)) - np.repeat(sessions.indptr[:-1], lengths)
        ).astype(np.int16)
        # newest session first within an item, its last position first within a session
        order = np.lexsort((-position, -owner, sessions.items))
        items, owner, position = sessions.items[order], owner[order], position[order]
        repeated = np.zeros(len(items), dtype=bool)
        repeated[1:] = (items[1:] == items[:-1]) & (owner[1:] == owner[:-1])
        items, owner, position = items[~repeated], owner[~repeated], position[~repeated]
        frequency = np.bincount(items, minlength=sessions.n_items)
        starts = np.cumsum(frequency) - frequency
        keep = np.arange(len(items)) - np.repeat(starts, frequency) < options.postings
        kept = np.minimum(frequency, options.postings)
        weights = 1.0 / np.sqrt(np.maximum(lengths, 1))
        if options.half_life > 0 and len(sessions) and sessions.times[-1] > sessions.times[0]:
            span = sessions.times[-1] - sessions.times[0]
            age = (sessions.times[-1] - sessions.times) / span
            weights *= 0.5 ** (age / options.half_life)
        idf = np.log1p(len(sessions) / np.maximum(frequency, 1))
        return cls(
            posting_indptr=np.concatenate(([0], np.cumsum(kept))).astype(np.int64),
            posting_sessions=owner[keep],
            posting_positions=position[keep],
            session_indptr=sessions.indptr,
            session_items=sessions.items,
            session_weights=weights.astype(np.float32),
            idf=idf.astype(np.float32),
            options=options,
        )

    def scores(self, query: Ints) -> Scored:
        """Score what may follow ``query``, a session of known items, oldest first.

        Returns all items of the neighbours, those of the query included.
        """
        return sum_by_item(*self.listed(query))

    def listed(self, query: Ints) -> tuple[Ints, NDArray[np.float32]]:
        """Return the votes of all neighbours: items, which may repeat, and the votes' weights."""
        if len(query) == 0:
            return EMPTY.items, EMPTY.scores
        options, own = self.options, self.importance(query)
        # A long session shares the work out among its items, the newest sessions of each first.
        most = options.budget // len(query)
        bounds = [self.posting_indptr[item : item + 2].tolist() for item in query.tolist()]
        rows = [slice(start, min(end, start + most)) for start, end in bounds]
        sessions = np.concatenate([self.posting_sessions[row] for row in rows])
        match = np.concatenate([self.posting_positions[row] for row in rows])
        if len(sessions) == 0:
            return EMPTY.items, EMPTY.scores
        if len(rows) == 1:  # in which no session stands twice
            neighbours, similarity = sessions, own * self.session_weights.take(sessions)
        else:
            # Sessions are met in the query's order, so the last match is of the newest item.
            values = own.repeat([row.stop - row.start for row in rows])
            places, ranks = distinct(sessions, size=len(self.session_weights))
            neighbours, match = sessions.take(places), match.take(places)
            similarity = np.bincount(ranks, weights=values).astype(np.float32)
            similarity *= self.session_weights.take(neighbours)
        if len(neighbours) > options.neighbours:
            # of sessions equally like this one the newest, which have the greatest numbers
            ranks = similarity.view(np.uint32).astype(np.uint64) << _HALF
            ranks |= neighbours.astype(np.uint64)
            chosen = np.argpartition(ranks, -options.neighbours)[-options.neighbours :]
            neighbours, similarity = neighbours.take(chosen), similarity.take(chosen)
            match = match.take(chosen)
        return self._votes(neighbours, similarity, match)

    def importance(self, query: Ints) -> NDArray[np.float32]:
        """Return what a match of each item of a session says: newest and rarest items the most."""
        return steps_back(len(query), self.options.position_decay) * self.idf.take(query)

    @property
    def decay(self) -> NDArray[np.float32]:
        """What an item of a neighbour counts by its distance from the match, as far as any does.

        As an index counts from the end where it is negative, the distance itself is the index.
        """
        options = self.options
        return _decay(options.distance_decay, options.forward)

    def _votes(
        self, neighbours: Ints, similarity: NDArray[np.float32], match: Ints
    ) -> tuple[Ints, NDArray[np.float32]]:
        # Items far from the match would hardly count: they are left out.
        decay = self.decay
        reach = len(decay) // 2
        start = self.session_indptr.take(neighbours)
        middle = start + match
        first = np.maximum(start, middle - reach)
        end = np.minimum(self.session_indptr.take(neighbours + 1), middle + (reach + 1))
        lengths = end - first
        at = spans(first, lengths)
        votes = decay.take(at - middle.repeat(lengths), mode="wrap")
        votes *= similarity.repeat(lengths)
        return self.session_items.take(at), votes


@functools.lru_cache(maxsize=256)
def steps_back(length: int, decay: float) -> NDArray[np.float32]:
    """Return what the items of a session count, oldest first: e times less per ``decay`` steps."""
    steps = np.arange(length - 1, -1, -1, dtype=np.float32)
    weights: NDArray[np.float32] = np.exp(-steps / np.float32(decay))
    weights.flags.writeable = False  # others get it too
    return weights


@functools.lru_cache(maxsize=8)
def _decay(steps: float, forward: float) -> NDArray[np.float32]:
    after = np.exp(np.arange(math.ceil(REACH * steps) + 1, dtype=np.float32) / -steps)
    return np.concatenate((after, after[:0:-1] * np.float32(forward)))
