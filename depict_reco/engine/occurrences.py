"""Where each item occurs in sessions and baskets: what the figures of an explanation count.

Scores are decayed, normalised and cut to the best of each item. A sentence such as "bought
together in 37 of 412 baskets" must hold for any two items, and be true to the unit: so it is
counted from the occurrences themselves, when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices
from depict_reco.engine.interactions import Action, Groups, Interactions
from depict_reco.engine.sessions import SessionNeighbours
from depict_reco.engine.sparse import Ints

_SEEN = np.uint8(1 << Action.VIEW)
_WANTED = np.uint8(1 << Action.CART | 1 << Action.PURCHASE)
_ANYTHING = np.uint8(255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """In how many of the groups that hold one item another is found."""

    both: int
    of: int
    viewed: int = 0
    """Of ``both``, those where people looked at it, rather than did more at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """An index from items to the sessions and baskets that hold them.

    The sessions themselves are in SessionNeighbours. ``step_indptr`` int64 (n_items + 1,) and
    ``steps`` int32 (total,): per item its places in ``session_items``, ascending. ``done`` uint8
    (total,): what was done at each place, as in Groups. ``basket_indptr`` int64 (n_items + 1,) and
    ``baskets`` int32: per item the numbers of its baskets, ascending.
    """

    step_indptr: NDArray[np.int64]
    steps: NDArray[np.int32]
    done: NDArray[np.uint8]
    basket_indptr: NDArray[np.int64]
    baskets: NDArray[np.int32]

    @classmethod
    def fit(cls, interactions: Interactions, sessions: Groups) -> Self:
        """Index sessions and all baskets of ``interactions``.

        Raises
        ------
        ValueError
            If the sessions do not know what was done in them.
        """
        if sessions.done is None:
            raise ValueError("Sessions to count in must know what was done in them.")
        n = interactions.n_items
        places = np.arange(len(sessions.items), dtype=np.int32)
        row = np.array([0, len(places)])
        # one counting sort; places of an item stay in their order
        by_item = matrices.csr_matrix((places, sessions.items, row), shape=(1, n)).tocsc()
        bought = np.flatnonzero(
            (interactions.baskets >= 0) & (interactions.actions != Action.RETURN)
        )
        numbers = interactions.baskets[bought].astype(np.int64)
        width = int(numbers.max()) + 1 if len(numbers) else 1
        pairs = np.sort(interactions.items[bought] * np.int64(width) + numbers)
        pairs = _distinct(pairs)
        per_item = np.bincount(pairs // width, minlength=n)
        return cls(
            step_indptr=by_item.indptr.astype(np.int64),
            steps=by_item.data.astype(np.int32),
            done=sessions.done,
            basket_indptr=np.concatenate(([0], np.cumsum(per_item))).astype(np.int64),
            baskets=(pairs % width).astype(np.int32),
        )

    def in_baskets(self, item: int, other: int) -> Count:
        """Count the baskets with ``item`` that hold ``other``, however large they are."""
        mine = _row(self.basket_indptr, self.baskets, item)
        shared = _shared(mine, _row(self.basket_indptr, self.baskets, other))
        return Count(both=len(shared), of=len(mine))

    def in_sessions(self, item: int, other: int, sessions: SessionNeighbours) -> Count:
        """Count the sessions of two items and more with ``item`` that hold ``other``.

        ``viewed`` counts those in which both were looked at.
        """
        ends = sessions.session_indptr
        mine, theirs = self._sessions(item, ends), self._sessions(other, ends)
        seen, shown = (self._sessions(one, ends, _SEEN) for one in (item, other))
        return Count(
            both=len(_shared(mine, theirs)), of=len(mine), viewed=len(_shared(seen, shown))
        )

    def next_in_sessions(self, item: int, other: int, sessions: SessionNeighbours) -> Count:
        """Count the sessions that went on after ``item`` in which ``other`` came right after it.

        ``viewed`` counts those in which that was a look at ``other``.
        """
        steps = _row(self.step_indptr, self.steps, item)
        owners = _owners(sessions.session_indptr, steps)
        goes_on = steps + 1 < sessions.session_indptr[owners + 1]
        following, owners = steps[goes_on] + 1, owners[goes_on]
        hit = sessions.session_items[following] == other
        viewed = hit & (self.done[following] & _SEEN > 0)
        return Count(
            both=len(_distinct(owners[hit])),
            of=len(_distinct(owners)),
            viewed=len(_distinct(owners[viewed])),
        )

    def wanted_in_sessions(self, item: int, other: int, sessions: SessionNeighbours) -> Count:
        """Count the sessions with a look at ``item`` in which ``other`` was wanted.

        That is, put into a cart or bought; looks at it alone do not count.
        """
        seen = self._sessions(item, sessions.session_indptr, _SEEN)
        wanted = self._sessions(other, sessions.session_indptr, _WANTED)
        return Count(both=len(_shared(seen, wanted)), of=len(seen))

    def _sessions(self, item: int, session_indptr: Ints, done: np.uint8 = _ANYTHING) -> Ints:
        """Return the sessions in which something was done with an item, each once, ascending."""
        steps = _row(self.step_indptr, self.steps, item)
        steps = steps[self.done[steps] & done > 0]
        return _distinct(_owners(session_indptr, steps))


def _row(indptr: Ints, values: Ints, row: int) -> Ints:
    return np.asarray(values[indptr[row] : indptr[row + 1]])


def _owners(session_indptr: Ints, steps: Ints) -> Ints:
    """Return the session of each place."""
    return np.searchsorted(session_indptr, steps, side="right") - 1


def _distinct(ascending: Ints) -> Ints:
    """Return each of some ascending numbers once, much faster than numpy's unique."""
    first = np.ones(len(ascending), dtype=bool)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


def _shared(first: Ints, second: Ints) -> Ints:
    """Return what two ascending arrays of distinct numbers have in common."""
    few, many = sorted((first, second), key=len)
    if not len(few):
        return few
    at = np.searchsorted(many, few)
    return few[many[np.minimum(at, len(many) - 1)] == few]
