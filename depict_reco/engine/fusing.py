"""Adding up what several models say of the same question, in one go.

Each of a dozen small arrays costs little to work on and much to begin with; so the lists of all
models are laid one after the other, and each step is taken once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from depict_reco.engine.slots import distinct
from depict_reco.engine.sparse import EMPTY, Floats, Ints, Scored


class Voice(NamedTuple):
    """What one model says: lists of items, which may repeat, and their scores.

    ``items`` and ``scores``: as many arrays, int32 (n,) and float32 (n,); ``weight`` of the
    evidence, greater than 0.
    """

    items: Sequence[Ints]
    scores: Sequence[Floats]
    weight: float


def fused(voices: Sequence[Voice], *, n_items: int, but: Ints) -> Scored:
    """Return the weighed evidence of all voices, without some items.

    The same as adding up ``without(sum_by_item(items, scores), but).evidence(weight)`` of each
    voice, up to the rounding of sums; an item without evidence may be there or not.
    """
    voices = [voice for voice in voices if any(map(len, voice.items))]
    if not voices:
        return EMPTY
    # what is left out stands first, so that the first ranks are its own
    items = np.concatenate([but, *(one for voice in voices for one in voice.items)])
    scores = np.concatenate([one for voice in voices for one in voice.scores])
    places, ranks = distinct(items, size=n_items, newest=False)
    size, cells, end = len(places), ranks[len(but) :], 0
    for row, voice in enumerate(voices):  # one row per voice, one column per item
        start, end = end, end + sum(map(len, voice.items))
        if row:
            cells[start:end] += row * size
    table = np.bincount(cells, weights=scores, minlength=len(voices) * size)
    sums = table.astype(np.float32).reshape(len(voices), size)
    for rank in set(ranks[: len(but)].tolist()):
        sums[:, rank] = 0.0
    tops = sums.max(axis=1).tolist()
    # the root of a score over the best one is the root of the score over that of the best one
    heard = [
        voice.weight / sqrt(top) if top > 0.0 else 0.0
        for voice, top in zip(voices, tops, strict=True)
    ]
    if sums.min() < 0.0:
        roots = np.sqrt(np.abs(sums))
        np.copysign(roots, sums, out=roots)
    else:
        roots = np.sqrt(sums, out=sums)
    return Scored(items[places], np.array(heard, dtype=np.float32) @ roots)
