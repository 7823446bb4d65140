"""What the parts of a model say of one question, weighed and added up.

The work is done by ``_compiled.c`` where that could be built, and else by numpy, which takes about
twice as long: with a few thousand numbers of a dozen lists it begins more than it works.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.fusing import Voice, fused
from depict_reco.engine.related import PLACES, Lists, RelatedItems
from depict_reco.engine.sessions import SessionNeighbours
from depict_reco.engine.sparse import EMPTY, Floats, Ints, Scored, best

compiled: Callable[..., tuple[bytes, bytes]] | None
"""None where this installation has no compiled part."""

try:
    from depict_reco.engine import _compiled  # type: ignore[attr-defined]
except ImportError:
    compiled = None
else:
    compiled = _compiled.blend

SESSIONS = "sessions"
"""The name of the part that is no table of related items."""

LEAST = np.float32(-80.0)
"""Logarithm of the least chance that is told from none: e to this power is still a float32."""

Heard = list[tuple[Lists, float]]
"""Parts that have a weight, with it."""


def blended(
    asked: Sequence[Lists],
    weights: tuple[float, ...],
    *,
    related: RelatedItems,
    sessions: SessionNeighbours,
    priors: NDArray[np.float32],
    but: Ints,
    most: int | None = None,
) -> Scored:
    """Return the chance of each item that the parts speak for, the best one's being 1.

    Parameters
    ----------
    asked
        What is asked of each part.
    weights
        Of each part, then of each prior.
    priors
        float32 (n_priors, n_items), between 0 and 1: what speaks for an item whatever is asked.
    but
        Items to leave out.
    most
        So many of the likeliest items, best first, equal ones in the order of items; None for
        all, in no order.
    """
    heard = [(lists, weight) for lists, weight in zip(asked, weights, strict=False) if weight > 0]
    prior_weights = _vector(weights[len(asked) :])
    blend = _by_numpy if compiled is None else _by_compiled
    return blend(heard, related, sessions, priors, prior_weights, but, most)


def read(
    asked: Sequence[Lists], related: RelatedItems, sessions: SessionNeighbours
) -> list[tuple[Ints, Floats]]:
    """Return what each part says: items, which may repeat, and their scores."""
    tables = related.read([one for one in asked if one.table != SESSIONS])
    return [sessions.listed(one.items) if one.table == SESSIONS else next(tables) for one in asked]


def _by_numpy(
    heard: Heard,
    related: RelatedItems,
    sessions: SessionNeighbours,
    priors: NDArray[np.float32],
    prior_weights: NDArray[np.float32],
    but: Ints,
    most: int | None,
) -> Scored:
    said = read([lists for lists, _ in heard], related, sessions)
    voices = [Voice(*one, weight) for one, (_, weight) in zip(said, heard, strict=True)]
    found = fused(voices, n_items=priors.shape[1], but=but)
    keep = (found.scores > 0).nonzero()[0]
    if len(keep) == 0:
        return EMPTY
    items, logits = found.items.take(keep), found.scores.take(keep)
    logits += prior_weights @ priors.take(items, axis=1)
    likely = Scored(items, logits) if most is None else best(Scored(items, logits), most)
    chances = likely.scores - likely.scores.max()
    np.maximum(chances, LEAST, out=chances)
    return Scored(likely.items, np.exp(chances, out=chances))


def _by_compiled(
    heard: Heard,
    related: RelatedItems,
    sessions: SessionNeighbours,
    priors: NDArray[np.float32],
    prior_weights: NDArray[np.float32],
    but: Ints,
    most: int | None,
) -> Scored:
    voices = [
        (-1, _int32(lists.items), sessions.importance(lists.items), weight)
        if lists.table == SESSIONS
        else (PLACES[lists.table], _int32(lists.items), lists.weights, weight)
        for lists, weight in heard
    ]
    arrays: tuple[NDArray[Any], ...] = (
        related.indptr, related.items, related.scores,
        sessions.posting_indptr, sessions.posting_sessions, sessions.posting_positions,
        sessions.session_indptr, sessions.session_items, sessions.session_weights,
        sessions.decay, priors, prior_weights, _int32(but),
    )  # fmt: skip
    options = sessions.options
    items, chances = _compiled.blend(
        arrays, priors.shape[1], options.budget, options.neighbours, voices, most or 0
    )
    return Scored(np.frombuffer(items, dtype=np.int32), np.frombuffer(chances, dtype=np.float32))


def _int32(items: Ints) -> NDArray[np.integer]:
    # nearly always that is what it is, and asking numpy for it takes a while
    whole = items.dtype == np.int32 and items.flags.c_contiguous
    return items if whole else np.ascontiguousarray(items, dtype=np.int32)


@functools.lru_cache(maxsize=64)
def _vector(weights: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(weights, dtype=np.float32)
