"""Places of an answer in which new products take turns.

A product that nobody has dealt with is recommended to nobody, and so nobody deals with it. A type
may give a share of its places to products that are new, hardly known and yet to the point; what
shoppers then do with them is what the next training learns from.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from django.utils import timezone

from depict_reco.engine.model import ShopModel
from depict_reco.serving.candidates import Codes, Context, nearest_categories, text_of

NEW_SECONDS = 30 * 86_400.0
"""A product is new for so long after it was first seen."""
TURN_SECONDS = 3600.0
"""After so long the next products have their turn."""

_POOL = 50
"""Most products that take turns, the most relevant ones."""
_SEEDS = 3
"""Newest products of the request, or the history, that new ones are compared with."""
_UNREAD = 16
"""Newest products that the model has not read whose texts are compared one by one."""
_ALIKE = 0.05
"""Least likeness that counts, as among the neighbours of the content model."""


def explore(
    context: Context,
    chosen: list[int],
    sources: list[str],
    *,
    share: float,
    key: Sequence[str],
) -> tuple[list[int], list[str]]:
    """Give a share of the places, rounded down and never the first, to new products.

    New products that the answer has already count. For the same ``key``, the ids of the shopper
    or of the products asked about, they are the same for an hour; then it is the next ones' turn.
    """
    places = int(len(chosen) * share + 1e-9)
    if not places:
        return chosen, sources
    now = timezone.now().timestamp()
    untried = _untried(context, since=now - NEW_SECONDS)
    placed = np.isin(untried, chosen)
    places -= int(placed.sum())
    waiting = untried[~placed]
    if places <= 0 or not len(waiting):
        return chosen, sources
    turn = zlib.crc32("\n".join(key).encode("utf-8", "surrogatepass")) + int(now // TURN_SECONDS)
    found = _turns(_relevant(context, waiting), places, turn)
    return _woven(chosen, sources, found, kept=set(untried[placed].tolist()))


def _woven(
    chosen: list[int], sources: list[str], found: list[int], *, kept: set[int]
) -> tuple[list[int], list[str]]:
    """Put products evenly spread in the place of the last of the others."""
    rest = list(zip(chosen, sources, strict=True))
    others = [at for at, code in enumerate(chosen) if code not in kept]
    for at in reversed(others[len(others) - len(found) :]):
        del rest[at]
    for number, code in enumerate(found):
        # in the middle of each stretch: never first, as at most half of the places are given
        at = (2 * number + 1) * len(chosen) // (2 * len(found))
        rest.insert(at, (code, "exploration"))
    return [code for code, _ in rest], [source for _, source in rest]


def _untried(context: Context, *, since: float) -> Codes:
    """Return what is new, may be answered and has less than the usual attention; newest first."""
    snapshot = context.snapshot
    order, first_seen = snapshot.newest_order, snapshot.columns.first_seen
    fresh = order[: np.searchsorted(-first_seen[order], -since, side="right")]
    fresh = fresh[context.may(fresh)]
    if snapshot.model is None or not len(snapshot.popular_order):
        return fresh
    # half of the products that get any attention get more than this one
    middle = snapshot.popular_order[len(snapshot.popular_order) // 2]
    popular = snapshot.model.popularity.popular
    items = snapshot.item_of_code[fresh]
    known = popular[np.maximum(items, 0)] >= popular[snapshot.item_of_code[middle]]
    return fresh[~known | (items < 0)]


def _relevant(context: Context, untried: Codes) -> Codes:
    """Return what reads like the products asked about, else is of their category, else all."""
    model = context.snapshot.model
    seeds = (context.anchors or context.history)[-_SEEDS:]
    if model is not None and seeds:
        scores = _likeness(context, model, seeds, untried)
        order = np.argsort(-scores, kind="stable")[:_POOL]
        if len(alike := untried[order[scores[order] > _ALIKE]]):
            return alike
    for category in nearest_categories(context):
        members = context.snapshot.columns.codes_in(category)
        if len(inside := untried[np.isin(untried, members)]):
            return inside[:_POOL]
    return untried[:_POOL]


def _likeness(
    context: Context, model: ShopModel, seeds: list[int], untried: Codes
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return how much each product reads like the seed that it is most like."""
    items = context.snapshot.item_of_code[untried]
    read = items >= 0
    unread = np.flatnonzero(~read)[:_UNREAD]
    texts = [text_of(context.snapshot, int(code)) for code in untried[unread]]
    best = np.zeros(len(untried), dtype=np.float32)
    for seed in seeds:
        text = text_of(context.snapshot, seed)
        scored = model.content.scores_of_text(text)
        scores = np.zeros(model.n_items, dtype=np.float32)
        scores[scored.items] = scored.scores
        best[read] = np.maximum(best[read], scores[items[read]])
        best[unread] = np.maximum(best[unread], model.content.likeness(text, texts))
    return best


def _turns(pool: Codes, places: int, turn: int) -> list[int]:
    """Return whose turn it is: as turns go by, all of the pool have equally many."""
    count = min(places, len(pool))
    return [int(pool[(turn * count + step) % len(pool)]) for step in range(count)]
